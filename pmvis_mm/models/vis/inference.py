"""Running a trained video instance segmentation model over frames."""

import copy
from pathlib import Path
from typing import (
    Any,
    Dict,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
)

from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.logging import print_log
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from ...registry import MODELS
from ...utils.checkpoint import load_weights, read_checkpoint
from ...utils.errors import ConfigError
from ...utils.num_classes import set_num_classes
from .clip_walk import ClipPrediction, ClipWalk


def init_vis_model(
    config: Union[str, Path, Config],
    checkpoint: Optional[Union[str, Path]] = None,
    device: str = 'cpu',
    cfg_options: Optional[Mapping[str, Any]] = None,
) -> BaseModel:
    """Build a video instance segmentation model and load its weights.

    Args:
        config (str | Path | Config): Config of the model's training or
            testing.
        checkpoint (str | Path, optional): File or address. None leaves the
            weights as the config initialises them, for tests.
        device (str): Where the model goes. Defaults to 'cpu'.
        cfg_options (Mapping, optional): Overrides of the config, dotted
            keys to values.

    Returns:
        BaseModel: In evaluation mode, with its config as ``cfg`` and
        ``dataset_meta`` (``classes`` and what else the training dataset
        told) from the checkpoint or, failing that, the config.

    Raises:
        ConfigError: If the config does not exist or describes no model, or
            there is no such device.
        CheckpointError: If the checkpoint is missing, broken or of another
            model.
    """
    cfg = read_model_config(config)
    cfg.merge_from_dict(dict(cfg_options or {}))
    if cfg.get('model') is None:
        raise ConfigError(
            'no "model" in this config',
            file=cfg.filename,
            fix='give the config that the model was trained with',
        )
    content: Dict[str, Any] = dict(meta={})
    if checkpoint is not None:
        content = read_checkpoint(checkpoint)
    meta = _dataset_meta(content['meta'], cfg)
    if cfg.get('num_classes_from_data') and 'classes' in meta:
        set_num_classes(cfg.model, len(meta['classes']))
    with DefaultScope.overwrite_default_scope(scope_of(cfg)):
        model = revert_sync_batchnorm(MODELS.build(cfg.model))
        if checkpoint is None:
            print_log('no checkpoint: the weights are not trained', 'current')
            model.init_weights()
    if checkpoint is not None:
        load_weights(model, content['state_dict'], checkpoint)
    model.cfg = cfg
    model.dataset_meta = meta
    _move(model, device)
    model.eval()
    return model


def _move(model: BaseModel, device: str) -> None:
    try:
        model.to(device)
    except (RuntimeError, AssertionError) as reason:
        raise ConfigError(
            f'the model cannot go to device={device!r} ({reason})',
            fix="choose 'cpu', or 'cuda' where PyTorch finds a GPU",
        ) from reason


def read_model_config(config: Union[str, Path, Config]) -> Config:
    """Read the config of a model, or copy one.

    Raises:
        ConfigError: If there is no such file.
    """
    if isinstance(config, Config):
        return copy.deepcopy(config)
    if not Path(config).is_file():
        raise ConfigError(
            'config not found', file=config, fix='check the path'
        )
    return Config.fromfile(config)


def scope_of(cfg: Config) -> str:
    """Name the registry scope that a config is written for."""
    return cfg.get('default_scope') or 'mmdet'


def _dataset_meta(meta: Mapping[str, Any], cfg: Config) -> Dict[str, Any]:
    stored = meta.get('dataset_meta')
    if not stored and 'CLASSES' in meta:
        stored = dict(classes=meta['CLASSES'])
    if not stored:
        stored = test_dataset_of(cfg).get('metainfo')
    return {str(key).lower(): value for key, value in (stored or {}).items()}


def test_dataset_of(cfg: Config) -> Mapping[str, Any]:
    """Find the innermost dataset of the test dataloader."""
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    return dataset


# ------------------------------------------------------------------ pipeline
def build_frame_pipeline(cfg: Config) -> Compose:
    """Build the test pipeline for frames that are in memory already.

    Args:
        cfg (Config): Has ``test_dataloader.dataset.pipeline``; transforms
            whose name starts with 'Load' are left out.

    Returns:
        Compose: Takes lists over the frames of a clip.

    Raises:
        ConfigError: If there is no such pipeline.
    """
    pipeline = test_dataset_of(cfg).get('pipeline')
    if not pipeline:
        raise ConfigError(
            'no test_dataloader.dataset.pipeline in this config',
            file=cfg.filename,
            fix='add the pipeline that the model is tested with',
        )
    with DefaultScope.overwrite_default_scope(scope_of(cfg)):
        return Compose(_without_loading(pipeline))


def _without_loading(pipeline: Sequence[Mapping]) -> List[Dict[str, Any]]:
    kept = []
    for step in pipeline:
        name = step['type']
        if not isinstance(name, str):
            name = name.__name__
        if name.rsplit('.', 1)[-1].startswith('Load'):
            continue
        step = dict(step)
        if isinstance(step.get('transforms'), (list, tuple)):
            step['transforms'] = _without_loading(step['transforms'])
            if not step['transforms']:
                continue
        kept.append(step)
    return kept


# ----------------------------------------------------------------- inference
def iter_predictions(
    model: BaseModel, frames: Any, clip_length: Optional[int] = 1
) -> Iterator[Tuple[int, InstanceData]]:
    """Predict the instances of a video, frame by frame.

    Args:
        model (BaseModel): See :func:`iter_clips`.
        frames (Sequence | Iterable): See there.
        clip_length (int, optional): See there.

    Yields:
        tuple: Frame index and what the model predicts there, see
        ``frames`` of :class:`ClipPrediction`.

    Raises:
        ConfigError: See :func:`iter_clips`.
    """
    for clip in iter_clips(model, frames, clip_length):
        yield from enumerate(clip.frames, clip.start)


def iter_clips(
    model: BaseModel,
    frames: Any,
    clip_length: Optional[int] = 1,
    clip_overlap: int = 0,
) -> Iterator[ClipPrediction]:
    """Predict the instances of a video, clip by clip.

    Args:
        model (BaseModel): From :func:`init_vis_model`. Online models
            (MaskTrack R-CNN, IDOL) keep their tracks from call to call and
            start anew at frame 0: walk over one video at a time.
        frames (Sequence | Iterable): uint8 (H, W, 3) BGR frames. Either has
            ``len()`` and gives a frame at ``[t]``, such as a
            ``FrameReader``, or is iterated over once; then the verdicts of
            models that judge tracks come after the last frame, with a clip
            without frames.
        clip_length (int, optional): Frames per forward. 1 suits online
            models; None gives the whole video at once, for models that
            reason over clips (Mask2Former), at the cost of memory.
        clip_overlap (int): Frames that a clip has in common with the one
            before, by which the ids of a model of clips are linked; without
            (0, the default) they are not. See :class:`ClipWalk`.

    Returns:
        Iterator[ClipPrediction]: Of the next frames.

    Raises:
        ConfigError: If the config has no test pipeline, ``clip_length`` or
            ``clip_overlap`` is out of range, or the model predicts no
            tracks.
    """
    walk = ClipWalk(
        model, build_frame_pipeline(model.cfg), clip_length, clip_overlap
    )
    if hasattr(frames, '__len__') and hasattr(frames, '__getitem__'):
        total = len(frames)
        yield from walk.run((frames[t] for t in range(total)), total)
    else:
        yield from walk.run(frames)
