"""Whatever the Datumaro library imports.

MOTChallenge, MOTS and CVAT have readers of their own: with Datumaro 1.12.0
and 1.13.12, CVAT tracks of masks fail to load and ellipses vanish;
MOTChallenge sequences get mixed into one, track 0 loses its id, class ids
above 12 are refused, and NaN or negative sizes pass.
"""

from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import numpy as np

from ...structures.frame_sources import natural_key
from ...structures.rle import encode
from ...utils.errors import AnnotationError, ConfigError
from .base import ANNOTATION_READERS, AnnotationReader, ImportedVideo
from .files import wrong_format
from .frame_index import FrameIndex, frame_of_number, number_in
from .shape_groups import Drawn, add_frame
from .shapes import Shape, Size, mask_shape, polygon, rectangle
from .track_collector import TrackCollector, TrackId

if TYPE_CHECKING:
    from .frame_folders import FrameFolders, VideoFrames

_FIRST_FRAMES = dict(mot_seq=1)
_IGNORED = ('label', 'caption')


@ANNOTATION_READERS.register_module(name='datumaro')
class DatumaroReader(AnnotationReader):
    """Reads any dataset that the Datumaro library imports.

    An item of Datumaro is a frame; its annotations need the attribute
    ``track_id``. Boxes, turned boxes (the upright box around them),
    polygons and masks are taken; all polygons and masks of one track in one
    frame are one mask, and the box holds it. Coordinates are continuous,
    as Datumaro has them. Annotations with ``outside`` say that the object
    is out of view, those without ``keyframe`` are interpolated; those with
    ``is_crowd`` or ``ignored`` make a crowd (Datumaro's COCO exporter
    writes every mask as crowd: export in its own format instead).

    The frame of an item is found by its name among the frames on disk, or
    else by its attribute ``frame``, or the last number in its name.
    Datumaro keeps the whole dataset in memory, without pixels.

    Args:
        source (str | Path): File or folder.
        frames (FrameFolders, optional): See :class:`AnnotationReader`.
        first_frame (int, optional): Number of the first frame where frames
            go by number. Defaults to None: 0, for 'mot_seq' 1.
        dataset_format (str, optional): Datumaro's name of the format, such
            as 'datumaro', 'coco' or 'kitti'. Defaults to None: it finds
            out.
        group_by (str): What makes items a video: 'folder' in their names,
            'subset', 'all' (one video) or the name of an attribute of
            items. Defaults to 'auto': folder, else subset unless it is
            'default', else one video.
        track_attribute (str): Attribute that tells objects apart. Defaults
            to 'track_id'.
        skip_unsupported (bool): Leave out annotations that are neither box
            nor mask, such as points, instead of refusing them. Defaults to
            False.

    Raises:
        ConfigError: From ``videos``, if Datumaro is not installed or does
            not know the format.
    """

    title = 'Datumaro'

    def __init__(
        self,
        source: Union[str, Path],
        frames: Optional['FrameFolders'] = None,
        first_frame: Optional[int] = None,
        dataset_format: Optional[str] = None,
        group_by: str = 'auto',
        track_attribute: str = 'track_id',
        skip_unsupported: bool = False,
    ) -> None:
        super().__init__(source, frames, first_frame)
        self.has_first_frame = first_frame is not None
        self.dataset_format = dataset_format
        self.group_by = group_by
        self.track_attribute = track_attribute
        self.skip_unsupported = skip_unsupported
        self.labels: Tuple[str, ...] = ()

    def classes(self) -> Optional[Tuple[str, ...]]:
        """Tell the labels that the dataset declares."""
        return self.labels or None

    def videos(self) -> Iterator[ImportedVideo]:
        """Read the videos, see :meth:`AnnotationReader.videos`."""
        dataset = self._load()
        self.labels = _labels(dataset)
        groups: Dict[str, List[Any]] = {}
        for item in dataset:
            groups.setdefault(self._video_of(item), []).append(item)
        if not groups:
            raise wrong_format(self.source, self.title, 'it has no items')
        for name in sorted(groups, key=natural_key):
            yield _ItemGroup(self, name, groups[name]).read()

    def _load(self) -> Any:
        if not self.source.exists():
            raise AnnotationError(
                'does not exist', file=self.source, fix='check the path'
            )
        try:
            from datumaro.components import dataset, errors
        except ImportError:
            raise ConfigError(
                'the Datumaro library is not installed',
                fix='pip install pmvis_mm[formats]',
            ) from None
        source, kind = str(self.source), self.dataset_format
        try:
            kind = kind or dataset.Dataset.detect(source)
            found = dataset.Dataset.import_from(source, kind)
            found.init_cache()  # else errors come when items are asked for
        except errors.UnknownFormatError:
            raise ConfigError(
                f'Datumaro knows no format {kind!r}',
                file=self.source,
                fix='name one that it imports, such as "datumaro" or "coco"',
            ) from None
        except errors.MultipleFormatsMatchError as reason:
            raise AnnotationError(
                f'Datumaro takes it for several formats ({reason})',
                file=self.source,
                fix='name one of them as dataset_format',
            ) from None
        # What its plugins raise about malformed files is of any type.
        except Exception as reason:
            cause = reason.__cause__ or reason
            raise wrong_format(
                self.source,
                self.title,
                f'the library cannot import it as {kind or "any format"} '
                f'({type(cause).__name__}: {cause})',
            ) from None
        if not self.has_first_frame:
            self.first_frame = _FIRST_FRAMES.get(kind or '', self.first_frame)
        return found

    def _video_of(self, item: Any) -> str:
        folder = item.id.rpartition('/')[0]
        if self.group_by in ('auto', 'folder') and folder:
            return folder
        subset = item.subset or 'default'
        if self.group_by == 'subset' or (
            self.group_by == 'auto' and subset != 'default'
        ):
            return subset
        if self.group_by in ('auto', 'all', 'folder'):
            path = self.source.absolute()
            return path.name if path.is_dir() else path.stem
        value = item.attributes.get(self.group_by)
        if value is None or value == '':
            raise AnnotationError(
                f'item {item.id!r} has no attribute {self.group_by!r} that '
                'names its video',
                file=self.source,
                fix='set group_by to "folder", "subset", "all" or the name '
                'of an attribute of all items',
            )
        return str(value)


class _ItemGroup:
    """Reads the items of one video."""

    def __init__(
        self, reader: DatumaroReader, name: str, items: Sequence[Any]
    ) -> None:
        self.reader, self.name = reader, name
        self.items = sorted(items, key=lambda item: natural_key(item.id))
        self.collector = TrackCollector(reader.source, name)
        self.found: Optional[VideoFrames] = None
        if reader.frames is not None:
            self.found = reader.frames.find(name)
        self.index: Optional[FrameIndex] = None
        if self.found is not None:
            self.index = FrameIndex(self.found.file_names, reader.first_frame)

    def read(self) -> ImportedVideo:
        size = self._size()
        seen: Dict[int, Any] = {}
        for item in self.items:
            frame = self._frame_of(item)
            other = seen.setdefault(frame, item)
            if other is not item:
                raise self.collector.error(
                    f'items {other.id!r} and {item.id!r} are about one frame',
                    'set group_by, so that every video is a group',
                    frame,
                )
            self._add_item(frame, item, size)
        names = None if self.found is None else list(self.found.file_names)
        height, width = size or (None, None)
        return ImportedVideo(
            self.name,
            self.collector.tracks,
            width,
            height,
            None if names is None else len(names),
            names,
            str(self.reader.source),
            self.collector.dropped,
        )

    def _size(self) -> Size:
        """Height and width; items that do not tell cost reading pixels."""
        size: Size = None
        for item in self.items:
            media = item.media
            if not getattr(media, 'has_size', False) or media.size is None:
                continue
            height, width = (int(side) for side in media.size[:2])
            if size is not None and size != (height, width):
                raise self.collector.error(
                    f'item {item.id!r} is {width}x{height} pixels, others '
                    f'are {size[1]}x{size[0]}',
                    'set group_by, so that every video is a group',
                )
            size = (height, width)
        if size is None and self.found is not None:
            size = (self.found.height, self.found.width)
        return size

    def _frame_of(self, item: Any) -> int:
        name = item.id.rpartition('/')[2]
        number = item.attributes.get('frame')
        if type(number) is not int:
            number = number_in(name)
        try:
            if self.index is not None:
                return self.index.find(name)
            if number is None:
                raise ValueError('it has no number')
            return frame_of_number(number, self.reader.first_frame, None)
        except ValueError as reason:
            raise self.collector.error(
                f'item {item.id!r} is no frame of the video: {reason}',
                'name the folder of frames (--frames) with the images of '
                'these names, or set first_frame (--first-frame)',
            ) from None

    def _add_item(self, frame: int, item: Any, size: Size) -> None:
        drawn = []
        for annotation in item.annotations:
            kind = annotation.type.name
            if kind in _IGNORED:
                continue
            if kind not in _SHAPES:
                if self.reader.skip_unsupported:
                    reason = f'annotations of type {kind!r}'
                    self.collector.dropped[reason] += 1
                    continue
                raise self.collector.error(
                    f'annotation of type {kind!r} is neither box nor mask',
                    'remove it, or set skip_unsupported=True',
                    frame,
                )
            key = self._track_id(frame, annotation)
            if annotation.attributes.get('outside') is True:
                self.collector.add(key, frame, None, self._label(annotation))
            else:
                drawn.append(self._draw(frame, key, annotation, size))
        add_frame(self.collector, frame, _join_boxes(drawn))

    def _track_id(self, frame: int, annotation: Any) -> TrackId:
        name = self.reader.track_attribute
        key = annotation.attributes.get(name)
        if type(key) is float and key.is_integer():
            key = int(key)
        if type(key) not in (int, str) or key == '':
            raise self.collector.error(
                f'an annotation has no {name!r}, which tells objects apart '
                f'(its attributes are {sorted(annotation.attributes)})',
                'export tracks, not single images; or name the attribute '
                'that has the ids as track_attribute',
                frame,
            )
        return key

    def _label(self, annotation: Any) -> Optional[str]:
        label = annotation.label
        if label is None or not 0 <= label < len(self.reader.labels):
            return None
        return self.reader.labels[label]

    def _draw(
        self, frame: int, key: TrackId, annotation: Any, size: Size
    ) -> Drawn:
        kind, extra = annotation.type.name, annotation.attributes
        try:
            shape = _SHAPES[kind](annotation, size)
        except ValueError as reason:
            raise self.collector.error(
                f'bad {kind}: {reason}', 'correct it', frame, key
            ) from None
        score = extra.get('score')
        return Drawn(
            key,
            self._label(annotation),
            shape,
            float(score) if type(score) in (int, float) else None,
            extra.get('is_crowd') is True or extra.get('ignored') is True,
            extra.get('keyframe') is False,
        )


def _join_boxes(drawn: Sequence[Drawn]) -> List[Drawn]:
    """Let the box of an object hold its mask.

    Datumaro 1.12 writes boxes of masks a pixel too short.
    """
    rectangles: Dict[TrackId, set] = {}
    for one in drawn:
        if one.shape.is_rectangle:
            rectangles.setdefault(one.id, set()).add(one.shape.box)
    masked = {one.id for one in drawn if not one.shape.is_rectangle}
    return [
        one._replace(shape=Shape(one.shape.box))
        if one.shape.is_rectangle
        and one.id in masked
        and len(rectangles[one.id]) == 1
        else one
        for one in drawn
    ]


def _labels(dataset: Any) -> Tuple[str, ...]:
    for kind, categories in dataset.categories().items():
        if kind.name == 'label':
            return tuple(label.name for label in categories.items)
    return ()


def _points(flat: Sequence[float]) -> np.ndarray:
    points = np.array(flat, np.float64).reshape(-1, 2)
    if not np.isfinite(points).all():
        raise ValueError('a coordinate is no finite number')
    return points


def _bbox(annotation: Any, size: Size) -> Shape:
    corners = _points(annotation.points)
    if (corners[0] > corners[1]).any():
        raise ValueError(
            f'box {list(annotation.points)} (x0, y0, x1, y1) has no positive '
            'width and height'
        )
    return rectangle(corners)


def _rotated(annotation: Any, size: Size) -> Shape:
    return rectangle(_points(annotation.as_polygon()))


def _polygon(annotation: Any, size: Size) -> Shape:
    return polygon(_points(annotation.points), size)


def _mask(annotation: Any, size: Size) -> Shape:
    image = np.asarray(annotation.image)
    if image.ndim != 2:
        raise ValueError(f'the mask has shape {image.shape}')
    if size is not None and image.shape != tuple(size):
        raise ValueError(
            f'the mask has {image.shape[1]}x{image.shape[0]} pixels, the '
            f'frame {size[1]}x{size[0]}'
        )
    if not image.any():
        raise ValueError('the mask has no pixel')
    return mask_shape(encode(image))


_SHAPES = dict(bbox=_bbox, rotated_bbox=_rotated, polygon=_polygon, mask=_mask)
