"""Models, losses and what they are made of."""

from .losses import (
    BoxProjectionLoss,
    MaskDiceLoss,
    MaskFocalLoss,
    PairwiseAffinityLoss,
)

__all__ = [
    'BoxProjectionLoss',
    'MaskDiceLoss',
    'MaskFocalLoss',
    'PairwiseAffinityLoss',
]
