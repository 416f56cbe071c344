"""A tiny dataset with everything that formats of masks stumble over."""

from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
from PIL import Image

from ..structures.rle import area, encode, tight_boxes

CATEGORIES = (
    dict(id=90, name='big dög', supercategory='animal'),
    dict(id=4, name='cat', supercategory='animal'),
    dict(id=2, name='nobody', supercategory='animal'),
)


def odd_dataset(overlaps: bool = True) -> Dict[str, Any]:
    """Make the content of a YouTube-VIS json.

    Three videos, one without tracks. Tracks have gaps, a hole, two pieces,
    a single pixel in the last corner, touch each other and all borders; ids
    are 0, small and beyond 32 bits; one is a crowd. Names have spaces and
    letters beyond ASCII, ids of videos and categories no order. Boxes of
    one track are wider than its masks, with fractions.

    Args:
        overlaps (bool): Whether masks overlap. Defaults to True.

    Returns:
        dict: ``videos``, ``categories``, ``annotations``.
    """
    videos = [
        _video(7, 40, 30, [f'ä clip/{t:05d}.jpg' for t in range(4)]),
        _video(3, 32, 24, [f'MOT-02/img1/{t:06d}.jpg' for t in range(1, 6)]),
        _video(12, 16, 20, [f'empty one/{t}.jpg' for t in range(2)]),
    ]
    blob = np.zeros((30, 40), bool)
    blob[4:20, 5:21] = True
    blob[8:12, 9:13] = False  # a hole
    pieces = blob.copy()
    pieces[25:29, 30:38] = True
    touching = np.zeros((30, 40), bool)
    touching[4:20, 21:30] = True
    over = touching | blob if overlaps else touching
    right = np.zeros((30, 40), bool)
    right[:, 38:] = True
    pixel = np.zeros((30, 40), bool)
    pixel[29, 39] = True
    rows = np.zeros((24, 32), bool)
    rows[:3] = True
    low = np.zeros((24, 32), bool)
    low[20:, 3:30] = True
    small = np.zeros((24, 32), bool)
    small[10:12, 10:13] = True
    annotations = [
        _track(2**40, videos[0], 90, [None, None, right, pixel]),
        _track(0, videos[0], 4, [blob, None, pieces, blob], margin=1.25),
        _track(5, videos[0], 90, [touching, touching, None, over]),
        _track(12, videos[1], 4, [None, small, None, None, small]),
        _track(11, videos[1], 4, [rows, rows, None, rows, low]),
        _track(300, videos[1], 4, [low, None, low, low, None], iscrowd=1),
    ]
    return dict(
        videos=videos,
        categories=[dict(category) for category in CATEGORIES],
        annotations=annotations,
    )


def write_odd_frames(root: Path, content: Dict[str, Any]) -> Path:
    """Write a black frame under each name of a dataset.

    Args:
        root (Path): Folder of all frames.
        content (dict): Of a YouTube-VIS json.

    Returns:
        Path: The folder.
    """
    for video in content['videos']:
        image = Image.new('RGB', (video['width'], video['height']))
        for name in video['file_names']:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
    return root


def _video(
    key: int, width: int, height: int, names: List[str]
) -> Dict[str, Any]:
    return dict(
        id=key,
        width=width,
        height=height,
        length=len(names),
        file_names=names,
    )


def _track(
    key: int,
    video: Dict[str, Any],
    category: int,
    masks: List[Optional[np.ndarray]],
    margin: float = 0.0,
    iscrowd: int = 0,
) -> Dict[str, Any]:
    rles = [None if mask is None else encode(mask) for mask in masks]
    size = [video['width'], video['height']]
    boxes: List[Optional[List[float]]] = []
    for rle, box in zip(rles, tight_boxes(rles)):
        first = np.maximum(box[:2] - margin, 0)
        last = np.minimum(box[2:] + margin, size)
        sides = [*first.tolist(), *(last - first).tolist()]
        boxes.append(None if rle is None else sides)
    return dict(
        id=key,
        video_id=video['id'],
        category_id=category,
        iscrowd=iscrowd,
        width=video['width'],
        height=video['height'],
        length=video['length'],
        bboxes=boxes,
        segmentations=rles,
        areas=[None if rle is None else area(rle) for rle in rles],
    )
