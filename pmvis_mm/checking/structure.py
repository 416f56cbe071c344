"""Lists, ids, references and lengths of an annotation file."""

from typing import Any, Dict, List, Optional, Set, Tuple

from ..structures.video_annotations import MAX_SIDE
from .content import (
    EXTRA_LISTS,
    CheckedTrack,
    CheckedVideo,
    Content,
    is_integer,
    listed,
)
from .findings import Findings

_KNOWN_KEYS = dict(
    file=frozenset(
        'info licenses videos categories annotations version type'.split()
    ),
    video=frozenset(
        'id width height length file_names name coco_url flickr_url '
        'date_captured license'.split()
    ),
    category=frozenset('id name supercategory color isthing'.split()),
    annotation=frozenset(
        'id video_id category_id iscrowd width height length bboxes '
        'segmentations areas occlusion annotated_bboxes sources scores '
        'interpolated track_id source_id'.split()
    ),
)
_LISTS = dict(videos='video', categories='category', annotations='annotation')


def check_structure(
    data: Any, found: Findings, box_only: bool = False
) -> Content:
    """Check everything that needs no look at boxes, masks or frames.

    Args:
        data (Any): Content of a file.
        found (Findings): Gets what is wrong.
        box_only (bool): Look at no mask and no area. Defaults to False.

    Returns:
        Content: What can be checked further.
    """
    if not isinstance(data, dict):
        found.add(
            'file-not-object',
            f'expected a json object, got {type(data).__name__}',
        )
        return Content()
    entries = {
        kind: _entries(data, key, kind, found) for key, kind in _LISTS.items()
    }
    _check_keys(data, entries, found)
    by_id = {kind: _check_ids(entries[kind], kind, found) for kind in entries}
    videos = {
        key: _check_video(key, entry, found)
        for key, entry in by_id['video'].items()
    }
    for entry in entries['annotation']:
        _check_annotation(entry, videos, by_id['category'], found, box_only)
    return Content(list(videos.values()), list(by_id['category'].values()))


# ------------------------------------------------------------------- lists
def _entries(
    data: Dict[str, Any], key: str, kind: str, found: Findings
) -> List[Dict[str, Any]]:
    """Take the objects of a list."""
    raw = data.get(key)
    optional = key == 'annotations'
    if optional and (raw is None or raw == []):
        found.add('no-annotations', 'the file holds no annotation')
        return []
    if not isinstance(raw, list) or not raw:
        state = 'empty' if raw == [] else f'{type(raw).__name__}, not a list'
        state = state if key in data else 'missing'
        found.add('list-missing', f'"{key}" is {state}')
        return []
    for number, entry in enumerate(raw):
        if not isinstance(entry, dict):
            found.add(
                'entry-not-object', f'{kind} number {number} is {entry!r:.80}'
            )
    return [entry for entry in raw if isinstance(entry, dict)]


def _check_keys(
    data: Dict[str, Any],
    entries: Dict[str, List[Dict[str, Any]]],
    found: Findings,
) -> None:
    for kind, group in dict(file=[data], **entries).items():
        numbers: Dict[str, int] = {}
        for entry in group:
            for key in entry.keys() - _KNOWN_KEYS[kind]:
                numbers[key] = numbers.get(key, 0) + 1
        for key, number in sorted(numbers.items()):
            where = 'the file' if kind == 'file' else f'{number} x {kind}'
            found.add('unknown-key', f'unknown key {key!r} in {where}')


def _check_ids(
    entries: List[Dict[str, Any]], kind: str, found: Findings
) -> Dict[int, Dict[str, Any]]:
    """Index the entries whose id can be used."""
    by_id: Dict[int, Dict[str, Any]] = {}
    for number, entry in enumerate(entries):
        problem = id_problem(entry, by_id)
        if problem is None:
            by_id[entry['id']] = entry
            continue
        found.add(
            problem,
            f'{kind} number {number}: ' + _describe(problem, entry),
            video=entry.get('id' if kind == 'video' else 'video_id'),
            instance=entry.get('id') if kind == 'annotation' else None,
            # Others refer to videos and categories by their id.
            repaired=kind == 'annotation',
        )
    if 0 in by_id:
        found.add('id-zero', f'a {kind} has the id 0')
    return by_id


def id_problem(
    entry: Dict[str, Any], known: Dict[int, Dict[str, Any]]
) -> Optional[str]:
    """Tell what is wrong with an id.

    Args:
        entry (dict): Of a list of the file.
        known (dict): Entries before it, by id.

    Returns:
        str, optional: A code; None for a good id.
    """
    key = entry.get('id')
    if key is None:
        return 'id-missing'
    if not is_integer(key):
        return 'id-not-integer'
    if not -(2**63) <= key < 2**63:
        return 'id-out-of-range'
    return 'id-duplicate' if key in known else None


def _describe(problem: str, entry: Dict[str, Any]) -> str:
    key = entry.get('id')
    return {
        'id-missing': 'no "id"',
        'id-not-integer': f'id {key!r:.40} is {type(key).__name__}',
        'id-out-of-range': f'id {key!r:.40} does not fit into 64 bits',
        'id-duplicate': f'id {key!r} is used before',
    }[problem]


# ------------------------------------------------------------------ videos
def _check_video(
    key: int, entry: Dict[str, Any], found: Findings
) -> CheckedVideo:
    raw = entry.get('file_names')
    if not isinstance(raw, list) or not raw:
        found.add('video-no-frames', 'video without frames', video=key)
        raw = []
    for frame, name in enumerate(raw):
        if not isinstance(name, str) or not name.strip():
            found.add(
                'frame-name-invalid',
                f'file name {name!r:.80} is no name of a file',
                video=key,
                frame=frame,
            )
    length = entry.get('length', len(raw))
    if raw and (not is_integer(length) or length != len(raw)):
        found.add(
            'video-length',
            f'"length" is {length!r:.40} but {len(raw)} file names are listed',
            video=key,
        )
    names = [name if isinstance(name, str) else '' for name in raw]
    return CheckedVideo(key, entry, names, _size(key, entry, found))


def _size(
    key: int, entry: Dict[str, Any], found: Findings
) -> Optional[Tuple[int, int]]:
    good = True
    for name in ('width', 'height'):
        value: Any = entry.get(name)
        if is_integer(value) and 0 < value <= MAX_SIDE:
            continue
        good = False
        found.add(
            'video-size',
            f'"{name}" is {value!r:.40}, not a positive integer up to '
            f'{MAX_SIDE}',
            video=key,
            repaired=whole_float(value),
        )
    return (entry['height'], entry['width']) if good else None


def whole_float(value: Any) -> bool:
    """Whether it is a float, such as 640.0, that means an integer."""
    return isinstance(value, float) and value > 0 and value.is_integer()


# ------------------------------------------------------------- annotations
def _check_annotation(
    entry: Dict[str, Any],
    videos: Dict[int, CheckedVideo],
    categories: Dict[int, Any],
    found: Findings,
    box_only: bool,
) -> None:
    """Check one entry and add it to its video."""
    video_id, category = entry.get('video_id'), entry.get('category_id')
    where: Dict[str, Any] = dict(video=video_id, instance=entry.get('id'))
    if not is_integer(category) or category not in categories:
        found.add(
            'category-unknown',
            f'unknown category_id {category!r:.40}; known are '
            f'{listed(sorted(categories))}',
            **where,
        )
    crowd = entry.get('iscrowd', 0)
    if not is_integer(crowd) or crowd not in (0, 1):
        found.add(
            'iscrowd-not-binary',
            f'"iscrowd" is {crowd!r:.40}, neither 0 nor 1',
            repaired=isinstance(crowd, bool),
            **where,
        )
    if not is_integer(video_id) or video_id not in videos:
        found.add(
            'video-unknown', f'unknown video_id {video_id!r:.40}', **where
        )
        return
    video = videos[video_id]
    track = CheckedTrack(entry.get('id'), entry, video)
    _check_lengths(track, found, box_only)
    _check_size(track, found)
    video.tracks.append(track)


def _check_lengths(
    track: CheckedTrack, found: Findings, box_only: bool
) -> None:
    length = len(track.video.names)
    if not length:
        return  # said of the video
    track.boxes = _per_frame(track, 'bboxes', 'bboxes-length', found)
    if track.entry.get('bboxes') is None:
        found.add(
            'bboxes-missing',
            'no "bboxes"',
            video=track.video.id,
            instance=track.id,
        )
    if not box_only:
        track.masks = _per_frame(
            track, 'segmentations', 'segmentations-length', found
        )
        _per_frame(track, 'areas', 'areas-length', found)
    for key in EXTRA_LISTS:
        _per_frame(track, key, 'extra-length', found)


def _per_frame(
    track: CheckedTrack, key: str, code: str, found: Findings
) -> Optional[List[Any]]:
    """Take a list with one entry per frame."""
    values = track.entry.get(key)
    length = len(track.video.names)
    if values is None:
        return None
    if isinstance(values, list) and len(values) == length:
        return values
    got = len(values) if isinstance(values, list) else repr(values)[:40]
    found.add(
        code,
        f'"{key}" has length {got} but the video has {length} frames',
        video=track.video.id,
        instance=track.id,
        # Areas are counted anew, if there are masks.
        repaired=None if code != 'areas-length' else track.masks is not None,
    )
    return None


def _check_size(track: CheckedTrack, found: Findings) -> None:
    """Compare what the annotation says of its video with the video."""
    wrong = sizes_to_correct(track)
    if wrong:
        text = ', '.join(
            f'"{key}" is {track.entry[key]!r:.40}, not {value}'
            for key, value in wrong.items()
        )
        found.add(
            'annotation-size',
            f'differs from its video: {text}',
            video=track.video.id,
            instance=track.id,
        )


def sizes_to_correct(track: CheckedTrack) -> Dict[str, int]:
    """Find which of width, height and length differ from the video.

    Args:
        track (CheckedTrack): An annotation.

    Returns:
        dict[str, int]: Key and the value of the video.
    """
    real: Dict[str, int] = dict(length=len(track.video.names))
    if track.video.size is not None:
        real['height'], real['width'] = track.video.size
    seen: Set[str] = track.entry.keys() & real.keys()
    return {
        key: real[key]
        for key in sorted(seen)
        if track.entry[key] is not None and track.entry[key] != real[key]
    }
