"""Made-up tracks of masks at the size of real videos, for the benchmarks."""

from typing import List, Optional, Sequence, Tuple

import numpy as np

from pmvis_mm.structures.rle import RLE, encode

MaskTrack = List[Optional[RLE]]


class MovingBlob:
    """A wobbling blob that moves back and forth on straight lines.

    Args:
        size (tuple[int]): Height and width of the frames, pixels.
        rng (np.random.Generator): Draws shape, place and speed.
        radius (tuple[float]): Least and largest mean radius, as a share of
            the shorter side. Defaults to (0.06, 0.2).
    """

    def __init__(
        self,
        size: Tuple[int, int],
        rng: np.random.Generator,
        radius: Tuple[float, float] = (0.06, 0.2),
    ) -> None:
        self.size = size
        self.radius = rng.uniform(*radius) * min(size)
        self.start = rng.uniform(0.1, 0.9, 2) * size
        self.speed = rng.uniform(-0.004, 0.004, 2) * size
        self.waves = rng.uniform(0, 2 * np.pi, (3, 2))

    def mask(
        self,
        frame: float,
        shift: Sequence[float] = (0, 0),
        roughness: float = 0.0,
        rng: Optional[np.random.Generator] = None,
    ) -> Optional[RLE]:
        """Draw it.

        Args:
            frame (float): When.
            shift (Sequence[float]): Rows and columns to move it by.
            roughness (float): Share of pixels at its border that are
                flipped, which needs ``rng``. Defaults to 0.

        Returns:
            RLE, optional: None outside of the frame.
        """
        height, width = self.size
        # There and back again, as the centre stays in the frame.
        path = self.start / self.size + frame * self.speed / self.size
        y, x = (0.05 + 0.9 * np.abs((path + 1) % 2 - 1)) * self.size + shift
        reach = self.radius * 1.5
        top, left = max(int(y - reach), 0), max(int(x - reach), 0)
        bottom = min(int(y + reach), height)
        right = min(int(x + reach), width)
        if top >= bottom or left >= right:
            return None
        rows = np.arange(top, bottom)[:, None] - y
        columns = np.arange(left, right) - x
        angle = np.arctan2(rows, columns)
        edge = np.ones_like(angle)
        for order, (phase, turn) in enumerate(self.waves, start=2):
            edge += 0.12 * np.sin(order * angle + phase + 0.2 * turn * frame)
        depth = np.hypot(rows, columns) / (self.radius * edge)
        if rng is not None and roughness:
            depth += rng.uniform(-roughness, roughness, depth.shape)
        canvas = np.zeros(self.size, np.uint8, order='F')
        canvas[top:bottom, left:right] = depth < 1
        return encode(canvas) if canvas.any() else None

    def track(
        self,
        length: int,
        start: float = 0,
        shift: Sequence[float] = (0, 0),
        roughness: float = 0.0,
        rng: Optional[np.random.Generator] = None,
    ) -> MaskTrack:
        """Draw ``length`` frames from ``start`` on; see :meth:`mask`."""
        return [
            self.mask(start + t, shift, roughness, rng) for t in range(length)
        ]
