"""Masks in the text files of MOTS."""

from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Dict,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
)

from ...structures.rle import from_any, tight_boxes, union
from ...utils.errors import AnnotationError
from .base import ANNOTATION_READERS, AnnotationReader, ImportedVideo
from .files import wrong_format
from .sequences import (
    SequenceFiles,
    describe_sequence,
    find_sequences,
    number_names,
    read_rows,
)
from .sightings import Sighting, frame_at, join_sightings

if TYPE_CHECKING:
    from .frame_folders import FrameFolders

IGNORE = 10  # class of regions that are not judged
_DIGITS = 18  # of a number, which is far from any limit
_MOTS_CLASSES = {1: 'car', 2: 'pedestrian'}

ClassNames = Union[Mapping[int, str], Sequence[str], None]


@ANNOTATION_READERS.register_module(name='mots')
class MOTSReader(AnnotationReader):
    """Reads masks of tracks from text, one line for each mask and frame.

    ``time_frame id class_id img_height img_width rle``, separated by white
    space. Class 10 (id 10000) are regions that are not to be judged; more
    than one of a frame are united. Source: Voigtlaender et al., `MOTS
    <https://arxiv.org/abs/1902.03604>`_, and the format of its data page.

    Boxes are the tight ones of the masks, half-open xyxy in pixels. Masks
    may overlap; those without a pixel are left out. Ids stay as they are
    (class * 1000 + number in public data). A line that occurs twice counts
    once.

    Args:
        source (str | Path): A table, the folder of a sequence
            (``gt/gt.txt``), a folder of such folders, or a folder of tables
            ``<sequence>.txt``.
        frames (FrameFolders, optional): See :class:`AnnotationReader`.
        first_frame (int, optional): Number of the first frame. Defaults to
            None: 1, as in MOTSChallenge; KITTI MOTS needs 0.
        class_names (Mapping[int, str] | Sequence[str], optional): Names of
            the class ids; a sequence names 1, 2, ... without 10, as
            ``MOTSWriter`` numbers the classes of a model. Defaults to None:
            1 is 'car' and 2 'pedestrian', as in the public data.
    """

    title = 'MOTS text'
    default_first_frame = 1

    def __init__(
        self,
        source: Union[str, Path],
        frames: Optional['FrameFolders'] = None,
        first_frame: Optional[int] = None,
        class_names: ClassNames = None,
    ) -> None:
        super().__init__(source, frames, first_frame)
        self.class_names = mots_names(class_names)
        self._declared = class_names is not None

    def videos(self) -> Iterator[ImportedVideo]:
        """Read the videos, see :meth:`AnnotationReader.videos`."""
        for sequence in find_sequences(self.source, self.title):
            yield self._read(sequence)

    def classes(self) -> Optional[Tuple[str, ...]]:
        """Tell the classes that were given; None otherwise."""
        return declared(self.class_names) if self._declared else None

    def _read(self, sequence: SequenceFiles) -> ImportedVideo:
        video = describe_sequence(sequence, self.frames, self.first_frame)
        length = video.length
        if length is None and video.file_names is not None:
            length = len(video.file_names)
        found: List[Sighting] = []
        ignored: Dict[Tuple[int, int], int] = {}
        size: Optional[List[int]] = None
        for where, fields in read_rows(
            sequence.file, self.title, sequence.may_be_empty
        ):
            numbers = self._numbers(sequence, where, fields, size is None)
            time, key, class_id, height, width = numbers
            if size is not None and size != [height, width]:
                raise self._error(
                    sequence,
                    f'{where}: size {[height, width]} differs from '
                    f'{size} (height, width) of the lines above',
                )
            size = [height, width]
            frame = frame_at(
                time,
                self.first_frame,
                length,
                where,
                sequence.file,
                sequence.name,
            )
            seen = self._sighting(
                sequence, where, (key, frame, class_id), size, fields[5]
            )
            if seen is None:
                video.dropped['masks without a pixel'] += 1
                continue
            if not seen.iscrowd:
                found.append(seen)
                continue
            place = ignored.setdefault((key, frame), len(found))
            if place == len(found):
                found.append(seen)
            else:
                found[place] = _unite(found[place], seen)
        if size is not None:
            video.height, video.width = size
        video.tracks = join_sightings(found, sequence.file, sequence.name)
        return video

    def _numbers(
        self,
        sequence: SequenceFiles,
        where: str,
        fields: List[str],
        first: bool,
    ) -> List[int]:
        problem = None
        if len(fields) != 6:
            problem = f'{len(fields)} columns, not 6'
        elif not all(map(_is_number, fields[:5])):
            problem = f'{" ".join(fields[:5])!r} are not five whole numbers'
        else:
            numbers = [int(field) for field in fields[:5]]
            if 0 not in numbers[3:]:
                return numbers
            problem = 'height or width is 0'
        if first:
            raise wrong_format(
                sequence.file, self.title, f'{where}: {problem}'
            )
        raise self._error(sequence, f'{where}: {problem}')

    def _sighting(
        self,
        sequence: SequenceFiles,
        where: str,
        numbers: Tuple[int, int, int],
        size: List[int],
        counts: str,
    ) -> Optional[Sighting]:
        key, frame, class_id = numbers
        try:
            name = mots_name(class_id, self.class_names)
            mask = from_any(dict(size=size, counts=counts), *size)
        except ValueError as reason:
            raise self._error(
                sequence, f'{where}: {reason}', frame, key
            ) from None
        if mask is None:
            return None
        x0, y0, x1, y1 = tight_boxes([mask])[0].tolist()
        return Sighting(
            key,
            frame,
            (x0, y0, x1, y1),
            name,
            iscrowd=is_ignored(name),
            mask=mask,
            where=where,
        )

    def _error(
        self,
        sequence: SequenceFiles,
        problem: str,
        frame: Optional[int] = None,
        instance: Optional[int] = None,
    ) -> AnnotationError:
        return AnnotationError(
            problem,
            file=sequence.file,
            video=sequence.name,
            frame=frame,
            instance=instance,
            fix='correct this line; the file may be cut off',
        )


def mots_names(names: ClassNames) -> Dict[int, str]:
    """Number the names of classes as MOTS does.

    Args:
        names (Mapping[int, str] | Sequence[str], optional): A sequence
            names 1, 2, ... without 10; None stands for the public data.

    Returns:
        dict: Class id to name.
    """
    if names is None:
        return dict(_MOTS_CLASSES)
    numbered = number_names(names) or {}
    if isinstance(names, Mapping):
        return numbered
    return {n + (n >= IGNORE): name for n, name in numbered.items()}


def mots_name(class_id: int, names: Mapping[int, str]) -> Optional[str]:
    """Name a class.

    Args:
        class_id (int): As in the file.
        names (Mapping[int, str]): See :func:`mots_names`.

    Returns:
        str, optional: None for regions that are not judged.

    Raises:
        ValueError: If it has no name.
    """
    if class_id in names:
        return names[class_id]
    if class_id == IGNORE:
        return None
    raise ValueError(
        f'class {class_id} has no name; known are {sorted(names)}: give '
        'class_names'
    )


def is_ignored(name: Optional[str]) -> bool:
    """Tell regions that are not judged; Datumaro calls them 'ignored'."""
    return name is None or name == 'ignored'


def declared(names: Mapping[int, str]) -> Tuple[str, ...]:
    """List the names of classes by number, but for the ignored one."""
    return tuple(names[n] for n in sorted(names) if not is_ignored(names[n]))


def _is_number(field: str) -> bool:
    return field.isdecimal() and len(field) <= _DIGITS


def _unite(first: Sighting, second: Sighting) -> Sighting:
    """Join two regions that are not judged."""
    masks = [seen.mask for seen in (first, second) if seen.mask is not None]
    mask = union(masks)
    x0, y0, x1, y1 = tight_boxes([mask])[0].tolist()
    return first._replace(mask=mask, box=(x0, y0, x1, y1))
