"""A MaskFreeVIS that is small enough to run in every test."""

from pathlib import Path
from typing import Any, Mapping, Optional, Union

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope

from ..registry import MODELS

_CHANNELS = 16
_ATTENTION = dict(embed_dims=_CHANNELS, num_heads=2)
_FFN = dict(embed_dims=_CHANNELS, feedforward_channels=_CHANNELS)
TINY_MASKFREE = dict(
    backbone=dict(base_channels=8),
    track_head=dict(
        in_channels=[8, 16, 32, 64],
        feat_channels=_CHANNELS,
        out_channels=_CHANNELS,
        num_queries=6,
        pixel_decoder=dict(
            norm_cfg=dict(num_groups=4),
            encoder=dict(
                num_layers=1,
                layer_cfg=dict(self_attn_cfg=_ATTENTION, ffn_cfg=_FFN),
            ),
            positional_encoding=dict(num_feats=_CHANNELS // 2),
        ),
        positional_encoding=dict(num_feats=_CHANNELS // 2),
        transformer_decoder=dict(
            num_layers=1,
            layer_cfg=dict(
                self_attn_cfg=_ATTENTION,
                cross_attn_cfg=_ATTENTION,
                ffn_cfg=_FFN,
            ),
        ),
        train_cfg=dict(num_points=500),
    ),
)
# How Mask2Former assigns; with it, clips with masks may come in between.
MASK_ASSIGNER = dict(
    type='HungarianAssigner',
    match_costs=[
        dict(type='ClassificationCost', weight=2.0),
        dict(type='CrossEntropyLossCost', weight=5.0, use_sigmoid=True),
        dict(type='DiceCost', weight=5.0, pred_act=True, eps=1.0),
    ],
)


def tiny_maskfree(
    config: Union[str, Path],
    overrides: Optional[Mapping[str, Any]] = None,
    seed: int = 0,
) -> BaseModel:
    """Build a tiny model with random weights.

    Args:
        config (str | Path): A config of the small R-18 model.
        overrides (Mapping, optional): Merged into the model's config.
            Defaults to None.
        seed (int): Of the weights. Defaults to 0.

    Returns:
        BaseModel: In training mode.
    """
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(dict(model=TINY_MASKFREE))
    cfg.merge_from_dict(dict(model=dict(overrides or {})))
    torch.manual_seed(seed)
    with DefaultScope.overwrite_default_scope('pmvis_mm'):
        model = MODELS.build(cfg.model)
        model.init_weights()
    return model.train()
