"""The runs of all masks of a track as one sorted list of intervals.

What the review measures of 36 masks is then one call of numpy for a track,
not one per frame, and no mask is decoded.
"""

from typing import Optional, Sequence

import numpy as np

from ..structures import RLE
from ..structures.rle import run_lengths


class TrackRuns:
    """Foreground of the masks of one track.

    Pixel (x, y) of frame t has the number ``(t * W + x) * H + y``: frames
    stand beside one another, column-major as in COCO's run-length encoding.

    Args:
        masks (Sequence[RLE | None]): One per frame; None counts as empty.
        height (int): Of the frames, pixels.
        width (int): Of the frames, pixels.

    Attributes:
        starts (np.ndarray): int64, (N,), first pixel of every run of the
            foreground, in ascending order.
        stops (np.ndarray): int64, (N,), the pixel after its last one.
        frames (np.ndarray): int64, (N,), its frame.
        areas (np.ndarray): int64, (T,), pixels of each mask.
    """

    def __init__(
        self, masks: Sequence[Optional[RLE]], height: int, width: int
    ) -> None:
        self.height, self.width = height, width
        self.length = len(masks)
        present = [t for t, mask in enumerate(masks) if mask is not None]
        found = [mask for mask in masks if mask is not None]
        lengths, numbers = run_lengths(found)
        # The runs of a mask add up to its frame.
        gaps = np.array(present, np.int64) - np.arange(len(present))
        ends = np.cumsum(lengths) + np.repeat(gaps, numbers) * height * width
        index = np.arange(len(ends))
        index -= np.repeat(np.cumsum(numbers) - numbers, numbers)
        odd = np.flatnonzero(index % 2)
        self.starts, self.stops = ends[odd - 1], ends[odd]
        self.frames = np.repeat(np.array(present, np.int64), numbers)[odd]
        self._filled = np.concatenate(
            [[0], np.cumsum(self.stops - self.starts)]
        )
        self.areas = self._per_frame(self.stops - self.starts, self.frames)

    def contains(self, pixels: np.ndarray) -> np.ndarray:
        """Look pixels up.

        Args:
            pixels (np.ndarray): int64, any shape, their numbers.

        Returns:
            np.ndarray: bool, the same shape.
        """
        run = np.searchsorted(self.starts, pixels, 'right') - 1
        stops = np.append(self.stops, -1)  # run -1: before the first one
        return pixels < stops[run]

    def intersections(self, other: 'TrackRuns') -> np.ndarray:
        """Count the pixels in common with other masks, frame by frame.

        Args:
            other (TrackRuns): Masks of as many frames of the same size.

        Returns:
            np.ndarray: int64, (T,).
        """
        common = self._before(other.stops) - self._before(other.starts)
        return self._per_frame(common, other.frames)

    def ious(self, other: 'TrackRuns') -> np.ndarray:
        """Compare with other masks, frame by frame.

        Args:
            other (TrackRuns): Masks of as many frames of the same size.

        Returns:
            np.ndarray: float64, (T,), IoU; NaN where either is empty.
        """
        common = self.intersections(other)
        union = self.areas + other.areas - common
        both = (self.areas > 0) & (other.areas > 0)
        return np.where(both, common / np.maximum(union, 1), np.nan)

    def areas_in_boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Count the pixels that touch a box, frame by frame.

        Args:
            boxes (np.ndarray): float64, (T, 4), half-open xyxy, pixels;
                zeros where there is none. A pixel that the box covers in
                part is in it.

        Returns:
            np.ndarray: int64, (T,).
        """
        limits = (self.width, self.height) * 2
        low = np.clip(np.floor(boxes[:, :2]), 0, limits[:2]).astype(int)
        high = np.clip(np.ceil(boxes[:, 2:]), 0, limits[2:]).astype(int)
        columns = np.maximum(high[:, 0] - low[:, 0], 0)
        frames = np.repeat(np.arange(self.length), columns)
        # Numbers each box's columns from its own left side.
        x = np.arange(len(frames)) - np.repeat(
            np.cumsum(columns) - columns, columns
        )
        x += low[frames, 0]
        top = (frames * self.width + x) * self.height
        inside = self._before(top + np.maximum(high, low)[frames, 1])
        inside -= self._before(top + low[frames, 1])
        return self._per_frame(inside, frames)

    def sample_boxes(self, boxes: np.ndarray, grid: int) -> np.ndarray:
        """Sample masks on a grid that spans the box of their frame.

        Args:
            boxes (np.ndarray): float64, (T, 4), half-open xyxy, pixels.
            grid (int): G, samples per side, in the middle of G x G cells.

        Returns:
            np.ndarray: bool, (T, G, G), indexed by x, then y.
        """
        place = (np.arange(grid) + 0.5) / grid
        x = boxes[:, :1] + place * (boxes[:, 2:3] - boxes[:, :1])
        y = boxes[:, 1:2] + place * (boxes[:, 3:] - boxes[:, 1:2])
        x = np.clip(np.floor(x), 0, self.width - 1).astype(int)
        y = np.clip(np.floor(y), 0, self.height - 1).astype(int)
        x += np.arange(self.length)[:, None] * self.width
        return self.contains(x[:, :, None] * self.height + y[:, None])

    def _before(self, pixels: np.ndarray) -> np.ndarray:
        """Count the foreground before each pixel."""
        run = np.searchsorted(self.starts, pixels, 'right')
        starts = np.append(self.starts[:1], self.starts)
        stops = np.append(self.starts[:1], self.stops)
        if not len(starts):
            return np.zeros(pixels.shape, np.int64)
        open_run = np.minimum(pixels, stops[run]) - starts[run]
        closed = self._filled[np.maximum(run - 1, 0)]
        return closed + np.where(run > 0, open_run, 0)

    def _per_frame(self, values: np.ndarray, frames: np.ndarray) -> np.ndarray:
        # In float64, exact up to 2 ** 53 pixels.
        total = np.bincount(frames, values, minlength=self.length)
        return total.astype(np.int64)
