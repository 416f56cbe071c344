"""Tracks of vertical strips, whose overlaps are ratios of widths."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

from ..structures import RLE, BoxTrack
from ..structures.rle import box_rle

HEIGHT, WIDTH = 10, 80

Strip = Optional[Tuple[int, int]]


def strip_masks(*strips: Strip) -> List[Optional[RLE]]:
    """Fill a strip in every frame.

    Args:
        *strips (tuple[int] | None): First column and the one after the
            last, of each of T frames; None: no mask.

    Returns:
        list[RLE | None]: T masks of 10 x 80 pixels.
    """
    return [
        None if s is None else box_rle((s[0], 0, s[1], HEIGHT), HEIGHT, WIDTH)
        for s in strips
    ]


def real_track(
    key: int,
    masks: Sequence[Optional[RLE]],
    category: int = 1,
    video: int = 0,
    iscrowd: bool = False,
) -> BoxTrack:
    """Make an annotation of masks; boxes are whole frames."""
    whole = (0.0, 0.0, float(WIDTH), float(HEIGHT))
    boxes = [None if mask is None else whole for mask in masks]
    return BoxTrack(key, video, category, boxes, list(masks), iscrowd)


def predicted_track(
    masks: Sequence[Optional[RLE]],
    category: int = 1,
    video: int = 0,
    score: float = 0.9,
) -> Dict[str, Any]:
    """Make an entry of a results file."""
    return dict(
        video_id=video,
        category_id=category,
        score=score,
        segmentations=list(masks),
    )
