"""A dataset small enough to write in every test."""

from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

import numpy as np
from PIL import Image

from ..structures import rle
from ..utils.fileio import dump_json

CATEGORIES = (dict(id=3, name='square'), dict(id=0, name='bar'))


def write_tiny_vis(
    root: Union[str, Path],
    num_videos: int = 2,
    num_frames: int = 3,
    size: Tuple[int, int] = (32, 48),
    with_masks: bool = True,
) -> Dict[str, Any]:
    """Write videos of two moving rectangles.

    Ids of videos and annotations start at 0. Instance 0 of a video is an
    8 x 8 'square' (category id 3) whose left upper corner in frame t is at
    (4 + 2 t, 6). Instance 1 is a 4 wide and 16 high 'bar' (category id 0) at
    (30, 10), absent in the last frame. Masks fill the boxes.

    Args:
        root (str | Path): Gets ``JPEGImages/<video>/<frame>.png`` and
            ``instances.json``.
        num_videos (int): Number of videos. Defaults to 2.
        num_frames (int): Frames per video. Defaults to 3.
        size (tuple[int]): (height, width), pixels. Defaults to (32, 48).
        with_masks (bool): Whether the json has ``segmentations``. Defaults
            to True.

    Returns:
        dict: The content of the json, to be changed and written again.
    """
    root = Path(root)
    data: Dict[str, Any] = dict(
        videos=[],
        categories=[dict(category) for category in CATEGORIES],
        annotations=[],
    )
    for video in range(num_videos):
        names = []
        for t in range(num_frames):
            name = f'v{video}/{t:05d}.png'
            path = root / 'JPEGImages' / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(_paint(size, t, video)).save(path)
            names.append(name)
        data['videos'].append(
            dict(
                id=video,
                width=size[1],
                height=size[0],
                length=num_frames,
                file_names=names,
            )
        )
        for number, category in enumerate(CATEGORIES):
            boxes = _boxes(number, num_frames)
            entry = dict(
                id=2 * video + number,
                video_id=video,
                category_id=category['id'],
                bboxes=boxes,
            )
            if with_masks:
                entry['segmentations'] = [_mask(b, size) for b in boxes]
            data['annotations'].append(entry)
    dump_json(data, root / 'instances.json')
    return data


def _boxes(number: int, num_frames: int) -> List[Optional[List[int]]]:
    """Boxes (x, y, width, height) of instance 0 or 1, per frame."""
    if number == 0:
        return [[4 + 2 * t, 6, 8, 8] for t in range(num_frames)]
    last = num_frames - 1
    return [[30, 10, 4, 16] if t < last else None for t in range(num_frames)]


def _mask(
    box: Optional[List[int]], size: Tuple[int, int]
) -> Optional[rle.RLE]:
    if box is None:
        return None
    x, y, width, height = box
    return rle.box_rle((x, y, x + width, y + height), *size)


def _paint(size: Tuple[int, int], t: int, video: int) -> np.ndarray:
    """Paint a frame, RGB; the background tells video and frame apart."""
    image = np.full((*size, 3), (60 + 20 * video, 80, 100 + t), np.uint8)
    image[6:14, 4 + 2 * t : 12 + 2 * t] = (220, 40, 40)
    image[10:26, 30:34] = (40, 220, 40)
    return image
