"""Video instance segmentation models."""

from .idol import IDOL
from .maskfreevis import MaskFreeVIS

__all__ = ['IDOL', 'MaskFreeVIS']
