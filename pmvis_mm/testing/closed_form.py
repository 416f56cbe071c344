"""Weights and inputs from closed formulas, as the golden files have them.

They are the same on every machine, without files or random generators.
"""

import math
import zlib
from typing import Dict, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

# Buffers that follow from the architecture: a model makes them itself.
_INDICES = ('relative_position_index', 'attention_bias_idxs')

SAM_BOXES = (
    (10.0, 8.0, 60.0, 70.0),
    (70.0, 20.0, 150.0, 90.0),
    (0.0, 0.0, 159.0, 95.0),
)
"""Boxes on :func:`sam_image`: half-open xyxy, pixels."""


def det(name: str, shape: Sequence[int], scale: float) -> Tensor:
    """Make noise that only its name decides.

    Element i (row-major) is the fractional part of
    43758.5453 sin(12.9898 (i + 1) + 78.233 s) with
    s = crc32(name) mod 10007, stretched to [-scale, scale).

    Args:
        name (str): Seed.
        shape (Sequence[int]): Shape; may be ().
        scale (float): Half the width of the range.

    Returns:
        Tensor: float32, of that shape.
    """
    seed = zlib.crc32(name.encode()) % 10007
    index = np.arange(1, math.prod(shape) + 1, dtype=np.float64)
    wave = 43758.5453 * np.sin(12.9898 * index + 78.233 * seed)
    noise = scale * (2 * (wave - np.floor(wave)) - 1)
    return torch.from_numpy(noise.astype(np.float32).reshape(tuple(shape)))


def fill(shapes: Mapping[str, Sequence[int]]) -> Dict[str, Tensor]:
    """Fill the weights of a network from their names.

    The golden outputs ``deaot_*`` and ``hqsam_*`` were made with these.
    Statistics of a batch norm are near 0 and 1, vectors near 1 (weights) or
    0, everything else is uniform with variance 1 / fan-in.

    Args:
        shapes (Mapping[str, Sequence[int]]): Shape by official name.

    Returns:
        dict[str, Tensor]: float32 in the order of ``shapes``. Counters of
        batches are int64 zeros; buffers of indices are left out.
    """
    return {
        name: _value(name, tuple(shape))
        for name, shape in shapes.items()
        if not name.endswith(_INDICES)
    }


def _value(name: str, shape: Sequence[int]) -> Tensor:
    if name.endswith('num_batches_tracked'):
        return torch.zeros(tuple(shape), dtype=torch.long)
    if name.endswith('running_var'):
        return 1 + 0.5 * det(name, shape, 1.0)
    if name.endswith('running_mean'):
        return det(name, shape, 0.1)
    if len(shape) == 1:
        middle = 1.0 if name.endswith('weight') else 0.0
        return middle + det(name, shape, 0.1)
    fan_in = max(math.prod(shape[1:]), 1)
    return det(name, shape, math.sqrt(3 / fan_in))


def vos_frame(t: int, h: int, w: int) -> Tensor:
    """Frame of the ``deaot_*`` fixtures: smooth noise.

    Args:
        t (int): Frame.
        h (int): Height, pixels.
        w (int): Width, pixels.

    Returns:
        Tensor: float32, (1, 3, h, w), normalised network input.
    """
    noise = det(f'img{t}', (1, 3, h, w), 1.5)
    padded = F.pad(noise, (4, 4, 4, 4), mode='reflect')
    return 4 * F.avg_pool2d(padded, kernel_size=9, stride=1)


def vos_label(h: int, w: int, num_objects: int) -> Tensor:
    """Labels of the first frame of the ``deaot_*`` fixtures.

    Args:
        h (int): Height, pixels.
        w (int): Width, pixels.
        num_objects (int): Number of objects.

    Returns:
        Tensor: float32, (1, 1, h, w), 0 (background) to ``num_objects``, on
        a grid of 5 x 4 cells.
    """
    row = 5 * torch.arange(h) // h
    column = 4 * torch.arange(w) // w
    label = (4 * row[:, None] + column[None]) % (num_objects + 1)
    return label.float()[None, None]


def sam_image() -> np.ndarray:
    """Image of the ``hqsam_*`` fixtures: three waves.

    Returns:
        np.ndarray: uint8, (96, 160, 3), RGB.
    """
    y = np.arange(96, dtype=np.float64)[:, None, None]
    x = np.arange(160, dtype=np.float64)[None, :, None]
    channel = np.arange(3)
    wave = np.sin(x / 9 + channel) * np.cos(y / 7 - channel)
    return np.clip(127.5 + 127.5 * wave, 0, 255).astype(np.uint8)
