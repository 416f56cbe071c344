"""Mask losses: ``forward(mask_logits, targets) -> scalar``."""

from .box_projection_loss import BoxProjectionLoss, box_projection_loss
from .mask_dice_loss import MaskDiceLoss, mask_dice_loss
from .mask_focal_loss import MaskFocalLoss, mask_focal_loss
from .pairwise_affinity_loss import (
    PairwiseAffinityLoss,
    linear_warmup,
    pairwise_affinity_loss,
)

__all__ = [
    'BoxProjectionLoss',
    'MaskDiceLoss',
    'MaskFocalLoss',
    'PairwiseAffinityLoss',
    'box_projection_loss',
    'linear_warmup',
    'mask_dice_loss',
    'mask_focal_loss',
    'pairwise_affinity_loss',
]
