"""Videos that several datasets have in common."""

import hashlib
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Set, Tuple, Union

from ..structures.frame_sources import IMAGE_SUFFIXES, natural_key
from ..utils.errors import ConfigError, FrameError
from ..utils.fileio import atomic_write
from .vos_folders import read_names

PathLike = Union[str, Path]

# Frames at the beginning of a video that are compared. The annotated frames
# of two sets need not begin with the same one.
_NUM_FRAMES = 3


@dataclass(frozen=True)
class Overlap:
    """What a set shares with another one.

    Attributes:
        file (str): List of the other set.
        num_videos (int): Of the other set.
        shared (tuple[str]): Names, in the first set, of the videos that
            both have; sorted.
    """

    file: str
    num_videos: int
    shared: Tuple[str, ...]


def find_overlap(
    first: PathLike,
    others: Sequence[PathLike],
    frames: Optional[Sequence[PathLike]] = None,
) -> List[Overlap]:
    """Find the videos of one set that other sets have, too.

    To train a mask propagator without videos that it will label: PM-VIS
    (https://arxiv.org/abs/2404.13863, Table II) leaves the 2,238 videos of
    YouTube-VIS 2019 out of the 3,471 of YouTube-VOS.

    Args:
        first (str | Path): The set to leave videos out of: ``meta.json`` of
            YouTube-VOS, a json of YouTube-VIS, or any other list that
            :func:`read_names` reads.
        others (Sequence[str | Path]): Such lists of the other sets.
        frames (Sequence[str | Path], optional): Folders with the frames of
            the first and of each other set, ``<folder>/<video>/<image>``.
            If given, videos are the same that share one of their first
            three images, byte by byte, whatever they are called. Defaults
            to None: videos of the same name are the same.

    Returns:
        list[Overlap]: One for each other set.

    Raises:
        AnnotationError: If a list is missing or malformed.
        ConfigError: If there are not as many folders as sets.
        FrameError: If a video has no folder or no image.
    """
    lists = [str(path) for path in (first, *others)]
    names = [tuple(dict.fromkeys(read_names(path))) for path in lists]
    if frames is None:
        keys = [{name: {name} for name in videos} for videos in names]
    else:
        if len(frames) != len(lists):
            raise ConfigError(
                f'{len(frames)} folders of frames for {len(lists)} lists',
                fix='name a folder for each list, in their order',
            )
        keys = [
            _content_keys(videos, Path(folder), file)
            for videos, folder, file in zip(names, frames, lists)
        ]
    result = []
    for file, videos in zip(lists[1:], keys[1:]):
        known: Set[str] = set().union(*videos.values())
        shared = sorted(v for v, own in keys[0].items() if own & known)
        result.append(Overlap(file, len(videos), tuple(shared)))
    return result


def _content_keys(
    videos: Sequence[str], folder: Path, file: str
) -> Dict[str, Set[str]]:
    """Hash the first images of every video.

    Images that several videos of a set have in common, such as black ones,
    tell nothing and are left out.
    """
    hashes = {name: _hash_images(folder, name, file) for name in videos}
    counts = Counter(key for keys in hashes.values() for key in keys)
    return {
        name: {key for key in keys if counts[key] == 1}
        for name, keys in hashes.items()
    }


def _hash_images(folder: Path, name: str, file: str) -> Set[str]:
    try:
        entries = os.listdir(folder / name)
    except OSError:
        entries = []
    images = sorted(
        (e for e in entries if Path(e).suffix.lower() in IMAGE_SUFFIXES),
        key=natural_key,
    )
    if not images:
        raise FrameError(
            f'no image of this video of {file}',
            file=folder / name,
            video=name,
            fix='name the folder that holds one folder of images for each '
            'video of this list',
        )
    return {
        hashlib.sha256((folder / name / image).read_bytes()).hexdigest()
        for image in images[:_NUM_FRAMES]
    }


def write_names(
    overlaps: Sequence[Overlap], first: PathLike, out: PathLike
) -> Tuple[str, ...]:
    """Write the shared videos as ``VOSClipDataset(exclude=...)`` reads them.

    Args:
        overlaps (Sequence[Overlap]): From :func:`find_overlap`.
        first (str | Path): List of the first set, for the heading.
        out (str | Path): Text file, one name a line.

    Returns:
        tuple[str]: The names.

    Raises:
        ConfigError: If no video is shared.
        OutputError: If the file cannot be written.
    """
    names = tuple(sorted({name for o in overlaps for name in o.shared}))
    if not names:
        raise ConfigError(
            'no video is shared: nothing to leave out',
            fix='train without exclude; if videos were renamed, compare '
            'their frames (--by-content)',
        )
    with atomic_write(out) as file:
        file.write(f'# {len(names)} videos of {first} that are also in\n')
        for overlap in overlaps:
            file.write(f'# {overlap.file}: {len(overlap.shared)}\n')
        file.writelines(f'{name}\n' for name in names)
    return names
