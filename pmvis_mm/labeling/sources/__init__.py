"""Mask sources: registered models that label a video."""

from .base import FrameMaskSource, MaskSource
from .deaot import DeAOTSource
from .flow import FlowPropagator
from .grabcut import GrabCutSource
from .hqsam import HQSAMSource
from .propagation import PropagationSource, Seed
from .segment_anything_hq import SegmentAnythingHQSource
from .stored import StoredMasks
from .vis_model import VISModelSource

__all__ = [
    'DeAOTSource',
    'FlowPropagator',
    'FrameMaskSource',
    'GrabCutSource',
    'HQSAMSource',
    'MaskSource',
    'PropagationSource',
    'Seed',
    'SegmentAnythingHQSource',
    'StoredMasks',
    'VISModelSource',
]
