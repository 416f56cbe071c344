"""What lies beside the tables of MOTChallenge."""

import configparser
import re
from pathlib import Path, PurePosixPath
from typing import Dict, Optional, Sequence, Tuple

from ..structures.video_track import StreamInfo
from ..utils.errors import OutputError
from ..utils.fileio import atomic_write, disk_errors


def add_sequence(
    table: Path,
    name: str,
    video: StreamInfo,
    first_frame: int,
    classes: Sequence[str],
) -> None:
    """Describe the video of a table, so that tools take it.

    Writes ``seqinfo.ini`` (TrackEval, our readers) and, beside the table,
    ``labels.txt`` with a class name in each line (CVAT, Datumaro, our
    readers). Names of frames are told if they are those of MOTChallenge:
    '<name>/img1/000001.jpg'.

    Args:
        table (Path): '<name>/gt/gt.txt', which exists.
        name (str): Of the sequence.
        video (StreamInfo): Its size and frames.
        first_frame (int): Number of the first frame in the table.
        classes (Sequence[str]): Names of classes 1, 2, ...; empty if they
            are numbered otherwise.

    Raises:
        OutputError: If a file cannot be written.
    """
    entries: Dict[str, object] = dict(name=name)
    if video.fps is not None:
        entries['frameRate'] = f'{video.fps:g}'
    entries.update(
        seqLength=video.length, imWidth=video.width, imHeight=video.height
    )
    place = _frame_place(name, video, first_frame)
    if place is not None:
        entries.update(imDir=place[0], imExt=place[1])
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser['Sequence'] = {key: str(value) for key, value in entries.items()}
    info = table.parent.parent / 'seqinfo.ini'
    with disk_errors(info), atomic_write(info) as file:
        parser.write(file, space_around_delimiters=False)
    if not classes:
        return
    labels = table.parent / 'labels.txt'
    for label in classes:
        if not label.strip() or len(label.splitlines()) > 1:
            raise OutputError(
                f'class {label!r} does not fit into one line',
                file=labels,
                fix='rename this category, or pass class_ids',
            )
    with disk_errors(labels), atomic_write(labels) as file:
        file.write(''.join(f'{label}\n' for label in classes))


def write_seqmap(folder: Path, names: Sequence[str]) -> None:
    """List the sequences, as TrackEval reads it (SEQMAP_FILE).

    Args:
        folder (Path): That of the sequences; the file is 'seqmap.txt'.
        names (Sequence[str]): Of the sequences.

    Raises:
        OutputError: If it cannot be written.
    """
    path = folder / 'seqmap.txt'
    with disk_errors(path), atomic_write(path) as file:
        file.write(''.join(f'{line}\n' for line in ('name', *names)))


def _frame_place(
    name: str, video: StreamInfo, first_frame: int
) -> Optional[Tuple[str, str]]:
    """Tell folder and suffix of frames that are numbered by six digits."""
    names = video.file_names or ()
    if not names:
        return None
    first = PurePosixPath(names[0])
    match = re.fullmatch(
        rf'{re.escape(name)}/([^/]+)', first.parent.as_posix()
    )
    if match is None:
        return None
    for number, file in enumerate(names, first_frame):
        if file != f'{first.parent}/{number:06d}{first.suffix}':
            return None
    return match[1], first.suffix
