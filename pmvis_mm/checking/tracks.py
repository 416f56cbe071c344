"""Tracks as a whole: empty ones, and one object annotated twice."""

from typing import Any, Dict, List, Optional, Tuple

from .content import CheckedTrack, CheckedVideo, Content, absent
from .findings import Findings


def check_tracks(content: Content, found: Findings, box_only: bool) -> None:
    """Check the tracks of all videos.

    Args:
        content (Content): The usable part of a file.
        found (Findings): Gets what is wrong.
        box_only (bool): Compare boxes only. Defaults to False.
    """
    some = any(video.tracks for video in content.videos)
    for video in content.videos:
        if some and not video.tracks:
            found.add(
                'video-no-annotations',
                'the video has no annotation',
                video=video.id,
            )
        for track in video.tracks:
            if is_empty(track):
                found.add(
                    'track-empty',
                    'the track has no box in any frame',
                    video=video.id,
                    instance=track.id,
                    repaired=_may_go(track, box_only),
                )
        for first, track in same_boxes(video):
            equal = is_copy(first, track, box_only)
            code = 'track-duplicate' if equal else 'track-same-boxes'
            found.add(
                code,
                f'has the boxes of annotation {first.id!r} in all frames'
                + (', and is the same' if equal else ''),
                video=video.id,
                instance=track.id,
                repaired=equal and _may_go(track, box_only),
            )


def _may_go(track: CheckedTrack, box_only: bool) -> bool:
    """What was not looked at may be worth keeping."""
    return not box_only or 'segmentations' not in track.entry


def is_empty(track: CheckedTrack) -> bool:
    """Whether a track whose boxes can be read has none."""
    if track.boxes is None or not all(map(absent, track.boxes)):
        return False
    # Pseudo masks show what was found; what was annotated counts.
    annotated = track.entry.get('annotated_bboxes')
    return not isinstance(annotated, list) or all(map(absent, annotated))


def same_boxes(
    video: CheckedVideo,
) -> List[Tuple[CheckedTrack, CheckedTrack]]:
    """Find pairs of tracks with the same boxes in all frames.

    Args:
        video (CheckedVideo): With its tracks.

    Returns:
        list[tuple]: The first track with these boxes, and a later one.
    """
    seen: Dict[str, CheckedTrack] = {}
    pairs = []
    # Most videos are done with by a look at the first box of each track.
    if len({_first_box(track) for track in video.tracks}) == len(video.tracks):
        return []
    for track in video.tracks:
        if track.boxes is None or all(map(absent, track.boxes)):
            continue
        key = repr([None if absent(b) else b for b in track.boxes])
        if key in seen:
            pairs.append((seen[key], track))
        else:
            seen[key] = track
    return pairs


def _first_box(track: CheckedTrack) -> Optional[str]:
    for box in track.boxes or ():
        if not absent(box):
            return repr(box)
    return None


def is_copy(first: CheckedTrack, second: CheckedTrack, box_only: bool) -> bool:
    """Whether two tracks of the same boxes say the same in all."""
    ignored = {'id'}
    if box_only:
        ignored |= {'segmentations', 'areas', 'occlusion'}
    return _without(first, ignored) == _without(second, ignored)


def _without(track: CheckedTrack, keys: set) -> Dict[str, Any]:
    return {k: v for k, v in track.entry.items() if k not in keys}
