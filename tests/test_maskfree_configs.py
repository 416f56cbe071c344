"""The configs of MaskFreeVIS say what its code and its paper say."""

import re
from functools import lru_cache
from pathlib import Path

import pytest
from mmengine.config import Config

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from pmvis_mm.testing.tiny_idol import random_clip
from pmvis_mm.testing.tiny_maskfree import TINY_MASKFREE, tiny_maskfree

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
FOLDER = CONFIGS / 'maskfreevis'
LEAVES = sorted(FOLDER.glob('*.py'))
PAPER = [path for path in LEAVES if '8xb' in path.stem]
IMAGES = [path for path in PAPER if path.stem.endswith('coco-box')]
JOINT = [path for path in PAPER if path.stem.endswith('joint')]
VIDEOS = [path for path in PAPER if path not in IMAGES + JOINT]
MAIN = 'maskfreevis_r50_8xb2-6k_youtubevis2019-box'
SMALL = FOLDER / 'maskfreevis_r18_1xb4-1k_own-box.py'
SCHEDULES = {
    '6k': (6000, [4000]),
    '8k': (8000, [5500]),
    '70k': (70000, [37500]),
    '140k': (140000, [75000]),
    '369k': (368750, [327778, 355092]),
}


# Each is looked at by several tests; none changes it.
read = lru_cache(maxsize=None)(Config.fromfile)


def stem(path):
    return path.stem


@pytest.mark.parametrize('path', VIDEOS + JOINT, ids=stem)
def test_g12_weights_and_what_is_computed_once(path):
    cfg = read(path)
    losses = cfg.model.track_head.mask_losses
    weights = {name: loss.loss_weight for name, loss in losses.items()}
    # Each connection 5 x 0.1.
    assert weights == dict(proj=5.0, pairwise=5.0, tk=0.5)
    assert cfg.model.track_head.loss_cls.loss_weight == 2.0
    assert losses.pairwise.color_thresh == 0.3
    assert not losses.pairwise.get('warmup_iters')
    assert losses.tk.warmup_iters == 200  # 2000 calls, ten an iteration
    joint = path in JOINT
    assert losses.tk.connection == ('release3' if joint else 'cyclic')
    colours = cfg.model.data_preprocessor
    assert colours.similarity.validity is False
    assert colours.similarity.num_frames is None
    assert colours.temporal.swap_rb is colours.similarity.swap_rb is False


@pytest.mark.parametrize('path', PAPER, ids=stem)
def test_model(path):
    cfg = read(path)
    head = cfg.model.track_head
    numbers = {'ovis': 25, 'coco-box': 80, 'bdd100k': 8}
    data = next((k for k in numbers if k in path.stem), None)
    classes = numbers.get(data, 40)
    assert head.num_classes == classes
    assert head.loss_cls.class_weight == [1.0] * classes + [0.1]
    swin = 'swin' in path.stem
    assert head.num_queries == (200 if swin else 100)
    assert head.transformer_decoder.num_layers == 9  # 10 predictions
    backbone = cfg.model.backbone
    if swin:
        assert (backbone.embed_dims, backbone.window_size) == (192, 12)
    else:
        assert backbone.depth == int(path.stem.split('_')[1][1:])
        assert backbone.frozen_stages == -1 and backbone.norm_eval


@pytest.mark.parametrize('path', PAPER, ids=stem)
def test_schedule(path):
    cfg = read(path)
    optim = cfg.optim_wrapper
    assert optim.clip_grad.max_norm == 0.01
    assert optim.optimizer.weight_decay == 0.05
    gpus, per_gpu, name = re.search(
        r'_(\d+)xb(\d+)-(\d+k)_', path.stem
    ).groups()
    iters, steps = SCHEDULES[name]
    assert cfg.train_cfg.max_iters == iters
    (decay,) = cfg.param_scheduler
    assert (decay.end, decay.milestones) == (iters, steps)
    half = name == '140k'
    assert optim.optimizer.lr == (5e-5 if half else 1e-4)
    assert cfg.train_dataloader.batch_size == int(per_gpu)
    assert int(gpus) * int(per_gpu) == (8 if half else 16)
    assert cfg.auto_scale_lr.base_batch_size == int(gpus) * int(per_gpu)


@pytest.mark.parametrize('path', VIDEOS, ids=stem)
def test_videos_give_boxes_alone(path):
    cfg = read(path)
    data = cfg.train_dataloader.dataset
    assert data.supervision == 'box'
    sample, load, resize, _ = data.pipeline
    assert (sample.num_frames, sample.frame_range) == (5, 5)
    assert sample.replace and sample.shuffle
    assert load.transforms[1].with_mask is False
    assert resize.transforms[0].scales == [(1333, 360), (1333, 480)]
    costs = cfg.model.track_head.train_cfg.assigner.match_costs
    assert costs[0] == dict(type='ClassificationCost', weight=2.0)
    assert cfg.model.track_head.train_cfg.num_points == 20000
    assert 'mask_assigner' not in cfg.model.track_head.train_cfg


@pytest.mark.parametrize('path', VIDEOS + JOINT, ids=stem)
def test_testing_takes_whole_videos(path):
    cfg = read(path)
    scale = cfg.test_dataloader.dataset.pipeline[0].transforms[1].scale
    large = re.search('swin|bdd100k', path.stem)
    assert tuple(scale) == (1333, 480 if large else 360)
    assert cfg.test_dataloader.sampler.type == 'DefaultSampler'
    assert cfg.test_dataloader.batch_size == 1
    if 'bdd100k' in path.stem:  # its masks are public
        assert 'format_only' not in cfg.test_evaluator
    else:
        assert path.stem in cfg.test_evaluator.outfile_prefix


@pytest.mark.parametrize('path', JOINT, ids=stem)
def test_joint_training(path):
    cfg = read(path)
    images, videos = cfg.train_dataloader.dataset.datasets
    year = re.search(r'youtubevis(\d+)', path.stem).group(1)
    assert images.category_map == videos.version == f'youtube_vis_{year}'
    assert (images.supervision, videos.supervision) == ('full', 'box')
    assert images.pipeline[0].num_frames == 4
    assert videos.pipeline[0].num_frames == 3
    assert videos.pipeline[1].transforms[1].with_mask is False
    sampler = cfg.train_dataloader.batch_sampler
    assert sampler == dict(type='JointBatchSampler', ratios=[1.0, 0.75])
    assert cfg.model.track_head.train_cfg.mask_assigner


@pytest.mark.parametrize('path', IMAGES, ids=stem)
def test_pre_training_on_images(path):
    cfg = read(path)
    losses = cfg.model.track_head.mask_losses
    assert {k: v.loss_weight for k, v in losses.items()} == dict(
        proj=5.0, pairwise=1.25
    )
    assert losses.pairwise.warmup_iters == 100  # 1000 calls
    gate = cfg.model.data_preprocessor.similarity.gate
    assert gate == dict(canvas=(1024, 1024), low=0.25, high=0.75)
    costs = cfg.model.track_head.train_cfg.assigner.match_costs
    assert [(c.type, c.weight) for c in costs] == [
        ('ClassificationCost', 2.0),
        ('TubeBoxDistanceCost', 5.0),
        ('TubeGIoUCost', 2.0),
    ]
    assert costs[1].p == 2
    assert cfg.train_dataloader.dataset.supervision == 'box'
    assert cfg.train_dataloader.dataset.pipeline[0].num_frames == 1


def test_every_combination_is_there():
    names = {path.stem for path in LEAVES}
    for backbone in ('r50', 'r101', 'swin-l'):
        free = f'maskfreevis_{backbone}_8xb2'
        assert f'{free}-369k_coco-box' in names
        for data in ('6k_youtubevis2019', '8k_youtubevis2021', '6k_ovis'):
            assert f'{free}-{data}-box' in names
            assert f'{free}-{data}-box_coco-mask' in names
        joint = '8xb1-140k' if backbone == 'swin-l' else '8xb2-70k'
        for year in (2019, 2021):
            name = f'maskfreevis_{backbone}_{joint}_coco-youtubevis{year}'
            assert f'{name}-joint' in names
    assert 'maskfreevis_r50_8xb2-8k_youtubevis2022-box' in names
    assert 'maskfreevis_r50_8xb2-6k_bdd100k-box' in names


LOSSES = 'model.track_head.mask_losses'
MATCHER = f'{LOSSES}.tk.matcher'
FRAMES = 'train_dataloader.dataset.pipeline.0.num_frames'
OPTIONS = [
    ('Table 3', {f'{LOSSES}.pairwise': None, f'{LOSSES}.tk': None}),
    ('Table 3', {f'{LOSSES}.tk': None}),
    ('Table 3', {f'{LOSSES}.pairwise': None}),
    *[('Table 4', {f'{MATCHER}.num_neighbors': k}) for k in (1, 3, 7)],
    *[
        (
            'Table 5',
            {f'{MATCHER}.metric': name, f'{MATCHER}.threshold': None},
        )
        for name in ('ncc', 'l1')
    ],
    *[('Table 6', {f'{MATCHER}.search': r}) for r in (1, 3, 5, 7)],
    *[('Table 7', {f'{MATCHER}.patch_size': n}) for n in (1, 5, 7)],
    *[
        ('Table 8', {f'{LOSSES}.tk.connection': name})
        for name in ('dense', 'sequential')
    ],
    (
        'Table 14',
        {f'{MATCHER}.patch_size': 1, f'{MATCHER}.num_neighbors': 3},
    ),
    *[('Table 15', {FRAMES: t}) for t in (1, 3, 7)],
    ('paper', {f'{LOSSES}.tk.normalizer': 'pixels'}),
    ('paper', {f'{LOSSES}.tk.region': 'all'}),
    ('release', {'model.data_preprocessor.temporal.swap_rb': True}),
    ('release', {'model.track_head.sync_avg_factor': False}),
]


def loss_keys(path, options, frames=3):
    """Train one step of the tiny model; returns the names of the losses."""
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(options)
    head = cfg.model.track_head
    model = tiny_maskfree(
        SMALL,
        dict(
            data_preprocessor=dict(cfg.model.data_preprocessor),
            track_head=dict(
                mask_losses=dict(head.mask_losses, _delete_=True),
                train_cfg=dict(
                    head.train_cfg.to_dict(),
                    _delete_=True,
                    num_points=TINY_MASKFREE['track_head']['train_cfg'][
                        'num_points'
                    ],
                ),
                sync_avg_factor=head.get('sync_avg_factor', True),
            ),
        ),
    )
    batch = random_clip(ids=((1, 2),) * frames, with_masks=False)
    losses = model(**model.data_preprocessor(batch, True), mode='loss')
    sum(losses.values()).backward()
    assert all(value.isfinite() for value in losses.values())
    return {name for name in losses if not name.startswith('d')}


@pytest.mark.parametrize(('table', 'options'), OPTIONS)
def test_an_ablation_is_an_option(table, options):
    frames = options.get(FRAMES, 3)
    keys = loss_keys(FOLDER / f'{MAIN}.py', options, frames)
    off = {name.rsplit('.', 1)[1] for name, v in options.items() if v is None}
    expected = {'proj', 'pairwise', 'tk'} - off
    assert keys == {f'loss_{name}' for name in expected} | {'loss_cls'}


@pytest.mark.parametrize(
    'name',
    [
        'flow',
        'deformable',
        'learned-pixel',
        'learned-patch',
        '3d-pairwise',
        'frame-wise',
        'st-box-mask-ce',
    ],
)
def test_an_ablation_is_a_leaf(name):
    keys = loss_keys(FOLDER / f'{MAIN}_{name}.py', {})
    assert keys == {'loss_proj', 'loss_pairwise', 'loss_tk', 'loss_cls'}
