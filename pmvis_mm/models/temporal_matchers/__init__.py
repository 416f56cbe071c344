"""Finding the same point of an object in other frames of a clip."""

from .base import TemporalMatcher
from .color import ColorMatcher
from .deformable import DeformableMatcher
from .flow import FlowMatcher
from .flow_estimators import DISEstimator, FlowEstimator, RAFTEstimator
from .learned import LearnedMatcher
from .patch import PatchMatcher, patch_similarity, search_offsets

__all__ = [
    'ColorMatcher',
    'DISEstimator',
    'DeformableMatcher',
    'FlowEstimator',
    'FlowMatcher',
    'LearnedMatcher',
    'PatchMatcher',
    'RAFTEstimator',
    'TemporalMatcher',
    'patch_similarity',
    'search_offsets',
]
