"""Building blocks of the heads."""

from .dynamic_mask_conv import dynamic_mask_conv, num_dynamic_params
from .mask_branch import MaskBranch

__all__ = ['MaskBranch', 'dynamic_mask_conv', 'num_dynamic_params']
