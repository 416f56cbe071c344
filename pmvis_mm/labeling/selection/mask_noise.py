"""Small operations on masks that spoil them."""

from typing import Sequence

import cv2
import numpy as np

from ...structures import Box


def noise(
    rng: np.random.Generator, shape: Sequence[int], cell: float
) -> np.ndarray:
    """Draw smooth noise of about unit variance.

    Args:
        rng (np.random.Generator): Source of randomness.
        shape (Sequence[int]): Height and width, pixels.
        cell (float): Size of its bumps, pixels.

    Returns:
        np.ndarray: float32, (H, W).
    """
    height, width = shape[:2]
    grid = (
        max(2, int(height / cell) + 2),
        max(2, int(width / cell) + 2),
    )
    coarse = rng.normal(size=grid).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def depth(mask: np.ndarray) -> np.ndarray:
    """Signed distance to the outline, pixels; positive inside."""
    inside = mask.astype(np.uint8)
    return cv2.distanceTransform(
        inside, cv2.DIST_L2, 3
    ) - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)


def wobble(
    mask: np.ndarray, field: np.ndarray, amplitude: float
) -> np.ndarray:
    """Move the outline outward by a field times an amplitude, pixels."""
    return depth(mask) + field * amplitude > 0


def shifted(mask: np.ndarray, dx: float, dy: float) -> np.ndarray:
    """Move by a vector, pixels."""
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    moved = cv2.warpAffine(mask.astype(np.float32), matrix, mask.shape[::-1])
    return moved > 0.5


def blurred(mask: np.ndarray, sigma: float) -> np.ndarray:
    """Smooth the outline; sigma in pixels."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), max(sigma, 0.5))
    return soft > 0.5


def filled(box: Box, shape: Sequence[int]) -> np.ndarray:
    """Fill a box, rounded to whole pixels: bool, (H, W)."""
    x0, y0, x1, y1 = (round(v) for v in box)
    result = np.zeros(shape[:2], bool)
    result[y0:y1, x0:x1] = True
    return result


def carried(field: np.ndarray, box: Box, scale: float) -> np.ndarray:
    """Let a field move and grow with a box."""
    height, width = field.shape
    zoom = scale / 60
    matrix = np.array(
        [
            [zoom, 0, (box[0] + box[2] - zoom * width) / 2],
            [0, zoom, (box[1] + box[3] - zoom * height) / 2],
        ],
        np.float32,
    )
    return cv2.warpAffine(
        field, matrix, (width, height), borderMode=cv2.BORDER_REFLECT
    )
