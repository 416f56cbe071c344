"""Tracks in the json of Scalabel, as BDD100K has them."""

from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from ...structures.frame_sources import natural_key
from ...structures.rle import RLE, from_any, tight_boxes
from ...structures.video_annotations import Box
from ...utils.class_names import BDD100K_MOTS_CLASSES
from ...utils.errors import AnnotationError
from .base import ANNOTATION_READERS, AnnotationReader, ImportedVideo
from .files import read_json, wrong_format
from .sightings import Sighting, frame_at, join_sightings

_OLD_NAMES = dict(
    bike='bicycle',
    caravan='car',
    motor='motorcycle',
    person='pedestrian',
    van='car',
)
# Not judged, for nobody can tell more.
_UNSURE = {
    'other person': 'pedestrian',
    'other vehicle': 'car',
    'trailer': 'truck',
}


class _Frame(NamedTuple):
    number: int  # as in the file
    name: Optional[str]
    labels: list


@ANNOTATION_READERS.register_module(name='bdd100k_rles')
class BDD100KRLEReader(AnnotationReader):
    """Reads masks of tracks from json in the format of Scalabel.

    A file holds a list of frames, or an object with ``frames``; each frame
    has ``name``, ``videoName``, ``frameIndex`` (0-based) and ``labels``
    with ``id``, ``category``, ``attributes`` and ``rle``. What is crowd or
    ignored becomes ``iscrowd``, frame by frame; so do the classes 'other
    person', 'other vehicle' and 'trailer', which count as pedestrian, car
    and truck. Source: Yu et al., `BDD100K
    <https://arxiv.org/abs/1805.04687>`_, and the documentation of Scalabel.

    Boxes are the tight ones of the masks; a label with ``box2d`` only has
    no mask. In ``box2d`` the corners x2 and y2 lie in the box, so that the
    half-open box is ``x1, y1, x2 + 1, y2 + 1``, pixels. Polygons
    (``poly2d``) are Bezier curves and not read: the data come with their
    masks. A file is read at a time.

    Args:
        source (str | Path): ``<video>.json``, or a folder of such files,
            as ``labels/seg_track_20/rles/train``.
        frames (FrameFolders, optional): ``images/seg_track_20/train``, see
            :class:`AnnotationReader`.
        first_frame (int, optional): Number of the first frame. Defaults to
            None: 0.
    """

    title = 'BDD100K MOTS rles'
    with_masks = True

    def classes(self) -> Tuple[str, ...]:
        """Tell the classes of BDD100K MOTS."""
        return BDD100K_MOTS_CLASSES

    def videos(self) -> Iterator[ImportedVideo]:
        """Read the videos, see :meth:`AnnotationReader.videos`."""
        for path in self._files():
            for name, frames in self._load(path).items():
                yield self._read(path, name, frames)

    def _files(self) -> List[Path]:
        if not self.source.is_dir():
            return [self.source]
        files = [
            entry
            for entry in self.source.iterdir()
            if entry.suffix.lower() == '.json'
            and not entry.name.startswith('.')
        ]
        if not files:
            raise wrong_format(self.source, self.title, 'no <video>.json')
        return sorted(files, key=lambda entry: natural_key(entry.name))

    def _load(self, path: Path) -> Dict[str, List[_Frame]]:
        data = read_json(path, self.title)
        entries = data.get('frames') if isinstance(data, dict) else data
        if not isinstance(entries, list) or not all(
            isinstance(entry, dict) and 'labels' in entry for entry in entries
        ):
            raise wrong_format(
                path, self.title, 'no list of frames with "labels"'
            )
        videos: Dict[str, List[_Frame]] = {}
        for number, entry in enumerate(entries):
            name = entry.get('videoName', entry.get('video_name'))
            video = path.stem if name is None else str(name)
            frames = videos.setdefault(video, [])
            frames.append(self._frame(path, video, number, entry))
        for video, frames in videos.items():
            frames.sort(key=lambda frame: frame.number)
            for first, second in zip(frames, frames[1:]):
                if first.number == second.number:
                    raise AnnotationError(
                        f'two frames with index {first.number}',
                        file=path,
                        video=video,
                        frame=first.number - self.first_frame,
                        fix='number the frames of a video from 0',
                    )
        return videos

    def _frame(
        self, path: Path, video: str, number: int, entry: Dict[str, Any]
    ) -> _Frame:
        index: Any = entry.get('frameIndex', entry.get('index'))
        labels: Any = entry['labels'] or []
        name: Any = entry.get('name')
        problem = None
        if type(index) is not int:
            problem = f'frameIndex {index!r} is no whole number'
        elif not isinstance(labels, list):
            problem = '"labels" is no list'
        elif name is not None and not isinstance(name, str):
            problem = f'name {name!r} is no text'
        if problem is not None:
            raise AnnotationError(
                f'frames[{number}]: {problem}',
                file=path,
                video=video,
                fix=f'see whether this is {self.title}',
            )
        return _Frame(index, name, labels)

    def _read(
        self, path: Path, name: str, frames: List[_Frame]
    ) -> ImportedVideo:
        video = ImportedVideo(name, file=str(path))
        found = None if self.frames is None else self.frames.find(name)
        if found is not None:
            video.file_names = list(found.file_names)
            video.length = len(found.file_names)
        elif frames[-1].number - self.first_frame == len(frames) - 1:
            video.length = len(frames)
            if all(frame.name for frame in frames):
                video.file_names = [f'{name}/{f.name}' for f in frames]
        sightings = []
        size: List[int] = []
        for frame in frames:
            t = frame_at(
                frame.number,
                self.first_frame,
                video.length,
                frame.name or f'frameIndex {frame.number}',
                path,
                name,
            )
            for label in frame.labels:
                seen = self._sighting(path, name, t, label, size)
                if seen is not None:
                    sightings.append(seen)
        if size:
            video.height, video.width = size
        video.tracks = join_sightings(sightings, path, name)
        return video

    def _sighting(
        self, path: Path, video: str, frame: int, label: Any, size: List[int]
    ) -> Optional[Sighting]:
        key: Any = label.get('id') if isinstance(label, dict) else None
        try:
            if not isinstance(label, dict):
                raise ValueError(f'label {str(label)[:80]} is no json object')
            if type(key) not in (int, str):
                raise ValueError(f'id {key!r} of a label is no number or text')
            category, iscrowd = _class_of(label)
            place = self._place(label, size)
        except ValueError as reason:
            raise AnnotationError(
                str(reason),
                file=path,
                video=video,
                frame=frame,
                instance=key,
                fix='correct or remove this label',
            ) from None
        if place is None:
            return None
        box, mask = place
        return Sighting(key, frame, box, category, iscrowd, mask)

    def _place(
        self, label: Dict[str, Any], size: List[int]
    ) -> Optional[Tuple[Box, Optional[RLE]]]:
        """Take box and mask; None if there is no pixel."""
        rle, box = label.get('rle'), label.get('box2d')
        if self.with_masks and rle is not None:
            mask = _mask_of(rle, size)
            if mask is None:
                return None
            x0, y0, x1, y1 = tight_boxes([mask])[0].tolist()
            return (x0, y0, x1, y1), mask
        if box is None:
            wanted = '"rle" or "box2d"' if self.with_masks else '"box2d"'
            raise ValueError(
                f'a label has no {wanted} (polygons are not read: use the '
                'files with masks)'
            )
        return _box_of(box), None


@ANNOTATION_READERS.register_module(name='bdd100k_boxes')
class BDD100KBoxReader(BDD100KRLEReader):
    """Reads boxes of tracks from json, as the box tracks of BDD100K.

    Like :class:`BDD100KRLEReader`, but for the masks, which are not looked
    at: ``labels/box_track_20/train``.
    """

    title = 'BDD100K box tracking json'
    with_masks = False


def _class_of(label: Dict[str, Any]) -> Tuple[Optional[str], bool]:
    """Tell the name of the class and whether it is not to be judged."""
    name = label.get('category')
    if name is not None and not isinstance(name, str):
        raise ValueError(f'category {name!r} is no name')
    attributes = label.get('attributes') or {}
    if not isinstance(attributes, dict):
        raise ValueError('"attributes" is no json object')
    off = any(
        attributes.get(key) for key in ('crowd', 'Crowd', 'ignored', 'Ignored')
    )
    if name in _UNSURE:
        return _UNSURE[name], True
    return _OLD_NAMES.get(name, name) if name else None, off


def _mask_of(rle: Any, size: List[int]) -> Optional[RLE]:
    current = rle.get('size') if isinstance(rle, dict) else None
    if (
        not isinstance(current, list)
        or len(current) != 2
        or not all(type(v) is int and v > 0 for v in current)
    ):
        raise ValueError('"rle" has no size [height, width]')
    if size and size != current:
        raise ValueError(
            f'mask size {current} differs from {size} (height, width) before'
        )
    size[:] = current
    return from_any(dict(size=current, counts=rle.get('counts')), *current)


def _box_of(box: Any) -> Box:
    names = ('x1', 'y1', 'x2', 'y2')
    if not isinstance(box, dict) or not all(
        type(box.get(name)) in (int, float) for name in names
    ):
        raise ValueError(f'box2d {str(box)[:80]} has no numbers {names}')
    x1, y1, x2, y2 = (float(box[name]) for name in names)
    return x1, y1, x2 + 1, y2 + 1
