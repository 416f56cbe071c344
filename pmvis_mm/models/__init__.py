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
    TKLoss,
)
from .sam import (
    HQMaskDecoder,
    HQSAMSegmenter,
    SAMMaskDecoder,
    SAMPromptEncoder,
    SAMTinyViT,
    SAMViT,
)
from .task_modules import (
    BoxMaskCrossEntropyCost,
    IDOLSimOTAAssigner,
    TubeBoxDistanceCost,
    TubeGIoUCost,
)
from .temporal_matchers import (
    ColorMatcher,
    DeformableMatcher,
    FlowMatcher,
    LearnedMatcher,
    PatchMatcher,
)
from .trackers import IDOLTracker, TrackRecords
from .tracking_heads import IDOLTrackHead, MaskFreeTrackHead
from .vis import IDOL, MaskFreeVIS
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
    'BoxMaskCrossEntropyCost',
    'BoxProjectionLoss',
    'ColorMatcher',
    'ContrastiveReIDLoss',
    'CosineReIDLoss',
    'DeAOT',
    'DeAOTDataPreprocessor',
    'DeAOTPropagator',
    'DeAOTSegmentor',
    'DeformableMatcher',
    'DilatedMobileNetV2',
    'DynamicMaskHead',
    'FlowMatcher',
    'HQMaskDecoder',
    'HQSAMSegmenter',
    'IDOLDetector',
    'IDOLHead',
    'IDOLSimOTAAssigner',
    'IDOLTrackHead',
    'IDOLTracker',
    'LearnedMatcher',
    'MaskDiceLoss',
    'MaskFocalLoss',
    'MaskFreeTrackHead',
    'MaskFreeVIS',
    'PairwiseAffinityLoss',
    'PatchMatcher',
    'SAMMaskDecoder',
    'SAMPromptEncoder',
    'SAMTinyViT',
    'SAMViT',
    'SoftJaccardLoss',
    'TKLoss',
    'TrackRecords',
    'TubeBoxDistanceCost',
    'TubeGIoUCost',
    'VISDataPreprocessor',
]
