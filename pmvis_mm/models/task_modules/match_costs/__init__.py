"""Costs of assigning queries to instances of a clip."""

from .box_mask_cross_entropy_cost import BoxMaskCrossEntropyCost
from .tube_box_costs import TubeBoxDistanceCost, TubeGIoUCost

__all__ = ['BoxMaskCrossEntropyCost', 'TubeBoxDistanceCost', 'TubeGIoUCost']
