"""Tensor functions that models share."""

from .box_bitmasks import box_bitmasks, downsample_masks
from .color import lab_features, rgb_to_lab
from .pairwise import (
    bottom_rows,
    color_similarity,
    image_validity,
    neighbor_offsets,
    pairwise_similarity,
)

__all__ = [
    'bottom_rows',
    'box_bitmasks',
    'color_similarity',
    'downsample_masks',
    'image_validity',
    'lab_features',
    'neighbor_offsets',
    'pairwise_similarity',
    'rgb_to_lab',
]
