"""Folders and tables of MOTChallenge, which several formats share."""

import configparser
import os
from dataclasses import dataclass, replace
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

from ...structures.frame_sources import natural_key
from ...utils.errors import AnnotationError, ConfigError
from .base import ImportedVideo
from .files import read_text, wrong_format
from .sightings import MAX_FRAMES

if TYPE_CHECKING:
    from .frame_folders import FrameFolders

_TABLES = ('gt', 'det')
_LABELS = 'labels.txt'


@dataclass(frozen=True)
class SequenceFiles:
    """A video and its table.

    Attributes:
        name (str): Of the video.
        file (Path): The table.
        width (int, optional): Of the frames, pixels; this and the
            following as ``seqinfo.ini`` says.
        height (int, optional): Of the frames, pixels.
        length (int, optional): Number of frames.
        img_dir (str): Folder of the frames in that of the sequence.
        img_suffix (str, optional): Such as '.jpg'.
        may_be_empty (bool): Whether a table without a line means that there
            is nothing in the video: where it is one of a folder.
    """

    name: str
    file: Path
    width: Optional[int] = None
    height: Optional[int] = None
    length: Optional[int] = None
    img_dir: str = 'img1'
    img_suffix: Optional[str] = None
    may_be_empty: bool = False

    def file_names(self, first_frame: int) -> Optional[List[str]]:
        """Name the frames as MOTChallenge does: by six digits.

        Args:
            first_frame (int): Number of the first one.

        Returns:
            list[str], optional: Relative to the folder of all sequences;
            None if ``seqinfo.ini`` does not tell enough.
        """
        if self.length is None or self.img_suffix is None:
            return None
        numbers = range(first_frame, first_frame + self.length)
        folder = f'{self.name}/{self.img_dir}'
        return [f'{folder}/{n:06d}{self.img_suffix}' for n in numbers]


def find_sequences(source: Path, title: str) -> Iterator[SequenceFiles]:
    """Find the tables of a source.

    Args:
        source (Path): A table, the folder of a sequence (``gt/gt.txt``,
            ``seqinfo.ini``), a folder of such folders, or a folder of
            tables ``<sequence>.txt``.
        title (str): Name of the format, for messages.

    Yields:
        SequenceFiles: In the order of their names.

    Raises:
        AnnotationError: If there is none, or one lacks its table.
    """
    if not source.exists():
        raise AnnotationError(
            'does not exist', file=source, fix=f'check the path to {title}'
        )
    if source.is_file():
        yield _from_table(source)
        return
    if _is_sequence(source):
        yield _from_folder(source, source.absolute().name)
        return
    entries = sorted(
        (e for e in source.iterdir() if not e.name.startswith('.')),
        key=lambda entry: natural_key(entry.name),
    )
    folders = [e for e in entries if e.is_dir() and _is_sequence(e)]
    tables = [
        e
        for e in entries
        if e.is_file() and e.suffix.lower() == '.txt' and e.name != _LABELS
    ]
    if folders:
        found = (_from_folder(entry, entry.name) for entry in folders)
        yield from (replace(one, may_be_empty=True) for one in found)
    elif tables:
        found = (_from_table(entry) for entry in tables)
        yield from (replace(one, may_be_empty=True) for one in found)
    else:
        below = [e for e in entries if e.is_dir() and _has_sequences(e)]
        if len(below) == 1:
            yield from find_sequences(below[0], title)
            return
        if below:
            raise AnnotationError(
                f'several sets of videos: {", ".join(e.name for e in below)}',
                file=source,
                fix=f'name one of them, such as {below[0]}',
            )
        raise wrong_format(
            source, title, 'neither <sequence>/gt/gt.txt nor <sequence>.txt'
        )


def _is_sequence(folder: Path) -> bool:
    return (folder / 'seqinfo.ini').is_file() or any(
        (folder / name / f'{name}.txt').is_file() for name in _TABLES
    )


def _has_sequences(folder: Path) -> bool:
    return any(_is_sequence(e) for e in folder.iterdir() if e.is_dir())


def _from_folder(folder: Path, name: str) -> SequenceFiles:
    for table in _TABLES:
        file = folder / table / f'{table}.txt'
        if file.is_file():
            return _with_info(name, file, folder)
    raise AnnotationError(
        'the sequence has no gt/gt.txt',
        file=folder,
        video=name,
        fix='name the training set (test sets come without boxes), or the '
        'folder of the result files <sequence>.txt',
    )


def _from_table(file: Path) -> SequenceFiles:
    folder = file.absolute().parent
    if file.stem not in _TABLES:
        return SequenceFiles(file.stem, file)
    if folder.name in _TABLES:
        folder = folder.parent
    return _with_info(folder.name, file, folder)


def _with_info(name: str, file: Path, folder: Path) -> SequenceFiles:
    path = folder / 'seqinfo.ini'
    if not path.is_file():
        return SequenceFiles(name, file)
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(read_text(path, 'seqinfo.ini of MOTChallenge'))
        fields = dict(parser['Sequence'])
    except (configparser.Error, KeyError) as reason:
        raise AnnotationError(
            'not a seqinfo.ini of MOTChallenge '
            f'({" ".join(str(reason).split())})',
            file=path,
            video=name,
            fix='write a section [Sequence], or remove the file',
        ) from None
    numbers: Dict[str, Optional[int]] = {
        key: _positive(fields, key, path)
        for key in ('imwidth', 'imheight', 'seqlength')
    }
    return SequenceFiles(
        name,
        file,
        width=numbers['imwidth'],
        height=numbers['imheight'],
        length=numbers['seqlength'],
        img_dir=fields.get('imdir', 'img1').strip('/'),
        img_suffix=fields.get('imext'),
    )


def _positive(fields: Dict[str, str], key: str, path: Path) -> Optional[int]:
    if key not in fields:
        return None
    try:
        value = int(fields[key])
    except ValueError:
        value = 0
    if not 1 <= value <= MAX_FRAMES:
        raise AnnotationError(
            f'{key}={fields[key]} is no number in 1 ... {MAX_FRAMES}',
            file=path,
            fix='correct it, or remove the line',
        )
    return value


def read_rows(
    path: Union[str, Path], title: str, may_be_empty: bool = False
) -> Iterator[Tuple[str, List[str]]]:
    """Read a table with commas or white space between its columns.

    Args:
        path (str | Path): Text in UTF-8.
        title (str): Name of the format, for messages.
        may_be_empty (bool): Whether it may have no byte at all. Defaults to
            False.

    Yields:
        tuple: Place for messages, 'line 7', and the columns. Empty lines
        are left out; so are commas at the end of a line.

    Raises:
        AnnotationError: If the file cannot be read.
    """
    if may_be_empty and os.path.exists(path) and not os.path.getsize(path):
        return
    for number, line in enumerate(read_text(path, title).splitlines(), 1):
        line = line.strip().rstrip(',')
        if ',' in line:
            yield f'line {number}', [p.strip() for p in line.split(',')]
        elif line:
            yield f'line {number}', line.split()


def read_labels(folder: Path) -> Optional[List[str]]:
    """Read the class names that CVAT and Datumaro put beside their files.

    Args:
        folder (Path): Where ``labels.txt`` may be.

    Returns:
        list[str], optional: One for each line; None if there is no such
        file.
    """
    path = folder / _LABELS
    if not path.is_file():
        return None
    lines = read_text(path, 'a list of class names').splitlines()
    return [line.strip() for line in lines if line.strip()]


def number_names(
    names: Union[Mapping[int, str], Sequence[str], None],
) -> Optional[Dict[int, str]]:
    """Number names from 1, unless they have numbers.

    Args:
        names (Mapping[int, str] | Sequence[str], optional): Of classes.

    Returns:
        dict, optional: Number to name.

    Raises:
        ConfigError: If it is a single text, or a number is none.
    """
    if names is None:
        return None
    if isinstance(names, str):
        raise ConfigError(
            f'class_names={names!r} is no list', fix=f'write [{names!r}]'
        )
    if not isinstance(names, Mapping):
        return {number: str(name) for number, name in enumerate(names, 1)}
    try:
        return {int(number): str(name) for number, name in names.items()}
    except (TypeError, ValueError):
        raise ConfigError(
            f'class_names={dict(names)!r} has a key that is no number',
            fix='write {number: name}',
        ) from None


def describe_sequence(
    sequence: SequenceFiles, frames: Optional['FrameFolders'], first_frame: int
) -> ImportedVideo:
    """Tell what is known of a video but for its tracks.

    Args:
        sequence (SequenceFiles): From :func:`find_sequences`.
        frames (FrameFolders, optional): Frames on disk.
        first_frame (int): Number of the first frame.

    Returns:
        ImportedVideo: Without tracks.
    """
    video = ImportedVideo(
        sequence.name,
        width=sequence.width,
        height=sequence.height,
        length=sequence.length,
        file=str(sequence.file),
    )
    if frames is None:
        video.file_names = sequence.file_names(first_frame)
        return video
    for name in (sequence.name, f'{sequence.name}/{sequence.img_dir}'):
        found = frames.find(name)
        if found is not None:
            video.file_names = list(found.file_names)
            break
    return video
