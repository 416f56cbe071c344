"""What training needs beside networks and losses."""

from .assigners import IDOLSimOTAAssigner
from .match_costs import (
    BoxMaskCrossEntropyCost,
    TubeBoxDistanceCost,
    TubeGIoUCost,
)

__all__ = [
    'BoxMaskCrossEntropyCost',
    'IDOLSimOTAAssigner',
    'TubeBoxDistanceCost',
    'TubeGIoUCost',
]
