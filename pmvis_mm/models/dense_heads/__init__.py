"""Heads that turn queries into classes, boxes and masks."""

from .dynamic_mask_head import DynamicMaskHead
from .idol_head import IDOLHead

__all__ = ['DynamicMaskHead', 'IDOLHead']
