"""One way from annotations of any format to a dataset."""

import inspect
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple, Union

from ...utils.errors import AnnotationError, ConfigError
from .archives import ArchiveLimits, is_archive, open_source
from .assemble import assemble
from .base import ANNOTATION_READERS, AnnotationReader
from .files import check_source
from .frame_folders import FrameFolders
from .import_report import ImportReport
from .sniffing import guess_reader, locate, unwrap

PathLike = Union[str, Path]


def import_annotations(
    source: PathLike,
    format: str = 'auto',
    frames: Optional[PathLike] = None,
    first_frame: Optional[int] = None,
    reader_options: Optional[Mapping[str, Any]] = None,
    limits: Optional[ArchiveLimits] = None,
    **options: Any,
) -> Tuple[Dict[str, Any], ImportReport]:
    """Read annotations of another tool as a YouTube-VIS dataset.

    Args:
        source (str | Path): File or folder, see the format; or a zip or tar
            file with it.
        format (str): Name in ``ANNOTATION_READERS``. Defaults to 'auto': as
            it looks.
        frames (str | Path, optional): Folder of all frames, see
            :class:`FrameFolders`. Defaults to None: not at hand.
        first_frame (int, optional): Number that the files give to the first
            frame. Defaults to None: as the format has it.
        reader_options (Mapping, optional): Further options of the reader.
        limits (ArchiveLimits, optional): For archives. Defaults to None:
            those of :class:`ArchiveLimits`.
        **options: See :func:`assemble`.

    Returns:
        tuple: Content of the json, and what became of everything.

    Raises:
        PMVISError: See the reader, :func:`assemble`, :func:`extract`.
    """
    check_source(source)
    folders = None if frames is None else FrameFolders(frames)
    report = ImportReport()
    with open_source(source, limits or ArchiveLimits()) as path:
        if is_archive(source):
            path = unwrap(path)
        with _reading(source):
            reader = build_reader(
                path, format, folders, first_frame, reader_options
            )
            content = assemble(reader, report=report, **options)
    return content, report


@contextmanager
def _reading(source: PathLike) -> Iterator[None]:
    """Name what the disk refuses to show, such as folders of others."""
    try:
        yield
    except OSError as reason:
        raise AnnotationError(
            f'cannot be read ({reason.strerror or reason})',
            file=source if reason.filename is None else reason.filename,
            fix='check that it is there, and its permissions',
        ) from reason


def build_reader(
    source: PathLike,
    format: str = 'auto',
    frames: Optional[FrameFolders] = None,
    first_frame: Optional[int] = None,
    options: Optional[Mapping[str, Any]] = None,
) -> AnnotationReader:
    """Build the reader of a file or folder.

    Args:
        source (str | Path): File or folder, no archive.
        format (str): See :func:`import_annotations`.
        frames (FrameFolders, optional): Frames on disk.
        first_frame (int, optional): See :func:`import_annotations`.
        options (Mapping, optional): Further options of the reader.

    Returns:
        AnnotationReader: Nothing is read yet.

    Raises:
        AnnotationError: If the format is to be guessed but is not known.
        ConfigError: If there is no such format, or it has no such option.
    """
    if format == 'auto':
        format = guess_reader(source)
    known = ANNOTATION_READERS.module_dict
    if format not in known:
        raise ConfigError(
            f'unknown format {format!r}',
            fix=f'choose from {["auto", *sorted(known)]}',
        )
    kind = known[format]
    options = dict(options or {})
    _check_options(kind, format, options)
    return kind(
        locate(source, kind.title),
        frames=frames,
        first_frame=first_frame,
        **options,
    )


def reader_options(kind: type) -> Dict[str, Any]:
    """List the options of a reader beyond those that all have.

    Args:
        kind (type): Class of the reader.

    Returns:
        dict[str, Any]: Default by name.
    """
    common = ('source', 'frames', 'first_frame')
    parameters = inspect.signature(kind).parameters
    return {
        name: parameter.default
        for name, parameter in parameters.items()
        if name not in common
    }


def _check_options(kind: type, name: str, options: Mapping[str, Any]) -> None:
    known = reader_options(kind)
    for option in options:
        if option not in known:
            raise ConfigError(
                f'format {name!r} has no option {option!r}',
                fix=f'its options are {sorted(known)}'
                if known
                else 'leave it out; this format has no options',
            )
