"""Linking detections over time, and what a video's tracks add up to."""

from .idol_tracker import IDOLTracker, mask_nms, temporal_embedding
from .track_records import TrackRecords

__all__ = [
    'IDOLTracker',
    'TrackRecords',
    'mask_nms',
    'temporal_embedding',
]
