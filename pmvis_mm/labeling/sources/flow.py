"""Propagation along dense optical flow: tracking without any weights."""
from typing import Iterator, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from ...registry import MODELS
from ...structures import Box
from ...structures.frame_reader import FrameReader
from ...structures.rle import decode
from .propagation import PropagationSource, Seed

PRESETS = dict(
    ultrafast=cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    fast=cv2.DISOPTICAL_FLOW_PRESET_FAST,
    medium=cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
)


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
        **kwargs: See :class:`PropagationSource`.

    Raises:
        ValueError: If ``preset`` is unknown.
    """

    def __init__(
        self,
        prior: str,
        preset: str = 'medium',
        keep_in_box: bool = True,
        name: str = 'flow',
        **kwargs,
    ) -> None:
        super().__init__(prior, name=name, **kwargs)
        if preset not in PRESETS:
            raise ValueError(
                f'preset should be one of {sorted(PRESETS)}, got {preset!r}'
            )
        self.preset = preset
        self.keep_in_box = keep_in_box

    def propagate(
        self, frames: FrameReader, seeds: Sequence[Seed], reverse: bool
    ) -> Iterator[Tuple[int, List[Optional[np.ndarray]]]]:
        """See the base class."""
        flow = cv2.DISOpticalFlow_create(PRESETS[self.preset])
        order = range(len(frames))[::-1] if reverse else range(len(frames))
        starts = [order.index(seed.frame) for seed in seeds]
        soft: List[Optional[np.ndarray]] = [None] * len(seeds)
        previous: Optional[np.ndarray] = None
        for step in range(min(starts), len(order)):
            frame = order[step]
            gray = cv2.cvtColor(frames[frame], cv2.COLOR_BGR2GRAY)
            if previous is not None:
                grid = _sampling_grid(flow.calc(gray, previous, None))
                soft = [self._move(m, grid) for m in soft]
            for number, seed in enumerate(seeds):
                if seed.frame == frame:
                    soft[number] = decode(seed.mask).astype(np.float32)
                elif soft[number] is not None and self.keep_in_box:
                    _cut(soft[number], seed.boxes[frame])
            previous = gray
            yield frame, [None if m is None else m > 0.5 for m in soft]

    @staticmethod
    def _move(
        mask: Optional[np.ndarray], grid: np.ndarray
    ) -> Optional[np.ndarray]:
        if mask is None:
            return None
        return cv2.remap(mask, grid, None, cv2.INTER_LINEAR)


def _sampling_grid(flow: np.ndarray) -> np.ndarray:
    """Turn flow to the previous frame into where each pixel comes from."""
    height, width = flow.shape[:2]
    grid = flow.astype(np.float32)
    grid[..., 0] += np.arange(width, dtype=np.float32)
    grid[..., 1] += np.arange(height, dtype=np.float32)[:, None]
    return grid


def _cut(mask: Optional[np.ndarray], box: Optional[Box]) -> None:
    """Clear a mask outside its box, in place; no box, no cut."""
    if mask is None or box is None:
        return
    x0, y0 = int(np.floor(box[0])), int(np.floor(box[1]))
    x1, y1 = int(np.ceil(box[2])), int(np.ceil(box[3]))
    mask[:y0] = 0
    mask[y1:] = 0
    mask[:, :x0] = 0
    mask[:, x1:] = 0
