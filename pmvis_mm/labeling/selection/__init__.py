"""SCM, DOOB, SHQM, keyframes, mask quality: pure functions, no torch."""

from .best_path import best_path, suspicion
from .doob import doob
from .duplicates import merge_duplicates
from .keyframes import num_keyframes, select_keyframes
from .quality_model import QualityModel
from .quality_table import CueTable, collect_cues
from .scm import assign_predictions, box_fit, box_iou, cross_scm, pairwise_scm
from .shqm import agreement, select_track, shqm

__all__ = [
    'CueTable',
    'QualityModel',
    'agreement',
    'assign_predictions',
    'best_path',
    'box_fit',
    'box_iou',
    'collect_cues',
    'cross_scm',
    'doob',
    'merge_duplicates',
    'num_keyframes',
    'pairwise_scm',
    'select_keyframes',
    'select_track',
    'shqm',
    'suspicion',
]
