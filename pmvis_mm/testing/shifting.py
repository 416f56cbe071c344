"""A propagator whose tracks are known, and strips for it to move."""

from typing import Any, Collection, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from ..labeling.label_video import LabelVideo
from ..labeling.sources import PropagationSource, Seed
from ..labeling.sources.track_fusion import Tracked
from ..structures import RLE, Box, BoxTrack, MaskTrack, VideoInfo
from ..structures.rle import box_rle, decode, tight_boxes

SIZE = (6, 24)


class OneToTheRight(PropagationSource):
    """Moves a mask by one pixel a frame: to the right as time goes on.

    What leaves the frame comes in at the other side.

    Args:
        *args: See :class:`PropagationSource`.
        vanish_at (Collection[int]): Frames in which every mask is empty.
            Defaults to none.
        **kwargs: See :class:`PropagationSource`.

    Attributes:
        sweeps (list[tuple]): Per call of :meth:`propagate` whether it went
            back, and instance and frame of its seeds.
    """

    def __init__(
        self, *args: Any, vanish_at: Collection[int] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.vanish_at = vanish_at
        self.sweeps: List[Tuple[bool, List[Tuple[int, int]]]] = []

    def propagate(
        self, frames: Any, seeds: Sequence[Seed], reverse: bool
    ) -> Iterator[Tuple[int, List[Optional[Tracked]]]]:
        """See the base class; the frames themselves are not looked at."""
        self.sweeps.append((reverse, [(s.instance, s.frame) for s in seeds]))
        order = range(len(frames))
        for frame in reversed(order) if reverse else order:
            masks: List[Optional[Tracked]] = []
            for seed in seeds:
                steps = frame - seed.frame
                if steps * (-1 if reverse else 1) < 0:
                    masks.append(None)
                    continue
                mask = np.roll(decode(seed.mask), steps, axis=1)
                if frame in self.vanish_at or steps == 0:
                    mask = np.zeros_like(mask)
                masks.append(mask)
            yield frame, masks


def strip(x: int, width: int = 4) -> RLE:
    """Fill columns ``x ... x + width - 1`` of rows 1 ... 4 of 6 x 24."""
    return box_rle((x, 1, x + width, 5), *SIZE)


def strip_box(x: int, width: int = 4) -> Box:
    """Box of a strip, half-open xyxy, pixels."""
    return (float(x), 1.0, float(x + width), 5.0)


def moving(length: int, start: int = 2) -> List[Box]:
    """Boxes of a strip that moves by one pixel a frame."""
    return [strip_box(start + t) for t in range(length)]


def only(length: int, frame: int, mask: RLE) -> List[Optional[RLE]]:
    """Put a mask into one frame and nothing into the others."""
    return [mask if t == frame else None for t in range(length)]


def left_edges(masks: Sequence[Optional[RLE]]) -> List[Optional[int]]:
    """First column of every mask."""
    return [
        None if mask is None else int(tight_boxes([mask])[0, 0])
        for mask in masks
    ]


def shifting_video(
    boxes: Sequence[Sequence[Optional[Box]]],
    **priors: Sequence[Optional[Sequence[Optional[RLE]]]],
) -> LabelVideo:
    """Make a video without frames.

    Args:
        boxes (Sequence): Per instance, boxes per frame.
        **priors: Per name and instance, masks per frame; None for an
            instance that the prior does not have.

    Returns:
        LabelVideo: Of id 9.
    """
    length = len(boxes[0])
    names = tuple(f'{t}.png' for t in range(length))
    info = VideoInfo(9, SIZE[1], SIZE[0], names)
    tracks = [BoxTrack(i, 9, 1, list(own)) for i, own in enumerate(boxes)]
    sets: dict = {}
    for name, per_instance in priors.items():
        sets[name] = {}
        for track, masks in zip(tracks, per_instance):
            if masks is None:
                continue
            found = MaskTrack.empty_like(track)
            for frame, mask in enumerate(masks):
                found.set(frame, mask, name)
            sets[name][track.id] = found
    return LabelVideo(info, tracks, [None] * length, sets)  # type: ignore[arg-type]
