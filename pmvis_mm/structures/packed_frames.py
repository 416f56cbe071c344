"""Frames in few large files: tar archives and LMDB, for network disks.

Both are file backends of mmengine, for every ``backend_args``:

- ``dict(backend='tar', path='frames.tar', root='data/JPEGImages')``
- ``dict(backend='frames_lmdb', path='frames.lmdb', root=...)``

``root`` is what datasets put in front of the names of frames (data_root and
data_prefix), so that annotations stay as they are.
"""

import os
from typing import Any, Dict, Optional, Tuple

from mmengine.fileio.backends import BaseStorageBackend, register_backend

from ..utils.errors import ConfigError, FrameError
from ..utils.fileio import file_stamp
from .tar_index import TarIndex, read_tar_index

_BLOCK = 512  # bytes; of the header that every member has


class PackedFrames(BaseStorageBackend):
    """What both kinds of storage have in common.

    Args:
        path (str): The storage.
        root (str): Removed from the front of paths that begin with it.
            Defaults to ''.
    """

    def __init__(self, path: str, root: str = '') -> None:
        self.path = os.fspath(path)
        self.root = _plain(os.fspath(root))

    def key(self, filepath: Any) -> str:
        """Name within the storage of a path.

        Args:
            filepath (str | Path): As datasets join it.

        Returns:
            str: With '/' between folders.
        """
        path = _plain(os.fspath(filepath))
        if self.root and path.startswith(self.root + '/'):
            return path[len(self.root) + 1 :]
        return path

    def exists(self, filepath: Any) -> bool:
        """Tell whether a frame is there; reads no pixel."""
        raise NotImplementedError

    def isfile(self, filepath: Any) -> bool:
        """As :meth:`exists`: there are no folders."""
        return self.exists(filepath)

    def join_path(self, filepath: Any, *filepaths: Any) -> str:
        """Join parts of a path."""
        return os.path.join(filepath, *filepaths)

    def get_text(self, filepath: Any, encoding: str = 'utf-8') -> str:
        """Read a member as text."""
        return self.get(filepath).decode(encoding)

    def _missing(self, filepath: Any, example: Optional[str]) -> FrameError:
        begin = f' (names there look like {example!r})' if example else ''
        return FrameError(
            f'frame {self.key(filepath)!r} is not in {self.path}{begin}',
            file=filepath,
            fix='set `root` of backend_args to the folder in front of these '
            'names, or pack the frames of this annotation file again',
        )

    def __repr__(self) -> str:
        return f'{type(self).__name__}(path={self.path!r}, root={self.root!r})'


def _plain(path: str) -> str:
    return os.path.normpath(path).replace(os.sep, '/') if path else ''


@register_backend('tar', force=True)
class TarBackend(PackedFrames):
    """Frames of uncompressed tar archives, read where they lie.

    Where members begin is read from ``<archive>.index.json``, which
    ``pack_frames.py`` writes, or found by one walk over the headers. Reading
    does not move a common position: processes that are forked may share the
    open files, and copies that are pickled open them again.

    Args:
        path (str): An archive, or a folder of shards (``*.tar``).
        root (str): Removed from the front of paths. Defaults to ''.

    Raises:
        FrameError: When first used: if there is no archive, it is no tar
            file, is truncated or is not the one of its index.
    """

    def __init__(self, path: str, root: str = '') -> None:
        super().__init__(path, root)
        self._index: Optional[TarIndex] = None
        self._files: Dict[str, int] = {}

    @property
    def index(self) -> TarIndex:
        """TarIndex: Read when first asked for."""
        if self._index is None:
            self._index = read_tar_index(self.path)
        return self._index

    def exists(self, filepath: Any) -> bool:
        """Tell whether a frame is there."""
        return self.key(filepath) in self.index

    def get(self, filepath: Any) -> bytes:
        """Read the bytes of a frame.

        Args:
            filepath (str | Path): As datasets join it.

        Returns:
            bytes: Of the file as it was packed.

        Raises:
            FrameError: If it is missing or the archive is truncated or
                another one than its index says.
        """
        found = self.index.get(self.key(filepath))
        if found is None:
            raise self._missing(filepath, next(iter(self.index), None))
        archive, offset, size = found
        content = self._read(archive, offset - _BLOCK, _BLOCK + size)
        if len(content) < _BLOCK + size:
            raise _broken(archive, filepath, 'is truncated')
        header = content[:_BLOCK]
        if header[257:262] != b'ustar' or _number(header[124:136]) != size:
            raise _broken(archive, filepath, 'has changed since its index')
        return content[_BLOCK:]

    def _read(self, archive: str, offset: int, size: int) -> bytes:
        if not hasattr(os, 'pread'):  # Windows
            with open(archive, 'rb') as file:
                file.seek(offset)
                return file.read(size)
        if archive not in self._files:
            self._files[archive] = os.open(archive, os.O_RDONLY)
        return os.pread(self._files[archive], size, offset)

    def __getstate__(self) -> Dict[str, Any]:
        return dict(self.__dict__, _files={})

    def __del__(self) -> None:
        for file in getattr(self, '_files', {}).values():
            os.close(file)


def _number(field: bytes) -> int:
    """Read a size of a header: octal, or binary if it is above 8 GiB."""
    if field[0] & 0x80:
        return int.from_bytes(field[1:], 'big')
    try:
        return int(field.rstrip(b'\0 ') or b'0', 8)
    except ValueError:
        return -1


def _broken(archive: str, filepath: Any, what: str) -> FrameError:
    return FrameError(
        f'the archive {archive} {what}',
        file=filepath,
        fix='copy it again, or delete its .index.json if it was packed anew',
    )


@register_backend('frames_lmdb', force=True)
class FramesLmdbBackend(PackedFrames):
    """Frames of an LMDB, by their names in UTF-8.

    Other than mmengine's ``lmdb``, which takes ASCII names only, cannot tell
    whether a frame exists and answers None if not. Every process opens the
    database itself.

    Args:
        path (str): Folder of the database.
        root (str): Removed from the front of paths. Defaults to ''.

    Raises:
        ConfigError: When first used: if ``lmdb`` is not installed.
        FrameError: When first used: if there is no database or it is
            truncated.
    """

    def exists(self, filepath: Any) -> bool:
        """Tell whether a frame is there."""
        with open_lmdb(self.path).begin() as transaction:
            return transaction.cursor().set_key(self.key(filepath).encode())

    def get(self, filepath: Any) -> bytes:
        """Read the bytes of a frame.

        Args:
            filepath (str | Path): As datasets join it.

        Returns:
            bytes: Of the file as it was packed.

        Raises:
            FrameError: If it is missing.
        """
        with open_lmdb(self.path).begin() as transaction:
            content = transaction.get(self.key(filepath).encode())
            if content is None:
                cursor = transaction.cursor()
                example = cursor.key().decode() if cursor.first() else None
                raise self._missing(filepath, example)
        return content


def import_lmdb() -> Any:
    """Import the optional package.

    Returns:
        module: ``lmdb``.

    Raises:
        ConfigError: If it is not installed.
    """
    try:
        import lmdb
    except ImportError:
        raise ConfigError(
            'frames packed in LMDB need the package lmdb',
            fix='pip install pmvis_mm[formats]',
        ) from None
    return lmdb


# LMDB wants a database to be opened once per process; by path.
_OPENED: Dict[str, Tuple[Any, Any]] = {}


def open_lmdb(path: str) -> Any:
    """Open a database for reading, or give the one that is open.

    Args:
        path (str): Its folder.

    Returns:
        lmdb.Environment: Without locks; open in this process until the file
        changes.

    Raises:
        ConfigError: If ``lmdb`` is not installed.
        FrameError: If there is no database or it is truncated.
    """
    key = os.path.realpath(path)
    stamp = (os.getpid(), file_stamp(os.path.join(key, 'data.mdb')))
    opened = _OPENED.get(key)
    if opened is not None:
        if opened[0] == stamp:
            return opened[1]
        # Also of what a parent process has opened, which forgets it here
        # only: in a process of its own it has to be opened anew.
        opened[1].close()
        del _OPENED[key]
    environment = _open_lmdb(key)
    _OPENED[key] = (stamp, environment)
    return environment


def _open_lmdb(path: str) -> Any:
    lmdb = import_lmdb()
    try:
        opened = lmdb.open(
            path, readonly=True, lock=False, readahead=False, create=False
        )
    except lmdb.Error as reason:
        raise FrameError(
            f'cannot be opened as LMDB ({reason})',
            file=path,
            fix='check the path, or pack the frames again',
        ) from None
    # Reading a page beyond the end of a mapped file kills the process.
    pages = opened.info()['last_pgno'] + 1
    if os.path.getsize(os.path.join(path, 'data.mdb')) < (
        pages * opened.stat()['psize']
    ):
        opened.close()
        raise FrameError(
            'the LMDB is truncated', file=path, fix='copy it again'
        )
    return opened
