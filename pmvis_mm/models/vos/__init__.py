"""Video object segmentation: masks tracked from given ones."""

from .deaot import DeAOT, FrameFeatures
from .deaot_memory import DeAOTState, Observation
from .deaot_propagator import DeAOTPropagator, merge_groups
from .dilated_mobilenet_v2 import DilatedMobileNetV2
from .frame_input import network_size, prepare_frame, resize_labels

__all__ = [
    'DeAOT',
    'DeAOTPropagator',
    'DeAOTState',
    'DilatedMobileNetV2',
    'FrameFeatures',
    'Observation',
    'merge_groups',
    'network_size',
    'prepare_frame',
    'resize_labels',
]
