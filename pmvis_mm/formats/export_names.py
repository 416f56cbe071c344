"""Names of videos, and of the files that are written for them."""

import hashlib
import re
from pathlib import PurePosixPath
from typing import Callable, List, Sequence, Set

from ..structures import VideoInfo
from ..structures.frame_path import split_frame_path

# Where datasets keep the images inside the folder of a video.
_INNER = ('img1', 'images', 'img', 'JPEGImages')

_MAX_BYTES = 180  # of 255; suffixes and hidden names come on top
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
_DEVICES = re.compile(r'(con|prn|aux|nul|com\d|lpt\d)(\..*)?', re.IGNORECASE)


def video_name(video: VideoInfo) -> str:
    """Name a video as its frames are found on disk.

    Args:
        video (VideoInfo): The video.

    Returns:
        str: Folder of its frames without such parts as 'img1', or the path
        of the video file without its suffix; may contain '/'. The id if
        there is neither.
    """
    if split_frame_path(video.file_names[0]) is not None:
        return video.name.replace('\\', '/')
    folder = PurePosixPath(video.file_names[0].replace('\\', '/')).parent
    if folder.name in _INNER and folder.parent.name:
        folder = folder.parent
    return folder.as_posix() if folder.name else str(video.id)


def file_stems(names: Sequence[str]) -> List[str]:
    """Make names of files that any file system takes, all different.

    The last part of a name, if those are different; else all parts, joined
    by '_'. Other systems' separators and control characters become '_', and
    a name is cut, with a hash in place of the rest, if it is too long.
    Case does not tell names apart, as on many disks.

    Args:
        names (Sequence[str]): Of videos.

    Returns:
        list[str]: One for each.
    """
    parts = [
        [p for p in name.split('/') if p not in ('', '.')] for name in names
    ]
    stems = [_safe(p[-1] if p else '') for p in parts]
    if len({stem.lower() for stem in stems}) < len(stems):
        stems = [_safe('_'.join(p)) for p in parts]
    return make_unique(stems, lambda text: text.lower())


def make_unique(
    names: Sequence[str], key: Callable[[str], str] = lambda text: text
) -> List[str]:
    """Append numbers to names that were there before.

    Args:
        names (Sequence[str]): Any names.
        key (Callable): Names of equal keys are the same. Defaults to the
            name itself.

    Returns:
        list[str]: All different; names that are the only ones stay.
    """
    wanted = {key(name) for name in names}
    used: Set[str] = set()
    result = []
    for name in names:
        made, number = name, 1
        while key(made) in used or (number > 1 and key(made) in wanted):
            number += 1
            made = f'{name}_{number}'
        used.add(key(made))
        result.append(made)
    return result


def _safe(name: str) -> str:
    name = _UNSAFE.sub('_', name).rstrip('. ')
    if not name.strip('._'):
        name = 'video' + name.replace('.', '_')
    if name.startswith(('.', '-')) or _DEVICES.fullmatch(name):
        name = '_' + name  # hidden, an option, a device
    code = name.encode('utf-8', 'surrogatepass')
    if len(code) > _MAX_BYTES:
        tail = hashlib.sha256(code).hexdigest()[:8]
        cut = code[: _MAX_BYTES - 9].decode('utf-8', 'ignore')
        name = f'{cut}_{tail}'
    return name
