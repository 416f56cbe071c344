"""Detectors that look at one frame."""

from .idol_detector import FrameOutputs, IDOLDetector

__all__ = ['FrameOutputs', 'IDOLDetector']
