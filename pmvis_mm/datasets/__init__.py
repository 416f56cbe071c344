"""Datasets and transforms; importing registers them."""

from .coco_clip_dataset import COCOClipDataset
from .label_dataset import LabelVideoDataset
from .metainfo import (
    BDD100K_MOTS_CLASSES,
    DATASET_CLASSES,
    OVIS_CLASSES,
    YOUTUBE_VIS_2019_CLASSES,
    YOUTUBE_VIS_2021_CLASSES,
)
from .samplers import JointBatchSampler
from .transforms import (
    ClipFrameSample,
    FilterTrackInstances,
    JoinObjects,
    LoadPseudoMasks,
    LoadVISFrame,
    MergeClips,
    PackVISInputs,
    PackVOSInputs,
    RandomClipCrop,
    RandomClipInterpCrop,
    RandomClipMotion,
    RandomClipRotate,
    RandomGaussianBlur,
    RandomTexture,
    ResizeVISFrame,
)
from .vis_dataset import VISDataset
from .vos_clip_dataset import VOSClipDataset
from .vos_folders import DAVISSource, ImageFolderSource, YouTubeVOSSource
from .vos_sources import InstanceSource, VOSSource

__all__ = [
    'BDD100K_MOTS_CLASSES',
    'DATASET_CLASSES',
    'OVIS_CLASSES',
    'YOUTUBE_VIS_2019_CLASSES',
    'YOUTUBE_VIS_2021_CLASSES',
    'COCOClipDataset',
    'ClipFrameSample',
    'DAVISSource',
    'FilterTrackInstances',
    'ImageFolderSource',
    'InstanceSource',
    'JoinObjects',
    'JointBatchSampler',
    'LabelVideoDataset',
    'LoadPseudoMasks',
    'LoadVISFrame',
    'MergeClips',
    'PackVISInputs',
    'PackVOSInputs',
    'RandomClipCrop',
    'RandomClipInterpCrop',
    'RandomClipMotion',
    'RandomClipRotate',
    'RandomGaussianBlur',
    'RandomTexture',
    'ResizeVISFrame',
    'VISDataset',
    'VOSClipDataset',
    'VOSSource',
    'YouTubeVOSSource',
]
