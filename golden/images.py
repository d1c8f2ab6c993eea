#!/usr/bin/env python3
"""Writes images.json: samples of windowed, cropped, resized, mirrored and rotated images, by an independent float64 implementation.

Needs Python 3 and numpy; the kit and its tests do not. The image is a formula in integers:
HU(row, column) = (7 row^2 + 5 column^2 + 11 row column + 13 row + 29 column) mod 400 - 150.
Resampling is a product with explicit weight matrices, rotation a sum over the four neighbours by scattered masks, so that no
line of it has its twin in the Swift code. Usage: images.py > images.json
"""
import json
import math

import numpy as np

ROWS, COLUMNS = 40, 48
WINDOWS = [(40, 80), (80, 200), (40, 380)]


def image():
    r, c = np.mgrid[0:ROWS, 0:COLUMNS]
    return ((7 * r * r + 5 * c * c + 11 * r * c + 13 * r + 29 * c) % 400 - 150).astype(np.float64)


def windowed(hu):
    channels = []
    for center, width in WINDOWS:
        low, high = center - width // 2, center + width // 2
        channels.append((np.clip(hu, low, high) - low) / (high - low))
    return np.stack(channels, -1)


def resize_weights(length, size):
    """A size x length matrix of hat functions: weight 1 - |distance|, what falls outside added to the border pixel."""
    at = (np.arange(size) + 0.5) * length / size - 0.5
    taps = np.arange(-1, length + 1)
    weights = np.maximum(0, 1 - np.abs(at[:, None] - taps[None, :]))
    weights[:, 1] += weights[:, 0]
    weights[:, -2] += weights[:, -1]
    return weights[:, 1:-1]


def rotated(x, degrees):
    """Inverse of cv2.getRotationMatrix2D((w / 2, h / 2), degrees, 1), found by solving the 2 x 3 matrix, zeros around."""
    size = x.shape[0]
    c = size / 2
    a, b = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    forward = np.array([[a, b, (1 - a) * c - b * c], [-b, a, b * c + (1 - a) * c], [0, 0, 1]])
    inverse = np.linalg.inv(forward)
    rows, columns = np.mgrid[0:size, 0:size]
    sx, sy, _ = np.tensordot(inverse, np.stack([columns, rows, np.ones_like(rows)]), 1)
    padded = np.zeros((size + 4, size + 4, x.shape[2]))
    padded[2:-2, 2:-2] = x
    result = np.zeros_like(x)
    for j in (0, 1):
        for i in (0, 1):
            px, py = np.floor(sx) + i, np.floor(sy) + j
            weight = np.maximum(0, 1 - np.abs(sx - px)) * np.maximum(0, 1 - np.abs(sy - py))
            result += weight[..., None] * padded[
                np.clip(py + 2, 0, size + 3).astype(int), np.clip(px + 2, 0, size + 3).astype(int)]
    return result


def case(size, crop=(0, 0, COLUMNS, ROWS), flip=False, degrees=None):
    x0, y0, w, h = crop
    x = windowed(image())[y0:y0 + h, x0:x0 + w]
    x = np.einsum("yr,rck,xc->yxk", resize_weights(h, size), x, resize_weights(w, size))
    if flip:
        x = x[:, ::-1]
    if degrees is not None:
        x = rotated(x, degrees)
    step = max(1, size // 5)
    at = [[r, c] + x[r, c].tolist() for r in range(0, size, step) for c in range(0, size, step)]
    return {"size": size, "crop": crop, "flip": flip, "rotate_degrees": degrees, "mean": x.mean((0, 1)).tolist(), "at": at}


print(json.dumps({
    "comment": "Made by images.py: float64 numpy, independent of the Swift code. at = [row, column, channels...]. The image is "
               "HU(r, c) = (7rr + 5cc + 11rc + 13r + 29c) mod 400 - 150.",
    "rows": ROWS, "columns": COLUMNS, "windows": WINDOWS,
    "cases": [
        case(40, crop=(4, 0, 40, 40)),
        case(64),
        case(17),
        case(32, crop=(3, 2, 39, 35), flip=True),
        case(32, crop=(9, 4, 33, 36), degrees=-26.147),
        case(64, crop=(0, 7, 48, 31), flip=True, degrees=12.45),
        case(33, crop=(1, 1, 47, 38), degrees=30),
    ],
}, indent=None, separators=(",", ":")).replace("},{", "},\n{"))
