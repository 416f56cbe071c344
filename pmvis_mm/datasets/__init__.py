"""Datasets and transforms; importing registers them."""

from .coco_clip_dataset import COCOClipDataset
from .label_dataset import LabelVideoDataset
from .metainfo import (
    DATASET_CLASSES,
    OVIS_CLASSES,
    YOUTUBE_VIS_2019_CLASSES,
    YOUTUBE_VIS_2021_CLASSES,
)
from .transforms import (
    FilterTrackInstances,
    LoadPseudoMasks,
    LoadVISFrame,
    PackVISInputs,
    ResizeVISFrame,
)
from .vis_dataset import VISDataset

__all__ = [
    'DATASET_CLASSES',
    'OVIS_CLASSES',
    'YOUTUBE_VIS_2019_CLASSES',
    'YOUTUBE_VIS_2021_CLASSES',
    'COCOClipDataset',
    'FilterTrackInstances',
    'LabelVideoDataset',
    'LoadPseudoMasks',
    'LoadVISFrame',
    'PackVISInputs',
    'ResizeVISFrame',
    'VISDataset',
]
