"""Heads that tell instances apart over time."""

from .idol_track_head import IDOLTrackHead
from .maskfree_track_head import MaskFreeTrackHead

__all__ = ['IDOLTrackHead', 'MaskFreeTrackHead']
