"""Loops, hooks and wrappers of models and optimizers."""

from .bfloat16_optim_wrapper import BFloat16OptimWrapper
from .hooks import (
    CheckSupervisionHook,
    DOOBHook,
    LossWarmupHook,
    NonFiniteLossHook,
    RandomStateHook,
    SelectHook,
    SHQMHook,
    TrainingProgressHook,
    VISVisualizationHook,
)
from .model_wrapper import NoGradModelWrapper
from .runner import LabelLoop

__all__ = [
    'BFloat16OptimWrapper',
    'CheckSupervisionHook',
    'DOOBHook',
    'LabelLoop',
    'LossWarmupHook',
    'NoGradModelWrapper',
    'NonFiniteLossHook',
    'RandomStateHook',
    'SHQMHook',
    'SelectHook',
    'TrainingProgressHook',
    'VISVisualizationHook',
]
