#!/usr/bin/env python3
"""Writes old_style_legacy.pt: a snapshot as the first PyTorch versions and a NumPy score would pickle it. Needs Python 3 and numpy.

Unlike newer files it has `torch._utils._rebuild_tensor` and `torch.nn.parameter.Parameter` with a state behind, a storage that is
part of another, and NumPy numbers in `detail`. The modules named torch here are stand-ins, so PyTorch is not needed.
"""
import collections
import pickle
import struct
import sys
import types

import numpy as np


def stand_in(path, name, **members):
    module = sys.modules.setdefault(path, types.ModuleType(path))
    made = type(name, (), {"__module__": path, **members})
    setattr(module, name, made)
    return made


def function(path, name):
    module = sys.modules.setdefault(path, types.ModuleType(path))
    made = types.FunctionType(compile("None", "", "eval"), {}, name)
    made.__module__, made.__qualname__ = path, name
    setattr(module, name, made)
    return made


sys.modules.setdefault("torch", types.ModuleType("torch"))
sys.modules.setdefault("torch.nn", types.ModuleType("torch.nn"))
FloatStorage = stand_in("torch", "FloatStorage")
rebuild_tensor = function("torch._utils", "_rebuild_tensor")


class Storage:
    def __init__(self, key, count, view=None):
        self.id = ("storage", FloatStorage, key, "cuda:0", count, view)


class Tensor:
    def __init__(self, *arguments):
        self.arguments = arguments

    def __reduce__(self):
        return rebuild_tensor, self.arguments


def reduce_parameter(self):
    return type(self), (self.data,), (True, False, collections.OrderedDict())


Parameter = stand_in("torch.nn.parameter", "Parameter", __reduce__=reduce_parameter)


def parameter(data):
    made = Parameter()
    made.data = data
    return made


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        return value.id if isinstance(value, Storage) else None


with open("old_style_legacy.pt", "wb") as out:
    whole = Storage("77", 12)
    part = Storage("77", 12, ("78", 8, 4))
    model = collections.OrderedDict([
        ("weight", parameter(Tensor(whole, 0, (2, 4), (4, 1)))),
        ("bias", parameter(Tensor(part, 1, (3,), (1,)))),
    ])
    detail = {"score": np.float64(0.0625), "loss": np.float32(0.1), "epoch": np.int64(-3), "best": np.bool_(True), "name": "fold0"}
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    for value in (0x1950A86A20F9469CFC6C, 1001, machine, {"model": model, "detail": detail}, ["77"]):
        Pickler(out, protocol=2).dump(value)
    out.write(struct.pack("<q", 12) + np.arange(12, dtype="<f4").__truediv__(np.float32(8)).tobytes())
