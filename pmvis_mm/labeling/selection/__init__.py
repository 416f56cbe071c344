"""SCM, DOOB, SHQM and keyframes: pure functions, no torch."""

from .doob import doob
from .keyframes import num_keyframes, select_keyframes
from .scm import assign_predictions, box_fit, box_iou, cross_scm, pairwise_scm
from .shqm import agreement, select_track, shqm

__all__ = [
    'agreement',
    'assign_predictions',
    'box_fit',
    'box_iou',
    'cross_scm',
    'doob',
    'num_keyframes',
    'pairwise_scm',
    'select_keyframes',
    'select_track',
    'shqm',
]
