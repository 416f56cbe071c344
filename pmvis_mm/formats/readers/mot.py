"""Boxes in the text files of MOTChallenge."""

import math
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
)

from ...utils.errors import AnnotationError, ConfigError
from .base import ANNOTATION_READERS, AnnotationReader, ImportedVideo
from .files import wrong_format
from .sequences import (
    SequenceFiles,
    describe_sequence,
    find_sequences,
    number_names,
    read_labels,
    read_rows,
)
from .sightings import Sighting, frame_at, join_sightings

if TYPE_CHECKING:
    from .frame_folders import FrameFolders

# Classes of MOT16, MOT17 and MOT20; 13 is used by MOT20 only.
MOT_CLASSES = (
    'pedestrian',
    'person on vehicle',
    'car',
    'bicycle',
    'motorbike',
    'non motorized vehicle',
    'static person',
    'distractor',
    'occluder',
    'occluder on the ground',
    'occluder full',
    'reflection',
    'crowd',
)

_CHOICES = dict(
    ignored=('drop', 'crowd', 'keep'),
    values=('auto', 'flags', 'scores'),
    columns=('auto', 'class', 'world'),
)


class _Row(NamedTuple):
    where: str  # place in the file
    frame: int  # as in the file
    id: int
    xywh: Tuple[float, ...]
    value: Optional[float]  # flag or score
    number: Optional[int]  # of the class


@ANNOTATION_READERS.register_module(name='mot')
class MOTReader(AnnotationReader):
    """Reads boxes of tracks from text, one line for each box and frame.

    ``frame, id, left, top, width, height[, flag or score[, class[,
    visibility]]]`` with commas or white space, or ten columns of which the
    last three are positions in the world. Frames count from 1. Sources:
    Milan et al., `MOT16 <https://arxiv.org/abs/1603.00831>`_, table 6, and
    Leal-Taixé et al., `MOTChallenge 2015
    <https://arxiv.org/abs/1504.01942>`_.

    Boxes are taken as they stand: the half-open box is ``left, top, left +
    width, top + height``. By the paper the upper left pixel of an image is
    (1, 1), but TrackEval and most trackers read and write the numbers as if
    it were (0, 0); py-motmetrics subtracts 1.

    A line that occurs twice counts once. Classes get the names of
    ``class_names``, else of ``labels.txt`` beside the table (CVAT and
    Datumaro write it), else of MOT16. Which frames exist and their size
    come from ``seqinfo.ini`` where there is one.

    Args:
        source (str | Path): A table, the folder of a sequence
            (``gt/gt.txt``, ``seqinfo.ini``), a folder of sequences such as
            ``MOT17/train``, or a folder of tables ``<sequence>.txt`` such
            as the results of a tracker.
        frames (FrameFolders, optional): See :class:`AnnotationReader`.
        first_frame (int, optional): Number of the first frame. Defaults to
            None: 1.
        class_names (Mapping[int, str] | Sequence[str], optional): Names of
            the class numbers; those of a sequence count from 1. Defaults to
            None: see above.
        ignored (str): What becomes of boxes whose flag is 0: 'drop', 'crowd'
            (regions that are not judged) or 'keep' (as all others). In
            MOT16, MOT17 and MOT20 all classes but pedestrians have 0.
            Defaults to 'drop'.
        values (str): What the seventh column is: 'flags' (0 or not), or
            'scores' of a tracker. Scores are kept if those of the file are
            in [0, 1]. Defaults to 'auto': flags, if all are 0 or 1.
        columns (str): What the eighth column is: 'class', or 'world' for a
            position. Defaults to 'auto': a position, if there are ten
            columns. (VisDrone has ten columns with 'class'.)

    Raises:
        ConfigError: If an option is unknown.
    """

    title = 'MOTChallenge text'
    default_first_frame = 1

    def __init__(
        self,
        source: Union[str, Path],
        frames: Optional['FrameFolders'] = None,
        first_frame: Optional[int] = None,
        class_names: Union[Mapping[int, str], Sequence[str], None] = None,
        ignored: str = 'drop',
        values: str = 'auto',
        columns: str = 'auto',
    ) -> None:
        super().__init__(source, frames, first_frame)
        given = dict(ignored=ignored, values=values, columns=columns)
        for key, value in given.items():
            if value not in _CHOICES[key]:
                raise ConfigError(
                    f'{key}={value!r} is unknown',
                    fix=f'choose from {_CHOICES[key]}',
                )
        self.ignored, self.values, self.columns = ignored, values, columns
        self.class_names = number_names(class_names)
        self._declared: Dict[str, None] = {}
        self._note(self.class_names)

    def videos(self) -> Iterator[ImportedVideo]:
        """Read the videos, see :meth:`AnnotationReader.videos`."""
        for sequence in find_sequences(self.source, self.title):
            yield self._read(sequence)

    def classes(self) -> Optional[Tuple[str, ...]]:
        """Tell the declared classes; None for those of MOT16."""
        return tuple(self._declared) or None

    def _note(self, names: Optional[Mapping[int, str]]) -> None:
        for number in sorted(names or {}):
            self._declared.setdefault((names or {})[number])

    def _read(self, sequence: SequenceFiles) -> ImportedVideo:
        video = describe_sequence(sequence, self.frames, self.first_frame)
        names = self.class_names
        if names is None:
            names = number_names(read_labels(sequence.file.parent))
            self._note(names)
        names = names or number_names(MOT_CLASSES) or {}
        rows = list(_parse(sequence, self.title, self.columns))
        flags = self._are_flags(rows)
        scored = not flags and all(0 <= (r.value or 0) <= 1 for r in rows)
        if not flags and not scored:
            video.dropped['scores, as some are not in [0, 1]'] += len(rows)
        sightings = []
        for row in rows:
            frame = self._frame(row, sequence, video)
            off = flags and row.value == 0
            if off and self.ignored == 'drop':
                video.dropped['boxes that are not judged (flag 0)'] += 1
                continue
            x, y, width, height = row.xywh
            sightings.append(
                Sighting(
                    row.id,
                    frame,
                    (x, y, x + width, y + height),
                    _name(row, names, sequence),
                    iscrowd=off and self.ignored == 'crowd',
                    score=row.value if scored else None,
                    where=row.where,
                )
            )
        video.tracks = join_sightings(sightings, sequence.file, sequence.name)
        return video

    def _are_flags(self, rows: Sequence[_Row]) -> bool:
        if self.values != 'auto':
            return self.values == 'flags'
        return all(row.value in (None, 0, 1) for row in rows)

    def _frame(
        self, row: _Row, sequence: SequenceFiles, video: ImportedVideo
    ) -> int:
        length = video.length
        if length is None and video.file_names is not None:
            length = len(video.file_names)
        frame = frame_at(
            row.frame,
            self.first_frame,
            length,
            row.where,
            sequence.file,
            sequence.name,
        )
        if row.id < 0:
            raise AnnotationError(
                f'{row.where}: id {row.id} stands for a detection without '
                'track',
                file=sequence.file,
                video=sequence.name,
                frame=frame,
                fix='run a tracker on the detections first, or name the '
                'file of its results',
            )
        return frame


def _name(
    row: _Row, names: Mapping[int, str], sequence: SequenceFiles
) -> Optional[str]:
    if row.number is None:
        return None
    if row.number not in names:
        raise AnnotationError(
            f'{row.where}: class {row.number} has no name; known are '
            f'{sorted(names)}',
            file=sequence.file,
            video=sequence.name,
            instance=row.id,
            fix='give class_names={number: name}; or columns="world" if the '
            'eighth column is no class',
        )
    return names[row.number]


def _parse(
    sequence: SequenceFiles, title: str, columns: str
) -> Iterator[_Row]:
    count = 0
    for where, fields in read_rows(
        sequence.file, title, sequence.may_be_empty
    ):
        first = count == 0
        count = count or len(fields)
        problem = None
        if not 6 <= count <= 10:
            problem = f'{count} columns, not 6 ... 10'
        elif len(fields) != count:
            problem = f'{len(fields)} columns, not {count} as above'
        else:
            try:
                row = _row(where, fields, columns)
            except (ValueError, OverflowError) as reason:
                problem = str(reason)
        if problem is None:
            yield row
        elif first:
            raise wrong_format(sequence.file, title, f'{where}: {problem}')
        else:
            raise AnnotationError(
                f'{where}: {problem}',
                file=sequence.file,
                video=sequence.name,
                fix='correct this line; the file may be cut off',
            )


def _row(where: str, fields: List[str], columns: str) -> _Row:
    numbers = [_number(field) for field in fields]
    with_class = columns == 'class' or (columns == 'auto' and len(fields) < 10)
    number = None
    if with_class and len(fields) > 7:
        number = _integer('class', numbers[7])
    if len(fields) > 6 and not math.isfinite(numbers[6]):
        raise ValueError(f'flag or score {numbers[6]} is no finite number')
    return _Row(
        where,
        _integer('frame', numbers[0]),
        _integer('id', numbers[1]),
        tuple(numbers[2:6]),
        # -1 means that there is none.
        numbers[6] if len(fields) > 6 and numbers[6] != -1 else None,
        None if number == -1 else number,
    )


def _number(field: str) -> float:
    if field.isdecimal():
        return int(field)  # ids may be too long for a float
    if '_' in field:
        raise ValueError(f'{field[:40]!r} is no number')
    return float(field)


def _integer(what: str, value: float) -> int:
    if value != int(value):
        raise ValueError(f'{what} {value} is no whole number')
    return int(value)
