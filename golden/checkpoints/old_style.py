#!/usr/bin/env python3
"""Writes old_style_legacy.pt and old_style_tar.pth as PyTorch's first versions would. Needs Python 3 and numpy.

The legacy file is a snapshot: unlike newer ones it has `torch._utils._rebuild_tensor` and `torch.nn.parameter.Parameter` with a state behind, a storage that is
part of another, and NumPy numbers in `detail`. The tar file is a state dict in the container before that, laid out as
`legacy_load` in PyTorch's serialization.py reads it, with parameters in both forms that it accepts. The modules named torch here are stand-ins, so PyTorch is not needed.
"""
import collections
import copyreg
import io
import pickle
import struct
import sys
import tarfile
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
    if self.made_empty:
        return copyreg.__newobj__, (type(self),), (self.data, None, None, True, False)
    return type(self), (self.data,), (True, False, collections.OrderedDict())


Parameter = stand_in("torch.nn.parameter", "Parameter", __reduce__=reduce_parameter)


def parameter(data, made_empty=False):
    """A parameter; made empty, it is given (data, gradient, hooks, requires_grad, volatile) afterwards."""
    made = Parameter()
    made.data, made.made_empty = data, made_empty
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
    out.write(struct.pack("<q", 12) + (np.arange(12, dtype="<f4") / np.float32(8)).tobytes())


class Name:
    """A tensor that the pickle calls by its number."""

    def __init__(self, number):
        self.number = number


class TarPickler(pickle.Pickler):
    def persistent_id(self, value):
        return str(value.number) if isinstance(value, Name) else None


def add(tar, name, *parts):
    contents = b"".join(part if isinstance(part, bytes) else pickle.dumps(part, protocol=2) for part in parts)
    member = tarfile.TarInfo(name)
    member.size, member.mtime = len(contents), 1483228800.25
    tar.addfile(member, io.BytesIO(contents))


with tarfile.open("old_style_tar.pth", "w:", format=tarfile.PAX_FORMAT) as tar:
    FloatTensor, LongStorage, LongTensor = (stand_in("torch", name) for name in ("FloatTensor", "LongStorage", "LongTensor"))
    add(tar, "sys_info", {"protocol_version": 1000, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}})
    pickled = io.BytesIO()
    TarPickler(pickled, protocol=2).dump(collections.OrderedDict([
        ("conv.weight", parameter(Name(501))), ("conv.bias", parameter(Name(502), made_empty=True)), ("bn.mean", Name(503)), ("count", Name(504)),
    ]))
    add(tar, "pickle", pickled.getvalue())
    tensors = []
    for number, storage, kind, shape, strides, offset in (
            (501, 94000000000001, FloatTensor, (2, 3), (1, 2), 0), (502, 94000000000002, FloatTensor, (2,), (1,), 0),
            (503, 94000000000001, FloatTensor, (4,), (1,), 6), (504, 7, LongTensor, (1,), (1,), 0)):
        tensors += [(number, storage, kind), struct.pack(f"<iI{len(shape)}q{len(shape)}qq", len(shape), 0xDEADBEEF, *shape, *strides, offset)]
    add(tar, "tensors", 4, *tensors)
    add(tar, "storages", 2, (94000000000001, "cuda:0", FloatStorage), struct.pack("<q10f", 10, *(i / 4 for i in range(10))),
        (7, "cpu", LongStorage), struct.pack("<qq", 1, -5), [(94000000000002, 94000000000001, 7, 3)])
