"""Models, losses and what they are made of."""

from .data_preprocessors import VISDataPreprocessor
from .dense_heads import DynamicMaskHead, IDOLHead
from .detectors import IDOLDetector
from .losses import (
    BootstrappedCrossEntropyLoss,
    BoxGIoULoss,
    BoxProjectionLoss,
    ContrastiveReIDLoss,
    CosineReIDLoss,
    MaskDiceLoss,
    MaskFocalLoss,
    PairwiseAffinityLoss,
    SoftJaccardLoss,
)
from .sam import (
    HQMaskDecoder,
    HQSAMSegmenter,
    SAMMaskDecoder,
    SAMPromptEncoder,
    SAMTinyViT,
    SAMViT,
)
from .task_modules import IDOLSimOTAAssigner
from .trackers import IDOLTracker, TrackRecords
from .tracking_heads import IDOLTrackHead
from .vis import IDOL
from .vos import (
    DeAOT,
    DeAOTDataPreprocessor,
    DeAOTPropagator,
    DeAOTSegmentor,
    DilatedMobileNetV2,
)

__all__ = [
    'IDOL',
    'BootstrappedCrossEntropyLoss',
    'BoxGIoULoss',
    'BoxProjectionLoss',
    'ContrastiveReIDLoss',
    'CosineReIDLoss',
    'DeAOT',
    'DeAOTDataPreprocessor',
    'DeAOTPropagator',
    'DeAOTSegmentor',
    'DilatedMobileNetV2',
    'DynamicMaskHead',
    'HQMaskDecoder',
    'HQSAMSegmenter',
    'IDOLDetector',
    'IDOLHead',
    'IDOLSimOTAAssigner',
    'IDOLTrackHead',
    'IDOLTracker',
    'MaskDiceLoss',
    'MaskFocalLoss',
    'PairwiseAffinityLoss',
    'SAMMaskDecoder',
    'SAMPromptEncoder',
    'SAMTinyViT',
    'SAMViT',
    'SoftJaccardLoss',
    'TrackRecords',
    'VISDataPreprocessor',
]
