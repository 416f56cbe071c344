"""Outlines of masks as polygons."""

from typing import Dict, List, Tuple

import cv2
import numpy as np
from numpy.typing import NDArray

from .rle import RLE
from .rle_crop import decode_tight

Ring = NDArray[np.float64]


def mask_polygons(
    rle: RLE, tolerance: float = 1.0, min_area: float = 0.0
) -> List[Ring]:
    """Draw a mask as polygons, one for each of its pieces.

    Pixels that touch at a corner are of one piece. A hole becomes part of
    the outline around it: a cut of no width leads to it and back (a
    keyhole), so that filling by the even-odd or by the non-zero rule leaves
    it empty.

    The outline runs along the edges of the pixels and is simplified as Ramer
    (1972) and Douglas and Peucker (1973) did: a corner is left out only if
    it lies within ``tolerance`` of the line that replaces it. What would
    vanish or fold to a line is drawn with more corners instead.

    Args:
        rle (RLE): The mask.
        tolerance (float): Largest distance of the outline from the polygon,
            pixels. Up to 0.5 it passes no centre of a pixel, so that the
            mask stays as it is; 0 keeps every corner. Defaults to 1.
        min_area (float): Pieces and holes of fewer pixels are left out, but
            never the largest piece. Defaults to 0.

    Returns:
        list[np.ndarray]: float64, (N, 2), x and y of the corners, pixels,
        half-open (a full frame is (0, 0) to (width, height)); the largest
        piece first. Empty for an empty mask.
    """
    tight = decode_tight(rle)
    if tight is None:
        return []
    x0, y0, mask = tight
    pieces = sorted(_pieces(mask).values(), key=lambda p: -ring_area(p[0]))
    polygons: List[Ring] = []
    for outline, holes in pieces:
        if polygons and ring_area(outline) < min_area:
            break
        ring = simplify_ring(outline, tolerance, keep=True)
        for hole in holes:
            small = simplify_ring(hole, tolerance)
            if len(small) and ring_area(hole) >= min_area:
                ring = _cut_to(ring, small[::-1])
        polygons.append(ring + [x0, y0])
    return polygons


def outlines(mask: np.ndarray) -> List[Ring]:
    """Follow the edges between foreground and background.

    Args:
        mask (np.ndarray): bool, (H, W).

    Returns:
        list[np.ndarray]: float64, (N, 2), x and y of the corners of each
        closed outline, pixels. It begins at its uppermost corner, of these
        the leftmost, and goes to the right. Foreground that touches at a
        corner is joined.
    """
    xs, ys, across, down = _corners(mask)
    left = np.ones(len(xs), bool)
    rings = []
    for start in range(len(xs)):
        if not left[start]:
            continue
        path, corner = [], start
        while left[corner]:
            path.append(corner)
            left[corner] = False
            corner = across[corner]
            path.append(corner)
            left[corner] = False
            corner = down[corner]
        rings.append(np.stack([xs[path], ys[path]], 1).astype(np.float64))
    return rings


def _corners(
    mask: np.ndarray,
) -> Tuple[np.ndarray, np.ndarray, List[int], List[int]]:
    """Find the corners of all outlines, and how edges connect them.

    On every row of the grid, corners are the ends of edges in turn, and so
    they are on every column. Where two outlines meet, the corner counts
    twice.

    Returns:
        tuple: x and y, by row and column; and of each corner that at the
        other end of its horizontal and of its vertical edge.
    """
    padded = np.pad(mask.astype(np.int8), 1)
    a, b = padded[:-1, :-1], padded[:-1, 1:]
    c, d = padded[1:, :-1], padded[1:, 1:]
    cross = (a == d) & (b == c) & (a != b)
    turn = ((a + b + c + d) % 2 == 1) | cross
    ys, xs = np.nonzero(turn)
    twice = cross[ys, xs]
    repeats = 1 + twice.astype(np.int64)
    second = np.zeros(repeats.sum(), np.int64)
    second[np.cumsum(repeats)[twice] - 1] = 1
    falling = np.repeat(a[ys, xs] == 1, repeats)  # foreground is \, not /
    doubled = np.repeat(twice, repeats)
    ys, xs = np.repeat(ys, repeats), np.repeat(xs, repeats)
    # The first copy ends the edge from the left, the second one begins that
    # to the right. To join the foreground, the background is what an outline
    # turns around: of \ that is the lower left and the upper right.
    upper_first = np.where(doubled & falling, 1 - second, second)
    across = _mates(np.lexsort((second, xs, ys)))
    down = _mates(np.lexsort((upper_first, ys, xs)))
    return xs, ys, across, down


def _mates(order: np.ndarray) -> List[int]:
    mates = np.empty(len(order), np.int64)
    mates[order[::2]], mates[order[1::2]] = order[1::2], order[::2]
    return mates.tolist()


def _pieces(mask: np.ndarray) -> Dict[int, Tuple[Ring, List[Ring]]]:
    """Sort outlines by piece: the outer one, and those of its holes."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    outer: Dict[int, Ring] = {}
    inner: Dict[int, List[Ring]] = {}
    for ring in outlines(mask):
        x, y = (int(value) for value in ring[0])
        if mask[y, x]:  # below the first edge
            outer[int(labels[y, x])] = ring
        else:
            inner.setdefault(int(labels[y - 1, x]), []).append(ring)
    return {key: (ring, inner.get(key, [])) for key, ring in outer.items()}


def simplify_ring(ring: Ring, tolerance: float, keep: bool = False) -> Ring:
    """Leave out corners of a closed polygon.

    Args:
        ring (np.ndarray): float64, (N, 2).
        tolerance (float): Largest distance of a corner that is left out from
            the edge that replaces it.
        keep (bool): Whether to keep more corners where the polygon would
            fold to a line or turn over. Defaults to False.

    Returns:
        np.ndarray: float64, (M, 2), in the same order; (0, 2) if it would
        fold to a line and ``keep`` is False.
    """
    while tolerance > 0.05 and len(ring) > 3:
        chosen = ring[_chosen_corners(ring, tolerance)]
        # Both are drawn clockwise, seen with y downwards.
        if len(chosen) > 2 and ring_area(chosen) >= 0.5:
            return chosen
        if not keep:
            return np.zeros((0, 2))
        tolerance /= 2
    return ring


def ring_area(ring: Ring) -> float:
    """Compute the area in a ring, square pixels; clockwise is positive."""
    x, y = ring[:, 0], ring[:, 1]
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _chosen_corners(ring: Ring, tolerance: float) -> NDArray[np.bool_]:
    """Tell which corners stay: those that are too far off without them."""
    far = int(np.argmax(((ring - ring[0]) ** 2).sum(1)))
    closed = np.concatenate([ring, ring[:1]])
    chosen = np.zeros(len(closed), bool)
    chosen[[0, far]] = True
    todo = [(0, far), (far, len(ring))]
    while todo:
        start, stop = todo.pop()
        if stop - start < 2:
            continue
        distance = _distances(
            closed[start + 1 : stop], closed[start], closed[stop]
        )
        worst = int(np.argmax(distance))
        if distance[worst] > tolerance**2:
            middle = start + 1 + worst
            chosen[middle] = True
            todo += [(start, middle), (middle, stop)]
    return chosen[:-1]


def _distances(points: Ring, start: Ring, stop: Ring) -> np.ndarray:
    """Compute the squared distances of points from a line with ends."""
    along = stop - start
    offset = points - start
    length = float(along @ along)
    if length > 0:
        share = np.clip(offset @ along / length, 0, 1)
        offset = offset - share[:, None] * along
    return np.einsum('ij,ij->i', offset, offset)


def _cut_to(ring: Ring, hole: Ring) -> Ring:
    """Make a hole part of the polygon around it."""
    gaps = np.subtract.outer(ring[:, 0], hole[:, 0]) ** 2
    gaps += np.subtract.outer(ring[:, 1], hole[:, 1]) ** 2
    i, j = np.unravel_index(int(np.argmin(gaps)), gaps.shape)
    return np.concatenate([ring[: i + 1], hole[j:], hole[: j + 1], ring[i:]])
