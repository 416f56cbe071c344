"""Reading tables of boxes."""

import csv
import io
import math
import re
from pathlib import Path
from typing import (
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Tuple,
    Union,
)

from ...utils.errors import AnnotationError, ConfigError
from .base import ANNOTATION_READERS, AnnotationReader, ImportedVideo
from .files import read_text, wrong_format
from .frame_folders import FrameFolders
from .sightings import frame_at
from .track_collector import TrackCollector, TrackId

_DELIMITERS = ',;\t|'
# Names of columns, the likeliest first; capitals and spaces do not count.
_COLUMNS: Dict[str, Tuple[str, ...]] = {
    'video': ('video', 'video_name', 'sequence', 'seq', 'clip'),
    'frame': ('frame', 'frame_id', 'frame_index', 'frame_number', 't'),
    'id': ('track_id', 'id', 'instance_id', 'object_id', 'track', 'instance'),
    'class': ('class', 'class_name', 'category', 'category_name', 'label'),
    'score': ('score', 'confidence', 'conf'),
}
_CORNERS = ('x1', 'y1', 'x2', 'y2')
_XYWH = ('x', 'y', 'w', 'h')
_BOXES = (
    (_CORNERS, ('x0', 'y0', 'x1', 'y1')),
    (_CORNERS, _CORNERS),
    (_CORNERS, ('xmin', 'ymin', 'xmax', 'ymax')),
    (_CORNERS, ('x_min', 'y_min', 'x_max', 'y_max')),
    (_CORNERS, ('left', 'top', 'right', 'bottom')),
    (_XYWH, _XYWH),
    (_XYWH, ('x', 'y', 'width', 'height')),
    (_XYWH, ('left', 'top', 'width', 'height')),
    (_XYWH, ('bb_left', 'bb_top', 'bb_width', 'bb_height')),
)
_COMMA_NUMBER = re.compile(r'[-+]?\d*,\d+')


@ANNOTATION_READERS.register_module(name='csv')
class CSVReader(AnnotationReader):
    """Reads tables with a head line and one row for each box.

    What :class:`~pmvis_mm.formats.CSVWriter` writes, and simple tables of
    one's own. Coordinates are continuous: half-open as they are. Columns,
    by any of several usual names, in any order; others are skipped:

    - ``frame``, ``id`` (of the track; numbers or text): needed.
    - the box: ``x0, y0, x1, y1``, ``x1, y1, x2, y2``, ``xmin, ymin, xmax,
      ymax``, ``left, top, right, bottom``, or ``x, y, w, h``, ``x, y, width,
      height``, ``left, top, width, height``. Four empty cells mean: out of
      view from this frame on.
    - ``video``: without it every file is one video, called like the file.
    - ``class``, ``score`` (in [0, 1]): may be missing or empty.

    Fields are separated by comma, semicolon, tab or ``|``, as the head line
    shows; numbers have a decimal point. Tables tell neither size nor length
    of videos.

    Args:
        source (str | Path): The file, or a folder of .csv files.
        frames (FrameFolders, optional): Frames on disk. Defaults to None.
        first_frame (int, optional): Number of the first frame. Defaults to
            None: 0.
        columns (Mapping[str, str], optional): Names of columns in the file
            by what they are: ``video``, ``frame``, ``id``, ``class``,
            ``score``, and either ``x1``, ``y1``, ``x2``, ``y2`` or ``x``,
            ``y``, ``w``, ``h``. Those that are not given are found as
            above. Defaults to None.

    Raises:
        ConfigError: If ``columns`` has other keys.
    """

    title = 'csv'

    def __init__(
        self,
        source: Union[str, Path],
        frames: Optional[FrameFolders] = None,
        first_frame: Optional[int] = None,
        columns: Optional[Mapping[str, str]] = None,
    ) -> None:
        super().__init__(source, frames, first_frame)
        self.columns = _check_columns(columns)

    def videos(self) -> Iterator[ImportedVideo]:
        """Read the tables, see :meth:`AnnotationReader.videos`."""
        seen: Dict[str, Path] = {}
        for path, stem in self._files():
            for video in self._read(path, stem):
                other = seen.setdefault(video.name, path)
                if other != path:
                    raise AnnotationError(
                        f'{other} has a video of this name too',
                        file=path,
                        video=video.name,
                        fix='rename one of them, or join the tables',
                    )
                yield video

    def _files(self) -> List[Tuple[Path, str]]:
        if not self.source.is_dir():
            return [(self.source, self.source.stem)]
        found = sorted(
            path
            for path in self.source.rglob('*')
            if path.suffix.lower() == '.csv' and path.is_file()
        )
        if not found:
            raise AnnotationError(
                'no .csv file in this folder',
                file=self.source,
                fix='name the table, or the folder of tables',
            )
        return [
            (path, path.relative_to(self.source).with_suffix('').as_posix())
            for path in found
        ]

    def _read(self, path: Path, stem: str) -> List[ImportedVideo]:
        text = read_text(path, self.title)
        first = text.lstrip().split('\n', 1)[0]
        delimiter = max(_DELIMITERS, key=first.count)
        rows = self._rows(path, text, delimiter)
        head = next(rows, None)
        if head is None:
            raise wrong_format(path, self.title, 'no head line')
        table = self._head(path, head[1], delimiter)
        videos: Dict[str, _Video] = {}
        if table.video is None:  # also without a row
            videos[stem] = self._open(path, stem)
        for line, cells in rows:
            if len(cells) != len(table.names):
                raise AnnotationError(
                    f'line {line} has {len(cells)} fields, but the head line '
                    f'{len(table.names)}',
                    file=path,
                    fix='write numbers with a decimal point, texts with '
                    f'{table.delimiter!r} in quotes, and the file to its end',
                )
            name = stem if table.video is None else cells[table.video]
            if not name:
                raise AnnotationError(
                    f'line {line}: no name of the video',
                    file=path,
                    fix='correct this line',
                )
            if name not in videos:
                videos[name] = self._open(path, name)
            self._add(videos[name], table, line, cells)
        return [
            ImportedVideo(name, video.tracks.tracks, file=str(path))
            for name, video in videos.items()
        ]

    def _rows(
        self, path: Path, text: str, delimiter: str
    ) -> Iterator[Tuple[int, List[str]]]:
        """Give the lines with something in them, and their numbers."""
        reader = csv.reader(
            io.StringIO(text, newline=''), delimiter=delimiter, strict=True
        )
        try:
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield reader.line_num, [cell.strip() for cell in cells]
        except csv.Error as reason:
            raise wrong_format(
                path, self.title, f'line {reader.line_num}: {reason}'
            ) from None

    def _open(self, path: Path, name: str) -> '_Video':
        found = None if self.frames is None else self.frames.find(name)
        length = None if found is None else len(found.file_names)
        return _Video(TrackCollector(str(path), name), name, length)

    def _head(self, path: Path, cells: List[str], delimiter: str) -> '_Table':
        names = [_plain(cell) for cell in cells]
        found = {
            key: self._column(path, names, key, usual)
            for key, usual in _COLUMNS.items()
        }
        box = self._box_columns(path, names)
        frame, track = found['frame'], found['id']
        if frame is None or track is None or box is None:
            missing = [
                what
                for what, place in (
                    ('the frame', frame),
                    ('the id of the track', track),
                    ('the box', box),
                )
                if place is None
            ]
            raise wrong_format(
                path,
                f'{self.title} with a head line that is understood',
                f'no columns for {" and ".join(missing)} among '
                f'{[cell[:30] for cell in cells[:20]]}; name them with the '
                'option columns',
            )
        for place in (*found.values(), *box[0]):
            if place is not None and names.count(names[place]) > 1:
                raise AnnotationError(
                    f'two columns are called {names[place]!r}',
                    file=path,
                    fix='rename one of them',
                )
        return _Table(
            names,
            delimiter,
            found['video'],
            frame,
            track,
            found['class'],
            found['score'],
            *box,
        )

    def _column(
        self,
        path: Path,
        names: List[str],
        key: str,
        usual: Tuple[str, ...],
    ) -> Optional[int]:
        given = self.columns.get(key)
        if given is None:
            places = [names.index(name) for name in usual if name in names]
            return places[0] if places else None
        if _plain(given) not in names:
            raise AnnotationError(
                f'no column is called {given!r}; there are {names[:20]}',
                file=path,
                fix=f'give the name of the column for {key!r}',
            )
        return names.index(_plain(given))

    def _box_columns(
        self, path: Path, names: List[str]
    ) -> Optional[Tuple[Tuple[int, ...], bool]]:
        """Find the four columns of the box; tell whether it is xywh."""
        for keys in (_CORNERS, _XYWH):
            if any(key in self.columns for key in keys):
                places = [self._column(path, names, k, (k,)) for k in keys]
                if None in places:
                    return None
                return tuple(p for p in places if p is not None), keys == _XYWH
        for keys, usual in _BOXES:
            if all(name in names for name in usual):
                return tuple(map(names.index, usual)), keys == _XYWH
        return None

    def _add(
        self, video: '_Video', table: '_Table', line: int, cells: List[str]
    ) -> None:
        where = f'line {line}'
        key = _track_id(cells[table.id])
        try:
            if key == '':
                raise ValueError('no id of the track')
            number = _integer(cells[table.frame])
            box = _read_box([cells[place] for place in table.box], table.xywh)
            score = None
            if table.score is not None and cells[table.score]:
                score = _number(cells[table.score])
        except ValueError as reason:
            raise video.tracks.error(
                f'{where}: {reason}', 'correct this line', None, key or None
            ) from None
        frame = frame_at(
            number,
            self.first_frame,
            video.length,
            where,
            video.tracks.file,
            video.name,
        )
        category = None if table.category is None else cells[table.category]
        video.tracks.add(
            key, frame, box, category or None, score=score, where=where
        )


class _Video(NamedTuple):
    tracks: TrackCollector
    name: str
    length: Optional[int]


class _Table(NamedTuple):
    """Where the columns are."""

    names: List[str]
    delimiter: str
    video: Optional[int]
    frame: int
    id: int
    category: Optional[int]
    score: Optional[int]
    box: Tuple[int, ...]
    xywh: bool


def _check_columns(columns: Optional[Mapping[str, str]]) -> Dict[str, str]:
    known = [*_COLUMNS, *_CORNERS, *_XYWH]
    if columns is not None and not isinstance(columns, Mapping):
        raise ConfigError(
            f'columns={columns!r}',
            fix='give names, such as {"id": "player"}',
        )
    columns = dict(columns or {})
    unknown = [key for key in columns if key not in known]
    corners = any(key in columns for key in _CORNERS)
    if unknown or (corners and any(key in columns for key in _XYWH)):
        raise ConfigError(
            f'columns={columns}',
            fix=f'its keys are {known}: two corners, or one with width and '
            'height',
        )
    return columns


def _plain(name: str) -> str:
    return re.sub(r'[\s-]+', '_', name.strip().lower())


def _track_id(text: str) -> TrackId:
    if re.fullmatch(r'\d{1,18}(\.0*)?', text):
        return int(float(text)) if '.' in text else int(text)
    return text


def _integer(text: str) -> int:
    value = _number(text)  # data frames write 3.0
    if not math.isfinite(value) or value != int(value):
        raise ValueError(f'frame {text[:40]!r} is no integer')
    return int(value)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    if _COMMA_NUMBER.fullmatch(text):
        raise ValueError(f'{text[:40]!r} has a decimal comma; write a point')
    raise ValueError(f'{text[:40]!r} is no number')


def _read_box(cells: List[str], xywh: bool) -> Optional[Tuple[float, ...]]:
    if not any(cells):
        return None
    x0, y0, x1, y1 = (_number(cell) for cell in cells)
    return (x0, y0, x0 + x1, y0 + y1) if xywh else (x0, y0, x1, y1)
