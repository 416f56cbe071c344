"""Mistakes of a whole video, which repairs of single values would bury."""

from typing import Any, List, Optional, Sequence, Set, Tuple

import numpy as np

from .boxes import BEYOND, box_codes, box_problem, from_strings, read_boxes
from .content import CheckedVideo, Content, absent, looks_systematic
from .findings import Findings

_LOST_AREA = 0.5  # of a box; from there on it is clipped away


def systematic_boxes(video: CheckedVideo) -> Optional[str]:
    """Tell whether repairs would take too many boxes of a video away.

    Boxes without a size say nothing, and do not count.

    Args:
        video (CheckedVideo): With its tracks.

    Returns:
        str, optional: What it looks like; None if single boxes are wrong.
    """
    if video.size is None:
        return None
    for key in ('bboxes', 'annotated_bboxes'):
        boxes = _all_boxes(video, key)
        number = int(_lost(boxes, video.size).sum())
        if looks_systematic(number, len(boxes)):
            height, width = video.size
            return (
                f'{number} of {len(boxes)} boxes of this video would be lost '
                f'in its {width}x{height} frames, which looks systematic: '
                f'{_hint(boxes, video.size)}'
            )
    return None


def check_systematic(
    content: Content, found: Findings, odd: Set[int]
) -> Set[int]:
    """Find the videos whose boxes are left alone by repairs.

    Args:
        content (Content): The usable part of a file.
        found (Findings): Gets what is wrong.
        odd (set[int]): Ids of the videos to look at.

    Returns:
        set[int]: Ids of the videos.
    """
    ids = set()
    for video in content.videos:
        problem = systematic_boxes(video) if video.id in odd else None
        if problem is not None:
            found.add('boxes-systematic', problem, video=video.id)
            ids.add(video.id)
    return ids


def _all_boxes(video: CheckedVideo, key: str) -> np.ndarray:
    """Boxes of all tracks that have some size, float64, (N, 4), xywh."""
    found: List[np.ndarray] = [np.zeros((0, 4))]
    for track in video.tracks:
        values = track.entry.get(key)
        if isinstance(values, list) and len(values) == len(video.names):
            found.append(_read(values))
    boxes = np.concatenate(found)
    sized = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] != 0).all(axis=1)
    return boxes[sized]


def _read(values: Sequence[Any]) -> np.ndarray:
    """Read boxes as they are after numbers were read from strings."""
    frames, boxes = read_boxes(values)
    if len(frames) + sum(map(absent, values)) == len(values):
        return boxes
    shown = [
        from_strings(box) if box_problem(box) == 'box-not-number' else box
        for box in values
        if not absent(box)
    ]
    return read_boxes(shown)[1]


def _lost(boxes: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """Whether boxes are nulled, or lose most by clipping, bool, (N,)."""
    codes = box_codes(boxes, size)
    lost = codes['box-negative-size'] | codes['box-outside']
    with np.errstate(over='ignore', invalid='ignore'):
        limits = np.array(size[::-1], float)
        inner = np.minimum(boxes[:, :2] + boxes[:, 2:], limits)
        inner -= np.maximum(boxes[:, :2], 0)
        left = inner.prod(axis=1) < _LOST_AREA * boxes[:, 2:].prod(axis=1)
    return np.asarray(lost | (codes['box-sticks-out'] & left))


def _hint(boxes: np.ndarray, size: Tuple[int, int]) -> str:
    """Say what would make the boxes fit."""
    height, width = size
    swapped = box_codes(boxes, (width, height))
    if not any(swapped[code].any() for code in BEYOND):
        return (
            'all boxes would fit if width and height of the video were '
            'swapped, or x and y of the boxes'
        )
    if looks_systematic((boxes[:, 2:] < 0).sum(), len(boxes)):
        return 'width or height of boxes are negative'
    reach = (boxes[:, :2] + boxes[:, 2:]).max(axis=0).tolist()
    return f'boxes reach to {reach[0]:g}x{reach[1]:g}, as in another size'
