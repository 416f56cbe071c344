"""Running a trained video instance segmentation model over frames."""

from ..models.vis.inference import (
    ClipPrediction,
    build_frame_pipeline,
    init_vis_model,
    iter_clips,
    iter_predictions,
)

__all__ = [
    'ClipPrediction',
    'build_frame_pipeline',
    'init_vis_model',
    'iter_clips',
    'iter_predictions',
]
