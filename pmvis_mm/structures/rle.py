"""Run-length encoded masks.

A mask is a dict ``{'size': [height, width], 'counts': str}`` in COCO's
compressed run-length encoding, column-major. All geometry is half-open: a
box ``(x0, y0, x1, y1)`` covers columns ``x0 ... x1 - 1``. Everything works on
the runs; nothing here decodes a mask unless it says so.
"""

import math
import re
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
from pycocotools import mask as coco_mask

RLE = Dict[str, Any]

# Five bits per character; a sixth one says that the integer goes on.
_COMPRESSED = re.compile('(?:[P-o]{0,6}[0-O])+')
_LONGEST = 2**32  # more than pycocotools holds


def _to_str(rle: RLE) -> RLE:
    counts = rle['counts']
    if isinstance(counts, bytes):
        counts = counts.decode('ascii')
    height, width = rle['size']
    return dict(size=[int(height), int(width)], counts=counts)


def encode(mask: np.ndarray) -> RLE:
    """Encode a dense mask.

    Args:
        mask (np.ndarray): bool or integer, (H, W), non-zero is foreground.

    Returns:
        RLE: Counts are ``str``, ready for json.
    """
    dense = np.asfortranarray(mask != 0).view(np.uint8)
    return _to_str(coco_mask.encode(dense))


def decode(rle: RLE) -> np.ndarray:
    """Decode to a dense mask.

    Returns:
        np.ndarray: bool, (H, W).
    """
    return coco_mask.decode(rle).view(bool)


def from_any(segmentation: Any, height: int, width: int) -> Optional[RLE]:
    """Convert any segmentation found in COCO or YouTube-VIS files.

    Args:
        segmentation: Compressed RLE, uncompressed RLE (counts are a list),
            a list of polygons (flat x, y lists), or None.
        height (int): Height of the frame, pixels.
        width (int): Width of the frame, pixels.

    Returns:
        RLE, optional: Canonical compressed RLE; None for None, an empty
        list or a mask without a pixel.

    Raises:
        ValueError: If it is none of these forms or has another size.
    """
    if segmentation is None or (
        isinstance(segmentation, list) and not segmentation
    ):
        return None
    if isinstance(segmentation, list):
        rle = _from_polygons(segmentation, height, width)
    elif isinstance(segmentation, dict) and 'counts' in segmentation:
        rle = _from_counts(segmentation, height, width)
    else:
        raise ValueError(f'not a segmentation: {type(segmentation).__name__}')
    return rle if area(rle) else None


def _from_polygons(polygons: list, height: int, width: int) -> RLE:
    for polygon in polygons:
        if not isinstance(polygon, (list, tuple)):
            raise ValueError('a segmentation list should hold polygons')
        if len(polygon) < 6 or len(polygon) % 2:
            raise ValueError(
                'a polygon needs an even number of at least 6 coordinates, '
                f'got {len(polygon)}'
            )
        if not all(
            isinstance(v, int) or (isinstance(v, float) and math.isfinite(v))
            for v in polygon
        ):
            raise ValueError('a polygon has a coordinate that is no number')
        # pycocotools walks along the edges in 32-bit integers: far corners
        # crash the interpreter, or take all memory.
        if any(abs(v) > 10 * max(height, width) + 1000 for v in polygon):
            raise ValueError(
                f'a polygon has a corner far outside the {width}x{height} '
                'frame'
            )
    if height * width >= _LONGEST:
        raise ValueError(f'a {width}x{height} frame is too large for masks')
    return union(coco_mask.frPyObjects(polygons, height, width))


def checked_runs(rle: dict, height: int, width: int) -> np.ndarray:
    """Read the lengths of all runs of a mask that nobody has checked.

    Args:
        rle (dict): Compressed or uncompressed.
        height (int): Height of the frame, pixels.
        width (int): Width of the frame, pixels.

    Returns:
        np.ndarray: int64, (N,), background first; runs may be 0.

    Raises:
        ValueError: If it is malformed or has another size.
    """
    if list(rle.get('size', ())) != [height, width]:
        raise ValueError(
            f'mask size {rle.get("size")} differs from the frame size '
            f'{[height, width]} (height, width)'
        )
    counts = _read_counts(rle['counts'])
    if (counts < 0).any():
        raise ValueError('counts hold a negative run')
    if counts.sum() != height * width:
        raise ValueError(
            f'counts add up to {counts.sum()}, not to the '
            f'{height * width} pixels of the frame'
        )
    return counts


def _from_counts(rle: dict, height: int, width: int) -> RLE:
    # pycocotools trusts counts: wrong ones crash the interpreter.
    counts = checked_runs(rle, height, width)
    if isinstance(rle['counts'], (str, bytes)) and counts[1:].all():
        return union([rle, rle])  # one way to write every integer
    # Foreign encoders may write runs of length zero, which would spoil tight
    # boxes and stop merges early.
    plain = dict(size=[height, width], counts=_drop_empty_runs(counts))
    return _to_str(coco_mask.frPyObjects(plain, height, width))


def _drop_empty_runs(counts: np.ndarray) -> List[int]:
    """Join the neighbours of runs of length zero, but for the first one."""
    ends = np.cumsum(counts)
    value = np.arange(len(counts)) % 2
    real = np.flatnonzero(counts)
    last = np.append(np.diff(value[real]) != 0, True)
    runs = np.diff(ends[real][last], prepend=0).tolist()
    return [0, *runs] if value[real[0]] else runs


def _read_counts(counts: Union[str, bytes, List[int]]) -> np.ndarray:
    """Read the lengths of all runs, int64."""
    if isinstance(counts, list):
        if not all(type(v) is int for v in counts):
            raise ValueError('counts hold something that is no integer')
        # Sums of runs beyond this would wrap around.
        if any(abs(v) > _LONGEST for v in counts):
            raise ValueError('counts hold a run longer than any frame')
        return np.array(counts, np.int64)
    if isinstance(counts, bytes):
        counts = counts.decode('ascii', 'replace')
    if not isinstance(counts, str) or not _COMPRESSED.fullmatch(counts):
        raise ValueError('counts are neither a list nor a COCO string')
    groups = np.frombuffer(counts.encode(), np.uint8).astype(np.int64) - 48
    values, _ = written_integers(groups)
    # From the fourth on, counts are differences from the last but one.
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def written_integers(groups: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Join groups of five bits to the integers that COCO writes.

    Args:
        groups (np.ndarray): int64, (C,), characters less 48, in [0, 63];
            the last one ends an integer.

    Returns:
        tuple: The integers, int64, (N,), and where each begins. From the
        fourth of a mask on they are differences from the last but one.
    """
    last = np.flatnonzero(groups < 32)  # of each integer
    first = np.concatenate([[0], last[:-1] + 1])
    place = 5 * (np.arange(len(groups)) - np.repeat(first, last - first + 1))
    values = np.add.reduceat((groups & 31) << place, first)
    # The last group carries the sign.
    values -= ((groups[last] & 16) << 1) << place[last]
    return values, first


def run_lengths(rles: Sequence[RLE]) -> Tuple[np.ndarray, np.ndarray]:
    """Read the lengths of the runs of several masks of ours at once.

    Args:
        rles (Sequence[RLE]): M masks, compressed; not checked.

    Returns:
        tuple: The lengths, int64, (N,), pixels, mask after mask, background
        first, column-major; and the number of runs of each mask, int64,
        (M,).
    """
    texts = [rle['counts'] for rle in rles]
    groups = np.frombuffer(''.join(texts).encode(), np.uint8)
    if not len(groups):
        return np.zeros(0, np.int64), np.zeros(len(texts), np.int64)
    values, places = written_integers(groups.astype(np.int64) - 48)
    ends = np.cumsum([len(text) for text in texts])
    stops = np.searchsorted(places, ends)
    numbers = np.diff(stops, prepend=0)
    index = np.arange(len(values)) - np.repeat(stops - numbers, numbers)
    # From the fourth on, counts are differences from the last but one.
    for chosen in (index % 2 == 1, (index % 2 == 0) & (index > 0)):
        values[chosen] = _sum_up_each(values[chosen], index[chosen])
    return values, numbers


def _sum_up_each(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Cumulate, starting anew wherever the index does not grow."""
    totals = np.cumsum(values)
    starts = np.flatnonzero(np.diff(index, prepend=index[:1] + 1) <= 0)
    before = totals[starts] - values[starts]
    numbers = np.diff(np.append(starts, len(values)))
    return totals - np.repeat(before, numbers)


def area(rle: RLE) -> int:
    """Count the foreground pixels."""
    return int(coco_mask.area(rle))


def areas(rles: Sequence[RLE]) -> np.ndarray:
    """Count the foreground pixels of several masks.

    Returns:
        np.ndarray: int64, (N,).
    """
    sizes = np.zeros(len(rles), np.int64)
    # pycocotools 2.0.11 takes no more than 255 at once with numpy 2.
    for start in range(0, len(rles), 255):
        part = list(rles[start : start + 255])
        sizes[start : start + 255] = coco_mask.area(part)
    return sizes


def tight_boxes(rles: Sequence[Optional[RLE]]) -> np.ndarray:
    """Compute the boxes that just hold the masks.

    Args:
        rles (Sequence[RLE | None]): N masks; None counts as empty.

    Returns:
        np.ndarray: float64, (N, 4), half-open xyxy in pixels; zeros for an
        empty mask.
    """
    boxes = np.zeros((len(rles), 4))
    present = [i for i, rle in enumerate(rles) if rle is not None]
    if present:
        xywh = coco_mask.toBbox([rles[i] for i in present])
        boxes[present] = xywh
        boxes[present, 2:] += xywh[:, :2]
    return boxes


def mask_iou(first: Sequence[RLE], second: Sequence[RLE]) -> np.ndarray:
    """Compute the IoU of all pairs of masks.

    Returns:
        np.ndarray: float64, (len(first), len(second)); 0 where both are
        empty.
    """
    if not first or not second:
        return np.zeros((len(first), len(second)))
    crowd = np.zeros(len(second), np.uint8)
    return np.asarray(coco_mask.iou(list(first), list(second), crowd))


def mask_coverage(first: Sequence[RLE], second: Sequence[RLE]) -> np.ndarray:
    """Compute how much of each mask lies in each of the others.

    Returns:
        np.ndarray: float64, (len(first), len(second)), pixels in common by
        those of the first mask; 0 where that is empty.
    """
    if not first or not second:
        return np.zeros((len(first), len(second)))
    crowd = np.ones(len(second), np.uint8)
    shares = coco_mask.iou(list(first), list(second), crowd)
    return np.nan_to_num(np.asarray(shares))


def intersect(rles: Sequence[RLE]) -> RLE:
    """Intersect masks of one size."""
    return _to_str(coco_mask.merge(list(rles), intersect=True))


def union(rles: Sequence[RLE]) -> RLE:
    """Unite masks of one size."""
    return _to_str(coco_mask.merge(list(rles), intersect=False))


def subtract(rle: RLE, other: RLE) -> RLE:
    """Remove the pixels of ``other`` from ``rle``."""
    return intersect([rle, complement(other)])


def complement(rle: RLE) -> RLE:
    """Swap foreground and background.

    The runs stay the same but for a leading run of length zero that comes
    or goes. COCO writes count ``i > 2`` as its difference from count
    ``i - 2``, so that beside the leading run only the count that enters or
    leaves that rule is written anew.
    """
    counts = rle['counts']
    head, rest = _split_head(counts, 4)
    if head and head[0] == 0:
        head = head[1:]  # [0, b, c, d - b] -> [b, c, d]
        if len(head) == 3:
            head[2] += head[0]
    else:
        if len(head) == 4:  # leave the fourth as it is: d - b
            rest = _write_int(head.pop()) + rest
        if len(head) == 3:
            head[2] -= head[0]  # [a, b, c] -> [0, a, b, c - a]
        head = [0] + head
    return dict(
        size=list(rle['size']),
        counts=''.join(_write_int(x) for x in head) + rest,
    )


def _split_head(counts: str, number: int) -> Tuple[List[int], str]:
    """Read the first ``number`` written integers of compressed counts."""
    values: List[int] = []
    pos = 0
    while pos < len(counts) and len(values) < number:
        value = shift = 0
        while True:
            bits = ord(counts[pos]) - 48
            pos += 1
            value |= (bits & 0x1F) << shift
            shift += 5
            if not bits & 0x20:
                break
        if bits & 0x10:  # the last group carries the sign
            value -= 1 << shift
        values.append(value)
    return values, counts[pos:]


def _write_int(value: int) -> str:
    """Write one integer as COCO's compressed counts do."""
    text = ''
    while True:
        bits = value & 0x1F
        value >>= 5
        more = value != (-1 if bits & 0x10 else 0)
        text += chr(48 + (bits | (0x20 if more else 0)))
        if not more:
            return text


def box_rle(box: Sequence[float], height: int, width: int) -> RLE:
    """Fill a box.

    Args:
        box (Sequence[float]): Half-open xyxy, pixels; truncated to integers
            and clipped to the frame.
        height (int): Height of the frame.
        width (int): Width of the frame.

    Returns:
        RLE: Ones on rows ``int(y0) ... int(y1) - 1`` and columns likewise.
    """
    x0, y0, x1, y1 = (
        int(min(max(v, 0), limit))
        for v, limit in zip(box, (width, height, width, height))
    )
    rows, columns = max(y1 - y0, 0), max(x1 - x0, 0)
    if rows * columns == 0:
        counts = [height * width]
    elif rows == height:
        counts = [x0 * height, columns * height, (width - x1) * height]
    else:
        counts = [x0 * height + y0] + [rows, height - rows] * columns
        counts[-1] = (width - x1) * height + height - y1
    if counts[-1] == 0:
        counts.pop()
    uncompressed = dict(size=[height, width], counts=counts)
    return _to_str(coco_mask.frPyObjects(uncompressed, height, width))
