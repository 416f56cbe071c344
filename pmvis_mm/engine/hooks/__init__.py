"""Hooks."""

from .label_hooks import DOOBHook, SHQMHook

__all__ = ['DOOBHook', 'SHQMHook']
