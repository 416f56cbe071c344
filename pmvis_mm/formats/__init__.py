"""File formats of masks on video: writing results as others read them."""

from .base import RESULT_WRITERS, ResultWriter
from .coco_video import COCOVideoWriter
from .csv_table import CSVWriter
from .export import write_mask_set
from .indexed_png import IndexedPNGWriter, voc_palette
from .mots import MOTSWriter
from .overlay_video import OverlayVideoWriter, WebMVideoWriter
from .youtube_vis import YouTubeVISWriter

__all__ = [
    'RESULT_WRITERS',
    'COCOVideoWriter',
    'CSVWriter',
    'IndexedPNGWriter',
    'MOTSWriter',
    'OverlayVideoWriter',
    'ResultWriter',
    'WebMVideoWriter',
    'YouTubeVISWriter',
    'voc_palette',
    'write_mask_set',
]
