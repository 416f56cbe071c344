"""File formats of masks on video: writing results as others read them."""

from .base import RESULT_WRITERS, ResultWriter
from .coco_video import COCOVideoWriter
from .csv_table import CSVWriter
from .cvat import CVATWriter
from .export import write_mask_set
from .export_rules import RULES
from .export_set import ExportReport, export_set
from .export_source import ExportSource, load_source
from .indexed_png import IndexedPNGWriter, voc_palette
from .mot import MOTWriter
from .mots import MOTSWriter
from .overlay_video import OverlayVideoWriter, WebMVideoWriter
from .youtube_vis import YouTubeVISWriter

__all__ = [
    'RESULT_WRITERS',
    'RULES',
    'COCOVideoWriter',
    'CSVWriter',
    'CVATWriter',
    'ExportReport',
    'ExportSource',
    'IndexedPNGWriter',
    'MOTSWriter',
    'MOTWriter',
    'OverlayVideoWriter',
    'ResultWriter',
    'WebMVideoWriter',
    'YouTubeVISWriter',
    'export_set',
    'load_source',
    'voc_palette',
    'write_mask_set',
]
