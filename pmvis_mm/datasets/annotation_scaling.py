"""Scaling annotation files along with their frames."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from PIL import Image

from ..structures import rle
from ..utils.errors import AnnotationError
from .transforms.resizing import resize_pixels

_Size = Tuple[int, int]


def scale_annotations(
    data: Dict[str, Any], sizes: Dict[int, Tuple[int, int]]
) -> Dict[str, Any]:
    """Scale boxes, masks, areas and sizes to frames of other size.

    Args:
        data (dict): YouTube-VIS style json, checked; left unchanged.
        sizes (dict[int, tuple[int]]): New height and width of the videos
            that change, pixels, by id.

    Returns:
        dict: A copy. Masks are sampled at pixel centres, as
        ``ResizeVISFrame`` does; one that loses its last pixel becomes null.

    Raises:
        AnnotationError: If a mask is malformed.
    """
    old: Dict[int, _Size] = {}
    videos = []
    for video in data['videos']:
        if video['id'] in sizes:
            old[video['id']] = (video['height'], video['width'])
            height, width = sizes[video['id']]
            video = dict(video, height=height, width=width)
        videos.append(video)
    annotations = [
        _scale_track(entry, old[entry['video_id']], sizes[entry['video_id']])
        if entry['video_id'] in sizes
        else entry
        for entry in data.get('annotations') or ()
    ]
    return dict(data, videos=videos, annotations=annotations)


def _scale_track(
    entry: Dict[str, Any], old: _Size, new: _Size
) -> Dict[str, Any]:
    factors = (new[1] / old[1], new[0] / old[0])
    scaled = dict(entry)
    for key in ('bboxes', 'annotated_bboxes'):
        if entry.get(key) is not None:
            scaled[key] = _scale_boxes(entry[key], factors)
    for key, value in (('height', new[0]), ('width', new[1])):
        if key in entry:
            scaled[key] = value
    masks = entry.get('segmentations')
    if masks is not None:
        masks = [
            _scale_mask(mask, old, new, entry, t)
            for t, mask in enumerate(masks)
        ]
        scaled['segmentations'] = masks
    areas = entry.get('areas')
    if areas is not None:
        scaled['areas'] = [
            _scale_area(area, mask, factors)
            for area, mask in zip(areas, masks or [None] * len(areas))
        ]
    return scaled


def _scale_boxes(
    boxes: Sequence[Any], factors: Tuple[float, float]
) -> List[Optional[List[float]]]:
    return [
        [side * factors[i % 2] for i, side in enumerate(box)] if box else None
        for box in boxes
    ]


def _scale_area(
    area: Any, mask: Optional[rle.RLE], factors: Tuple[float, float]
) -> Any:
    if mask is not None:
        return rle.area(mask)
    return None if area is None else area * factors[0] * factors[1]


def _scale_mask(
    mask: Any, old: _Size, new: _Size, entry: Dict[str, Any], t: int
) -> Optional[rle.RLE]:
    try:
        canonical = rle.from_any(mask, *old)
    except (ValueError, TypeError) as reason:
        raise AnnotationError(
            f'bad segmentation: {reason}',
            video=entry['video_id'],
            frame=t,
            instance=entry['id'],
            fix='export the masks again at the size of the frames',
        ) from None
    if canonical is None:
        return None
    dense = rle.decode(canonical).astype(np.uint8)
    small = rle.encode(resize_pixels(dense, new, Image.Resampling.NEAREST))
    return small if rle.area(small) else None
