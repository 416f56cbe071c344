"""Boxes between those that were drawn."""

from typing import Dict, Mapping, Optional

from ...structures.video_annotations import Box


def interpolate_boxes(
    boxes: Mapping[int, Optional[Box]], max_gap: Optional[int] = None
) -> Dict[int, Box]:
    """Fill gaps linearly, as annotation tools do between keyframes.

    Every corner moves with constant speed from one box to the next one.
    Nothing is filled in before the first box, after the last one, nor where
    the source says in between that the instance is out of view.

    Args:
        boxes (Mapping): 0-based frame to half-open xyxy box, pixels; None
            where the instance goes out of view. Frames in any order.
        max_gap (int, optional): Gaps of more frames than this stay. Defaults
            to None: all are filled.

    Returns:
        dict[int, tuple]: Boxes of frames that had no entry, in order.
    """
    filled: Dict[int, Box] = {}
    frames = sorted(boxes)
    for start, stop in zip(frames, frames[1:]):
        first, last = boxes[start], boxes[stop]
        missing = stop - start - 1
        if first is None or last is None:
            continue
        if max_gap is not None and missing > max_gap:
            continue
        for frame in range(start + 1, stop):
            share = (frame - start) / (stop - start)
            x0, y0, x1, y1 = (a + (b - a) * share for a, b in zip(first, last))
            filled[frame] = (x0, y0, x1, y1)
    return filled
