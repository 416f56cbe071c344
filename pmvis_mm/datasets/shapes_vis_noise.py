"""Smooth random fields and motions for synthetic video.

Uses only uniform random numbers and elementwise float64 arithmetic, so that
every platform draws the same.
"""

import math
from typing import Sequence, Tuple

import numpy as np


def value_noise(
    rng: np.random.Generator,
    shape: Tuple[int, int],
    cell: float,
    periodic: bool = False,
) -> np.ndarray:
    """Draw smooth noise: random lattice values, smoothly interpolated.

    Args:
        rng (np.random.Generator): Source of randomness.
        shape (tuple[int, int]): Height and width of the result.
        cell (float): Distance of lattice points, pixels.
        periodic (bool): Whether the result can be tiled; ``cell`` must then
            divide ``shape``. Defaults to False.

    Returns:
        np.ndarray: float64, ``shape``, in [-1, 1].
    """
    counts = [math.ceil(n / cell) + (not periodic) for n in shape]
    lattice = 2 * rng.random(counts) - 1
    low, high, weight = [], [], []
    for size, count in zip(shape, counts):
        position = np.arange(size) / cell
        start = np.floor(position).astype(int)
        fraction = position - start
        low.append(start)
        high.append((start + 1) % count)
        weight.append(fraction * fraction * (3 - 2 * fraction))
    wy, wx = weight[0][:, None], weight[1][None]
    top, bottom = lattice[low[0]], lattice[high[0]]
    rows = top + (bottom - top) * wy
    left, right = rows[:, low[1]], rows[:, high[1]]
    return left + (right - left) * wx


def octaves(
    rng: np.random.Generator,
    shape: Tuple[int, int],
    cells: Sequence[float],
    weights: Sequence[float],
    periodic: bool = False,
) -> np.ndarray:
    """Add up noise of several scales; see :func:`value_noise`.

    Args:
        rng (np.random.Generator): Source of randomness.
        shape (tuple[int, int]): Height and width of the result.
        cells (Sequence[float]): Distances of lattice points, pixels.
        weights (Sequence[float]): Amplitude of each scale.
        periodic (bool): Whether the result can be tiled. Defaults to False.

    Returns:
        np.ndarray: float64, ``shape``.
    """
    layers = [
        weight * value_noise(rng, shape, cell, periodic)
        for cell, weight in zip(cells, weights)
    ]
    total = layers[0]
    for layer in layers[1:]:
        total = total + layer
    return total


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw one number between ``low`` and ``high``."""
    return low + (high - low) * float(rng.random())


def wave(
    rng: np.random.Generator, num_frames: int, amplitude: float
) -> np.ndarray:
    """Draw a slow oscillation around 0 with a period of 10 to 40 frames."""
    speed = math.tau / uniform(rng, 10, 40)
    phase = uniform(rng, 0, math.tau)
    return amplitude * np.sin(speed * np.arange(num_frames) + phase)


def sample_tiled(
    tile: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Interpolate bilinearly in an endlessly repeated square tile."""
    size = len(tile)
    row0, column0 = np.floor(rows), np.floor(columns)
    fy, fx = rows - row0, columns - column0
    i = row0.astype(int) % size
    j = column0.astype(int) % size
    i1, j1 = (i + 1) % size, (j + 1) % size
    top = tile[i, j] + fx * (tile[i, j1] - tile[i, j])
    bottom = tile[i1, j] + fx * (tile[i1, j1] - tile[i1, j])
    return top + fy * (bottom - top)
