"""Decoding masks within their tight boxes: of large frames a small part."""

from typing import Any, Optional, Tuple

import numpy as np

from . import rle

# x and y of the upper left corner, and the mask there.
Crop = Tuple[int, int, np.ndarray]


def decode_tight(mask: rle.RLE) -> Optional[Crop]:
    """Decode the tight box of a mask of ours.

    Args:
        mask (RLE): Compressed, also with counts as bytes; not checked.

    Returns:
        tuple, optional: x and y of the upper left corner, pixels, and the
        mask there, bool, (h, w), column-major; None if it is empty.
    """
    counts = mask['counts']
    if isinstance(counts, bytes):
        mask = dict(mask, counts=counts.decode('ascii'))
    return _crop(rle.run_lengths([mask])[0], int(mask['size'][0]))


def decode_tight_any(
    segmentation: Any, height: int, width: int
) -> Optional[Crop]:
    """Decode the tight box of any segmentation found in a file.

    As :func:`rle.from_any` and :func:`decode_tight`, with runs read once.

    Args:
        segmentation: RLE of any kind, a list of polygons, or None.
        height (int): Height of the frame, pixels.
        width (int): Width of the frame, pixels.

    Returns:
        tuple, optional: As from :func:`decode_tight`.

    Raises:
        ValueError: If it is none of these forms or has another size.
    """
    if isinstance(segmentation, dict) and 'counts' in segmentation:
        return _crop(rle.checked_runs(segmentation, height, width), height)
    canonical = rle.from_any(segmentation, height, width)
    return None if canonical is None else decode_tight(canonical)


def _crop(runs: np.ndarray, height: int) -> Optional[Crop]:
    ends = np.cumsum(runs)
    spans: np.ndarray = ends[: len(ends) // 2 * 2].reshape(-1, 2)
    spans = spans[spans[:, 1] > spans[:, 0]]
    if not len(spans):
        return None
    x0, x1 = spans[0, 0] // height, (spans[-1, 1] - 1) // height + 1
    edges = np.clip(spans.ravel() - x0 * height, 0, None)
    inner = np.diff(edges, prepend=0, append=(x1 - x0) * height)
    flat = np.repeat(np.arange(len(inner)) % 2 == 1, inner)
    columns = flat.reshape(x1 - x0, height)
    rows = np.flatnonzero(columns.any(axis=0))
    y0, y1 = int(rows[0]), int(rows[-1]) + 1
    return int(x0), y0, columns[:, y0:y1].T
