"""Writing frames into tar archives and LMDB, so that a kill costs little."""

import os
import shutil
import tarfile
from pathlib import Path
from typing import IO, Any, Dict, List, Optional, Tuple, Type

from ..structures.packed_frames import import_lmdb
from ..structures.tar_index import INDEX_SUFFIX, scan_tar, write_tar_index
from ..utils.errors import ConfigError, OutputError
from ..utils.fileio import disk_errors

_PARTIAL = '.partial'
_BLOCK, _RECORD = 512, 10240  # bytes
_BATCH = 32 << 20  # bytes of LMDB transactions
_FIRST_MAP = 1 << 26  # bytes; grows as needed


class FrameWriter:
    """Takes frames in order; what it has taken survives a kill.

    Args:
        out (str): What appears at the end.
        shard_size (int, optional): Bytes after which a new file begins.
    """

    def __init__(self, out: str, shard_size: Optional[int] = None) -> None:
        self.out = out.rstrip('/\\')
        self.shard_size = shard_size

    def appeared(self) -> bool:
        """Tell whether a run was killed just after its result appeared."""
        return os.path.exists(self.out) and not self.unfinished()

    def unfinished(self) -> bool:
        """Tell whether an earlier run has left something to go on with."""
        folder = Path(self.out + _PARTIAL)
        return any([*folder.glob('*.tar'), *folder.glob('*.mdb')])

    def clean(self) -> None:
        """Remove what a killed run left beside its result."""
        with disk_errors(self.out):
            if os.path.exists(self.out + _PARTIAL):
                shutil.rmtree(self.out + _PARTIAL)

    def names(self) -> List[str]:
        """Names of the frames that an earlier run has written."""
        raise NotImplementedError

    def write(self, name: str, content: bytes) -> None:
        """Append a frame."""
        raise NotImplementedError

    def finish(self) -> None:
        """Make the result appear."""
        raise NotImplementedError

    def close(self) -> None:
        """Give back files; what was written stays."""

    def __enter__(self) -> 'FrameWriter':
        return self

    def __exit__(self, *reason: Any) -> None:
        self.close()


class TarFrameWriter(FrameWriter):
    """Writes ``out``, or the shards ``out/frames-00000.tar``, ..."""

    def __init__(self, out: str, shard_size: Optional[int] = None) -> None:
        super().__init__(out, shard_size)
        if shard_size is not None and shard_size < 1:
            raise ConfigError(
                f'shard_size={shard_size} is no size',
                fix='use bytes, 1 or more',
            )
        self._shard = 0
        self._members: Dict[str, Tuple[int, int]] = {}
        self._file: Optional[IO[bytes]] = None
        # Shards appear together: those that are whole wait in this folder.
        self._folder = Path(self.out + _PARTIAL)

    def _path(self, shard: int) -> Path:
        return self._folder / f'frames-{shard:05d}.tar'

    def names(self) -> List[str]:
        """Names of the frames that an earlier run has written."""
        names: List[str] = []
        for shard in range(len(list(self._folder.glob('*.tar')))):
            path = self._path(shard)
            if path.exists():
                self._shard, self._members = shard, _whole_members(path)
                names += self._members
        return names

    def write(self, name: str, content: bytes) -> None:
        """Append a frame; begin a new shard if it does not fit."""
        info = tarfile.TarInfo(name)
        info.size = len(content)
        header = info.tobuf(tarfile.GNU_FORMAT, 'utf-8', 'surrogateescape')
        padding = b'\0' * (-len(content) % _BLOCK)
        with disk_errors(self.out):
            file = self._open()
            limit = self.shard_size
            if limit and file.tell() and file.tell() + len(content) > limit:
                self._end_shard()
                self._shard, self._members = self._shard + 1, {}
                file = self._open()
            self._members[name] = (file.tell() + len(header), len(content))
            file.write(header + content + padding)

    def _open(self) -> IO[bytes]:
        """Open the shard that is being written, after its last member."""
        if self._file is None:
            path = self._path(self._shard)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            self._file = open(path, 'r+b')
            places = self._members.values()
            end = max((offset + size for offset, size in places), default=0)
            self._file.truncate(end)
            self._file.seek(end)
            self._file.write(b'\0' * (-end % _BLOCK))
        return self._file

    def _end_shard(self) -> None:
        file = self._open()
        file.write(b'\0' * (2 * _BLOCK))
        file.write(b'\0' * (-file.tell() % _RECORD))
        file.flush()
        os.fsync(file.fileno())
        self.close()
        write_tar_index(str(self._path(self._shard)), self._members)

    def finish(self) -> None:
        """End the last archive and move all to their place."""
        with disk_errors(self.out):
            self._end_shard()
            if self.shard_size is not None:
                os.replace(self._folder, self.out)
                return
            archive = str(self._path(0))
            # The archive comes last: while it is missing nothing is there.
            os.replace(archive + INDEX_SUFFIX, self.out + INDEX_SUFFIX)
            os.replace(archive, self.out)
            # Not empty if a run was killed while it wrote an index.
            shutil.rmtree(self._folder)

    def close(self) -> None:
        """Give back the file."""
        if self._file is not None:
            with disk_errors(self.out):
                self._file.close()
            self._file = None


def _whole_members(path: Path) -> Dict[str, Tuple[int, int]]:
    """Find the members of an archive that lacks its end."""
    size = path.stat().st_size
    if size == 0:
        return {}
    whole = scan_tar(str(path), whole=False)
    return {
        name: (offset, length)
        for name, (offset, length) in whole.items()
        if offset + length <= size
    }


class LmdbFrameWriter(FrameWriter):
    """Writes the folder ``out``; frames go in by transactions."""

    def __init__(self, out: str, shard_size: Optional[int] = None) -> None:
        super().__init__(out, shard_size)
        if shard_size is not None:
            raise ConfigError(
                'LMDB has no shards', fix='leave shard_size out, or use tar'
            )
        self._lmdb = import_lmdb()
        self._folder = self.out + _PARTIAL
        self._batch: List[Tuple[bytes, bytes]] = []
        self._opened: Any = None

    def _environment(self) -> Any:
        if self._opened is None:
            with disk_errors(self.out):
                os.makedirs(self._folder, exist_ok=True)
            data = os.path.join(self._folder, 'data.mdb')
            have = os.path.getsize(data) if os.path.exists(data) else 0
            self._opened = self._lmdb.open(
                self._folder, map_size=max(_FIRST_MAP, 2 * have)
            )
        return self._opened

    def names(self) -> List[str]:
        """Names of the frames that an earlier run has written."""
        with self._environment().begin() as transaction:
            keys = transaction.cursor().iternext(values=False)
            return [key.decode() for key in keys]

    def write(self, name: str, content: bytes) -> None:
        """Put a frame; see :meth:`close`."""
        self._batch.append((name.encode(), content))
        if sum(len(value) for _, value in self._batch) >= _BATCH:
            self._commit()

    def _commit(self) -> None:
        environment = self._environment()
        while self._batch:
            try:
                with environment.begin(write=True) as transaction:
                    for key, value in self._batch:
                        transaction.put(key, value)
                self._batch = []
            except self._lmdb.MapFullError:
                size = environment.info()['map_size']
                environment.set_mapsize(2 * size)
            except self._lmdb.Error as reason:
                raise OutputError(
                    f'LMDB cannot write here: {reason}',
                    file=self.out,
                    fix='free some space or choose another output folder',
                ) from reason

    def finish(self) -> None:
        """Move the database to its place."""
        self.close()
        lock = os.path.join(self._folder, 'lock.mdb')
        if os.path.exists(lock):
            os.unlink(lock)
        with disk_errors(self.out):
            shutil.move(self._folder, self.out)

    def close(self) -> None:
        """Write what is left and give back the database."""
        if self._opened is not None:
            self._commit()
            self._opened.sync(True)
            self._opened.close()
            self._opened = None


WRITERS: Dict[str, Type[FrameWriter]] = dict(
    tar=TarFrameWriter, lmdb=LmdbFrameWriter
)
