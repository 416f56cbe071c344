"""Data structures that carry the product; import without compiled ops."""

from .mask_track import MaskTrack
from .pseudo_mask_set import PseudoMaskSet, join
from .rle import RLE
from .video_annotations import (
    Box,
    BoxTrack,
    VideoAnnotations,
    VideoInfo,
    parse_annotations,
)
from .video_track import StreamInfo, VideoTrack

__all__ = [
    'RLE',
    'Box',
    'BoxTrack',
    'MaskTrack',
    'PseudoMaskSet',
    'StreamInfo',
    'VideoAnnotations',
    'VideoInfo',
    'VideoTrack',
    'join',
    'parse_annotations',
]
