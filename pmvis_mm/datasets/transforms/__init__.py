"""Transforms for clips of video instance segmentation."""

from .filtering import FilterTrackInstances
from .formatting import PackVISInputs
from .loading import LoadPseudoMasks, LoadVISFrame
from .resizing import ResizeVISFrame

__all__ = [
    'FilterTrackInstances',
    'LoadPseudoMasks',
    'LoadVISFrame',
    'PackVISInputs',
    'ResizeVISFrame',
]
