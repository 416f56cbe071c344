"""Tiny COCO and YouTube-VIS 2019, laid out as downloaded, and their configs.

For tests that run the shipped configs of MaskFreeVIS from end to end.
"""

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from mmengine.config import Config, ConfigDict

from ..datasets.shapes_vis import write_shapes_vis
from ..utils.fileio import dump_json, load_json
from .tiny_downloads import official_categories, write_coco_download
from .tiny_maskfree import TINY_MASKFREE
from .tiny_runs import plain_config_text

SIZE = (48, 64)  # height, width of the videos
_VIDEO = 'maskfreevis/maskfreevis_r50_8xb2-6k_youtubevis2019-box'
# The shipped configs, by the names of their tiny ones.
CONFIGS = dict(
    joint='maskfreevis/maskfreevis_r50_8xb2-70k_coco-youtubevis2019-joint.py',
    image='maskfreevis/maskfreevis_r50_8xb2-369k_coco-box.py',
    video=f'{_VIDEO}.py',
    patch=f'{_VIDEO}_learned-patch.py',
    deformable=f'{_VIDEO}_deformable.py',
    full='mask2former_video/mask2former-video_r50_8xb2-6k_youtubevis2019.py',
    small='maskfreevis/maskfreevis_r18_1xb4-1k_own-box.py',
)
_OVERRIDES: Dict[str, Dict[str, Any]] = dict(
    # With this seed: videos, images, videos, images.
    joint={
        'randomness.seed': 2,
        'train_cfg.max_iters': 4,
        'train_cfg.val_interval': 5,
        'default_hooks.checkpoint.interval': 2,
    },
    # Other weights to start from than those of the videos.
    image={'randomness.seed': 1},
    small={
        'train_dataloader.batch_size': 2,
        'val_cfg': None,
        'val_dataloader': None,
        'val_evaluator': None,
    },
)
_SCALE = SIZE[::-1]
# What a leaf config of the paper needs beside TINY_MASKFREE.
_TINY_BACKBONE = dict(depth=18, init_cfg=None)
_COCO, _VIDEOS = 'coco', 'youtube_vis_2019'


def write_tiny_joint(root: Path) -> None:
    """Write four videos to train on, two to test with, and four images.

    All categories of both sets are listed, as in the official files, and
    the training files hold masks. Videos show categories 1 to 4, images
    'person' and 'dog'; of the four images one has no annotation. Unlike
    that of YouTube-VIS, the validation file has annotations.

    Args:
        root (Path): Gets ``coco/train2017``,
            ``coco/annotations/instances_train2017.json`` and, in
            ``youtube_vis_2019``, ``train.json``, ``valid.json``,
            ``train/JPEGImages`` and ``valid/JPEGImages``.
    """
    for name, number, seed in (('train', 4, 0), ('valid', 2, 1)):
        folder = root / _VIDEOS / name
        write_shapes_vis(folder, number, num_frames=4, size=SIZE, seed=seed)
        content = load_json(folder / 'instances.json')
        content['categories'] = official_categories(_VIDEOS)
        dump_json(content, root / _VIDEOS / f'{name}.json')
    write_coco_download(root / _COCO, size=SIZE)


def write_tiny_config(
    name: str,
    folder: Path,
    data: Path,
    config_root: Path,
    overrides: Optional[Mapping[str, Any]] = None,
) -> Path:
    """Write a shipped config with a tiny model, on tiny data.

    Two iterations, each logged and saved ('joint': four, every second one
    saved), then validation on masks (but for 'joint', 'image' and 'small'),
    from random weights. Schedule, losses, data sources and order of the
    transforms stay.

    Args:
        name (str): A key of ``CONFIGS``.
        folder (Path): Gets ``<name>.py``.
        data (Path): From :func:`write_tiny_joint`.
        config_root (Path): The shipped configs.
        overrides (Mapping, optional): Merged at the end. Defaults to None.

    Returns:
        Path: The new config.
    """
    path = folder / f'{name}.py'
    cfg = Config.fromfile(config_root / CONFIGS[name])
    cfg.merge_from_dict(dict(model=TINY_MASKFREE))
    cfg.merge_from_dict(dict(model=dict(backbone=_TINY_BACKBONE)))
    gate = (cfg.model.data_preprocessor.get('similarity') or {}).get('gate')
    if gate:
        gate.canvas = SIZE
    for kind in ('train', 'val', 'test'):
        loader = cfg.get(f'{kind}_dataloader')
        if loader:
            loader.num_workers = 1 if kind == 'train' else 0
            loader.persistent_workers = kind == 'train'
            _shrink_data(loader.dataset, data)
    for kind in ('val', 'test'):
        evaluator = cfg.get(f'{kind}_evaluator')
        if evaluator:
            evaluator.update(
                ann_file=str(data / _VIDEOS / 'valid.json'),
                format_only=False,
                outfile_prefix=None,
            )
    cfg.update(load_from=None, randomness=dict(seed=0))
    cfg.train_cfg.update(max_iters=2, val_interval=2)
    cfg.log_processor.window_size = 1
    cfg.default_hooks.logger.interval = 1
    cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=-1)
    cfg.merge_from_dict(_OVERRIDES.get(name, {}))
    cfg.merge_from_dict(dict(overrides or {}))
    with plain_config_text():
        cfg.dump(path)
    return path


def _shrink_data(dataset: ConfigDict, data: Path) -> None:
    """Point datasets to the tiny files, and make their frames tiny."""
    for part in dataset.get('datasets', [dataset]):
        images = part.type == 'COCOClipDataset'
        part.data_root = f'{data / (_COCO if images else _VIDEOS)}/'
        _shrink_pipeline(part.pipeline)


def _shrink_pipeline(pipeline: List[ConfigDict]) -> None:
    for step in pipeline:
        _shrink_pipeline(step.get('transforms', []))
        if step.type == 'RandomChoiceResize':
            step.scales = [_SCALE, (80, 60)]
        elif 'scale' in step:  # (width, height)
            step.scale = _SCALE
        elif step.type == 'RandomClipInterpCrop':
            step.crop_size = (32, 48)
        elif step.type == 'RandomCrop':
            step.crop_size = SIZE
