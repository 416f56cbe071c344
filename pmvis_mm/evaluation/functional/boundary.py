"""How well the outlines of two masks agree."""

import math
from typing import Tuple

import cv2
import numpy as np

# Of the diagonal of the frame: how far apart two outlines may be (DAVIS).
TOLERANCE = 0.008


def boundary_map(mask: np.ndarray) -> np.ndarray:
    """Mark the pixels where a mask changes.

    A pixel is marked if the one to the right, the one below or the one
    right below has the other value. The edge of the frame is no boundary.

    Args:
        mask (np.ndarray): bool, (H, W).

    Returns:
        np.ndarray: bool, (H, W).
    """
    # Beyond the frame everything goes on as it ends.
    padded = np.pad(mask, ((0, 1), (0, 1)), 'edge')
    here = padded[:-1, :-1]
    return (
        (here != padded[:-1, 1:])
        | (here != padded[1:, :-1])
        | (here != padded[1:, 1:])
    )


def boundary_f(
    guess: np.ndarray, real: np.ndarray, tolerance: float = TOLERANCE
) -> float:
    """Compute the boundary measure F of two masks.

    `DAVIS <https://arxiv.org/abs/1704.00675>`_, section 4: precision is the
    share of the guess's outline that has a pixel of the real one within the
    tolerance (a disk), recall the other way round; F is their harmonic
    mean. If just one has an outline, F is 0; if none has, 1.

    Args:
        guess (np.ndarray): bool, (H, W).
        real (np.ndarray): bool, (H, W).
        tolerance (float): Radius of the disk as a share of the diagonal of
            the frame, rounded up to whole pixels. Defaults to 0.008.

    Returns:
        float: In [0, 1].

    Raises:
        ValueError: If the masks are no two masks of one size, or
            ``tolerance`` is negative.
    """
    if guess.ndim != 2 or guess.shape != real.shape:
        raise ValueError(
            f'expected two masks (H, W), got {guess.shape} and {real.shape}'
        )
    if tolerance < 0:
        raise ValueError(f'`tolerance` must be >= 0, got {tolerance}')
    radius = math.ceil(tolerance * math.hypot(*guess.shape))
    window = _window(guess != 0, real != 0)
    first, second = (boundary_map(m[window] != 0) for m in (guess, real))
    if not first.any() or not second.any():
        return float(first.any() == second.any())
    precision = _share_near(first, second, radius)
    recall = _share_near(second, first, radius)
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0


def _window(first: np.ndarray, second: np.ndarray) -> Tuple[slice, slice]:
    """Find the part of the frame that holds both outlines."""
    both = first | second
    found = []
    for axis in (1, 0):
        used = np.flatnonzero(both.any(axis))
        low, high = (used[0], used[-1]) if len(used) else (0, 0)
        # An outline runs outside of the mask at its left and upper side.
        found.append(slice(max(int(low) - 1, 0), int(high) + 2))
    return found[0], found[1]


def _share_near(points: np.ndarray, others: np.ndarray, radius: int) -> float:
    """Compute the share of ``points`` with one of ``others`` in reach."""
    # A disk around each of the others, however large, for the cost of one
    # pass; squares of distances are whole numbers.
    distance = cv2.distanceTransform(
        (~others).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
    )
    near = distance[points] ** 2 < radius**2 + 0.5
    return float(near.mean())
