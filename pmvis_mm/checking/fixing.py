"""Repairing what has one obvious repair."""

from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from ..utils.errors import AnnotationError, ConfigError
from ..utils.fileio import atomic_write, dump_json, load_json
from .boxes import box_codes, box_problem, from_strings, read_boxes
from .changes import Change, as_text
from .checker import check_annotations
from .content import CheckedTrack, CheckedVideo, absent
from .findings import Findings
from .frames import Folders
from .masks import read_masks, systematic_masks, wrong_areas
from .structure import (
    check_structure,
    id_problem,
    sizes_to_correct,
    whole_float,
)
from .systematic import systematic_boxes
from .tracks import is_copy, is_empty, same_boxes

# Repairs of single boxes would hide what is wrong with all of them.
_NO_BOX_REPAIR = ('boxes-xyxy', 'boxes-normalised')
_TO_NULL = (
    'box-not-finite',
    'box-negative-size',
    'box-zero-size',
    'box-outside',
)

Changes = List[Change]


def fix_annotations(
    data: Any, box_only: bool = False, img_prefix: Optional[str] = None
) -> Changes:
    """Repair the content of a YouTube-VIS style file in place.

    Ids of annotations that are missing or used twice are given anew; boxes
    are clipped, or become null where they say nothing; masks that cannot be
    read become null and keep their box; a mask without box gets its tight
    box; areas are counted again; tracks without a box and exact copies of
    others are dropped. Nothing is guessed, and unknown keys stay. Boxes are
    left alone if all of them seem to be corners or shares of the frame, and
    boxes, masks and tracks of a video if repairs would take more than a
    tenth of its boxes, or of its masks, away.

    Args:
        data (Any): Content of the file; changed.
        box_only (bool): Look at no mask; masks stay as they are. Defaults
            to False.
        img_prefix (str, optional): Folder of images, to spell names of
            frames as on disk.

    Returns:
        list[Change]: What was changed; none the second time.
    """
    found, _ = check_annotations(data, box_only=box_only)
    if not isinstance(data, dict):
        return []
    changes: Changes = []
    _fix_ids(data, changes)
    folders = None if img_prefix is None else Folders(str(img_prefix))
    for video in _objects(data, 'videos'):
        _fix_video(video, changes, folders)
    content = check_structure(data, Findings(), box_only)
    boxes_too = not any(found.of(code) for code in _NO_BOX_REPAIR)
    dropped: List[CheckedTrack] = []
    for checked in content.videos:
        for track in checked.tracks:
            _fix_track(track, changes)
        if _is_systematic(checked, box_only):
            continue
        if boxes_too:
            for track in checked.tracks:
                _fix_boxes(track, changes)
        if not box_only:
            _fix_masks(checked, changes)
        dropped += _superfluous(checked, box_only, changes)
    gone = {id(track.entry) for track in dropped}
    if gone:
        data['annotations'] = [
            entry for entry in data['annotations'] if id(entry) not in gone
        ]
    return changes


def write_fixed(
    file: Union[str, Path],
    out: Union[str, Path],
    box_only: bool = False,
    img_prefix: Optional[str] = None,
) -> Tuple[Changes, Tuple[Path, Path]]:
    """Write a repaired copy of a file, and what was changed.

    Args:
        file (str | Path): YouTube-VIS style json; stays as it is.
        out (str | Path): Gets the copy; 'NAME.changes.json' and '.txt'
            beside it list the changes.
        box_only (bool): See :func:`fix_annotations`.
        img_prefix (str, optional): See there.

    Returns:
        tuple: The changes, and the files that list them.

    Raises:
        AnnotationError: If the file cannot be read.
        ConfigError: If ``out`` is the file itself.
        OutputError: If the copy cannot be written.
    """
    out = Path(out)
    check_target(file, out)
    data = load_json(file)
    if not isinstance(data, dict):
        raise AnnotationError(
            'nothing to repair: this is no json object',
            file=file,
            fix='use the YouTube-VIS layout: videos, categories, annotations',
        )
    changes = fix_annotations(data, box_only, img_prefix)
    lists = out.with_suffix('.changes.json'), out.with_suffix('.changes.txt')
    dump_json(data, out)
    dump_json([change.to_json() for change in changes], lists[0])
    with atomic_write(lists[1]) as text:
        lines = as_text(changes).encode('utf-8', 'backslashreplace')
        text.write(lines.decode())
    return changes, lists


def check_target(file: Union[str, Path], out: Union[str, Path]) -> None:
    """Refuse to write a repaired copy over its input.

    Raises:
        ConfigError: If both are the same file.
    """
    if Path(out).resolve() == Path(file).resolve():
        raise ConfigError(
            'the repaired copy would replace the input',
            file=file,
            fix='name another file for the copy',
        )


def _objects(data: Dict[str, Any], key: str) -> List[Dict[str, Any]]:
    values = data.get(key)
    if not isinstance(values, list):
        return []
    return [entry for entry in values if isinstance(entry, dict)]


# ---------------------------------------------------------------------- ids
def _fix_ids(data: Dict[str, Any], changes: Changes) -> None:
    """Give new ids to annotations; others refer to those of videos."""
    known: Dict[int, Dict[str, Any]] = {}
    bad: List[Tuple[str, Dict[str, Any]]] = []
    for entry in _objects(data, 'annotations'):
        code = id_problem(entry, known)
        if code is None:
            known[entry['id']] = entry
        else:
            bad.append((code, entry))
    free = max([0, *known]) + 1
    for key, (code, entry) in enumerate(bad, free):
        before = entry.get('id')
        entry['id'] = key
        video = entry.get('video_id')
        changes.append(Change(code, 'id', before, key, video, instance=before))


# ------------------------------------------------------------------- videos
def _fix_video(
    video: Dict[str, Any], changes: Changes, folders: Optional[Folders]
) -> None:
    key = video.get('id')
    for name in ('width', 'height'):
        value = video.get(name)
        if whole_float(value):
            video[name] = int(value)  # type: ignore[arg-type]
            changes.append(Change('video-size', name, value, video[name], key))
    names = video.get('file_names')
    if not isinstance(names, list) or not names:
        return
    length = video.get('length', len(names))
    if length != len(names) or isinstance(length, bool):
        video['length'] = len(names)
        changes.append(
            Change('video-length', 'length', length, len(names), key)
        )
    for t, name in enumerate(names):
        if not isinstance(name, str):
            continue
        if '\\' in name:
            names[t] = name.replace('\\', '/')
            changes.append(
                Change('frame-backslash', 'file_names', name, names[t], key, t)
            )
        if folders is not None and not folders.exists(names[t]):
            other = folders.other_case(names[t])
            if other is not None:
                changes.append(
                    Change('frame-case', 'file_names', names[t], other, key, t)
                )
                names[t] = other


# ------------------------------------------------------------------- tracks
class _Log:
    """Sets values of a track and notes them."""

    def __init__(self, track: CheckedTrack, changes: Changes) -> None:
        self.track, self.changes = track, changes

    def set(self, code: str, key: str, value: Any) -> None:
        """Set a value of the annotation."""
        self._note(code, key, self.track.entry.get(key), value, None)
        self.track.entry[key] = value

    def set_at(self, code: str, key: str, frame: int, value: Any) -> None:
        """Set a value of one frame."""
        values = self.track.entry[key]
        self._note(code, key, values[frame], value, frame)
        values[frame] = value

    def _note(
        self, code: str, key: str, old: Any, new: Any, frame: Optional[int]
    ) -> None:
        track = self.track
        self.changes.append(
            Change(code, key, old, new, track.video.id, frame, track.id)
        )


def _is_systematic(video: CheckedVideo, box_only: bool) -> bool:
    """Whether repairs of single values would bury what is wrong.

    Nothing is changed then that would change this the next time.
    """
    if systematic_boxes(video) is not None:
        return True
    if box_only or not any(track.masks for track in video.tracks):
        return False
    return systematic_masks(read_masks(video)) is not None


def _fix_track(track: CheckedTrack, changes: Changes) -> None:
    log = _Log(track, changes)
    for key, value in sizes_to_correct(track).items():
        log.set('annotation-size', key, value)
    crowd = track.entry.get('iscrowd')
    if isinstance(crowd, bool):
        log.set('iscrowd-not-binary', 'iscrowd', int(crowd))


def _superfluous(
    video: CheckedVideo, box_only: bool, changes: Changes
) -> List[CheckedTrack]:
    """Find tracks without a box, and copies of others."""
    tracks = []
    for track in video.tracks:
        keep = box_only and 'segmentations' in track.entry
        if not keep and is_empty(track):
            tracks.append((track, 'track-empty'))
    for first, track in same_boxes(video):
        if not is_copy(first, track, box_only):
            continue
        if not (box_only and 'segmentations' in track.entry):
            tracks.append((track, 'track-duplicate'))
    for track, code in tracks:
        changes.append(
            Change(
                code, 'annotation', track.id, None, video.id, None, track.id
            )
        )
    return [track for track, _ in tracks]


# -------------------------------------------------------------------- boxes
def _fix_boxes(track: CheckedTrack, changes: Changes) -> None:
    log = _Log(track, changes)
    for key in ('bboxes', 'annotated_bboxes'):
        values = track.entry.get(key)
        if not isinstance(values, list):
            continue
        if len(values) != len(track.video.names):
            continue
        for t, box in enumerate(values):
            code = None if absent(box) else box_problem(box)
            numbers = from_strings(box) if code == 'box-not-number' else None
            if numbers is not None:
                log.set_at('box-not-number', key, t, numbers)
            elif code == 'box-not-finite':
                log.set_at(code, key, t, None)
        frames, boxes = read_boxes(values)
        for code, hits in box_codes(boxes, track.video.size).items():
            for t in frames[hits].tolist():
                if code in _TO_NULL:
                    log.set_at(code, key, t, None)
                elif code == 'box-sticks-out':
                    clipped = _clip(values[t], track.video)
                    log.set_at(code, key, t, clipped)


def _clip(box: Sequence[float], video: CheckedVideo) -> List[float]:
    assert video.size is not None
    height, width = video.size
    x, y, w, h = box
    x0, y0 = max(x, 0), max(y, 0)
    return [x0, y0, min(x + w, width) - x0, min(y + h, height) - y0]


# -------------------------------------------------------------------- masks
def _fix_masks(video: CheckedVideo, changes: Changes) -> None:
    if not any(track.masks for track in video.tracks):
        return
    logs = [_Log(track, changes) for track in video.tracks]
    masks = read_masks(video)
    for i, t, code, _ in masks.problems:
        if code in ('mask-size', 'mask-malformed'):
            logs[i].set_at(code, 'segmentations', t, None)
    for (i, t), pixels, tight in zip(
        masks.places, masks.areas.tolist(), masks.boxes.tolist()
    ):
        boxes = video.tracks[i].boxes
        if not pixels:
            logs[i].set_at('mask-empty', 'segmentations', t, None)
        elif boxes is not None and absent(boxes[t]):
            x0, y0, x1, y1 = tight
            box = [x0, y0, x1 - x0, y1 - y0]
            logs[i].set_at('mask-without-box', 'bboxes', t, box)
    real = dict(zip(masks.places, masks.areas.tolist()))
    unread = {
        (i, t)
        for i, t, code, _ in masks.problems
        if code == 'polygon-malformed'
    }
    for i, track in enumerate(video.tracks):
        _fix_areas(track, i, real, unread, logs[i])


def _fix_areas(
    track: CheckedTrack,
    i: int,
    real: Dict[Tuple[int, int], int],
    unread: Any,
    log: _Log,
) -> None:
    """Count areas anew where they disagree with the masks."""
    values = track.entry.get('areas')
    if values is None or track.masks is None:
        return
    length = len(track.masks)
    if not isinstance(values, list) or len(values) != length:
        counted = [real.get((i, t)) or None for t in range(length)]
        log.set('areas-length', 'areas', counted)
        return
    for t in wrong_areas(track, i, real):
        if (i, t) not in unread:
            area = real.get((i, t)) or None
            log.set_at('area-mismatch', 'areas', t, area)
