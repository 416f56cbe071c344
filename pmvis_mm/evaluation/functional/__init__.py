"""Measures as pure functions over RLE; no compiled ops, no torch."""

from .boundary import boundary_f, boundary_map
from .jf import (
    JFQuality,
    decay,
    frame_jf,
    judged_frames,
    measure_jf,
)
from .mask_quality import MaskQuality, measure_masks, oracle, real_masks
from .source_statistics import (
    IOU_EDGES,
    Agreement,
    ChoiceQuality,
    IoUHistogram,
    choice_quality,
    iou_histogram,
    source_agreement,
)
from .track_ap import TrackAP, evaluate_tracks, track_iou

__all__ = [
    'IOU_EDGES',
    'Agreement',
    'ChoiceQuality',
    'IoUHistogram',
    'JFQuality',
    'MaskQuality',
    'TrackAP',
    'boundary_f',
    'boundary_map',
    'choice_quality',
    'decay',
    'evaluate_tracks',
    'frame_jf',
    'iou_histogram',
    'judged_frames',
    'measure_jf',
    'measure_masks',
    'oracle',
    'real_masks',
    'source_agreement',
    'track_iou',
]
