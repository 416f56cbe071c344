"""Checking many run-length encoded masks at once."""

from typing import Any, Callable, List, Optional, Sequence

import numpy as np

from .rle import RLE, areas

_MAX_GROUPS = 7  # of five bits: more than any 32-bit count needs


def read_many(
    segmentations: Sequence[Any],
    height: int,
    width: int,
    read: Callable[[int, Any], Optional[RLE]],
) -> List[Optional[RLE]]:
    """Check many segmentations, most of which are masks as we write them.

    Args:
        segmentations (Sequence): See
            :func:`~pmvis_mm.structures.rle.from_any`.
        height (int): Height of the frame, pixels.
        width (int): Width of the frame, pixels.
        read (Callable): Takes place and segmentation of the others, returns
            a mask, None if it is empty, or raises.

    Returns:
        list[RLE | None]: Compressed, ready for json; None where empty.
    """
    size = [height, width]
    masks: List[Optional[RLE]] = [None] * len(segmentations)
    plain = [
        place
        for place, raw in enumerate(segmentations)
        if isinstance(raw, dict)
        and isinstance(raw.get('counts'), str)
        and raw.get('size') == size
    ]
    texts = [segmentations[place]['counts'] for place in plain]
    safe = canonical_counts(texts, height * width).tolist()
    good = [place for place, fine in zip(plain, safe) if fine]
    for place in good:
        counts = segmentations[place]['counts']
        masks[place] = dict(size=list(size), counts=counts)
    pixels = areas([mask for mask in masks if mask is not None])
    for place, number in zip(good, pixels.tolist()):
        if not number:
            masks[place] = None
    for place in sorted(set(range(len(masks))) - set(good)):
        masks[place] = read(place, segmentations[place])
    return masks


def canonical_counts(counts: Sequence[str], num_pixels: int) -> np.ndarray:
    """Find out which compressed counts are safe and mean what they say.

    pycocotools trusts counts: wrong ones crash the interpreter, and runs of
    length zero behind the first end its merges early.

    Args:
        counts (Sequence[str]): N counts in COCO's compressed form.
        num_pixels (int): Height times width of the frame.

    Returns:
        np.ndarray: bool, (N,), whether they can be read, sum up to
        ``num_pixels`` and have no run of length zero but the first.
    """
    good = np.zeros(len(counts), bool)
    usable = [i for i, text in enumerate(counts) if text and text.isascii()]
    if not usable:
        return good
    lengths = np.array([len(counts[i]) for i in usable])
    groups = np.frombuffer(
        ''.join(counts[i] for i in usable).encode(), np.uint8
    )
    groups = groups - np.uint8(48)  # below 48 becomes more than 63
    ends = np.cumsum(lengths)
    starts = ends - lengths
    fine = groups[ends - 1] < 32
    wrong = groups > 63
    if wrong.any():
        fine &= ~np.logical_or.reduceat(wrong, starts)
    last = np.flatnonzero(groups < 32)  # of each integer
    size = np.diff(last, prepend=-1)
    too_long = last[size > _MAX_GROUPS]
    fine[np.searchsorted(ends, too_long, side='right')] = False
    # Where the last integer is cut off, or one is too long, neighbours
    # would be read wrongly: look again without those texts.
    if not fine.all():
        chosen = [i for i, ok in zip(usable, fine) if ok]
        good[chosen] = canonical_counts(
            [counts[i] for i in chosen], num_pixels
        )
        return good
    values = _read(groups, last, size)
    begin = np.searchsorted(last, starts)
    good[usable] = _sums_up(values, begin, num_pixels)
    return good


def _read(
    groups: np.ndarray, last: np.ndarray, size: np.ndarray
) -> np.ndarray:
    """Read integers of groups of five bits, the lowest first: int64, (V,).

    Most have one group or two: going from the last group to the first, ever
    fewer are left.
    """
    values = (groups[last] & 31).astype(np.int64)
    values -= (values & 16) << 1  # the last group carries the sign
    left = np.flatnonzero(size > 1)
    for step in range(1, _MAX_GROUPS):
        if not len(left):
            break
        low = groups[last[left] - step] & 31
        values[left] = (values[left] << 5) | low
        left = left[size[left] > step + 1]
    return values


def _sums_up(
    values: np.ndarray, begin: np.ndarray, num_pixels: int
) -> np.ndarray:
    """Check integers of several texts, one after the other: bool, (N,)."""
    # From the fourth on, counts are differences from the last but one. Sum
    # up every second value over all texts, then take away what was there
    # before each.
    totals = np.empty_like(values)
    np.cumsum(values[0::2], out=totals[0::2])
    np.cumsum(values[1::2], out=totals[1::2])
    numbers = np.diff(begin, append=len(values))
    odd = np.where(begin > 0, totals[begin - 1], 0)
    runs = totals - np.repeat(totals[begin], numbers)
    # Every second one, from the second of its text on.
    place = np.arange(len(values)) - np.repeat(begin, numbers)
    runs += np.repeat(totals[begin] - odd, numbers) * (place & 1)
    runs[begin] = values[begin]
    bad = runs <= 0
    bad[begin] = runs[begin] < 0
    good = np.add.reduceat(runs, begin) == num_pixels
    if bad.any():
        good &= ~np.logical_or.reduceat(bad, begin)
    return np.asarray(good)
