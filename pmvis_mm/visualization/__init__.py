"""Overlays, overlay videos and the labelling report."""

from .overlay import (
    FrameInstances,
    draw_instances,
    frame_instances,
    track_color,
    write_overlay_video,
)
from .video_writer import write_video

__all__ = [
    'FrameInstances',
    'draw_instances',
    'frame_instances',
    'track_color',
    'write_overlay_video',
    'write_video',
]
