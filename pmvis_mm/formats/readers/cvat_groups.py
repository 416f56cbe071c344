"""Instances that CVAT holds as several tracks of one group."""

from typing import Callable, Dict, List, Mapping, Optional, Set, Tuple

from ...structures.rle import union
from ...structures.video_annotations import Box
from ...utils.errors import AnnotationError
from .base import ImportedTrack
from .track_collector import TrackId

GroupKey = Tuple[str, Optional[str]]


def join_groups(
    tracks: List[ImportedTrack],
    groups: Mapping[TrackId, GroupKey],
    make_error: Callable[..., AnnotationError],
) -> List[ImportedTrack]:
    """Join the tracks of every group to one.

    A frame shows the instance where it shows one of its parts: the box
    encloses theirs, the mask unites theirs.

    Args:
        tracks (list[ImportedTrack]): Of one video.
        groups (Mapping): Id of a track to its group and label; tracks
            without an entry stay alone.
        make_error (Callable): As :meth:`TrackCollector.error`.

    Returns:
        list[ImportedTrack]: In the order of the first part of each, whose id
        they have.

    Raises:
        AnnotationError: If in a frame one part is given and another one is
            to be interpolated.
    """
    parts: Dict[object, List[ImportedTrack]] = {}
    for track in tracks:
        key = groups.get(track.id, (track.id,))
        parts.setdefault(key, []).append(track)
    return [
        _join(members, make_error) if len(members) > 1 else members[0]
        for members in parts.values()
    ]


def _join(
    members: List[ImportedTrack], make_error: Callable[..., AnnotationError]
) -> ImportedTrack:
    first = members[0]
    joined = ImportedTrack(first.id, first.category)
    shown: Dict[int, List[ImportedTrack]] = {}
    for member in members:
        for frame, box in member.boxes.items():
            shown.setdefault(frame, [])
            if box is not None:
                shown[frame].append(member)
    unknown = _between_keyframes(members, shown)
    for frame in sorted(shown):
        if frame not in unknown:
            _add_frame(joined, frame, shown[frame])
        elif shown[frame]:
            raise make_error(
                'one part of the group is given here, another one is not',
                'export all frames from CVAT, or read with join_groups=False',
                frame,
                first.id,
            )
    return joined


def _between_keyframes(
    members: List[ImportedTrack], entries: Mapping[int, object]
) -> Set[int]:
    """Find frames with an entry where some other part goes on unseen."""
    unknown: Set[int] = set()
    for member in members:
        frames = sorted(member.boxes)
        for start, stop in zip(frames, frames[1:]):
            if member.boxes[start] is not None:
                gap = range(start + 1, stop)
                unknown.update(frame for frame in gap if frame in entries)
    return unknown


def _add_frame(
    joined: ImportedTrack, frame: int, shown: List[ImportedTrack]
) -> None:
    boxes = [box for t in shown for box in [t.boxes[frame]] if box is not None]
    joined.boxes[frame] = _enclosing(boxes) if boxes else None
    masks = [track.masks[frame] for track in shown if frame in track.masks]
    # A part without a mask would be missing in their union.
    if masks and len(masks) == len(shown):
        joined.masks[frame] = union(masks) if len(masks) > 1 else masks[0]
    if shown and all(frame in track.interpolated for track in shown):
        joined.interpolated.add(frame)


def _enclosing(boxes: List[Box]) -> Box:
    x0, y0, x1, y1 = zip(*boxes)
    return min(x0), min(y0), max(x1), max(y1)
