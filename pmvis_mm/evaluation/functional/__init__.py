"""Measures as pure functions over RLE; no compiled ops, no torch."""

from .boundary import boundary_f, boundary_map
from .jf import (
    JFQuality,
    decay,
    frame_jf,
    judged_frames,
    measure_jf,
)
from .mask_groups import (
    GROUPS,
    GroupedQuality,
    mask_groups,
    measure_groups,
)
from .mask_quality import MaskQuality, measure_masks, oracle, real_masks
from .occlusion import occlusion_levels, overlap_shares
from .results_check import check_results, load_results
from .results_file import iter_results
from .source_statistics import (
    IOU_EDGES,
    Agreement,
    ChoiceQuality,
    IoUHistogram,
    choice_quality,
    iou_histogram,
    source_agreement,
)
from .track_ap import (
    TrackAP,
    evaluate_tracks,
    judge_videos,
    summarize_videos,
)
from .track_errors import (
    TrackErrors,
    find_track_errors,
    find_video_errors,
    summarize_errors,
)
from .track_iou import likely_iou, track_iou
from .track_matching import JudgedVideo, judge_video
from .tracking import (
    TrackingOptions,
    TrackingQuality,
    combine_tracking,
    evaluate_tracking,
    judge_tracking,
    set_entries,
)

__all__ = [
    'GROUPS',
    'IOU_EDGES',
    'Agreement',
    'ChoiceQuality',
    'GroupedQuality',
    'IoUHistogram',
    'JFQuality',
    'JudgedVideo',
    'MaskQuality',
    'TrackAP',
    'TrackErrors',
    'TrackingOptions',
    'TrackingQuality',
    'boundary_f',
    'boundary_map',
    'check_results',
    'choice_quality',
    'combine_tracking',
    'decay',
    'evaluate_tracking',
    'evaluate_tracks',
    'find_track_errors',
    'find_video_errors',
    'frame_jf',
    'iou_histogram',
    'iter_results',
    'judge_tracking',
    'judge_video',
    'judge_videos',
    'judged_frames',
    'likely_iou',
    'load_results',
    'mask_groups',
    'measure_groups',
    'measure_jf',
    'measure_masks',
    'occlusion_levels',
    'oracle',
    'overlap_shares',
    'real_masks',
    'set_entries',
    'source_agreement',
    'summarize_errors',
    'summarize_videos',
    'track_iou',
]
