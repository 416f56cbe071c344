"""The whole recipe of PM-VIS, small enough for tests."""

from pathlib import Path
from typing import Any, Dict

import torch
from mmengine.registry import DefaultScope

from ..registry import MODELS
from . import tiny_runs
from .tiny_idol import tiny_idol

# An HQ-SAM of 128 pixels and two blocks.
TINY_SAM = dict(
    type='SAMViT',
    arch=dict(embed_dims=16, depth=2, num_heads=2, global_blocks=(1,)),
    img_size=128,
)


def write_tiny_pipeline(root: Path, config_root: Path) -> Dict[str, Any]:
    """Write data, configs and checkpoints with random weights.

    Args:
        root (Path): Gets ``data``, ``configs`` and ``checkpoints``.
        config_root (Path): The shipped configs.

    Returns:
        dict: Variables of a pipeline config that has
        ``_base_/labeling_pipeline.py`` as its base: all models are tiny,
        all paths are below ``root``.
    """
    data, configs = root / 'data', root / 'configs'
    checkpoints = root / 'checkpoints'
    configs.mkdir(parents=True)
    checkpoints.mkdir()
    tiny_runs.write_tiny_shapes(data)
    leaves = tiny_runs.write_tiny_configs(configs, data, config_root)
    _save_sam(checkpoints / 'hqsam.pth', hq=True)
    _save_sam(checkpoints / 'sam.pth', hq=False)
    for arch in ('deaott', 'deaots'):
        _save(checkpoints / f'{arch}.pth', dict(type='DeAOT', arch=arch))
    # Weights that find something even after few iterations of training.
    idol = tiny_idol(leaves['box'])
    torch.save(dict(state_dict=idol.state_dict()), checkpoints / 'idol.pth')
    start = dict(load_from=str(checkpoints / 'idol.pth'))
    return dict(
        ann_file=str(data / 'train/boxes.json'),
        img_prefix=str(data / 'train/JPEGImages'),
        truth_file=str(data / 'train/instances.json'),
        val_ann_file=str(data / 'val/instances.json'),
        val_img_prefix=str(data / 'val/JPEGImages'),
        hqsam_arch=TINY_SAM,
        hqsam_checkpoint=str(checkpoints / 'hqsam.pth'),
        boxinst_config=str(leaves['box']),
        boxinst_options={**start, 'optim_wrapper.optimizer.lr': 1e-6},
        deaot_arch='deaott',
        deaot_checkpoint=str(checkpoints / 'deaott.pth'),
        keyframe_interval=2,
        pseudo_config=str(leaves['pseudo']),
        pixel_config=str(leaves['full']),
        final_options=start,
    )


def _save_sam(path: Path, hq: bool) -> None:
    decoder = dict(type='HQMaskDecoder' if hq else 'SAMMaskDecoder')
    config = dict(
        type='HQSAMSegmenter', image_encoder=TINY_SAM, mask_decoder=decoder
    )
    _save(path, config)


def _save(path: Path, config: Dict[str, Any]) -> None:
    """Write random weights of a model."""
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('pmvis_mm'):
        model = MODELS.build(config)
    torch.save(model.state_dict(), path)
