"""File formats of annotations on video: reading those of other tools."""

from .base import (
    ANNOTATION_READERS,
    AnnotationReader,
    ImportedTrack,
    ImportedVideo,
)
from .frame_folders import FrameFolders, VideoFrames, image_size

__all__ = [
    'ANNOTATION_READERS',
    'AnnotationReader',
    'FrameFolders',
    'ImportedTrack',
    'ImportedVideo',
    'VideoFrames',
    'image_size',
]
