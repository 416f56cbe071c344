"""An IDOL that is small enough to run in every test."""

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from ..apis.vis_inferencer import VISInferencer
from ..registry import MODELS

_CHANNELS = 32
_ATTENTION = dict(embed_dims=_CHANNELS, num_heads=4)
_FFN = dict(embed_dims=_CHANNELS, feedforward_channels=32)
TINY_MODEL = dict(
    detector=dict(
        num_queries=20,
        backbone=dict(base_channels=8),
        neck=dict(
            in_channels=[16, 32, 64],
            out_channels=_CHANNELS,
            norm_cfg=dict(num_groups=8),
        ),
        encoder=dict(
            num_layers=1,
            layer_cfg=dict(self_attn_cfg=_ATTENTION, ffn_cfg=_FFN),
        ),
        decoder=dict(
            num_layers=2,
            layer_cfg=dict(
                self_attn_cfg=_ATTENTION,
                cross_attn_cfg=_ATTENTION,
                ffn_cfg=_FFN,
            ),
        ),
        positional_encoding=dict(num_feats=_CHANNELS // 2),
        bbox_head=dict(embed_dims=_CHANNELS),
    ),
    mask_head=dict(in_channels=_CHANNELS),
    track_head=dict(
        in_channels=_CHANNELS, feat_channels=_CHANNELS, out_channels=_CHANNELS
    ),
)


def tiny_idol(
    config: Union[str, Path],
    overrides: Optional[Mapping[str, Any]] = None,
    seed: int = 0,
) -> BaseModel:
    """Build a tiny model with random weights that finds something.

    Args:
        config (str | Path): A config of the small R-18 model.
        overrides (Mapping, optional): Merged into the model's config.
            Defaults to None.
        seed (int): Of the weights. Defaults to 0.

    Returns:
        BaseModel: In training mode.
    """
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(dict(model=TINY_MODEL))
    cfg.merge_from_dict(dict(model=dict(overrides or {})))
    torch.manual_seed(seed)
    with DefaultScope.overwrite_default_scope('pmvis_mm'):
        model = MODELS.build(cfg.model)
        model.init_weights()
    _find_more(model)
    return model.train()


def tiny_idol_inferencer(
    config: Union[str, Path],
    size: Tuple[int, int] = (64, 96),
    device: str = 'cpu',
    seed: int = 0,
) -> VISInferencer:
    """Build an inferencer around a tiny model that finds something.

    Args:
        config (str | Path): A config of the small R-18 model.
        size (tuple[int]): Height and width that frames are scaled to.
        device (str): Of the model.
        seed (int): Of the weights. Defaults to 0.

    Returns:
        VISInferencer: Without progress bar.
    """
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(dict(model=TINY_MODEL))
    resize = cfg.test_dataloader.dataset.pipeline[0].transforms[1]
    resize.scale = (size[1], size[0])
    torch.manual_seed(seed)
    inferencer = VISInferencer(cfg, device=device, show_progress=False)
    _find_more(inferencer.model)
    return inferencer


def _find_more(model: BaseModel) -> None:
    """Let many queries pass the score threshold."""
    for branch in model.detector.bbox_head.cls_branches:
        torch.nn.init.normal_(branch.weight, std=0.5)
        torch.nn.init.constant_(branch.bias, -1.0)


def random_clip(
    size: Tuple[int, int] = (64, 96),
    ids: Sequence[Sequence[int]] = ((1, 2), (1, 2)),
    seed: int = 0,
    video_id: int = 1,
    with_masks: bool = True,
    first_frame: int = 0,
    video_length: Optional[int] = None,
    smooth: bool = False,
) -> Dict[str, List[Any]]:
    """Make a clip of noise with boxes, as a dataloader gives it.

    Args:
        size (tuple[int]): Height and width of the frames.
        ids (Sequence[Sequence[int]]): Track ids that each frame shows.
        seed (int): Of pixels and boxes; tracks of one id have one box.
        video_id (int): Of the clip.
        with_masks (bool): Whether masks, the filled boxes, are given.
        first_frame (int): ``frame_id`` of the first frame.
        video_length (int, optional): Of the whole video. Defaults to the
            number of frames.
        smooth (bool): Whether frames show a colour gradient that moves,
            where frames have points in common, instead of noise.

    Returns:
        dict: ``inputs`` and ``data_samples``, a list of one clip each.
    """
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (len(ids), 3, *size), dtype=np.uint8)
    if smooth:
        frames = _gradient(len(ids), size, seed)
    samples = []
    for t, shown in enumerate(ids):
        meta = dict(
            img_shape=size,
            ori_shape=size,
            frame_id=first_frame + t,
            video_id=video_id,
            ori_video_length=video_length or len(ids),
        )
        sample = DetDataSample(metainfo=meta)
        sample.gt_instances = _instances(shown, size, with_masks)
        samples.append(sample)
    clip = TrackDataSample(video_data_samples=samples)
    return dict(inputs=[torch.from_numpy(frames)], data_samples=[clip])


def _gradient(num_frames: int, size: Tuple[int, int], seed: int) -> np.ndarray:
    """Colours that change by less than a level per pixel and frame."""
    t, channel, y, x = np.ogrid[:num_frames, :3, : size[0], : size[1]]
    slope = 0.2 + 0.1 * channel
    level = 60 + 10 * (seed % 7) + 20 * channel + slope * (x + 2 * t) + 0.3 * y
    return level.astype(np.uint8)


def _instances(
    ids: Sequence[int], size: Tuple[int, int], with_masks: bool
) -> InstanceData:
    """Boxes that follow from the ids."""
    height, width = size
    boxes = np.zeros((len(ids), 4), np.float32)
    masks = np.zeros((len(ids), height, width), np.uint8)
    for box, mask, key in zip(boxes, masks, ids):
        rng = np.random.default_rng(key)
        x, y = rng.uniform(0, 0.5, 2) * (width, height)
        w, h = rng.uniform(0.2, 0.5, 2) * (width, height)
        box[:] = x, y, x + w, y + h
        mask[int(y) : int(y + h), int(x) : int(x + w)] = 1
    found = InstanceData(
        bboxes=torch.from_numpy(boxes),
        labels=torch.tensor([key % 4 for key in ids], dtype=torch.long),
        instances_ids=torch.tensor(ids, dtype=torch.long),
    )
    if with_masks:
        found.masks = BitmapMasks(masks, height, width)
    return found


def join(*clips: Mapping[str, List[Any]]) -> Dict[str, List[Any]]:
    """Join clips to a batch.

    Args:
        clips (Mapping): From :func:`random_clip`.

    Returns:
        dict: ``inputs`` and ``data_samples``, one entry per clip.
    """
    return dict(
        inputs=[x for clip in clips for x in clip['inputs']],
        data_samples=[x for clip in clips for x in clip['data_samples']],
    )
