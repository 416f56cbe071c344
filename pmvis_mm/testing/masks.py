"""Small masks for tests."""

import numpy as np

from ..structures import RLE
from ..structures.rle import encode


def block(top: int, bottom: int, left: int, right: int, size: int = 64) -> RLE:
    """Fill rows ``top ... bottom`` and columns ``left ... right``.

    Args:
        top (int): First row.
        bottom (int): Last row, included.
        left (int): First column.
        right (int): Last column, included.
        size (int): Height and width of the frame. Defaults to 64.

    Returns:
        RLE: The mask.
    """
    mask = np.zeros((size, size), bool)
    mask[top : bottom + 1, left : right + 1] = True
    return encode(mask)
