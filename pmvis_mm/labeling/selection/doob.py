"""DOOB, deletion of overlap and out-of-boundary parts (PM-VIS, III-D3)."""

from typing import List, Optional, Sequence

import cv2
import numpy as np

from ...structures import RLE, Box
from ...structures.rle import (
    area,
    box_rle,
    decode,
    encode,
    intersect,
    mask_iou,
    subtract,
    tight_boxes,
)
from .scm import box_iou

OVERLAPS = ('whole', 'component')


def doob(
    masks: Sequence[Optional[RLE]],
    boxes: Sequence[Optional[Box]],
    crop_first: bool = False,
    margin: int = 0,
    overlap: str = 'whole',
) -> List[Optional[RLE]]:
    """Clean the masks of one frame with its boxes.

    1. Overlap: where two masks share pixels, the mask whose box fits the
       bounding rectangle of the overlap better (IoU) keeps them; at a tie
       the smaller box wins. If the rectangle lies in both boxes, that is
       the smaller box, too: right for an occluder in front, wrong for a
       small object behind.
    2. Out of boundary: pixels outside the own box are removed (rows
       ``int(y0) ... int(y1) - 1``, columns likewise).

    Args:
        masks (Sequence[RLE | None]): N masks of one frame.
        boxes (Sequence[Box | None]): N annotated boxes, half-open xyxy,
            pixels. A mask without a box is removed.
        crop_first (bool): Do step 2 before step 1; it removes false
            overlaps before their owner is decided. Defaults to False, as
            the paper tells it.
        margin (int): Pixels beyond the box that step 2 leaves. Defaults
            to 0.
        overlap (str): Decide on the 'whole' overlap of a pair at once or
            on each connected 'component' of it. Defaults to 'whole'.

    Returns:
        list[RLE | None]: Cleaned masks; None where nothing is left.

    Raises:
        ValueError: If ``overlap`` is unknown, or lengths differ.
    """
    if overlap not in OVERLAPS:
        raise ValueError(
            f'overlap should be one of {OVERLAPS}, got {overlap!r}'
        )
    if len(masks) != len(boxes):
        raise ValueError(f'{len(masks)} masks but {len(boxes)} boxes')
    result = [
        mask if box is not None else None for mask, box in zip(masks, boxes)
    ]
    if crop_first:
        result = _crop(result, boxes, margin)
    result = _resolve_overlaps(result, boxes, overlap)
    if not crop_first:
        result = _crop(result, boxes, margin)
    return result


def _crop(
    masks: Sequence[Optional[RLE]],
    boxes: Sequence[Optional[Box]],
    margin: int,
) -> List[Optional[RLE]]:
    result: List[Optional[RLE]] = []
    for mask, tight, box in zip(masks, tight_boxes(masks), boxes):
        if mask is None or box is None:
            result.append(None)
            continue
        x0, y0, x1, y1 = (int(v) for v in box)
        limit = (x0 - margin, y0 - margin, x1 + margin, y1 + margin)
        inside = (tight[:2] >= limit[:2]).all() and (
            tight[2:] <= limit[2:]
        ).all()
        if not inside:
            mask = intersect([mask, box_rle(limit, *mask['size'])])
        result.append(mask if area(mask) else None)
    return result


def _resolve_overlaps(
    masks: Sequence[Optional[RLE]],
    boxes: Sequence[Optional[Box]],
    overlap: str,
) -> List[Optional[RLE]]:
    result = list(masks)
    present = [(i, mask) for i, mask in enumerate(masks) if mask is not None]
    if len(present) < 2:
        return result
    found = [mask for _, mask in present]
    # Pairs that share no pixel now never will: masks only shrink.
    crossing = mask_iou(found, found) > 0
    for a, b in np.argwhere(np.triu(crossing, 1)):
        _resolve_pair(result, boxes, present[a][0], present[b][0], overlap)
    return [m if m is not None and area(m) else None for m in result]


def _resolve_pair(
    masks: List[Optional[RLE]],
    boxes: Sequence[Optional[Box]],
    i: int,
    j: int,
    overlap: str,
) -> None:
    first, second = masks[i], masks[j]
    assert first is not None and second is not None
    shared = intersect([first, second])
    if not area(shared):
        return
    parts = [shared] if overlap == 'whole' else _components(shared)
    for part in parts:
        rectangle = tight_boxes([part])[0]
        fit = box_iou(rectangle, np.asarray([boxes[i], boxes[j]]))
        if fit[0] == fit[1]:
            sizes = [_box_area(boxes[i]), _box_area(boxes[j])]
            loser = j if sizes[0] <= sizes[1] else i
        else:
            loser = j if fit[0] > fit[1] else i
        masks[loser] = subtract(masks[loser], part)  # type: ignore[arg-type]


def _box_area(box: Optional[Box]) -> float:
    assert box is not None  # masks without a box are gone by now
    return (box[2] - box[0]) * (box[3] - box[1])


def _components(mask: RLE) -> List[RLE]:
    number, labels = cv2.connectedComponents(
        decode(mask).astype(np.uint8), connectivity=8
    )
    return [encode(labels == k) for k in range(1, number)]
