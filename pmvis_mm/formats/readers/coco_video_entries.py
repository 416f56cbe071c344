"""Videos in COCO files."""

from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from ...structures.frame_sources import natural_key
from ...structures.rle import RLE, from_any
from ...utils.errors import AnnotationError
from .base import ImportedVideo
from .frame_folders import FrameFolders
from .shapes import Size, check_near, mask_shape
from .sightings import frame_at
from .track_collector import TrackCollector, TrackId

_TRACK_KEYS = ('track_id', 'instance_id', 'ins_id')
_FRAME_KEYS = ('frame_index', 'frame_id')

Entry = Dict[str, Any]


class COCOVideo:
    """A video that is being read.

    Args:
        name (str): Of the video.
        file (Path): Where it is from, for messages.
        entry (dict): Of ``videos``; may be empty.
        images (list[dict]): Its images, at least one, in any order.
        frames (FrameFolders, optional): Frames on disk.
        first_frame (int, optional): Least number of a frame.

    Attributes:
        images (list[dict]): In temporal order.

    Raises:
        AnnotationError: If the images contradict each other.
    """

    def __init__(
        self,
        name: str,
        file: Path,
        entry: Entry,
        images: List[Entry],
        frames: Optional[FrameFolders] = None,
        first_frame: Optional[int] = None,
    ) -> None:
        self.name, self.frames = name, frames
        self.first_frame = first_frame or 0
        self.tracks = TrackCollector(str(file), name)
        self.images = self._in_order(images)
        self._frames = {image['id']: t for t, image in enumerate(self.images)}
        self.file_names = [self._file_name(image) for image in self.images]
        self.size = self._size(entry)

    def _in_order(self, images: List[Entry]) -> List[Entry]:
        for key in _FRAME_KEYS:
            if all(key in image for image in images):
                break
        else:
            return sorted(
                images, key=lambda i: natural_key(str(i.get('file_name')))
            )
        by_number: Dict[int, Entry] = {}
        for image in images:
            number = image[key]
            if not isinstance(number, int) or isinstance(number, bool):
                raise self._error(
                    f'image {image["id"]} has {key}={number!r}, no integer',
                    'number the frames of the video',
                )
            frame_at(
                number,
                self.first_frame,
                None,
                f'image {image["id"]}',
                self.tracks.file,
                self.name,
            )
            if number in by_number:
                raise self._error(
                    f'images {by_number[number]["id"]} and {image["id"]} '
                    f'have one {key}, {number}',
                    'number the frames of every video from 0',
                )
            by_number[number] = image
        return [by_number[number] for number in sorted(by_number)]

    def _file_name(self, image: Entry) -> str:
        name = image.get('file_name')
        if not isinstance(name, str) or not name:
            raise self._error(
                f'image {image["id"]} has no "file_name"',
                'write the path of the frame relative to all frames',
            )
        return name

    def _size(self, entry: Entry) -> Size:
        sizes: Dict[Tuple[int, int], int] = {}
        for frame, image in enumerate([*self.images, entry]):
            height: Any = image.get('height')
            width: Any = image.get('width')
            if height is None and width is None:
                continue
            if not all(type(v) is int and v > 0 for v in (height, width)):
                raise self._error(
                    f'size {width!r} x {height!r} (width, height) is not two '
                    'positive integers',
                    'write the size of the frames in pixels',
                    min(frame, len(self.images) - 1),
                )
            sizes.setdefault((height, width), frame)
        if len(sizes) > 1:
            (first, _), (second, frame) = list(sizes.items())[:2]
            raise self._error(
                f'sizes differ: {first[1]}x{first[0]} and '
                f'{second[1]}x{second[0]}',
                'give all frames of a video one size',
                min(frame, len(self.images) - 1),
            )
        if sizes:
            return next(iter(sizes))
        found = None if self.frames is None else self.frames.find(self.name)
        return None if found is None else (found.height, found.width)

    def add(self, entry: Entry, names: Dict[int, str]) -> None:
        """Take an annotation.

        Args:
            entry (dict): Of ``annotations``, on one of the images.
            names (dict[int, str]): Of the categories.

        Raises:
            AnnotationError: If it is malformed or contradicts others.
        """
        frame = self._frames[entry['image_id']]
        key = self._track_id(frame, entry)
        category: Any = entry.get('category_id')
        if category is not None and (
            type(category) is not int or category not in names
        ):
            raise self._error(
                f'unknown category_id {category!r}',
                'list the category in "categories"',
                frame,
                key,
            )
        try:
            mask = self._mask(entry.get('segmentation'))
            box = _box(entry.get('bbox'))
            score = _score(entry.get('score'))
        except (ValueError, TypeError, OverflowError) as reason:
            raise self._error(
                f'bad annotation: {reason}',
                'correct or remove it',
                frame,
                key,
            ) from None
        if box is None and mask is not None:
            box = mask_shape(mask).box
        if box is None:
            raise self._error(
                'annotation without "bbox"', 'add its box', frame, key
            )
        self.tracks.add(
            key,
            frame,
            box,
            None if category is None else names[category],
            mask,
            score,
            bool(entry.get('iscrowd', 0)),
            where=f'annotation {entry["id"]}' if 'id' in entry else '',
        )

    def _track_id(self, frame: int, entry: Entry) -> TrackId:
        for key in _TRACK_KEYS:
            value: Any = entry.get(key)
            if type(value) in (int, str):
                return value  # type: ignore[no-any-return]
            if value is not None:
                raise self._error(
                    f'{key}={value!r} is neither a number nor text',
                    'write the id of the instance',
                    frame,
                    entry.get('id'),
                )
        raise self._error(
            'annotation without the id of its track',
            f'write it as {_TRACK_KEYS[0]!r}: the same in all frames of an '
            'instance',
            frame,
            entry.get('id'),
        )

    def _mask(self, raw: Any) -> Optional[RLE]:
        if not raw:
            return None
        if self.size is None and isinstance(raw, dict):
            self.size = _told_size(raw.get('size'))
        if self.size is None:
            return None
        for polygon in raw if isinstance(raw, list) else ():
            points = np.asarray(polygon, np.float64)
            if points.size % 2 == 0:  # else from_any() refuses it
                check_near(points.reshape(-1, 2), self.size)
        return from_any(raw, *self.size)

    def _error(
        self,
        problem: str,
        fix: str,
        frame: Optional[int] = None,
        instance: Any = None,
    ) -> AnnotationError:
        return self.tracks.error(problem, fix, frame, instance)

    def close(self) -> ImportedVideo:
        """Give all that was read."""
        return ImportedVideo(
            self.name,
            self.tracks.tracks,
            width=None if self.size is None else self.size[1],
            height=None if self.size is None else self.size[0],
            length=len(self.images),
            file_names=self.file_names,
            file=self.tracks.file,
        )


def _told_size(raw: Any) -> Size:
    """Read the size that a mask tells."""
    if not isinstance(raw, list) or len(raw) != 2:
        raise ValueError(f'a mask has the size {raw!r}')
    if not all(type(value) is int and 0 < value < 1 << 16 for value in raw):
        raise ValueError(f'a mask has the size {raw!r}')
    return raw[0], raw[1]


def _box(raw: Any) -> Optional[Tuple[float, ...]]:
    if raw is None or raw == []:
        return None
    if not isinstance(raw, list) or len(raw) != 4:
        raise ValueError(f'box {raw!r} is not [x, y, width, height]')
    if not all(type(value) in (int, float) for value in raw):
        raise ValueError(f'box {raw!r} has a coordinate that is no number')
    x, y, w, h = map(float, raw)
    return x, y, x + w, y + h


def _score(raw: Any) -> Optional[float]:
    if raw is None:
        return None
    if type(raw) not in (int, float):
        raise ValueError(f'score {raw!r} is no number')
    return float(raw)
