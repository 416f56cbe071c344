"""File formats of annotations on video: reading those of other tools."""

from .archives import ArchiveLimits, extract, is_archive, open_source
from .assemble import assemble
from .base import (
    ANNOTATION_READERS,
    AnnotationReader,
    ImportedTrack,
    ImportedVideo,
)
from .frame_folders import FrameFolders, VideoFrames, image_size
from .import_report import ImportReport
from .importing import build_reader, import_annotations, reader_options
from .interpolation import interpolate_boxes
from .sniffing import guess_reader, looks_like
from .youtube_vis import YouTubeVISReader

__all__ = [
    'ANNOTATION_READERS',
    'AnnotationReader',
    'ArchiveLimits',
    'FrameFolders',
    'ImportReport',
    'ImportedTrack',
    'ImportedVideo',
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
