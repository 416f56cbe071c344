"""Measures as pure functions over RLE; no compiled ops, no torch."""

from .mask_quality import MaskQuality, measure_masks, oracle
from .track_ap import TrackAP, evaluate_tracks, track_iou

__all__ = [
    'MaskQuality',
    'TrackAP',
    'evaluate_tracks',
    'measure_masks',
    'oracle',
    'track_iou',
]
