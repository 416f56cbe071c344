"""Datasets and transforms; importing registers them."""

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
)
from .vis_dataset import VISDataset

__all__ = [
    'DATASET_CLASSES',
    'OVIS_CLASSES',
    'YOUTUBE_VIS_2019_CLASSES',
    'YOUTUBE_VIS_2021_CLASSES',
    'FilterTrackInstances',
    'LabelVideoDataset',
    'LoadPseudoMasks',
    'LoadVISFrame',
    'PackVISInputs',
    'VISDataset',
]
