"""Models, losses and what they are made of."""

from .data_preprocessors import VISDataPreprocessor
from .dense_heads import DynamicMaskHead, IDOLHead
from .detectors import IDOLDetector
from .losses import (
    BoxGIoULoss,
    BoxProjectionLoss,
    ContrastiveReIDLoss,
    CosineReIDLoss,
    MaskDiceLoss,
    MaskFocalLoss,
    PairwiseAffinityLoss,
)
from .task_modules import IDOLSimOTAAssigner
from .trackers import IDOLTracker, TrackRecords
from .tracking_heads import IDOLTrackHead
from .vis import IDOL

__all__ = [
    'IDOL',
    'BoxGIoULoss',
    'BoxProjectionLoss',
    'ContrastiveReIDLoss',
    'CosineReIDLoss',
    'DynamicMaskHead',
    'IDOLDetector',
    'IDOLHead',
    'IDOLSimOTAAssigner',
    'IDOLTrackHead',
    'IDOLTracker',
    'MaskDiceLoss',
    'MaskFocalLoss',
    'PairwiseAffinityLoss',
    'TrackRecords',
    'VISDataPreprocessor',
]
