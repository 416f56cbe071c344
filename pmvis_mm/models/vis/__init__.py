"""Video instance segmentation models."""

from .idol import IDOL

__all__ = ['IDOL']
