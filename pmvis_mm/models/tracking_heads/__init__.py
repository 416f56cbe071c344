"""Heads that tell instances apart over time."""

from .idol_track_head import IDOLTrackHead

__all__ = ['IDOLTrackHead']
