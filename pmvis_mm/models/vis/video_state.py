"""What a model remembers of the video that it is watching."""

from typing import Any, Dict, Mapping, Optional

import torch
from mmdet.models.trackers import MaskTrackRCNNTracker
from mmengine.model import BaseModel
from mmengine.structures import InstanceData


def is_online(model: BaseModel) -> bool:
    """Whether a model links frames by itself, with a tracker."""
    return getattr(model, 'tracker', None) is not None


def video_state(model: BaseModel) -> Optional[Dict[str, Any]]:
    """Tell what another copy of a model must know to go on with a video.

    Args:
        model (BaseModel): Models of ours have ``video_state``; mmdet's
            MaskTrack R-CNN is read through the public fields of its
            tracker; models without a tracker remember nothing.

    Returns:
        dict, optional: Numbers, strings, lists and tensors on CPU; None if
        the model keeps what only it knows.
    """
    if hasattr(model, 'video_state'):
        return dict(own=model.video_state())
    if not is_online(model):
        return {}
    if type(model.tracker) is not MaskTrackRCNNTracker:
        return None
    tracker = model.tracker
    return dict(
        num_tracks=int(tracker.num_tracks),
        memo_items=list(getattr(tracker, 'memo_items', [])),
        tracks={
            key: {name: _to(value, 'cpu') for name, value in track.items()}
            for key, track in tracker.tracks.items()
        },
    )


def load_video_state(model: BaseModel, state: Mapping[str, Any]) -> None:
    """Let a model go on with a video.

    Args:
        model (BaseModel): Of the same config and weights.
        state (Mapping): From :func:`video_state`.
    """
    if 'own' in state:
        if state['own'] is not None:
            model.load_video_state(state['own'])
        return
    if 'tracks' not in state:
        return
    device = next(model.parameters()).device
    tracker = model.tracker
    tracker.reset()
    tracker.num_tracks = state['num_tracks']
    if state['memo_items']:
        tracker.memo_items = state['memo_items']
    tracker.tracks = {
        key: {name: _to(value, device) for name, value in track.items()}
        for key, track in state['tracks'].items()
    }


def _to(value: Any, device: Any) -> Any:
    """Copy tensors in a list, or one tensor."""
    if isinstance(value, torch.Tensor):
        return value.to(device, copy=True)
    return [_to(item, device) for item in value]


def forget_masks(model: BaseModel) -> None:
    """Drop what mmdet's tracker collects but never reads.

    It keeps boxes, features and dense masks of every frame for as long as a
    track lives, and reads the newest boxes and features alone: memory would
    grow with the video.

    Args:
        model (BaseModel): Others are left alone.
    """
    tracker: Any = getattr(model, 'tracker', None)
    if type(tracker) is not MaskTrackRCNNTracker:
        return
    for track in tracker.tracks.values():
        for name, values in track.items():
            if isinstance(values, list):
                track[name] = [] if name == 'masks' else values[-1:]


def finish_video(model: BaseModel) -> Optional[InstanceData]:
    """Ask a model that judges tracks for its verdicts.

    Args:
        model (BaseModel): Whose video is over.

    Returns:
        InstanceData, optional: See ``TrackRecords.finish``; None from
        models that judge no tracks, or have told already.
    """
    finish = getattr(model, 'finish_video', None)
    return None if finish is None else finish()
