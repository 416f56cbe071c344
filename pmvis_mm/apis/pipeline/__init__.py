"""From boxes to masks, a trained model and a report, stage by stage."""

from .checks import PipelineError
from .launcher import Launcher
from .runner import Pipeline, PipelineData, PlannedStage

__all__ = [
    'Launcher',
    'Pipeline',
    'PipelineData',
    'PipelineError',
    'PlannedStage',
]
