"""Reading and writing files so that a kill never leaves half a file."""

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Iterator, Optional, Tuple, Type, Union

from .errors import AnnotationError, OutputError, PMVISError

PathLike = Union[str, Path]


@contextmanager
def atomic_write(path: PathLike, binary: bool = False) -> Iterator[IO[Any]]:
    """Open a file that appears at ``path`` only when complete.

    Args:
        path (str | Path): Target; its folder is created.
        binary (bool): Whether it takes bytes, not text. Defaults to False.

    Yields:
        IO: A temporary file in the same folder, renamed on success and
        removed on failure.

    Raises:
        OutputError: If the folder cannot be written, or ``path`` is one.
    """
    mode, encoding = ('wb', None) if binary else ('w', 'utf-8')
    with atomic_path(path) as temporary:
        with open(temporary, mode, encoding=encoding) as file:
            yield file


@contextmanager
def atomic_path(path: PathLike) -> Iterator[Path]:
    """Give a path to write to; the file moves to ``path`` when complete.

    For libraries that want a path, not an open file.

    Args:
        path (str | Path): Target; its folder is created.

    Yields:
        Path: An empty temporary file in the same folder, renamed on success
        and removed on failure.

    Raises:
        OutputError: If the folder cannot be written, or ``path`` is one.
    """
    path = Path(path)
    handle, temporary = _open_temporary(path)
    try:
        os.close(handle)
        yield Path(temporary)
        with open(temporary, 'rb') as file:
            os.fsync(file.fileno())
        _rename(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _open_temporary(path: Path) -> Tuple[int, str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f'.{path.name}.', suffix='.tmp'
        )
        # mkstemp makes files private; honour the user's umask instead.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
    except OSError as error:
        raise _refused(path, error) from error
    return handle, name


def _rename(temporary: str, path: Path) -> None:
    try:
        os.replace(temporary, path)
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f'cannot write here: {error.strerror or error}',
        file=path,
        fix='choose another output folder or make this one writable',
    )


@contextmanager
def atomic_folder(path: PathLike) -> Iterator[Path]:
    """Give a folder to write to; it moves to ``path`` when complete.

    Args:
        path (str | Path): Target; a folder that is there is replaced as a
            whole.

    Yields:
        Path: An empty folder beside it, renamed on success and removed on
        failure.

    Raises:
        OutputError: If the disk refuses. Errors of the caller about files in
            the temporary folder name them as they would be in ``path``.
    """
    path = Path(path)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = tempfile.mkdtemp(dir=path.parent, prefix=f'.{path.name}.')
    try:
        yield Path(part)
        with disk_errors(path):
            # mkdtemp makes folders private; honour the umask instead.
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(part, 0o777 & ~umask)
            replace_folder(Path(part), path)
    except PMVISError as error:
        _name_target(error, Path(part), path)
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _name_target(error: PMVISError, part: Path, target: Path) -> None:
    """Name the place where a file would be, not the hidden one."""
    place = Path(str(error.file))
    if error.file is not None and part in (place, *place.parents):
        error.file = target / place.relative_to(part)
        error.args = (str(error),)


def replace_folder(new: Path, target: Path) -> None:
    """Move a folder into its place; an older one goes when it is there."""
    old = target.with_name(f'.{target.name}.old')
    shutil.rmtree(old, ignore_errors=True)
    existed = target.exists()
    if existed:
        os.replace(target, old)
    try:
        os.replace(new, target)
    except BaseException:
        if existed:
            os.replace(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def disk_errors(path: PathLike) -> Iterator[None]:
    """Turn what the disk refuses while writing into a typed error.

    Args:
        path (str | Path): What is being written, for the message.

    Raises:
        OutputError: Instead of an OSError, such as of a full disk, and of
            text that UTF-8 cannot hold.
    """
    try:
        yield
    except OSError as error:
        raise _refused(Path(path), error) from error
    except UnicodeEncodeError as error:
        raise OutputError(
            f'{error.object!r:.80} cannot be written: {error.reason}',
            file=path,
            fix='rename the class or video that has such a character',
        ) from error


def ensure_writable(folder: PathLike) -> None:
    """Create ``folder`` and prove that a file can be written into it.

    Raises:
        OutputError: If it cannot; raised before any work is done.
    """
    probe = Path(folder) / '.write-test'
    with atomic_write(probe):
        pass
    probe.unlink(missing_ok=True)


def file_sha256(path: PathLike) -> str:
    """Hash the content of a file: 64 hex digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for block in iter(lambda: file.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()


def file_stamp(path: PathLike) -> Optional[Tuple[int, int, int]]:
    """Give what changes when a file is replaced or written to.

    Args:
        path (str | Path): File to look at.

    Returns:
        tuple[int] | None: Inode, size and time; None where there is none.
    """
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def dump_json(data: Any, path: PathLike) -> None:
    """Write compact json atomically (same data, same bytes)."""
    with atomic_write(path) as file:
        # Not json.dump, which encodes in Python, ten times slower.
        file.write(json.dumps(data, separators=(',', ':')))


def load_json(
    path: PathLike, error: Type[PMVISError] = AnnotationError
) -> Any:
    """Read json with a typed error for a missing or malformed file.

    Args:
        path (str | Path): File to read.
        error (type): Error class to raise. Defaults to AnnotationError.

    Returns:
        Any: The parsed content.

    Raises:
        PMVISError: ``error``, if it is missing, unreadable or no json.
    """
    try:
        with open(path, encoding='utf-8-sig') as file:
            return json.load(file)
    except FileNotFoundError:
        raise error(
            'file does not exist', file=path, fix='check the path'
        ) from None
    except IsADirectoryError:
        raise error(
            'this is a folder, not a json file', file=path, fix='name a file'
        ) from None
    except OSError as reason:
        raise error(
            f'cannot be read: {reason.strerror or reason}',
            file=path,
            fix='check the path and its permissions',
        ) from reason
    except (ValueError, RecursionError) as reason:
        raise error(
            f'not a json file ({reason})',
            file=path,
            fix='it may be cut off or of another format; export it again',
        ) from None
