"""What programs call; loaded on demand, the pipeline needs no compiled ops."""

from typing import Any, List

_ROOMS = dict(
    FrameTracks='video_run',
    Pipeline='pipeline',
    VISInferencer='vis_inferencer',
    VideoPrediction='vis_inferencer',
    VideoRun='video_run',
    build_frame_pipeline='inference',
    convert_deaot_checkpoint='deaot_checkpoint',
    convert_idol_checkpoint='idol_checkpoint',
    convert_mask2former_checkpoint='mask2former_checkpoint',
    init_vis_model='inference',
    iter_clips='inference',
    iter_predictions='inference',
    load_deaot_checkpoint='deaot_checkpoint',
)

__all__ = sorted(_ROOMS)


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        from importlib import import_module

        return getattr(import_module(f'.{_ROOMS[name]}', __name__), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> List[str]:
    return sorted([*globals(), *__all__])
