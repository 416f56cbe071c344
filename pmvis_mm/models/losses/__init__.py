"""Losses; those of masks are ``forward(mask_logits, targets) -> scalar``."""

from ...utils.warmup import linear_warmup
from .bootstrapped_cross_entropy_loss import (
    BootstrappedCrossEntropyLoss,
    bootstrapped_cross_entropy_loss,
)
from .box_giou_loss import BoxGIoULoss
from .box_projection_loss import BoxProjectionLoss, box_projection_loss
from .mask_dice_loss import MaskDiceLoss, mask_dice_loss
from .mask_focal_loss import MaskFocalLoss, mask_focal_loss
from .pairwise_affinity_loss import (
    PairwiseAffinityLoss,
    pairwise_affinity_loss,
)
from .reid_loss import (
    ContrastiveReIDLoss,
    CosineReIDLoss,
    contrastive_reid_loss,
    cosine_reid_loss,
)
from .soft_jaccard_loss import SoftJaccardLoss, soft_jaccard_loss
from .tk_loss import TKLoss, temporal_connections
from .utils import prepare_targets

__all__ = [
    'BootstrappedCrossEntropyLoss',
    'BoxGIoULoss',
    'BoxProjectionLoss',
    'ContrastiveReIDLoss',
    'CosineReIDLoss',
    'MaskDiceLoss',
    'MaskFocalLoss',
    'PairwiseAffinityLoss',
    'SoftJaccardLoss',
    'TKLoss',
    'bootstrapped_cross_entropy_loss',
    'box_projection_loss',
    'contrastive_reid_loss',
    'cosine_reid_loss',
    'linear_warmup',
    'mask_dice_loss',
    'mask_focal_loss',
    'pairwise_affinity_loss',
    'prepare_targets',
    'soft_jaccard_loss',
    'temporal_connections',
]
