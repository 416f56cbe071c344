"""Propagation along dense optical flow: tracking without any weights."""

from typing import Iterator, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from ...registry import MODELS
from ...structures import Box
from ...structures.frame_reader import FrameReader
from ...structures.rle import decode
from ...utils.optical_flow import DISFlow, resize_flow
from .propagation import PropagationSource, Seed, check_frame_size
from .track_fusion import SoftMask, Tracked


@MODELS.register_module()
class FlowPropagator(PropagationSource):
    """Warps masks along `DIS flow <https://arxiv.org/abs/1603.03590>`_.

    The flow of a pair of frames is computed once for all instances and
    keyframes. Masks stay soft while they travel, so that edges do not
    crumble.

    Args:
        preset (str): 'ultrafast', 'fast' or 'medium'. Defaults to 'medium'.
        keep_in_box (bool): Cut the travelling mask with each annotated box
            on the way, which stops drift. Defaults to True.
        fit_to_box (bool): Then stretch it so that its tight box is the
            annotated one, which every visible mask must fulfil. Defaults to
            True.
        finest_scale (int): Pyramid level that the flow is refined to; 0 is
            the full resolution. Defaults to 0.
        min_side (int): Frames whose shorter side is below are enlarged by a
            whole factor for the flow, pixels. Defaults to 192.
        **kwargs: See :class:`PropagationSource`.

    Raises:
        ConfigError: If ``preset`` is unknown.
    """

    def __init__(
        self,
        prior: str,
        preset: str = 'medium',
        keep_in_box: bool = True,
        fit_to_box: bool = True,
        finest_scale: int = 0,
        min_side: int = 192,
        name: str = 'flow',
        **kwargs,
    ) -> None:
        super().__init__(prior, name=name, **kwargs)
        self.flow = DISFlow(preset, finest_scale, min_side)
        self.keep_in_box = keep_in_box
        self.fit_to_box = fit_to_box

    def propagate(
        self, frames: FrameReader, seeds: Sequence[Seed], reverse: bool
    ) -> Iterator[Tuple[int, List[Optional[Tracked]]]]:
        """See the base class."""
        flow = self.flow.create()
        order = range(len(frames))[::-1] if reverse else range(len(frames))
        starts = [order.index(seed.frame) for seed in seeds]
        soft: List[Optional[np.ndarray]] = [None] * len(seeds)
        previous: Optional[np.ndarray] = None
        for step in range(min(starts), len(order)):
            frame = order[step]
            image = frames[frame]
            check_frame_size(frames, frame, image.shape[:2])
            gray = self._gray(image)
            if previous is not None:
                height, width = frames.video.height, frames.video.width
                vectors = flow.calc(gray, previous, None)
                grid = _sampling_grid(vectors, height, width)
                soft = [self._move(m, grid) for m in soft]
            for number, seed in enumerate(seeds):
                if seed.frame == frame:
                    soft[number] = decode(seed.mask).astype(np.float32)
                else:
                    soft[number] = self._guide(soft[number], seed.boxes[frame])
            previous = gray
            yield frame, [None if m is None else self._mask(m) for m in soft]

    def _mask(self, soft: np.ndarray) -> Tracked:
        mask = soft > 0.5
        return SoftMask(mask, soft.clip(0, 1)) if self.is_soft else mask

    def _gray(self, image: np.ndarray) -> np.ndarray:
        return self.flow.enlarge(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))

    def _guide(
        self, mask: Optional[np.ndarray], box: Optional[Box]
    ) -> Optional[np.ndarray]:
        """Hold a travelling mask to its box; no box, no guidance."""
        if mask is None or box is None:
            return mask
        height, width = mask.shape
        x0, y0 = max(box[0], 0), max(box[1], 0)
        box = (x0, y0, min(box[2], width), min(box[3], height))
        if box[0] >= box[2] or box[1] >= box[3]:
            return mask  # the box lies outside of the frame
        if self.keep_in_box:
            mask = _cut(mask, box)
        if self.fit_to_box:
            mask = _stretch(mask, box)
        return mask

    @staticmethod
    def _move(
        mask: Optional[np.ndarray], grid: np.ndarray
    ) -> Optional[np.ndarray]:
        if mask is None:
            return None
        return cv2.remap(mask, grid, None, cv2.INTER_LINEAR)


def _sampling_grid(flow: np.ndarray, height: int, width: int) -> np.ndarray:
    """Turn flow to the previous frame into where each pixel comes from.

    Args:
        flow (np.ndarray): float32, (h, w, 2), x and y, at a multiple of the
            frame's size.
        height (int): Height of the frame.
        width (int): Width of the frame.

    Returns:
        np.ndarray: float32, (height, width, 2), positions for cv2.remap.
    """
    grid = resize_flow(flow, height, width)
    grid[..., 0] += np.arange(width, dtype=np.float32)
    grid[..., 1] += np.arange(height, dtype=np.float32)[:, None]
    return grid


def _cut(mask: np.ndarray, box: Box) -> np.ndarray:
    """Clear a mask outside its box, rounded outward."""
    x0, y0, x1, y1 = _whole(box)
    result = np.zeros_like(mask)
    result[y0:y1, x0:x1] = mask[y0:y1, x0:x1]
    return result


def _whole(box: Box) -> Tuple[int, int, int, int]:
    x0, y0 = int(np.floor(box[0])), int(np.floor(box[1]))
    return x0, y0, int(np.ceil(box[2])), int(np.ceil(box[3]))


def _stretch(mask: np.ndarray, box: Box) -> np.ndarray:
    """Map the tight box of a soft mask onto a box."""
    inside = mask > 0.5
    rows = np.flatnonzero(inside.any(1))
    columns = np.flatnonzero(inside.any(0))
    if not len(rows):
        return mask
    x0, y0, x1, y1 = box
    left, top = columns[0], rows[0]
    scale_x = (columns[-1] + 1 - left) / (x1 - x0)
    scale_y = (rows[-1] + 1 - top) / (y1 - y0)
    # A pixel centre p of the new mask lies at (p + .5 - x0) * s + left - .5
    # of the old one.
    matrix = np.array(
        [
            [scale_x, 0, (0.5 - x0) * scale_x + left - 0.5],
            [0, scale_y, (0.5 - y0) * scale_y + top - 0.5],
        ]
    )
    height, width = mask.shape
    return cv2.warpAffine(
        mask,
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
