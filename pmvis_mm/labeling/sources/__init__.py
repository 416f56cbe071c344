"""Mask sources: registered models that label a video."""

from .base import FrameMaskSource, MaskSource
from .flow import FlowPropagator
from .grabcut import GrabCutSource
from .propagation import PropagationSource, Seed
from .stored import StoredMasks
from .vis_model import VISModelSource

__all__ = [
    'FlowPropagator',
    'FrameMaskSource',
    'GrabCutSource',
    'MaskSource',
    'PropagationSource',
    'Seed',
    'StoredMasks',
    'VISModelSource',
]
