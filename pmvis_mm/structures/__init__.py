"""Data structures that carry the product; import without compiled ops."""
from .pseudo_mask_set import MaskTrack, PseudoMaskSet, join
from .rle import RLE
from .video_annotations import (
    Box,
    BoxTrack,
    VideoAnnotations,
    VideoInfo,
    parse_annotations,
)

__all__ = [
    'RLE',
    'Box',
    'BoxTrack',
    'MaskTrack',
    'PseudoMaskSet',
    'VideoAnnotations',
    'VideoInfo',
    'join',
    'parse_annotations',
]
