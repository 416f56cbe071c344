"""Transforms for clips of video instance segmentation."""

from .blurring import RandomGaussianBlur
from .clip_crop import RandomClipCrop
from .clip_formatting import PackVOSInputs
from .clip_merging import JoinObjects, MergeClips
from .clip_motion import RandomClipMotion
from .filtering import FilterTrackInstances
from .formatting import PackVISInputs
from .loading import LoadPseudoMasks, LoadVISFrame
from .resizing import ResizeVISFrame
from .texturing import RandomTexture

__all__ = [
    'FilterTrackInstances',
    'JoinObjects',
    'LoadPseudoMasks',
    'LoadVISFrame',
    'MergeClips',
    'PackVISInputs',
    'PackVOSInputs',
    'RandomClipCrop',
    'RandomClipMotion',
    'RandomGaussianBlur',
    'RandomTexture',
    'ResizeVISFrame',
]
