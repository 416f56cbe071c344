"""Checking many run-length encoded masks at once."""

from typing import Sequence

import numpy as np

from .rle import written_integers

_MAX_GROUPS = 7  # of five bits: more than any 32-bit count needs


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
    ).astype(np.int64)
    groups -= 48
    ends = np.cumsum(lengths)
    starts = ends - lengths
    wrong = np.add.reduceat((groups < 0) | (groups > 63), starts, dtype=int)
    # Where the last integer is cut off, or one is too long, neighbours
    # would be read wrongly: look again without those texts.
    fine = (wrong == 0) & (groups[ends - 1] < 32) & _short(groups, ends)
    if not fine.all():
        chosen = [i for i, ok in zip(usable, fine) if ok]
        good[chosen] = canonical_counts(
            [counts[i] for i in chosen], num_pixels
        )
        return good
    good[usable] = _sums_up(groups, starts, ends, num_pixels)
    return good


def _short(groups: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Whether no integer of a text has too many groups: bool, (N,)."""
    last = np.flatnonzero(groups < 32)
    length = np.diff(last, prepend=-1)
    too_long = last[length > _MAX_GROUPS]
    fine = np.ones(len(ends), bool)
    fine[np.searchsorted(ends, too_long, side='right')] = False
    return fine


def _sums_up(
    groups: np.ndarray, starts: np.ndarray, ends: np.ndarray, num_pixels: int
) -> np.ndarray:
    """Read well-formed texts, one after the other: bool, (N,)."""
    values, first = written_integers(groups)
    begin = np.searchsorted(first, starts)
    owner = np.repeat(
        np.arange(len(starts)), np.diff(begin, append=len(first))
    )
    number = np.arange(len(values)) - begin[owner]
    # From the fourth on, counts are differences from the last but one.
    for chain in (number % 2 == 1, (number % 2 == 0) & (number > 0)):
        values[chain] = _sum_within(values[chain], owner[chain])
    bad = (values < 0) | ((values == 0) & (number > 0))
    broken = np.bincount(owner, bad, len(starts)) > 0
    total = np.add.reduceat(values, begin)
    return ~broken & (total == num_pixels)


def _sum_within(values: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Cumulate values that have the same owner; owners ascend."""
    if not len(values):
        return values
    total = np.cumsum(values)
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    before = total[first] - values[first]
    return total - np.repeat(before, np.diff(first, append=len(values)))
