"""Overlap between files: a video must be in one split only."""

import hashlib
import os
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from .content import CheckedVideo, Content, listed
from .findings import Findings
from .names import video_file

_HEAD = 1 << 20  # bytes that tell files apart, with their size


@dataclass
class SplitVideo:
    """What is kept of a video for the comparison.

    Attributes:
        id (int): Its id.
        name (str): Folder of its frames.
        frames (list[str]): Paths of its frames.
        content (str, optional): Hash of its first frame.
    """

    id: int
    name: str
    frames: List[str]
    content: Optional[str] = None


@dataclass
class Split:
    """What is kept of a file for the comparison.

    Attributes:
        file (str): The file.
        videos (list[SplitVideo]): Its videos.
        categories (dict): Name by id.
    """

    file: str
    videos: List[SplitVideo]
    categories: Dict[int, Any]


def describe_split(
    content: Content,
    file: str,
    img_prefix: Optional[str] = None,
    hash_frames: bool = False,
) -> Split:
    """Keep what :func:`compare_splits` needs.

    Args:
        content (Content): The usable part of a file.
        file (str): Its name.
        img_prefix (str, optional): Folder that its frames are relative to.
        hash_frames (bool): Read the first frame of every video, to find
            copies under other names. Defaults to False.

    Returns:
        Split: To be compared.
    """
    root = '' if img_prefix is None else os.path.abspath(img_prefix)
    videos = []
    for video in content.videos:
        names = [name.replace('\\', '/') for name in video.names if name]
        frames = [os.path.normpath(os.path.join(root, n)) for n in names]
        digest = None
        if hash_frames and img_prefix is not None:
            digest = _hash_first(video, img_prefix)
        videos.append(SplitVideo(video.id, video.name, frames, digest))
    categories = {c['id']: c.get('name') for c in content.categories}
    return Split(file, videos, categories)


def _hash_first(video: CheckedVideo, img_prefix: str) -> Optional[str]:
    if not video.names:
        return None
    name = video.names[0].replace('\\', '/')
    inside = video_file(name)
    path = os.path.join(img_prefix, name if inside is None else inside[0])
    try:
        with open(path, 'rb') as file:
            digest = hashlib.sha256(file.read(_HEAD))
        digest.update(str(os.path.getsize(path)).encode())
    except OSError:
        return None
    if inside is not None:
        digest.update(str(inside[1]).encode())
    return digest.hexdigest()


def compare_splits(splits: Sequence[Split], found: Findings) -> None:
    """Find videos that are in more than one file.

    Frames are the same if their paths are: name them with the folder of
    images of each file where several have names in common.

    Args:
        splits (Sequence[Split]): Of the files.
        found (Findings): Gets what is wrong, under the later file.
    """
    for first, second in combinations(splits, 2):
        _compare_categories(first, second, found)
        owners = {
            frame: video for video in first.videos for frame in video.frames
        }
        contents = {v.content: v for v in first.videos if v.content}
        names = {v.name: v for v in first.videos}
        for video in second.videos:
            shared = [frame for frame in video.frames if frame in owners]
            place: Dict[str, Any] = dict(video=video.id, file=second.file)
            if shared:
                found.add(
                    'split-shared-frames',
                    f'{len(shared)} of {len(video.frames)} frames are also '
                    f'in {first.file}, video {owners[shared[0]].id}',
                    **place,
                )
            elif video.content in contents:
                found.add(
                    'split-same-content',
                    'begins with the same image as video '
                    f'{contents[video.content].id} of {first.file}',
                    **place,
                )
            elif video.name in names and _same_folder(
                video, names[video.name]
            ):
                found.add(
                    'split-same-name',
                    f'other frames of {video.name!r} are in {first.file}, '
                    f'video {names[video.name].id}',
                    **place,
                )


def frame_keys(
    data_list: Sequence[Dict[str, Any]],
) -> Dict[int, np.ndarray]:
    """Keep what tells the frames of a loaded dataset from others.

    Args:
        data_list (Sequence[dict]): Videos with ``video_id`` and ``images``,
            each with its ``img_path``.

    Returns:
        dict[int, np.ndarray]: By video id the hashes of the paths of its
        frames, int64, (T,); to be compared within one process.
    """
    folders: Dict[str, str] = {}
    keys = {}
    for video in data_list:
        hashes = []
        for image in video['images']:
            folder, name = os.path.split(image['img_path'])
            if folder not in folders:
                folders[folder] = os.path.abspath(folder)
            hashes.append(hash((folders[folder], name)))
        keys[video['video_id']] = np.array(hashes, np.int64)
    return keys


def shared_videos(
    first: Dict[int, np.ndarray], second: Dict[int, np.ndarray]
) -> List[int]:
    """Find the videos that share a frame with another dataset.

    Args:
        first (dict): From :func:`frame_keys`.
        second (dict): Of the other dataset.

    Returns:
        list[int]: Ids of videos of the first.
    """
    if not first or not second:
        return []
    others = np.unique(np.concatenate(list(second.values())))
    return [
        video for video, keys in first.items() if np.isin(keys, others).any()
    ]


def _same_folder(first: SplitVideo, second: SplitVideo) -> bool:
    if not first.frames or not second.frames:
        return False
    return os.path.dirname(first.frames[0]) == os.path.dirname(
        second.frames[0]
    )


def _compare_categories(first: Split, second: Split, found: Findings) -> None:
    ids = {name: key for key, name in first.categories.items()}
    wrong = [
        (key, name)
        for key, name in second.categories.items()
        if first.categories.get(key, name) != name or ids.get(name, key) != key
    ]
    if wrong:
        texts = [f'{key}: {name}' for key, name in wrong]
        found.add(
            'split-categories',
            f'categories have other ids or names in {first.file}: '
            f'{listed(texts)}',
            file=second.file,
        )
