"""Loops, hooks and model wrappers."""

from .hooks import DOOBHook, SHQMHook
from .model_wrapper import NoGradModelWrapper
from .runner import LabelLoop

__all__ = ['DOOBHook', 'LabelLoop', 'NoGradModelWrapper', 'SHQMHook']
