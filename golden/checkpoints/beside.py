#!/usr/bin/env python3
"""Writes beside_zip.pt and beside_legacy.pt, small weights among all that people save beside theirs, and whole_model_zip.pt.

Needs PyTorch and NumPy.
"""
import argparse
import collections
import datetime
import decimal
import pathlib
import warnings

import numpy as np
import torch

warnings.simplefilter("ignore")
folder = pathlib.Path(__file__).parent
weights = collections.OrderedDict(
    [
        ("module.w", torch.arange(6.0).reshape(2, 3).half()),
        ("module.b", torch.nn.Parameter(torch.arange(3.0).bfloat16())),
        ("module.n", torch.tensor(7)),
    ]
)
optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))])
optimizer.param_groups[0]["params"][0].sum().backward()
optimizer.step()
schedules = [
    torch.optim.lr_scheduler.MultiStepLR(optimizer, [1, 2]),
    torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10),
    torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer),
]
beside = {
    "epoch": 3,
    "optimizer": optimizer.state_dict(),
    "schedules": [schedule.state_dict() for schedule in schedules],
    "args": argparse.Namespace(lr=1e-4, out=pathlib.PurePosixPath("/x"), when=datetime.datetime(2019, 11, 13)),
    "history": collections.defaultdict(list, loss=[1.0, np.float32(0.5)]),
    "random": np.random.RandomState(0).get_state(),
    "generator": np.random.default_rng(0),
    "plain": [{1, 2}, frozenset([1]), 1 + 2j, b"\xff\0", bytearray(b"x"), 2**100, -(2**70), 2**3000, ..., range(3)],
    "numpy": [np.int16(3), np.str_("x"), np.zeros((2, 3), order="F"), np.zeros(3, ">f8"), np.array([None, "x"], dtype=object)],
    "others": [collections.Counter("abc"), collections.deque([1]), decimal.Decimal("1.5"), np.datetime64("2019-11-13"), print],
    "torch": [torch.device("cuda", 1), torch.float32, torch.strided, torch.Size([1, 2]), torch.nn.functional.relu],
    "tensors": [
        torch.eye(2).to_sparse(),
        torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
        torch.zeros(2, dtype=torch.complex64),
        torch.zeros(2, device="meta"),
        torch.zeros(2).untyped_storage(),
    ],
    "not UTF-8": "a\udc80b",
}
for name, zipped in [("beside_zip.pt", True), ("beside_legacy.pt", False)]:
    content = {**beside, "nested": [{"net": weights}, 1]}
    if not zipped:
        content["tensors"] = content["tensors"][:2]
    torch.save(content, folder / name, _use_new_zipfile_serialization=zipped)
whole = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.ReLU())
torch.save(whole, folder / "whole_model_zip.pt")
