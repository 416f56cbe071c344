"""What the cues of mask quality see of one instance in one frame."""

from dataclasses import dataclass
from typing import Optional, Tuple

import cv2
import numpy as np

from ...structures import Box

# Crops are shrunk to this longer side, pixels: outlines stay sharp enough,
# and the time per mask does not depend on the size of the video.
MAX_SIDE = 128
# Surroundings on each side of the box, as a share of its width and height.
PADDING = 0.35
# Lightness, a and b of the colour histograms.
BINS = (6, 8, 8)
NUM_BINS = BINS[0] * BINS[1] * BINS[2]


@dataclass(frozen=True)
class CropGrid:
    """Pixels of the enlarged box, in the frame.

    Attributes:
        window (tuple[int]): Cut-out of the frame, half-open xyxy, pixels.
        x (np.ndarray): float32, (w,), columns of the frame at which the
            crop is sampled; 0 is the centre of the first pixel.
        y (np.ndarray): float32, (h,), rows likewise.
    """

    window: Tuple[int, int, int, int]
    x: np.ndarray
    y: np.ndarray

    @classmethod
    def around(cls, box: Box, height: int, width: int) -> 'CropGrid':
        """Enlarge a box (half-open xyxy, pixels) within its frame."""
        x0, y0, x1, y1 = box
        dx, dy = PADDING * (x1 - x0) + 2, PADDING * (y1 - y0) + 2
        left, top = max(int(x0 - dx), 0), max(int(y0 - dy), 0)
        right = max(min(int(np.ceil(x1 + dx)), width), left + 1)
        bottom = max(min(int(np.ceil(y1 + dy)), height), top + 1)
        scale = min(1.0, MAX_SIDE / max(right - left, bottom - top))
        return cls(
            (left, top, right, bottom),
            _centers(left, right, scale),
            _centers(top, bottom, scale),
        )

    def crop(self, image: np.ndarray) -> np.ndarray:
        """Cut out and shrink, averaging: (H, W, ...) to (h, w, ...)."""
        left, top, right, bottom = self.window
        size = (len(self.x), len(self.y))
        return cv2.resize(
            image[top:bottom, left:right], size, interpolation=cv2.INTER_AREA
        )

    def sample(
        self,
        image: np.ndarray,
        scale: Tuple[float, float] = (1.0, 1.0),
        offset: Optional[np.ndarray] = None,
    ) -> np.ndarray:
        """Sample an image of the whole frame, bilinearly.

        Args:
            image (np.ndarray): float32, (H', W') or (H', W', C).
            scale (tuple[float]): Its size relative to the frame, x and y.
            offset (np.ndarray, optional): float32, (h, w, 2), x and y by
                which each place moves first, pixels of the frame.

        Returns:
            np.ndarray: float32, (h, w) or (h, w, C); 0 outside.
        """
        x, y = np.meshgrid(self.x, self.y)
        if offset is not None:
            x, y = x + offset[..., 0], y + offset[..., 1]
        x = (x + 0.5) * scale[0] - 0.5
        y = (y + 0.5) * scale[1] - 0.5
        return cv2.remap(
            image,
            x.astype(np.float32),
            y.astype(np.float32),
            cv2.INTER_LINEAR,
        )


def _centers(start: int, stop: int, scale: float) -> np.ndarray:
    number = max(2, round((stop - start) * scale))
    step = (stop - start) / number
    return (start - 0.5 + step * (np.arange(number) + 0.5)).astype(np.float32)


class InstanceView:
    """One instance in one frame, without any mask.

    Args:
        image (np.ndarray): uint8, (H, W, 3), BGR, the whole frame.
        box (Box): Half-open xyxy, pixels.
        grid (CropGrid): Of that box.
        flow (np.ndarray, optional): float32, (h, w, 2), motion to the
            previous frame on the grid, pixels of the frame; None where
            there is none.

    Attributes:
        inside (np.ndarray): bool, (h, w), pixels of the box.
        ellipse (np.ndarray): bool, (h, w), the ellipse inscribed in it.
        scale (float): Geometric mean of its sides, pixels of the crop.
        layers (np.ndarray): float32, (h, w, C): Lab colour, its squared
            length, and where there is motion x, y and their squared length.
        edges (np.ndarray): float32, (h, w), strength of colour edges.
        bins (np.ndarray): int, (h, w), colour bin of each pixel.
        moves (np.ndarray, optional): float, (h, w), deviation from the
            motion around the box, pixels.
    """

    def __init__(
        self,
        image: np.ndarray,
        box: Box,
        grid: CropGrid,
        flow: Optional[np.ndarray] = None,
    ) -> None:
        self._place(box, grid)
        crop = grid.crop(image).astype(np.float32) / 255
        lab = cv2.cvtColor(crop, cv2.COLOR_BGR2LAB)
        smooth = cv2.GaussianBlur(lab, (0, 0), 1.0)
        self.edges = _edges(smooth)
        self.bins = _color_bins(smooth)
        layers = [lab, (lab**2).sum(2, keepdims=True)]
        self.moves: Optional[np.ndarray] = None
        if flow is not None:
            layers += [flow, (flow**2).sum(2, keepdims=True)]
            self.moves = _unexplained_motion(flow, ~self.inside)
        self.layers = np.concatenate(layers, axis=2).astype(np.float32)

    def _place(self, box: Box, grid: CropGrid) -> None:
        x0, y0, x1, y1 = box
        x, y = grid.x[None] + 0.5, grid.y[:, None] + 0.5
        self.inside = (x > x0) & (x < x1) & (y > y0) & (y < y1)
        if not self.inside.any():  # a box thinner than a pixel
            self.inside[len(y) // 2, x.size // 2] = True
        across = (2 * x - x0 - x1) / max(x1 - x0, 1e-6)
        along = (2 * y - y0 - y1) / max(y1 - y0, 1e-6)
        self.ellipse = across**2 + along**2 <= 1
        self.scale = float(max(np.sqrt(self.inside.sum()), 2.0))


def _edges(lab: np.ndarray) -> np.ndarray:
    x = cv2.Sobel(lab, cv2.CV_32F, 1, 0, ksize=3)
    y = cv2.Sobel(lab, cv2.CV_32F, 0, 1, ksize=3)
    strength = np.sqrt((x**2 + y**2).sum(2))
    # An outline lies beside the edge as often as on it.
    return cv2.dilate(strength, np.ones((3, 3), np.uint8))


def _color_bins(lab: np.ndarray) -> np.ndarray:
    low, span = np.array([0, -60, -60]), np.array([100, 120, 120])
    last = np.array(BINS) - 1
    level = ((lab - low) / span * np.array(BINS)).astype(int)
    level = np.clip(level, 0, last)
    return (level[..., 0] * BINS[1] + level[..., 1]) * BINS[2] + level[..., 2]


def color_histogram(bins: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Count colours, each spread a little over its neighbours.

    Args:
        bins (np.ndarray): int, (h, w), see :class:`InstanceView`.
        where (np.ndarray): bool, (h, w), pixels that count.

    Returns:
        np.ndarray: float64, (NUM_BINS,), adds up to 1, or all 0 if no
        pixel counts.
    """
    counts = np.bincount(bins[where], minlength=NUM_BINS).astype(float)
    cube: np.ndarray = counts.reshape(BINS)
    for axis in range(3):
        cube = np.moveaxis(cube, axis, 0)
        padded = np.concatenate([cube[:1], cube, cube[-1:]])
        cube = 0.25 * padded[:-2] + 0.5 * cube + 0.25 * padded[2:]
        cube = np.moveaxis(cube, 0, axis)
    return cube.reshape(-1) / max(cube.sum(), 1e-9)


def _unexplained_motion(flow: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Fit an affine motion to the ring (L1, reweighted); what differs?"""
    height, width = ring.shape
    if ring.sum() < 20:
        return np.zeros(ring.shape)
    y, x = np.mgrid[:height, :width] / 50.0
    basis = np.stack([np.ones(ring.shape), x, y], axis=2)
    rows, target = basis[ring], flow[ring].astype(float)
    weight = np.ones((len(rows), 1))
    for _ in range(3):
        solution = np.linalg.lstsq(rows * weight, target * weight, rcond=None)[
            0
        ]
        gap = np.linalg.norm(target - rows @ solution, axis=1)
        weight = 1 / np.sqrt(gap[:, None] + 0.1)
    return np.linalg.norm(flow - basis @ solution, axis=2)
