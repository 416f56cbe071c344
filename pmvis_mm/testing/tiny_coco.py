"""A set of images in COCO's layout, small enough to write in every test."""

from pathlib import Path
from typing import Any, Dict, List, Tuple, Union

import numpy as np
from PIL import Image

from ..utils.fileio import dump_json

CATEGORIES = (dict(id=7, name='triangle'), dict(id=2, name='square'))


def write_tiny_coco_clips(
    root: Union[str, Path],
    num_images: int = 2,
    size: Tuple[int, int] = (32, 48),
    with_masks: bool = True,
) -> Dict[str, Any]:
    """Write images of a square, a triangle and a crowd.

    Ids of images and annotations start at 0. Annotations of an image, in
    this order:

    - an 8 x 8 'square' (category id 2) with left upper corner (4, 6), its
      mask one polygon;
    - a 'triangle' (category id 7) with corners (20, 4), (20, 20), (36, 20),
      its mask one polygon;
    - a crowd of 'square' (2) at columns 40 to 43, rows 8 to 27, its mask an
      uncompressed RLE.

    The last image has no annotation.

    Args:
        root (str | Path): Gets ``images/<number>.png`` and
            ``instances.json``.
        num_images (int): Number of images that have annotations. Defaults
            to 2.
        size (tuple[int]): (height, width), pixels, at least (32, 48).
            Defaults to (32, 48).
        with_masks (bool): Whether the json has ``segmentation``. Defaults
            to True.

    Returns:
        dict: The content of the json, to be changed and written again.
    """
    root = Path(root)
    (root / 'images').mkdir(parents=True, exist_ok=True)
    data: Dict[str, Any] = dict(
        images=[],
        categories=[dict(category) for category in CATEGORIES],
        annotations=[],
    )
    for number in range(num_images + 1):
        name = f'{number:03d}.png'
        Image.fromarray(_paint(size, number)).save(root / 'images' / name)
        data['images'].append(
            dict(id=number, file_name=name, height=size[0], width=size[1])
        )
        if number == num_images:
            break
        for annotation in _annotations(size):
            if not with_masks:
                del annotation['segmentation']
            ids = dict(id=len(data['annotations']), image_id=number)
            data['annotations'].append(dict(ids, **annotation))
    dump_json(data, root / 'instances.json')
    return data


def _annotations(size: Tuple[int, int]) -> List[Dict[str, Any]]:
    height, width = size
    square = [4.0, 6.0, 12.0, 6.0, 12.0, 14.0, 4.0, 14.0]
    triangle = [20.0, 4.0, 20.0, 20.0, 36.0, 20.0]
    # Runs go down the columns.
    runs = [40 * height + 8, *[20, height - 20] * 3, 20]
    runs.append(height * width - sum(runs))
    crowd = dict(size=[height, width], counts=runs)
    entries = (
        (2, [4, 6, 8, 8], 0, [square]),
        (7, [20, 4, 16, 16], 0, [triangle]),
        (2, [40, 8, 4, 20], 1, crowd),
    )
    keys = ('category_id', 'bbox', 'iscrowd', 'segmentation')
    return [dict(zip(keys, entry)) for entry in entries]


def _paint(size: Tuple[int, int], number: int) -> np.ndarray:
    """Paint an image, RGB; no two columns and no two rows are alike."""
    rows, columns = np.indices(size)
    image = np.stack(
        [rows * 255 // size[0], columns * 255 // size[1], rows * 0 + number],
        axis=-1,
    ).astype(np.uint8)
    image[6:14, 4:12, 2] = 220
    return image
