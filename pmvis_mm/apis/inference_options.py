"""How a model walks over videos: options, and what results depend on."""

import hashlib
import json
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Callable, Dict, Mapping, Optional, Tuple, Union

import torch
from mmengine.model import BaseModel

from ..models.vis.clip_walk import ClipWalk
from ..models.vis.inference import scope_of, test_dataset_of
from ..models.vis.video_state import is_online
from ..utils.errors import ConfigError

# Frames per forward of models that reason over clips: at 360p about 1.5 GB
# with the 100 queries of Mask2Former.
CLIP_LENGTH = 15


@dataclass(frozen=True)
class InferenceOptions:
    """How to walk over a video.

    Args:
        batch_size (int): Frames per forward of an online model (IDOL,
            MaskTrack R-CNN). Defaults to 1.
        clip_length (int | str, optional): Frames per forward of a model
            that reasons over clips (Mask2Former, MaskFreeVIS); None gives
            the whole video at once, at the cost of memory. Defaults to
            'auto', 15.
        clip_overlap (int, optional): Frames that clips have in common, by
            which their instances are linked, see :class:`ClipLinker`; 0
            does not link. Defaults to a third of ``clip_length``.
        link_thr (float): Least mean mask IoU to be linked. Defaults to 0.3.
        precision (str): 'fp32', or 'fp16' or 'bf16' by autocast. Defaults
            to 'fp32'.
        resume (bool): Whether to go on with the journal of an earlier run.
            Of cameras and iterators there is none to go on with. Defaults
            to True.
        on_error (str): 'raise' or 'stop', where a video file ends before it
            should. Defaults to 'raise'.
        max_frames (int, optional): Stop after so many. Defaults to None.
    """

    batch_size: int = 1
    clip_length: Union[int, str, None] = 'auto'
    clip_overlap: Optional[int] = None
    link_thr: float = 0.3
    precision: str = 'fp32'
    resume: bool = True
    on_error: str = 'raise'
    max_frames: Optional[int] = None


def read_options(options: Mapping[str, Any]) -> InferenceOptions:
    """Check options of a caller.

    Args:
        options (Mapping): By name.

    Returns:
        InferenceOptions: Complete.

    Raises:
        ConfigError: If one is unknown or out of range.
    """
    known = list(InferenceOptions.__dataclass_fields__)
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ConfigError(
            f'options {unknown} are unknown', fix=f'choose from {known}'
        )
    chosen = InferenceOptions(**options)
    for name in ('batch_size', 'max_frames'):
        value = getattr(chosen, name)
        if value is None and name == 'max_frames':
            continue
        if not _is_whole(value) or value < 1:
            raise ConfigError(
                f'{name}={value!r} is out of range', fix='use 1, 2, 3, ...'
            )
    for name in ('clip_length', 'clip_overlap'):
        value = getattr(chosen, name)
        text = name == 'clip_length' and isinstance(value, str)
        if not (value is None or text or _is_whole(value)):
            raise ConfigError(
                f'{name}={value!r} is no number of frames',
                fix='use a whole number',
            )
    if not isinstance(chosen.link_thr, (int, float)):
        raise ConfigError(
            f'link_thr={chosen.link_thr!r} is no number', fix='use 0 to 1'
        )
    return chosen


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _clip_sizes(options: InferenceOptions) -> Tuple[Optional[int], int]:
    """Length of clips and frames in common."""
    length, overlap = options.clip_length, options.clip_overlap
    if isinstance(length, str):
        if length != 'auto':
            raise ConfigError(
                f'clip_length={length!r} is no number',
                fix="give a number of frames, 'auto', or None for the whole "
                'video',
            )
        length = CLIP_LENGTH
    if overlap is None:
        overlap = 0 if length is None else length // 3
    return length, overlap


def build_walk(
    model: BaseModel, pipeline: Callable, options: InferenceOptions
) -> ClipWalk:
    """Choose the clips that suit a model.

    Args:
        model (BaseModel): From ``init_vis_model``.
        pipeline (Callable): From ``build_frame_pipeline``.
        options (InferenceOptions): What the user wants.

    Returns:
        ClipWalk: At the beginning of a video.

    Raises:
        ConfigError: If the options do not suit the model.
    """
    if not is_online(model):
        length, overlap = _clip_sizes(options)
    elif options.clip_length != 'auto' or options.clip_overlap:
        raise ConfigError(
            f'{type(model).__name__} links frames by itself: clip_length and '
            'clip_overlap are for models of clips',
            fix='set batch_size, the number of frames per forward',
        )
    else:
        length, overlap = options.batch_size, 0
        test_cfg: Any = getattr(model, 'test_cfg', None)
        if isinstance(test_cfg, dict) and 'chunk_size' in test_cfg:
            test_cfg['chunk_size'] = options.batch_size
    return ClipWalk(
        model, pipeline, length, overlap, options.link_thr, options.precision
    )


def walk_fingerprint(
    walk: ClipWalk, options: InferenceOptions
) -> Dict[str, Any]:
    """Tell which options results depend on.

    The frames per forward of an online model are none of them.

    Args:
        walk (ClipWalk): From :func:`build_walk`.
        options (InferenceOptions): As there.

    Returns:
        dict: Json-like.
    """
    windows = None
    if not is_online(walk.model):
        windows = [walk.clip_length, walk.clip_overlap, options.link_thr]
    return dict(
        windows=windows,
        precision=options.precision,
        max_frames=options.max_frames,
    )


def model_digest(model: BaseModel) -> str:
    """Compute a checksum of the config and the weights of a model.

    Args:
        model (BaseModel): From ``init_vis_model``.

    Returns:
        str: 16 hexadecimal digits.
    """
    cfg = model.cfg
    digest = hashlib.sha256(scope_of(cfg).encode())
    for part in (cfg.model, test_dataset_of(cfg)['pipeline']):
        text = json.dumps(part, sort_keys=True, default=repr)
        digest.update(text.encode())
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        flat = value.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy())
    return digest.hexdigest()[:16]
