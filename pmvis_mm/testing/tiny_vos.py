"""Tiny folders of video object segmentation, to write in every test."""

from pathlib import Path
from typing import Any, Dict, List, Tuple, Union

import numpy as np
from PIL import Image

from ..utils.fileio import dump_json

_PALETTE = [0, 0, 0, 200, 0, 0, 0, 200, 0] + [128] * (253 * 3)


def tiny_labels(t: int, size: Tuple[int, int] = (24, 32)) -> np.ndarray:
    """Draw the label map of frame ``t`` of every tiny video.

    Object 1 is a 6 x 6 square whose left upper corner is at (2 + 2 t, 3);
    object 2 is a bar, 5 wide and 8 high, at (20, 12).

    Args:
        t (int): 0-based index of the frame.
        size (tuple[int]): (height, width), pixels. Defaults to (24, 32).

    Returns:
        np.ndarray: uint8, (H, W).
    """
    labels = np.zeros(size, np.uint8)
    labels[12:20, 20:25] = 2
    labels[3:9, 2 + 2 * t : 8 + 2 * t] = 1
    return labels


def tiny_frame(labels: np.ndarray, t: int) -> np.ndarray:
    """Paint a frame: grey level ``10 t`` with objects of plain colour.

    Args:
        labels (np.ndarray): uint8, (H, W), from :func:`tiny_labels`.
        t (int): 0-based index of the frame, below 26.

    Returns:
        np.ndarray: uint8, (H, W, 3), RGB.
    """
    frame = np.full((*labels.shape, 3), 10 * t, np.uint8)
    frame[labels == 1] = (250, 20, 20)
    frame[labels == 2] = (20, 250, 20)
    return frame


def write_labels(path: Path, labels: np.ndarray) -> None:
    """Write a PNG with a palette, as the public sets have them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels)
    image.putpalette(_PALETTE)
    image.save(path)


def write_tiny_youtube_vos(
    root: Union[str, Path], num_videos: int = 2, num_frames: int = 6
) -> Dict[str, Any]:
    """Write videos 'v0', 'v1', ... in the layout of YouTube-VOS.

    Frames are numbered in steps of five. Object 2 is said to be seen from
    the second frame on.

    Args:
        root (str | Path): Gets ``meta.json``, ``JPEGImages`` and
            ``Annotations``.
        num_videos (int): Number of videos. Defaults to 2.
        num_frames (int): Frames per video. Defaults to 6.

    Returns:
        dict: The content of ``meta.json``, to be changed and written again.
    """
    root = Path(root)
    names = [f'{5 * t:05d}' for t in range(num_frames)]
    videos = {}
    for number in range(num_videos):
        video = f'v{number}'
        _write_video(
            root / 'JPEGImages' / video, root / 'Annotations' / video, names
        )
        videos[video] = dict(
            objects={
                '1': dict(category='square', frames=names),
                '2': dict(category='bar', frames=names[1:]),
            }
        )
    meta = dict(videos=videos)
    dump_json(meta, root / 'meta.json')
    return meta


def write_tiny_davis(
    root: Union[str, Path], num_videos: int = 2, num_frames: int = 6
) -> List[str]:
    """Write videos 'd0', 'd1', ... in the layout of DAVIS 2017, 480p.

    Args:
        root (str | Path): Gets ``JPEGImages``, ``Annotations`` and
            ``ImageSets/2017/train.txt``.
        num_videos (int): Number of videos. Defaults to 2.
        num_frames (int): Frames per video. Defaults to 6.

    Returns:
        list[str]: The names of the videos.
    """
    root = Path(root)
    names = [f'd{number}' for number in range(num_videos)]
    for name in names:
        _write_video(
            root / 'JPEGImages/480p' / name,
            root / 'Annotations/480p' / name,
            [f'{t:05d}' for t in range(num_frames)],
        )
    split = root / 'ImageSets/2017/train.txt'
    split.parent.mkdir(parents=True, exist_ok=True)
    split.write_text('\n'.join(names) + '\n')
    return names


def _write_video(images: Path, masks: Path, names: List[str]) -> None:
    images.mkdir(parents=True, exist_ok=True)
    for t, name in enumerate(names):
        labels = tiny_labels(t)
        frame = Image.fromarray(tiny_frame(labels, t))
        # JPEG, at its best.
        frame.save(images / f'{name}.jpg', quality=100, subsampling=0)
        write_labels(masks / f'{name}.png', labels)
