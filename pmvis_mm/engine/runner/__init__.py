"""Loops."""

from .label_loop import LabelLoop

__all__ = ['LabelLoop']
