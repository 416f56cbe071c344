"""Video object segmentation: masks tracked from given ones."""

from .deaot import DeAOT, FrameFeatures
from .deaot_data_preprocessor import DeAOTDataPreprocessor
from .deaot_memory import DeAOTState, Observation
from .deaot_propagator import DeAOTPropagator
from .deaot_segmentor import DeAOTSegmentor
from .dilated_mobilenet_v2 import DilatedMobileNetV2
from .frame_input import network_size, prepare_frame, resize_labels
from .group_logits import label_map, merge_groups

__all__ = [
    'DeAOT',
    'DeAOTDataPreprocessor',
    'DeAOTPropagator',
    'DeAOTSegmentor',
    'DeAOTState',
    'DilatedMobileNetV2',
    'FrameFeatures',
    'Observation',
    'label_map',
    'merge_groups',
    'network_size',
    'prepare_frame',
    'resize_labels',
]
