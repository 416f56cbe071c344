"""Hooks."""

from .check_supervision_hook import CheckSupervisionHook
from .label_hooks import DOOBHook, SelectHook, SHQMHook
from .loss_warmup_hook import LossWarmupHook
from .nonfinite_loss_hook import NonFiniteLossHook
from .random_state_hook import RandomStateHook
from .split_overlap_hook import SplitOverlapHook
from .training_progress_hook import TrainingProgressHook
from .vis_visualization_hook import VISVisualizationHook

__all__ = [
    'CheckSupervisionHook',
    'DOOBHook',
    'LossWarmupHook',
    'NonFiniteLossHook',
    'RandomStateHook',
    'SHQMHook',
    'SelectHook',
    'SplitOverlapHook',
    'TrainingProgressHook',
    'VISVisualizationHook',
]
