"""Annotations that come packed, unpacked safely."""

import bz2
import errno
import gzip
import lzma
import os
import re
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import (
    IO,
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

from ...utils.errors import AnnotationError, PMVISError
from ...utils.fileio import disk_errors

PathLike = Union[str, Path]

# Below this many bytes even a bomb does no harm, and files of nothing but
# nulls compress a lot.
_HARMLESS = 256 * 2**20
_BLOCK = 1 << 20
_LONGEST_READ = 16 << 20
_ENCRYPTED = 0x1
_OPENERS: Dict[str, Callable[..., Any]] = {
    '': open,
    'gz': gzip.open,
    'bz2': bz2.open,
    'xz': lzma.open,
}
_PACKED = ((b'\x1f\x8b', 'gz'), (b'BZh', 'bz2'), (b'\xfd7zXZ\x00', 'xz'))
# Two members whose names exclude each other, or a name too long.
_BAD_NAME = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,  # a compression that zipfile does not know
    OSError,  # gzip and bz2 about bad content
    ValueError,  # numbers in headers
)


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may hold at most.

    Attributes:
        max_bytes (int): Of all its files, unpacked. Defaults to 32 GiB.
        max_ratio (float): Unpacked by packed size; not asked for below 256
            MiB. Defaults to 250.
        max_members (int): Files and folders. Defaults to 1,000,000.
    """

    max_bytes: int = 32 * 2**30
    max_ratio: float = 250.0
    max_members: int = 1_000_000


def is_archive(path: PathLike) -> bool:
    """Tell by its first bytes whether a file is a zip or a tar file.

    Args:
        path (str | Path): File or folder; may not exist.

    Returns:
        bool: True for .zip, .tar, and .tar packed by gzip, bzip2 or xz,
        also truncated ones, whatever their name.
    """
    return archive_kind(path) is not None


def archive_kind(path: PathLike) -> Optional[str]:
    """Name the kind of an archive: 'zip', 'tar' or None; see above."""
    head = _head(path)
    if head.startswith((b'PK\x03\x04', b'PK\x05\x06', b'PK\x07\x08')):
        return 'zip'
    if _compression(path) or head[257:262] == b'ustar':
        return 'tar'
    return None


def _head(path: PathLike) -> bytes:
    try:
        with open(path, 'rb') as file:
            return file.read(512)
    except OSError:
        return b''


def _compression(path: PathLike) -> str:
    """Name the compression as tarfile does; '' for none."""
    head = _head(path)
    kinds = [kind for magic, kind in _PACKED if head.startswith(magic)]
    return kinds[0] if kinds else ''


@contextmanager
def open_source(
    path: PathLike,
    limits: ArchiveLimits = ArchiveLimits(),
    folder: Optional[PathLike] = None,
) -> Iterator[Path]:
    """Unpack an archive for as long as it is read; leave others as they are.

    Args:
        path (str | Path): File or folder that a reader takes, or a zip or
            tar file that holds it.
        limits (ArchiveLimits): Against bombs.
        folder (str | Path, optional): Where to make the temporary folder.
            Defaults to None: where the system has such.

    Yields:
        Path: ``path``, or a temporary folder with the content, named like
        the archive without its suffixes. Errors about files in there are
        raised on as such of the archive.

    Raises:
        AnnotationError: See :func:`extract`.
    """
    if not is_archive(path):
        yield Path(path)
        return
    with tempfile.TemporaryDirectory(prefix='pmvis_mm-', dir=folder) as name:
        root = Path(os.path.realpath(name)) / _stem(path)
        root.mkdir()
        extract(path, root, limits)
        try:
            yield root
        except PMVISError as error:
            if error.file is not None:
                error.file = _inside(path, root, error.file)
            error.args = (str(error),)
            raise


def _stem(path: PathLike) -> str:
    """Name of an archive without '.zip', '.tar.gz' and the like."""
    suffixes = r'\.(zip|tgz|tbz2?|txz|(tar(\.(gz|bz2|xz))?))$'
    return re.sub(suffixes, '', Path(path).name, flags=re.I) or 'archive'


def _inside(archive: PathLike, root: Path, file: object) -> str:
    """Name a file of the temporary folder as one of the archive."""
    try:
        member = Path(str(file)).relative_to(root).as_posix()
    except ValueError:
        return str(file)
    return str(archive) if member == '.' else f'{archive}: {member}'


def extract(
    path: PathLike,
    folder: PathLike,
    limits: ArchiveLimits = ArchiveLimits(),
) -> None:
    """Unpack an archive of somebody else.

    Nothing is written outside ``folder``, whatever the names in the archive
    are, and there are no links afterwards.

    Args:
        path (str | Path): Zip or tar file, see :func:`is_archive`.
        folder (str | Path): An existing, empty folder.
        limits (ArchiveLimits): Against bombs.

    Raises:
        AnnotationError: If the archive is truncated, broken, encrypted or
            larger than the limits, or a member has an absolute name or one
            with '..' or a drive, is a link or a device, or comes twice;
            names archive and member.
        OutputError: If the disk is full.
    """
    kind = archive_kind(path)
    if kind is None:
        raise AnnotationError(
            'neither a zip nor a tar file', file=path, fix='check the path'
        )
    unpacker = _Unpacker(Path(path), Path(folder), limits)
    try:
        if kind == 'zip':
            _extract_zip(path, unpacker)
        else:
            _extract_tar(path, unpacker)
    except PMVISError:
        raise
    except _BROKEN as reason:
        raise AnnotationError(
            f'the archive is truncated or broken ({reason})',
            file=path,
            fix='download or export it again',
        ) from reason


def _extract_zip(path: PathLike, unpacker: '_Unpacker') -> None:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        for member in members:
            # The upper half holds the mode on Unix, zeros elsewhere.
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise unpacker.no_file(member.filename)
            size = None if member.is_dir() else member.file_size
            unpacker.check(member.filename, size)
            if member.flag_bits & _ENCRYPTED:
                raise unpacker.error(
                    'the archive is encrypted',
                    member.filename,
                    'unpack it with its password and name the folder',
                )
        for member in members:
            if not member.is_dir():
                with archive.open(member) as file:
                    unpacker.write(member.filename, file, member.file_size)


def _extract_tar(path: PathLike, unpacker: '_Unpacker') -> None:
    # One way through the file: a second one would decompress it again.
    with _OPENERS[_compression(path)](path, 'rb') as stream:
        file: Any = _CarefulFile(stream)
        _unpack_tar(tarfile.open(fileobj=file, mode='r:'), unpacker)


def _unpack_tar(archive: tarfile.TarFile, unpacker: '_Unpacker') -> None:
    with archive:
        for member in archive:
            if not (member.isreg() or member.isdir()):
                raise unpacker.no_file(member.name)
            unpacker.check(
                member.name, None if member.isdir() else member.size
            )
            file = archive.extractfile(member)
            if file is not None:
                with file:
                    unpacker.write(member.name, file, member.size)
        _check_end(archive)


class _CarefulFile:
    """Refuses the headers of any length that tarfile would read at once."""

    def __init__(self, file: IO[bytes]) -> None:
        self.seek = file.seek
        self.tell = file.tell
        self._read = file.read

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LONGEST_READ:
            raise tarfile.ReadError(f'a header of {size} bytes')
        return self._read(size)


def _check_end(archive: tarfile.TarFile) -> None:
    """A tar file ends with zeros; tarfile takes one that was cut for whole."""
    file = archive.fileobj
    assert file is not None
    file.seek(archive.offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError('its end is missing')


class _Unpacker:
    """Checks members, then writes them below a folder."""

    def __init__(
        self, archive: Path, folder: Path, limits: ArchiveLimits
    ) -> None:
        self.archive = archive
        self.folder = folder
        self.limits = limits
        self.packed = max(archive.stat().st_size, 1)
        self.declared = 0
        self.written = 0
        self.names: Set[Tuple[str, ...]] = set()

    def error(self, problem: str, member: str, fix: str) -> AnnotationError:
        return AnnotationError(
            f'{problem} (member {member!r})', file=self.archive, fix=fix
        )

    def no_file(self, member: str) -> AnnotationError:
        """Make the error about links, devices and the like."""
        return self.error(
            'a link or device in an archive is not unpacked',
            member,
            'pack the files themselves',
        )

    def check(self, name: str, size: Optional[int]) -> None:
        """Refuse what leads out, comes twice or is too much.

        Args:
            name (str): Of the member.
            size (int, optional): Bytes that it claims to have; None for a
                folder.
        """
        parts = tuple(self._parts(name))
        if size is not None and parts in self.names:
            raise self.error(
                'a file is in the archive twice', name, 'pack it again'
            )
        self.names.add(parts)
        self.declared += size or 0
        self._check_amount(name, self.declared)

    def _parts(self, name: str) -> List[str]:
        # Some tools on Windows write backslashes.
        text = name.replace('\\', '/')
        parts = [part for part in text.split('/') if part not in ('', '.')]
        leads_out = (
            text.startswith('/')
            or '..' in parts
            or re.match('[A-Za-z]:', text)
            or '\0' in text
        )
        if leads_out:
            raise self.error(
                'a name that leads out of the folder; refused for safety',
                name,
                'do not trust this archive; ask for another one',
            )
        return parts

    def _check_amount(self, name: str, size: int) -> None:
        limit = self.limits
        too_much = None
        if len(self.names) > limit.max_members:
            too_much = f'more than {limit.max_members} members'
        elif size > limit.max_bytes:
            too_much = f'more than {limit.max_bytes} bytes, unpacked'
        elif size > max(_HARMLESS, self.packed * limit.max_ratio):
            too_much = f'more than {limit.max_ratio:g} times its own size'
        if too_much:
            raise self.error(
                f'the archive holds {too_much}',
                name,
                'if you trust it, unpack it yourself and name the folder',
            )

    def write(self, name: str, source: IO[bytes], size: int) -> None:
        """Write a file, counting what really comes out of the archive."""
        target = self.folder.joinpath(*self._parts(name))
        with disk_errors(target):
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                file = open(target, 'xb')
            except OSError as reason:
                if reason.errno not in _BAD_NAME:
                    raise
                raise self.error(
                    f'cannot be unpacked under this name ({reason.strerror})',
                    name[:200],
                    'rename it and pack it again',
                ) from None
        done = 0
        with file:
            for block in iter(lambda: source.read(_BLOCK), b''):
                done += len(block)
                self.written += len(block)
                self._check_amount(name, self.written)
                with disk_errors(target):
                    file.write(block)
        if done != size:
            raise EOFError(f'{name} is cut off')
