"""File formats of annotations on video: reading those of other tools."""

from .archives import ArchiveLimits, extract, is_archive, open_source
from .assemble import assemble
from .base import (
    ANNOTATION_READERS,
    AnnotationReader,
    ImportedTrack,
    ImportedVideo,
)
from .bdd100k import BDD100KBitmaskReader
from .coco_video import COCOVideoReader
from .csv_table import CSVReader
from .cvat import CVATReader
from .datumaro import DatumaroReader
from .davis import DAVISReader
from .frame_folders import FrameFolders, VideoFrames, image_size
from .import_report import ImportReport
from .importing import build_reader, import_annotations, reader_options
from .interpolation import interpolate_boxes
from .label_studio import LabelStudioReader
from .labelme import LabelMeReader
from .mot import MOTReader
from .mots import MOTSReader
from .mots_png import MOTSPNGReader
from .scalabel import BDD100KBoxReader, BDD100KRLEReader
from .sniffing import guess_reader, looks_like
from .supervisely import SuperviselyReader
from .youtube_vis import YouTubeVISReader

__all__ = [
    'ANNOTATION_READERS',
    'AnnotationReader',
    'ArchiveLimits',
    'BDD100KBitmaskReader',
    'BDD100KBoxReader',
    'BDD100KRLEReader',
    'COCOVideoReader',
    'CSVReader',
    'CVATReader',
    'DAVISReader',
    'DatumaroReader',
    'FrameFolders',
    'ImportReport',
    'ImportedTrack',
    'ImportedVideo',
    'LabelMeReader',
    'LabelStudioReader',
    'MOTReader',
    'MOTSPNGReader',
    'MOTSReader',
    'SuperviselyReader',
    'VideoFrames',
    'YouTubeVISReader',
    'assemble',
    'build_reader',
    'extract',
    'guess_reader',
    'image_size',
    'import_annotations',
    'interpolate_boxes',
    'is_archive',
    'looks_like',
    'open_source',
    'reader_options',
]
