"""Spatio-temporal IoU of tracks, in integers, from run lengths."""

from typing import Any, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from pycocotools import mask as coco_mask

from ...structures import RLE
from ...structures.rle import areas, tight_boxes

MaskPath = Sequence[Optional[RLE]]

_FRAMES_AT_ONCE = 64
# Calling the run-length code takes as long as so many pairs of masks.
_PAIRS_PER_CALL = 8


def frame_areas(paths: Sequence[MaskPath]) -> np.ndarray:
    """Count the pixels of every track in every frame.

    Args:
        paths (Sequence): N tracks, each a list of T masks or None.

    Returns:
        np.ndarray: int64, (N, T); 0 where there is no mask. (0, 0) without
        a track.
    """
    if not paths:
        return np.zeros((0, 0), np.int64)
    table = np.zeros((len(paths), len(paths[0])), np.int64)
    for row, path in zip(table, paths):
        present = [t for t, mask in enumerate(path) if mask is not None]
        row[present] = areas([path[t] for t in present])  # type: ignore[misc]
    return table


def mean_areas(sizes: np.ndarray) -> np.ndarray:
    """Average the size of every track over the frames that show it.

    Args:
        sizes (np.ndarray): int64, (N, T), from :func:`frame_areas`.

    Returns:
        np.ndarray: float64, (N,), pixels; 0 for a track without a pixel.
    """
    total = sizes.sum(1).astype(float)
    frames = (sizes > 0).sum(1)
    return np.divide(total, frames, out=np.zeros_like(total), where=frames > 0)


def iter_intersections(
    first: Sequence[MaskPath],
    second: Sequence[MaskPath],
    sizes: np.ndarray,
    members: Optional[Tuple[Sequence[int], Sequence[int]]] = None,
) -> Iterator[Tuple[slice, np.ndarray]]:
    """Intersect the masks of two sets of tracks, some frames at a time.

    Args:
        first (Sequence): D tracks, each a list of T masks or None.
        second (Sequence): G tracks likewise.
        sizes (np.ndarray): int64, (D, T), :func:`frame_areas` of ``first``.
        members (tuple, optional): Indices of the d and g tracks of both
            sets that are of interest; all by default.

    Yields:
        tuple: Frames, and the pixels in common, int64, (frames, d, g).
    """
    rows, columns = members or (range(len(first)), range(len(second)))
    if not len(rows) or not len(columns):
        return
    own = [first[d] for d in rows]
    others = [second[g] for g in columns]
    length = len(own[0])
    for start in range(0, length, _FRAMES_AT_ONCE):
        part = slice(start, min(start + _FRAMES_AT_ONCE, length))
        shares = np.zeros((part.stop - start, len(own), len(others)))
        for share, frame in zip(shares, range(start, part.stop)):
            _share(
                [path[frame] for path in own],
                [path[frame] for path in others],
                share,
            )
        # Area and share are exact enough to give back the integer.
        shares *= sizes[rows, part].T[:, :, None]
        yield part, np.rint(shares).astype(np.int64)


def _share(one: MaskPath, two: MaskPath, share: np.ndarray) -> None:
    """Enter how much of each mask lies in each of the others: (d, g)."""
    here: Any = slice(None), slice(None)
    if None in one or None in two:
        rows = [d for d, mask in enumerate(one) if mask is not None]
        columns = [g for g, mask in enumerate(two) if mask is not None]
        one, two = [one[d] for d in rows], [two[g] for g in columns]
        here = np.ix_(rows, columns)
    if one and two:
        # For a crowd COCO divides by the area of the first mask alone,
        # which gives the intersections of all pairs in one call.
        crowd = np.ones(len(two), np.uint8)
        share[here] = coco_mask.iou(one, two, crowd)


def track_iou(
    first: Sequence[MaskPath], second: Sequence[MaskPath]
) -> np.ndarray:
    """Compute the spatio-temporal IoU of all pairs of tracks of a video.

    Args:
        first (Sequence): D tracks, each a list of T masks or None.
        second (Sequence): G tracks likewise.

    Returns:
        np.ndarray: float64, (D, G); 0 where both tracks are empty.
    """
    inter = np.zeros((len(first), len(second)), np.int64)
    if not inter.size:
        return inter.astype(float)
    sizes = frame_areas(first)
    for _, part in iter_intersections(first, second, sizes):
        inter += part.sum(0)
    return _ratio(inter, sizes.sum(1), frame_areas(second).sum(1))


def likely_iou(
    first: Sequence[MaskPath],
    second: Sequence[MaskPath],
    least: float,
    first_sizes: Optional[np.ndarray] = None,
    second_sizes: Optional[np.ndarray] = None,
) -> np.ndarray:
    """Compute :func:`track_iou` where it may reach ``least``.

    Areas and boxes bound the intersections from above; masks are only
    intersected where this bound leaves the question open. Values that reach
    ``least`` are those of :func:`track_iou`, bit by bit.

    Args:
        first (Sequence): D tracks, each a list of T masks or None.
        second (Sequence): G tracks likewise.
        least (float): Smaller values are of no interest, above 0.
        first_sizes (np.ndarray, optional): :func:`frame_areas` of
            ``first``, if known.
        second_sizes (np.ndarray, optional): Likewise of ``second``.

    Returns:
        np.ndarray: float64, (D, G); the IoU or, below ``least``, 0 or the
        IoU.
    """
    inter = np.zeros((len(first), len(second)), np.int64)
    if not inter.size:
        return inter.astype(float)
    sizes = frame_areas(first) if first_sizes is None else first_sizes
    others = frame_areas(second) if second_sizes is None else second_sizes
    size_one, size_two = sizes.sum(1), others.sum(1)
    most, touching = _most_in_common(first, second, sizes, others)
    # Rounding must not lose a pair that just reaches it.
    open_pairs = _ratio(most, size_one, size_two) >= least - 1e-9
    worth = _PAIRS_PER_CALL * sizes.shape[1]
    for members in _groups(open_pairs, touching, worth):
        for _, part in iter_intersections(first, second, sizes, members):
            inter[np.ix_(*members)] += part.sum(0)
    return _ratio(np.where(open_pairs, inter, 0), size_one, size_two)


def _ratio(
    inter: np.ndarray, size_one: np.ndarray, size_two: np.ndarray
) -> np.ndarray:
    common = inter.astype(float)
    union = size_one[:, None] + size_two[None] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def _most_in_common(
    first: Sequence[MaskPath],
    second: Sequence[MaskPath],
    first_sizes: np.ndarray,
    second_sizes: np.ndarray,
) -> Tuple[np.ndarray, np.ndarray]:
    """Bound the intersections of all pairs, and count frames in touch.

    Returns:
        tuple: Pixels, and frames in which the boxes overlap; int64, (D, G).
    """
    boxes = np.stack([tight_boxes(path) for path in first])
    others = np.stack([tight_boxes(path) for path in second])
    total, touching = np.zeros((2, len(boxes), len(others)), np.int64)
    for start in range(0, boxes.shape[1], _FRAMES_AT_ONCE):
        part = slice(start, start + _FRAMES_AT_ONCE)
        one = boxes[:, None, part].astype(np.int32)
        two = others[None, :, part].astype(np.int32)
        width = np.minimum(one[..., 2], two[..., 2])
        width -= np.maximum(one[..., 0], two[..., 0])
        height = np.minimum(one[..., 3], two[..., 3])
        height -= np.maximum(one[..., 1], two[..., 1])
        most = np.maximum(width, 0, dtype=np.int64) * np.maximum(height, 0)
        np.minimum(most, first_sizes[:, None, part], out=most)
        np.minimum(most, second_sizes[None, :, part], out=most)
        total += most.sum(-1)
        touching += (most > 0).sum(-1)
    return total, touching


def _groups(
    pairs: np.ndarray, touching: np.ndarray, worth: int
) -> List[Tuple[List[int], List[int]]]:
    """Decide which pairs, bool, (D, G), share calls of the run-length code.

    One call compares all with all. Tracks that hang together share it, and
    others that they seldom touch: this costs less than further calls.
    """
    groups: List[Tuple[List[int], List[int]]] = []
    for rows, columns in _components(pairs):
        for group in groups:
            extra = touching[np.ix_(group[0], columns)].sum()
            extra += touching[np.ix_(rows, group[1])].sum()
            if extra < worth:
                group[0].extend(rows)
                group[1].extend(columns)
                break
        else:
            groups.append((rows, columns))
    return groups


def _components(pairs: np.ndarray) -> Iterator[Tuple[List[int], List[int]]]:
    """Split a bipartite graph, bool, (D, G), into connected components."""
    waiting = set(np.flatnonzero(pairs.any(0)).tolist())
    while waiting:
        columns: np.ndarray = np.zeros(pairs.shape[1], bool)
        columns[min(waiting)] = True
        while True:
            rows = pairs[:, columns].any(1)
            grown = np.asarray(pairs[rows].any(0))
            if (grown == columns).all():
                break
            columns = grown
        found = np.flatnonzero(columns).tolist()
        waiting -= set(found)
        yield np.flatnonzero(rows).tolist(), found
