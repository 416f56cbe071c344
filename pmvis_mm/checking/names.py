"""Names of the frames, without a look at the disk."""

import re
from collections import Counter
from pathlib import PurePosixPath, PureWindowsPath
from typing import Dict, List, Optional, Tuple

from ..structures.frame_path import split_frame_path
from ..structures.frame_sources import natural_key
from .content import CheckedVideo, Content, listed
from .findings import Findings

_LAST_NUMBER = re.compile(r'(\d+)\D*$')


def check_names(content: Content, found: Findings) -> None:
    """Check the names of all frames, and that videos share none.

    Args:
        content (Content): The usable part of a file.
        found (Findings): Gets what is wrong.
    """
    owners: Dict[str, int] = {}
    whole: Dict[Tuple[str, ...], int] = {}
    for video in content.videos:
        names = [name for name in video.names if name.strip()]
        if not names:
            continue
        _check_within(video, names, found)
        _check_paths(video, found)
        _check_between(video, names, owners, whole, found)
    _check_sizes(content, found)


def _check_within(
    video: CheckedVideo, names: List[str], found: Findings
) -> None:
    """Check order and repetition inside a video."""
    if len(set(names)) < len(names):
        twice = [name for name, n in Counter(names).items() if n > 1]
        found.add(
            'frame-duplicate',
            f'{listed(twice)} listed more than once',
            video=video.id,
            frame=video.names.index(twice[0]),
        )
        return
    numbers = _numbers(names)
    if numbers is None:
        keys = [natural_key(name) for name in names]
        falls = [t for t in range(1, len(keys)) if keys[t] < keys[t - 1]]
        steps = set()
    else:
        gaps = [b - a for a, b in zip(numbers, numbers[1:])]
        falls = [t for t, gap in enumerate(gaps, 1) if gap < 0]
        steps = set(gaps)
    if falls:
        t = falls[0]
        found.add(
            'frame-order',
            f'{names[t]!r} comes after {names[t - 1]!r}',
            video=video.id,
            frame=video.names.index(names[t]),
        )
    elif len(steps) > 1:
        found.add(
            'frame-gap',
            f'numbers of frames go up by {min(steps)} to {max(steps)}',
            video=video.id,
        )


def _numbers(names: List[str]) -> Optional[List[int]]:
    """Numbers of frames, if names differ in the last number only."""
    stem: Optional[Tuple[str, str]] = None
    numbers = []
    for name in names:
        match = _LAST_NUMBER.search(name)
        if match is None:
            return None
        rest = name[: match.start(1)], name[match.end(1) :]
        if stem is not None and rest != stem:
            return None
        stem = rest
        numbers.append(int(match[1]))
    return numbers


# -------------------------------------------------------------------- paths
def _check_paths(video: CheckedVideo, found: Findings) -> None:
    """Name the first frame of each kind of bad path."""
    said: Dict[str, int] = {}
    for frame, name in enumerate(video.names):
        for code in path_codes(name):
            said.setdefault(code, frame)
    for code, frame in said.items():
        text = {
            'frame-backslash': 'has backslashes',
            'frame-absolute-path': 'is an absolute path',
            'frame-parent-path': "has '..' in it",
        }[code]
        found.add(
            code,
            f'file name {video.names[frame]!r} {text}',
            video=video.id,
            frame=frame,
        )


def path_codes(name: str) -> List[str]:
    """Tell what is wrong with the path of a frame.

    Args:
        name (str): As in the file.

    Returns:
        list[str]: Codes.
    """
    codes = []
    slashed = name
    if '\\' in name:
        codes.append('frame-backslash')
        slashed = name.replace('\\', '/')
    if slashed.startswith('/') or (
        ':' in slashed[:3] and PureWindowsPath(slashed).is_absolute()
    ):
        codes.append('frame-absolute-path')
    if '..' in slashed and '..' in PurePosixPath(slashed).parts:
        codes.append('frame-parent-path')
    return codes


# ------------------------------------------------------------------- videos
def _check_between(
    video: CheckedVideo,
    names: List[str],
    owners: Dict[str, int],
    whole: Dict[Tuple[str, ...], int],
    found: Findings,
) -> None:
    """Compare with the videos before."""
    key = tuple(names)
    if key in whole:
        found.add(
            'video-duplicate',
            f'has the frames of video {whole[key]}',
            video=video.id,
        )
        return
    whole[key] = video.id
    shared = [name for name in names if name in owners]
    if shared:
        found.add(
            'frame-shared',
            f'{len(shared)} frames are also in video {owners[shared[0]]}, '
            f'such as {shared[0]!r}',
            video=video.id,
            frame=video.names.index(shared[0]),
        )
    owners.update(dict.fromkeys(names, video.id))


def _check_sizes(content: Content, found: Findings) -> None:
    sizes: Dict[Tuple[int, int], int] = {}
    for video in content.videos:
        if video.size is not None:
            sizes[video.size] = sizes.get(video.size, 0) + 1
    if len(sizes) > 1:
        common = sorted(sizes, key=lambda size: -sizes[size])
        text = ', '.join(f'{w}x{h} ({sizes[h, w]})' for h, w in common[:5])
        found.add(
            'sizes-mixed',
            f'videos of {len(sizes)} sizes: {text}'
            + (', ...' if len(sizes) > 5 else ''),
        )


def video_file(name: str) -> Optional[Tuple[str, int]]:
    """Tell video file and frame of a name such as 'clip.mp4#17'."""
    return split_frame_path(name.replace('\\', '/'))
