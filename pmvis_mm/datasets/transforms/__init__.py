"""Transforms for clips of video instance segmentation."""

from .blurring import RandomGaussianBlur
from .clip_crop import RandomClipCrop
from .clip_formatting import PackVOSInputs
from .clip_merging import JoinObjects, MergeClips
from .clip_motion import RandomClipMotion
from .clip_sampling import ClipFrameSample
from .clip_views import RandomClipInterpCrop, RandomClipRotate
from .filtering import FilterTrackInstances
from .formatting import PackVISInputs
from .loading import LoadPseudoMasks, LoadVISFrame
from .resizing import ResizeVISFrame
from .texturing import RandomTexture

__all__ = [
    'ClipFrameSample',
    'FilterTrackInstances',
    'JoinObjects',
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
]
