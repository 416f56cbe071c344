"""Transforms for clips of video instance segmentation."""

from .filtering import FilterTrackInstances
from .formatting import PackVISInputs
from .loading import LoadPseudoMasks, LoadVISFrame

__all__ = [
    'FilterTrackInstances',
    'LoadPseudoMasks',
    'LoadVISFrame',
    'PackVISInputs',
]
