"""Folders of LabelMe: one json for each image."""

import os
import re
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    Iterator,
    List,
    Optional,
    Tuple,
    Union,
)

from ...structures.frame_sources import IMAGE_SUFFIXES, natural_key
from ...utils.errors import AnnotationError, ConfigError
from .base import ANNOTATION_READERS, AnnotationReader, ImportedVideo
from .files import read_json, wrong_format
from .frame_folders import image_size
from .frame_index import FrameIndex, number_in
from .shape_groups import Drawn, add_frame
from .shapes import Shape, bitmap, circle, polygon, read_points, rectangle
from .track_collector import TrackCollector

if TYPE_CHECKING:
    from .frame_folders import FrameFolders, VideoFrames

_PATTERN = r'(?P<category>.+?)[ _#-]*\d+'


@ANNOTATION_READERS.register_module(name='labelme')
class LabelMeReader(AnnotationReader):
    """Reads a folder of json files, as LabelMe writes them.

    The json files lie in the folder (one video, called like the folder) or
    in one folder below it for each video. A json belongs to the image of
    the same name: in the folder of all frames, or else beside the json.
    Images without json are frames without objects. For a video file the
    last number in the name of the json is the number of the frame.

    LabelMe does not follow objects through a video; their identity is the
    *group id* of the shapes (right click, "Edit Label"). All polygons and
    masks of one group in one frame are one mask.

    Coordinates are continuous, pixels, taken as they are: the upper left
    corner of the image is (0, 0). The two corners of a ``mask`` are
    pixels that belong to it; only the first one is used, the size is that
    of its PNG. Rectangles may have four corners, of turned ones the upright
    box around them is taken; circles become polygons of 72 corners.

    Args:
        source (str | Path): Folder.
        frames (FrameFolders, optional): See :class:`AnnotationReader`.
        first_frame (int, optional): Number of the first frame of video
            files; images are found by name. Defaults to None: 0.
        identity (str): What tells objects apart: 'group_id', or 'label' if
            labels are such as 'dog_1'. Defaults to 'group_id'.
        pattern (str): For ``identity='label'``: regular expression of a
            whole label; its group ``category`` is the class. Defaults to
            a name and a number, with '_', '-', '#' or a space between.
        skip_unsupported (bool): Leave out points and lines instead of
            refusing them. Defaults to False.

    Raises:
        ConfigError: If ``identity`` or ``pattern`` is wrong.
    """

    title = 'LabelMe folder'

    def __init__(
        self,
        source: Union[str, Path],
        frames: Optional['FrameFolders'] = None,
        first_frame: Optional[int] = None,
        identity: str = 'group_id',
        pattern: str = _PATTERN,
        skip_unsupported: bool = False,
    ) -> None:
        super().__init__(source, frames, first_frame)
        if identity not in ('group_id', 'label'):
            raise ConfigError(
                f'identity={identity!r} is unknown',
                fix='choose from "group_id" and "label"',
            )
        self.identity = identity
        self.pattern = _compile(pattern)
        self.skip_unsupported = skip_unsupported

    def videos(self) -> Iterator[ImportedVideo]:
        """Read the videos, see :meth:`AnnotationReader.videos`."""
        for name, folder in self._folders():
            yield _VideoFolder(self, name, folder).read()

    def _folders(self) -> List[Tuple[str, Path]]:
        if not self.source.is_dir():
            raise wrong_format(self.source, self.title, 'this is no folder')
        found = sorted(
            Path(folder)
            for folder, _, names in os.walk(self.source, onerror=_raise)
            if any(map(_is_json, names))
        )
        if not found:
            raise wrong_format(
                self.source, self.title, 'there is no json file in it'
            )
        if found == [self.source]:
            return [(self.source.resolve().name, self.source)]
        if self.source in found:
            raise AnnotationError(
                f'json files lie in this folder and in {found[1].name!r} '
                'below it',
                file=self.source,
                fix='give every video a folder of its own',
            )
        return [(path.relative_to(self.source).as_posix(), path)
                for path in found]  # fmt: skip


class _VideoFolder:
    """Reads the json files of one video."""

    def __init__(self, reader: LabelMeReader, name: str, folder: Path) -> None:
        self.reader, self.name, self.folder = reader, name, folder
        self.width: Optional[int] = None
        self.height: Optional[int] = None
        self.collector = TrackCollector(folder, name)
        self.found = self._find_video()
        self.file_names = self._find_frames()
        self.index = FrameIndex(self.file_names, reader.first_frame)
        self.seen: Dict[int, str] = {}

    def _find_video(self) -> Optional['VideoFrames']:
        if self.reader.frames is None:
            return None
        found = self.reader.frames.find(self.name)
        if found is None and self.folder == self.reader.source:
            return self.reader.frames.find('')
        return found

    def _find_frames(self) -> List[str]:
        if self.found is not None:
            return list(self.found.file_names)
        images = [
            name
            for name in os.listdir(self.folder)
            if Path(name).suffix.lower() in IMAGE_SUFFIXES
            and not name.startswith('.')
        ]
        if not images:
            raise AnnotationError(
                'no images beside the json files, nor in the folder of all '
                'frames',
                file=self.folder,
                video=self.name,
                fix='name the folder of the frames (images that are kept '
                'inside the json files have to be extracted)',
            )
        return [f'{self.name}/{x}' for x in sorted(images, key=natural_key)]

    def read(self) -> ImportedVideo:
        names = sorted(
            filter(_is_json, os.listdir(self.folder)), key=natural_key
        )
        contents = [self._read_file(name) for name in names]
        size = self._size()
        for name, frame, shapes in contents:
            drawn = [self._draw(name, frame, raw, size) for raw in shapes]
            self.collector.file = self.folder / name
            found = [one for one in drawn if one is not None]
            add_frame(self.collector, frame, found)
        return ImportedVideo(
            self.name,
            self.collector.tracks,
            size[1],
            size[0],
            len(self.file_names),
            self.file_names,
            str(self.folder),
            self.collector.dropped,
        )

    def _read_file(self, name: str) -> Tuple[str, int, List[Dict[str, Any]]]:
        path = self.folder / name
        data = read_json(path, self.reader.title)
        shapes = data.get('shapes') if isinstance(data, dict) else None
        if not isinstance(shapes, list) or not all(
            isinstance(shape, dict) for shape in shapes
        ):
            raise wrong_format(
                path, self.reader.title, 'it has no list "shapes"'
            )
        frame = self._frame(name, data.get('imagePath'))
        self._check_size(name, data)
        return name, frame, shapes

    def _frame(self, name: str, image: Any) -> int:
        stem = Path(name).stem
        try:
            frame = self.index.find(stem)
        except ValueError as reason:
            frame = self._frame_of_image(name, image, reason)
        other = self.seen.setdefault(frame, name)
        if other != name:
            raise self._error(
                f'{other!r} is about the same frame',
                name,
                'keep one json for each frame',
            )
        return frame

    def _frame_of_image(
        self, name: str, image: Any, reason: ValueError
    ) -> int:
        """A json without number may be called otherwise than its image."""
        if isinstance(image, str) and number_in(Path(name).stem) is None:
            # LabelMe writes the separators of the system that it ran on.
            stem = Path(image.replace('\\', '/')).stem
            try:
                return self.index.find(stem)
            except ValueError:
                pass
        raise self._error(
            f'no frame belongs to it: {reason}',
            name,
            'put the images in the folder of the video, or set first_frame '
            '(--first-frame) if the numbers are those of a video file',
        )

    def _check_size(self, name: str, data: Dict[str, Any]) -> None:
        width, height = data.get('imageWidth'), data.get('imageHeight')
        if width is None and height is None:
            return
        for value in (width, height):
            if type(value) is not int or value <= 0:
                raise self._error(
                    f'size {width!r} x {height!r} is not in pixels',
                    name,
                    'correct "imageWidth" and "imageHeight"',
                )
        if self.width is not None and (width, height) != (
            self.width,
            self.height,
        ):
            raise self._error(
                f'this frame is {width}x{height} pixels, others are '
                f'{self.width}x{self.height}',
                name,
                'give every video a folder of its own',
            )
        self.width, self.height = width, height

    def _size(self) -> Tuple[int, int]:
        """Height and width of the frames."""
        if self.width is not None and self.height is not None:
            return self.height, self.width
        if self.found is not None:
            return self.found.height, self.found.width
        width, height = image_size(self.folder / Path(self.file_names[0]).name)
        return height, width

    def _draw(
        self, name: str, frame: int, raw: Dict[str, Any], size: Tuple[int, int]
    ) -> Optional[Drawn]:
        kind = raw.get('shape_type', 'polygon')
        if not isinstance(kind, str) or kind not in _SHAPES:
            if self.reader.skip_unsupported:
                self.collector.dropped[f'shapes of type {kind!r}'] += 1
                return None
            raise self._error(
                f'shape of type {kind!r} is neither box nor mask',
                name,
                'remove it, or set skip_unsupported=True',
                frame,
            )
        key, category = self._identity(name, frame, raw)
        try:
            shape = _SHAPES[kind](raw, size)
        except ValueError as reason:
            raise self._error(
                f'bad {kind}: {reason}', name, 'correct it', frame, key
            ) from None
        return Drawn(key, category, shape)

    def _identity(
        self, name: str, frame: int, raw: Dict[str, Any]
    ) -> Tuple[Union[int, str], Optional[str]]:
        label, group = raw.get('label'), raw.get('group_id')
        if label is not None and not isinstance(label, str):
            raise self._error(
                f'label {label!r} is no text', name, 'correct it', frame
            )
        if self.reader.identity == 'group_id':
            if group is None or type(group) not in (int, str) or group == '':
                raise self._error(
                    f'shape {label!r} has no group id, which tells objects '
                    'apart',
                    name,
                    'set the group ID in LabelMe, or use identity="label" '
                    'if labels are such as "dog_1"',
                    frame,
                )
            return group, label
        match = self.reader.pattern.fullmatch(label or '')
        if match is None or label is None:
            raise self._error(
                f'label {label!r} does not name class and object',
                name,
                'write labels such as "dog_1", or set pattern',
                frame,
            )
        return label, match['category']

    def _error(
        self,
        problem: str,
        name: str,
        fix: str,
        frame: Optional[int] = None,
        instance: Any = None,
    ) -> AnnotationError:
        return AnnotationError(
            problem,
            file=self.folder / name,
            video=self.name,
            frame=frame,
            instance=instance,
            fix=fix,
        )


def _rectangle(raw: Dict[str, Any], size: Tuple[int, int]) -> Shape:
    return rectangle(read_points(raw.get('points')))


def _polygon(raw: Dict[str, Any], size: Tuple[int, int]) -> Shape:
    return polygon(read_points(raw.get('points')), size)


def _circle(raw: Dict[str, Any], size: Tuple[int, int]) -> Shape:
    return circle(read_points(raw.get('points')), size)


def _mask(raw: Dict[str, Any], size: Tuple[int, int]) -> Shape:
    points = read_points(raw.get('points'))
    if len(points) != 2:
        raise ValueError(f'a mask needs 2 corners, got {len(points)}')
    x, y = (round(value) for value in points[0].tolist())
    return bitmap(raw.get('mask'), (x, y), size)


_SHAPES = dict(
    rectangle=_rectangle,
    oriented_rectangle=_rectangle,
    rotation=_rectangle,  # as X-AnyLabeling calls it
    polygon=_polygon,
    circle=_circle,
    mask=_mask,
)


def _raise(reason: OSError) -> None:
    # Else a folder that may not be read would be missed without a word.
    raise reason


def _is_json(name: str) -> bool:
    return name.lower().endswith('.json') and not name.startswith('.')


def _compile(pattern: str) -> 're.Pattern[str]':
    try:
        compiled = re.compile(pattern)
    except re.error as reason:
        raise ConfigError(
            f'pattern {pattern!r} is no regular expression ({reason})',
            fix='correct it',
        ) from None
    if 'category' not in compiled.groupindex:
        raise ConfigError(
            f'pattern {pattern!r} has no group "category"',
            fix='mark the class, such as (?P<category>.+)_[0-9]+',
        )
    return compiled
