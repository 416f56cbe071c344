"""Where the members of tar archives begin."""

import os
import tarfile
from pathlib import Path
from typing import Dict, List, Tuple

from ..utils.errors import FrameError
from ..utils.fileio import dump_json, load_json

INDEX_SUFFIX = '.index.json'
# Archive, first byte, number of bytes; by name.
TarIndex = Dict[str, Tuple[str, int, int]]

_Members = Dict[str, Tuple[int, int]]
_END = 1024  # bytes of zeros at the end of an archive


def tar_files(path: str) -> List[str]:
    """List the archives of a path.

    Args:
        path (str): An archive, or a folder of them.

    Returns:
        list[str]: Paths, sorted.

    Raises:
        FrameError: If there is none.
    """
    if os.path.isdir(path):
        files = sorted(str(file) for file in Path(path).glob('*.tar'))
    else:
        files = [path] if os.path.isfile(path) else []
    if not files:
        raise FrameError(
            'no tar archive here',
            file=path,
            fix='name a .tar file, or a folder with *.tar shards',
        )
    return files


def read_tar_index(path: str) -> TarIndex:
    """Find the members of an archive or of a folder of shards.

    Args:
        path (str): An archive, or a folder of them.

    Returns:
        dict: Archive, first byte and number of bytes, by name.

    Raises:
        FrameError: If there is no archive, or one is no tar file, truncated,
            compressed, not the one of its index, or names a frame twice.
    """
    index: TarIndex = {}
    for archive in tar_files(path):
        for name, place in _members(archive).items():
            if name in index:
                raise FrameError(
                    f'frame {name!r} is in two archives',
                    file=archive,
                    fix=f'remove this one or {index[name][0]}',
                )
            index[name] = (archive, *place)
    return index


def _members(archive: str) -> _Members:
    beside = archive + INDEX_SUFFIX
    if not os.path.exists(beside):
        return scan_tar(archive)
    data = load_json(beside, FrameError)
    try:
        size = data['bytes']
        members = {
            str(name): (int(place[0]), int(place[1]))
            for name, place in data['members'].items()
        }
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise FrameError(
            'not an index of a tar archive',
            file=beside,
            fix='delete it; the archive is then walked over',
        ) from None
    found = os.path.getsize(archive)
    if size != found:
        raise FrameError(
            f'the archive has {found} bytes but its index was written for '
            f'{size}',
            file=archive,
            fix=f'copy it again, or delete {beside} if it was packed anew',
        )
    return members


def scan_tar(archive: str, whole: bool = True) -> _Members:
    """Walk over the headers of an archive.

    Args:
        archive (str): Uncompressed tar file.
        whole (bool): Whether it has to be complete; if not, the last member
            may reach beyond its end. Defaults to True.

    Returns:
        dict: First byte and number of bytes of regular files, by name; of
        two with one name the later one, as ``tar -x`` does.

    Raises:
        FrameError: If it is no tar file, truncated or compressed.
    """
    members: _Members = {}
    end = 0
    try:
        with tarfile.open(archive, 'r:') as tar:
            for member in tar:
                if not member.isfile():
                    continue
                end = member.offset_data + member.size
                members[_name(member.name)] = (member.offset_data, member.size)
                tar.members = []  # type: ignore # or it keeps all of them
    except (tarfile.TarError, OSError) as reason:
        if not whole:
            return members
        raise FrameError(
            f'not a whole, uncompressed tar archive ({reason})',
            file=archive,
            fix='copy it again; unpack .gz with gunzip',
        ) from None
    # tarfile takes an archive that is cut off between members for whole.
    if whole and os.path.getsize(archive) < end + _END:
        raise FrameError(
            'the tar archive is truncated', file=archive, fix='copy it again'
        )
    return members


def _name(name: str) -> str:
    return os.path.normpath(name).replace(os.sep, '/')


def write_tar_index(archive: str, members: _Members) -> None:
    """Write the index beside an archive.

    Args:
        archive (str): Complete.
        members (dict): First byte and number of bytes by name.
    """
    dump_json(
        dict(
            format='pmvis_mm_tar_index',
            bytes=os.path.getsize(archive),
            members={name: list(place) for name, place in members.items()},
        ),
        archive + INDEX_SUFFIX,
    )
