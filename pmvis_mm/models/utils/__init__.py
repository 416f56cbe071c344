"""Tensor functions that models share."""

from .box_bitmasks import box_bitmasks, downsample_masks
from .boxes import (
    giou_loss,
    pairwise_iou_giou,
)
from .color import lab_features, rgb_to_lab
from .mask_upsampling import full_size_masks
from .pairwise import (
    bottom_rows,
    color_similarity,
    image_validity,
    neighbor_offsets,
    pairwise_similarity,
)
from .query_selection import select_queries

__all__ = [
    'bottom_rows',
    'box_bitmasks',
    'color_similarity',
    'downsample_masks',
    'full_size_masks',
    'giou_loss',
    'image_validity',
    'lab_features',
    'neighbor_offsets',
    'pairwise_iou_giou',
    'pairwise_similarity',
    'rgb_to_lab',
    'select_queries',
]
