"""Supervisely's projects of videos."""

import os
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Optional,
    Set,
    Tuple,
    Union,
)

import cv2
import numpy as np

from ...structures.frame_sources import natural_key
from ...structures.rle import encode
from ...utils.errors import AnnotationError
from .base import ANNOTATION_READERS, AnnotationReader, ImportedVideo
from .files import read_json, wrong_format
from .frame_index import frame_of_number
from .shape_groups import Drawn, add_frame
from .shapes import (
    Shape,
    bitmap,
    check_near,
    merge_shapes,
    polygon,
    read_points,
    rectangle,
)
from .track_collector import TrackCollector, TrackId

if TYPE_CHECKING:
    from .frame_folders import FrameFolders, VideoFrames

Size = Tuple[int, int]


@ANNOTATION_READERS.register_module(name='supervisely')
class SuperviselyReader(AnnotationReader):
    """Reads a project of videos in Supervisely's format.

    ``meta.json`` lists the classes, ``<dataset>/ann/<video>.mp4.json`` the
    objects of a video and their figures in every frame, ``<dataset>/video``
    may hold the video. Give the project as the folder of all frames, or a
    folder with frames or video files. The name of a video is that of its
    file, with the dataset in front if there are several datasets.

    Frames count from 0. Corners with integer coordinates are *pixels that
    belong to the figure*, as the Supervisely SDK has it (its rectangles are
    ``right - left + 1`` wide, polygons include their outline): the
    half-open box ends one pixel later. Coordinates with fractions are
    continuous and taken as they are. Figures are rectangles, polygons with
    holes, multipolygons and bitmaps (a PNG in zlib and base64 with an
    origin); several polygons and bitmaps of an object in a frame are one
    mask. Frames without figures are frames without objects: the format
    lists every frame, not keyframes.

    Args:
        source (str | Path): Folder of the project, or of a dataset of it.
        frames (FrameFolders, optional): See :class:`AnnotationReader`.
        first_frame (int, optional): Number of the first frame. Defaults to
            None: 0.
        inclusive (bool): Whether integer corners belong to the figure. False
            takes all coordinates as continuous. Defaults to True.
        skip_unsupported (bool): Leave out figures of other kinds (points,
            lines, graphs, cuboids) instead of refusing them. Defaults to
            False.
    """

    title = 'Supervisely video folder'

    def __init__(
        self,
        source: Union[str, Path],
        frames: Optional['FrameFolders'] = None,
        first_frame: Optional[int] = None,
        inclusive: bool = True,
        skip_unsupported: bool = False,
    ) -> None:
        super().__init__(source, frames, first_frame)
        self.inclusive = inclusive
        self.skip_unsupported = skip_unsupported
        self._classes: Optional[Tuple[str, ...]] = None

    def classes(self) -> Optional[Tuple[str, ...]]:
        """Tell the classes of ``meta.json``."""
        return self._classes

    def videos(self) -> Iterator[ImportedVideo]:
        """Read the videos, see :meth:`AnnotationReader.videos`."""
        files = self._files()
        self._classes = self._read_classes()
        datasets = {dataset for dataset, _ in files}
        for dataset, path in files:
            video = Path(path.stem)  # of 'clip.mp4.json'
            name = video.stem
            if len(datasets) > 1:
                name = f'{dataset}/{name}'
            found = self._find(dataset, video)
            yield _VideoFile(self, name, path, found).read()

    def _files(self) -> List[Tuple[str, Path]]:
        """List datasets and files of annotations."""
        if not self.source.is_dir():
            raise wrong_format(
                self.source, self.title, 'no folder of a project'
            )
        files = []
        for folder, folders, names in os.walk(self.source):
            folders.sort()
            if Path(folder).name != 'ann':
                continue
            dataset = Path(folder).parent.relative_to(self.source).as_posix()
            files += [
                (dataset, Path(folder) / name)
                for name in sorted(names, key=natural_key)
                if name.lower().endswith('.json') and name[0] != '.'
            ]
        if not files:
            raise wrong_format(
                self.source, self.title, 'there is no <dataset>/ann/*.json'
            )
        return files

    def _read_classes(self) -> Optional[Tuple[str, ...]]:
        above = self.source.absolute().parent
        places = [self.source / 'meta.json', above / 'meta.json']
        places += sorted(self.source.glob('*/meta.json'))
        path = next((path for path in places if path.is_file()), None)
        if path is None:
            return None
        data = read_json(path, self.title)
        classes = data.get('classes') if isinstance(data, dict) else None
        titles = [
            entry.get('title') if isinstance(entry, dict) else None
            for entry in (classes if isinstance(classes, list) else [None])
        ]
        if not all(isinstance(title, str) for title in titles):
            raise wrong_format(path, self.title, 'no list of "classes"')
        return tuple(dict.fromkeys(map(str, titles)))

    def _find(self, dataset: str, video: Path) -> Optional['VideoFrames']:
        if self.frames is None:
            return None
        folder = '' if dataset == '.' else f'{dataset}/'
        for name in (
            f'{folder}video/{video}',
            f'{folder}{video}',
            f'{folder}{video.stem}',
            f'{video}',
            video.stem,
        ):
            found = self.frames.find(name)
            if found is not None:
                return found
        return None


class _VideoFile:
    """Reads the annotations of one video."""

    def __init__(
        self,
        reader: SuperviselyReader,
        name: str,
        path: Path,
        found: Optional['VideoFrames'],
    ) -> None:
        self.reader, self.name, self.path = reader, name, path
        self.found = found
        self.collector = TrackCollector(path, name)
        self.names: Dict[TrackId, Optional[str]] = {}

    def read(self) -> ImportedVideo:
        data = self._load()
        size = self._size(data.get('size'))
        length = data.get('framesCount')
        if length is not None and (type(length) is not int or length < 1):
            raise self._error(f'"framesCount" is {length!r}', 'correct it')
        for entry in data['objects']:
            self._read_object(entry)
        seen: Set[int] = set()
        for entry in data['frames']:
            frame = self._frame_of(entry, length)
            if frame in seen:
                raise self._error(
                    'the frame is listed twice',
                    'list all figures of a frame once',
                    frame,
                )
            seen.add(frame)
            drawn = [
                self._draw(frame, figure, size) for figure in entry['figures']
            ]
            found = [one for one in drawn if one is not None]
            add_frame(self.collector, frame, found)
        names = None if self.found is None else list(self.found.file_names)
        return ImportedVideo(
            self.name,
            self.collector.tracks,
            size[1],
            size[0],
            length,
            names,
            str(self.path),
            self.collector.dropped,
        )

    def _load(self) -> Dict[str, Any]:
        title = self.reader.title
        data = read_json(self.path, title)
        for key in ('objects', 'frames'):
            value = data.get(key) if isinstance(data, dict) else None
            if not isinstance(value, list):
                raise wrong_format(self.path, title, f'no list of "{key}"')
        return data

    def _size(self, raw: Any) -> Size:
        sides = raw if isinstance(raw, dict) else {}
        height: Any = sides.get('height')
        width: Any = sides.get('width')
        if raw is None and self.found is not None:
            return self.found.height, self.found.width
        for value in (height, width):
            if type(value) is not int or value < 1:
                raise self._error(
                    f'the size of the video is {raw!r}',
                    'write "size": {"height": ..., "width": ...}, or name '
                    'the folder of frames (--frames)',
                )
        return height, width

    def _read_object(self, entry: Any) -> None:
        key = _key(entry, 'key', 'id')
        title = entry.get('classTitle') if isinstance(entry, dict) else None
        if key is None or not isinstance(title, (str, type(None))):
            raise self._error(
                f'object {str(entry)[:80]} has no "key" or no "classTitle"',
                'export the project again',
            )
        classes = self.reader.classes()
        if title and classes is not None and title not in classes:
            raise self._error(
                f'class {title!r} is not in meta.json',
                'keep the meta.json of this project beside it',
                instance=key,
            )
        if self.names.setdefault(key, title) != title:
            raise self._error(
                'two objects have one key',
                'give every object a key of its own',
                instance=key,
            )

    def _frame_of(self, entry: Any, length: Optional[int]) -> int:
        figures = entry.get('figures') if isinstance(entry, dict) else None
        number = entry.get('index') if isinstance(entry, dict) else None
        if type(number) is not int or not isinstance(figures, list):
            raise self._error(
                f'frame {str(entry)[:80]} has no "index" or no "figures"',
                'export the project again',
            )
        try:
            return frame_of_number(number, self.reader.first_frame, length)
        except ValueError as reason:
            raise self._error(
                str(reason),
                'set first_frame (--first-frame) if the numbers do not '
                'begin with 0',
                number,
            ) from None

    def _draw(self, frame: int, figure: Any, size: Size) -> Optional[Drawn]:
        key = _key(figure, 'objectKey', 'objectId')
        if key is None or key not in self.names:
            raise self._error(
                f'figure of an unknown object {key!r}',
                'export the project again',
                frame,
            )
        kind, geometry = figure.get('geometryType'), figure.get('geometry')
        read = _FIGURES.get(kind) if isinstance(kind, str) else None
        if read is None:
            if self.reader.skip_unsupported:
                self.collector.dropped[f'figures of type {kind!r}'] += 1
                return None
            raise self._error(
                f'figure of type {kind!r} is neither box nor mask',
                'remove it, or set skip_unsupported=True',
                frame,
                key,
            )
        try:
            if not isinstance(geometry, dict):
                raise ValueError('it has no "geometry"')
            shape = read(geometry, size, self.reader.inclusive)
        except ValueError as reason:
            raise self._error(
                f'bad {kind}: {reason}', 'correct it', frame, key
            ) from None
        return Drawn(key, self.names[key], shape)

    def _error(
        self,
        problem: str,
        fix: str,
        frame: Optional[int] = None,
        instance: Any = None,
    ) -> AnnotationError:
        return self.collector.error(problem, fix, frame, instance)


def _key(entry: Any, *names: str) -> Optional[TrackId]:
    """Read an id: projects have keys, downloads by the API numbers."""
    for name in names:
        key = entry.get(name) if isinstance(entry, dict) else None
        if (isinstance(key, str) and key) or type(key) is int:
            return key
    return None


def _rings(raw: Any) -> Tuple[np.ndarray, List[np.ndarray]]:
    points = raw.get('points') if isinstance(raw, dict) else None
    if not isinstance(points, dict):
        points = raw  # parts of a multipolygon have no "points" between
    if not isinstance(points, dict) or 'exterior' not in points:
        raise ValueError('it has no "points" with "exterior"')
    holes = points.get('interior') or []
    if not isinstance(holes, list):
        raise ValueError('"interior" is no list')
    return read_points(points['exterior']), [read_points(h) for h in holes]


def _is_whole(*rings: np.ndarray) -> bool:
    return all((ring == np.floor(ring)).all() for ring in rings)


def _rectangle(raw: Dict[str, Any], size: Size, inclusive: bool) -> Shape:
    corners, _ = _rings(raw)
    if len(corners) != 2:
        raise ValueError(f'a rectangle needs 2 corners, got {len(corners)}')
    if (corners[0] > corners[1]).any():
        raise ValueError(
            f'box {corners.ravel().tolist()} (x0, y0, x1, y1) has no '
            'positive width and height'
        )
    if inclusive and _is_whole(corners):
        corners[1] += 1
    return rectangle(corners)


def _polygon(raw: Dict[str, Any], size: Size, inclusive: bool) -> Shape:
    ring, holes = _rings(raw)
    if not (inclusive and _is_whole(ring, *holes)):
        return polygon(ring, size, holes)
    if len(ring) < 3:
        raise ValueError(f'a polygon needs 3 points, got {len(ring)}')
    for one in (ring, *holes):
        check_near(one, size)
    canvas = np.zeros(size, np.uint8)
    # OpenCV fills the outline too, and the SDK draws with it.
    cv2.fillPoly(canvas, [ring.astype(np.int32)], 1)
    for hole in holes:
        cv2.fillPoly(canvas, [hole.astype(np.int32)], 0)
    x0, y0 = ring.min(axis=0).tolist()
    x1, y1 = (ring.max(axis=0) + 1).tolist()
    mask = encode(canvas) if canvas.any() else None
    return Shape((x0, y0, x1, y1), mask)


def _multipolygon(raw: Dict[str, Any], size: Size, inclusive: bool) -> Shape:
    parts = raw.get('parts')
    if not isinstance(parts, list) or not parts:
        raise ValueError('it has no list of "parts"')
    shapes = [_polygon(part, size, inclusive) for part in parts]
    return merge_shapes(shapes)


def _bitmap(raw: Dict[str, Any], size: Size, inclusive: bool) -> Shape:
    body = raw.get('bitmap')
    if not isinstance(body, dict):
        raise ValueError('it has no "bitmap"')
    origin = read_points([body.get('origin')])[0]
    x, y = (int(value) for value in origin)
    return bitmap(body.get('data'), (x, y), size, compressed=True)


_FIGURES: Dict[str, Callable[[Dict[str, Any], Size, bool], Shape]] = dict(
    rectangle=_rectangle,
    polygon=_polygon,
    multipolygon=_multipolygon,
    bitmap=_bitmap,
)
