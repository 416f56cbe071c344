"""Boxes of the tracks."""

import math
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

import numpy as np

from ..structures.video_annotations import BOX_TOLERANCE
from .content import CheckedTrack, Content, absent, is_number
from .findings import Findings

# Suspicions need enough boxes, or a single odd one would raise them.
_ENOUGH = 10
_JUMP = 0.5  # of the diagonal of the frame, in one step
_JUMP_SIDES = 3.0  # and of the side of the object


def check_boxes(
    content: Content, found: Findings, clip_boxes: bool = False
) -> Set[int]:
    """Check form, values and place of all boxes.

    Args:
        content (Content): The usable part of a file.
        found (Findings): Gets what is wrong.
        clip_boxes (bool): Boxes that stick out are clipped by whoever reads
            the file, and no error. Defaults to False.

    Returns:
        set[int]: Ids of the videos with a box that is malformed or not
        within the frame.
    """
    suspicion = _Suspicion()
    odd: Set[int] = set()
    for track in content.tracks:
        for key, values in _lists(track):
            frames, boxes = read_boxes(values)
            if len(frames) + sum(map(absent, values)) < len(values):
                _name_malformed(track, key, values, found)
                odd.add(track.video.id)
            if not len(frames):
                continue
            if _check_values(track, key, frames, boxes, found, clip_boxes):
                odd.add(track.video.id)
            suspicion.look_at(track, boxes)
    suspicion.report(found)
    return odd


def _lists(track: CheckedTrack) -> List[Tuple[str, List[Any]]]:
    """The lists of boxes of a track, with their names."""
    lists = [] if track.boxes is None else [('box', track.boxes)]
    more = track.entry.get('annotated_bboxes')
    if isinstance(more, list) and len(more) == len(track.video.names):
        lists.append(('annotated box', more))
    return lists


# ------------------------------------------------------------------ reading
def read_boxes(values: Sequence[Any]) -> Tuple[np.ndarray, np.ndarray]:
    """Read those boxes of a track that are four numbers.

    Args:
        values (Sequence): Per frame [x, y, width, height] or null.

    Returns:
        tuple: Frames, int64, (N,), and boxes, float64, (N, 4), xywh as in
        the file; numbers may be infinite or NaN.
    """
    frames = [t for t, box in enumerate(values) if not absent(box)]
    boxes = _as_array([values[t] for t in frames])
    if boxes is None:
        frames = [t for t in frames if box_problem(values[t]) is None]
        boxes = np.array([values[t] for t in frames], float).reshape(-1, 4)
    return np.array(frames, np.int64), boxes


def _as_array(values: List[Any]) -> Optional[np.ndarray]:
    """Turn into an array, if all are alike; else None."""
    if not values:
        return np.zeros((0, 4))
    if not all(type(v) is list and len(v) == 4 for v in values):
        return None
    kinds = {type(v) for box in values for v in box}
    if not kinds <= {int, float}:
        return None
    try:
        return np.array(values, float)
    except OverflowError:  # integers of hundreds of digits
        return None


def box_problem(box: Any) -> Optional[str]:
    """Tell why a box cannot be read.

    Args:
        box (Any): Of a track, not null.

    Returns:
        str, optional: A code; None if it is four numbers.
    """
    if not isinstance(box, (list, tuple)) or len(box) != 4:
        return 'box-not-four'
    if not all(map(is_number, box)):
        return 'box-not-number'
    # Greater integers than floats hold.
    if any(isinstance(v, int) and abs(v) > 2**63 for v in box):
        return 'box-not-finite'
    return None


def from_strings(box: Any) -> Optional[List[float]]:
    """Read a box whose numbers were written as strings.

    Args:
        box (Any): Four values.

    Returns:
        list[float], optional: None if one is no number.
    """
    try:
        values = [float(v) for v in box if not isinstance(v, bool)]
    except (TypeError, ValueError):
        return None
    good = len(values) == 4 and all(map(math.isfinite, values))
    return values if good else None


def _name_malformed(
    track: CheckedTrack, key: str, values: Sequence[Any], found: Findings
) -> None:
    for frame, box in enumerate(values):
        code = None if absent(box) else box_problem(box)
        if code is not None:
            text = {
                'box-not-four': 'is not [x, y, width, height]',
                'box-not-number': 'holds something that is no number',
                'box-not-finite': 'has a coordinate that is no finite number',
            }[code]
            convertible = code == 'box-not-number' and from_strings(box)
            found.add(
                code,
                f'{key} {box!r:.80} {text}',
                video=track.video.id,
                frame=frame,
                instance=track.id,
                repaired=True if convertible else None,
            )


# ------------------------------------------------------------------- values
def box_codes(
    boxes: np.ndarray, size: Optional[Tuple[int, int]]
) -> Dict[str, np.ndarray]:
    """Tell what is wrong with the values of boxes.

    Args:
        boxes (np.ndarray): float64, (N, 4), xywh in pixels.
        size (tuple[int], optional): (height, width) of the frame, if known.

    Returns:
        dict[str, np.ndarray]: By code, bool, (N,). Every box has one code
        at most, the gravest.
    """
    with np.errstate(invalid='ignore', over='ignore'):
        finite = np.isfinite(boxes).all(axis=1)
        x, y, w, h = boxes.T
        negative = finite & ((w < 0) | (h < 0))
        zero = finite & ~negative & ((w == 0) | (h == 0))
        good = finite & ~negative & ~zero
        codes = {
            'box-not-finite': ~finite,
            'box-negative-size': negative,
            'box-zero-size': zero,
        }
        if size is not None:
            height, width = size
            right, below = x + w - width, y + h - height
            outside = (x >= width) | (y >= height)
            outside |= (x + w <= 0) | (y + h <= 0)
            codes['box-outside'] = good & outside
            good &= ~outside
            out = np.max([-x, -y, right, below], axis=0)
            codes['box-sticks-out'] = good & (out > BOX_TOLERANCE)
            good &= ~(out > BOX_TOLERANCE)
            whole = (x <= 0) & (y <= 0) & (right >= 0) & (below >= 0)
            codes['box-whole-frame'] = good & whole
        codes['box-sub-pixel'] = good & ((w < 1) | (h < 1))
    return codes


# Codes of boxes that are not within the frame.
BEYOND = ('box-negative-size', 'box-outside', 'box-sticks-out')

_TEXTS = {
    'box-not-finite': 'has a coordinate that is no finite number',
    'box-negative-size': 'has a negative width or height',
    'box-zero-size': 'has no width or no height',
    'box-outside': 'lies outside the {1}x{0} frame',
    'box-sticks-out': 'sticks out of the {1}x{0} frame',
    'box-whole-frame': 'is the whole {1}x{0} frame',
    'box-sub-pixel': 'is less than a pixel wide or high',
}


def _check_values(
    track: CheckedTrack,
    key: str,
    frames: np.ndarray,
    boxes: np.ndarray,
    found: Findings,
    clip_boxes: bool,
) -> bool:
    """Note what is wrong; tell whether boxes are not within the frame."""
    size = track.video.size
    odd = False
    for code, hits in box_codes(boxes, size).items():
        odd |= code in BEYOND and bool(hits.any())
        if not hits.any() or (clip_boxes and code == 'box-sticks-out'):
            continue
        text = _TEXTS[code].format(*(size or ()))
        chosen = np.flatnonzero(hits).tolist()
        if code == 'box-whole-frame':
            # An object may fill the frame at times, but from first to last?
            if len(chosen) < max(len(boxes), 2):
                continue
            chosen, text = chosen[:1], f'{text}, as all of the track'
        for i in chosen:
            found.add(
                code,
                f'{key} {[round(v, 4) for v in boxes[i].tolist()]} {text}',
                video=track.video.id,
                frame=int(frames[i]),
                instance=track.id,
            )
    if key == 'box' and len(frames) > 1 and size is not None:
        _check_jumps(track, frames, boxes, found)
    return odd


def _check_jumps(
    track: CheckedTrack,
    frames: np.ndarray,
    boxes: np.ndarray,
    found: Findings,
) -> None:
    """Find objects that are somewhere else in the next frame."""
    assert track.video.size is not None
    with np.errstate(invalid='ignore', over='ignore'):
        centres = boxes[:, :2] + boxes[:, 2:] / 2
        steps = np.hypot(*np.diff(centres, axis=0).T)
        sides = np.sqrt(np.abs(boxes[:, 2] * boxes[:, 3]))
        side = np.maximum(sides[1:], sides[:-1])
        far = steps > _JUMP * math.hypot(*track.video.size)
        far &= (steps > _JUMP_SIDES * side) & np.isfinite(steps)
    far &= np.diff(frames) == 1
    for i in np.flatnonzero(far).tolist():
        found.add(
            'box-jump',
            f'the box is {steps[i]:.0f} pixels away from that of the frame '
            'before',
            video=track.video.id,
            frame=int(frames[i + 1]),
            instance=track.id,
        )


# --------------------------------------------------------------- suspicions
class _Suspicion:
    """Boxes of a file that look as if they were written in another form."""

    def __init__(self) -> None:
        self.number = self.beyond = self.corners = self.unit = 0

    def look_at(self, track: CheckedTrack, boxes: np.ndarray) -> None:
        """Count what speaks for other forms."""
        if track.video.size is None:
            return
        height, width = track.video.size
        x, y, w, h = boxes.T
        with np.errstate(invalid='ignore', over='ignore'):
            beyond = (x + w > width + 2) | (y + h > height + 2)
            corners = (w > x) & (h > y)
            corners &= (w <= width + 2) & (h <= height + 2)
            corners &= (x >= -2) & (y >= -2)
            unit = (np.abs(boxes) <= 1).all(axis=1)
        self.number += len(boxes)
        self.beyond += int(beyond.sum())
        self.corners += int(corners.sum())
        if min(height, width) > 4:
            self.unit += int(unit.sum())

    def report(self, found: Findings) -> None:
        """Tell what the whole file looks like."""
        if self.number < _ENOUGH:
            return
        many = self.beyond > 0.2 * self.number
        if many and self.corners > 0.98 * self.number:
            found.add(
                'boxes-xyxy',
                f'{self.beyond} of {self.number} boxes reach beyond the '
                'frame, but as corners [x0, y0, x1, y1] nearly all would fit',
            )
        if self.unit > 0.98 * self.number:
            found.add(
                'boxes-normalised',
                f'{self.unit} of {self.number} boxes lie between 0 and 1, '
                'as shares of the frame',
            )
