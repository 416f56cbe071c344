"""The configs of IDOL and its relatives say what the papers say."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from pmvis_mm.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
LEAVES = sorted(
    path
    for folder in ('idol', 'idol_boxinst', 'pm_vis')
    for path in (CONFIGS / folder).glob('*.py')
)
PAPER = [
    path for path in LEAVES if re.search('youtubevis|ovis|coco|bdd', path.stem)
]
IMAGES = [path for path in PAPER if 'coco' in path.stem]
VIDEOS = [path for path in PAPER if path not in IMAGES]
# Weights of the mask losses: IDOL 2 and 5; PM-VIS W1 * 2, W1 * 2, W2 * 2 and
# W2 * 5 with W1 = 1 and W2 = 0.5 (golden case P10).
WEIGHTS = {
    'idol': dict(focal=2.0, dice=5.0),
    'idol-boxinst': dict(proj=2.0, pairwise=2.0),
    'pm-vis': dict(proj=2.0, pairwise=2.0, focal=1.0, dice=2.5),
}
# With 0.1 of the pairwise weight per connection, as in MaskFreeVIS.
for _name in ('idol-boxinst', 'pm-vis'):
    WEIGHTS[f'{_name}-tk'] = dict(WEIGHTS[_name], tk=0.2)
SUPERVISION = {
    'idol': 'full',
    'idol-boxinst': 'box',
    'pseudo': 'pseudo',
    'pixel': 'full',
}


def stem(path):
    return path.stem


@pytest.mark.parametrize('path', LEAVES, ids=stem)
def test_method(path):
    cfg = Config.fromfile(path)
    method = path.stem.split('_')[0]
    losses = cfg.model.mask_head.mask_losses
    assert {k: v.loss_weight for k, v in losses.items()} == WEIGHTS[method]
    kind = method.replace('-tk', '')
    if kind == 'pm-vis':
        kind = path.stem.rsplit('-', 1)[-1]
    assert cfg.train_dataloader.dataset.supervision == SUPERVISION[kind]
    similarity = cfg.model.data_preprocessor.get('similarity')
    if 'pairwise' in losses:
        assert losses.pairwise.color_thresh == 0.3
        assert similarity == dict(
            size=3, dilation=2, removed=10, swap_rb=False
        )
        # A ramp of 10000 would outlast the small schedule.
        expected = 10000 if path in PAPER else 500
        assert losses.pairwise.warmup_iters == expected
    else:
        assert not similarity
    temporal = cfg.model.data_preprocessor.get('temporal')
    if 'tk' in losses:
        assert losses.tk.warmup_iters == losses.pairwise.warmup_iters
        assert temporal == dict(stride=4, swap_rb=False)
    else:
        assert temporal is None


@pytest.mark.parametrize('path', LEAVES, ids=stem)
def test_frames_of_a_clip(path):
    """What compares them needs them close, cropped and scaled alike."""
    cfg = Config.fromfile(path)
    if path in IMAGES:
        pytest.skip('clips are made of one image')
    sample, _, crop, *_ = cfg.train_dataloader.dataset.pipeline
    small = path not in PAPER
    if 'tk' in cfg.model.mask_head.mask_losses:
        assert sample.frame_range == 3
        assert small or crop.transforms[0].share_random_params
    else:
        assert sample.frame_range == (5 if small else 10)
        assert small or not crop.transforms[0].share_random_params


@pytest.mark.parametrize('path', PAPER, ids=stem)
def test_model(path):
    cfg = Config.fromfile(path)
    head = cfg.model.detector.bbox_head
    classes = dict(ovis=25, coco=80, bdd100k=8)
    data = next((k for k in classes if k in path.stem), None)
    assert head.num_classes == classes.get(data, 40)
    assert cfg.model.detector.num_queries == 300
    backbone = cfg.model.detector.backbone
    if 'swin' in path.stem:
        assert (backbone.embed_dims, backbone.window_size) == (192, 12)
    else:
        assert backbone.depth == int(path.stem.split('_')[1][1:])
        assert backbone.frozen_stages == 1 and backbone.norm_eval
    thresholds = (0.3, 0.3) if data == 'ovis' else (None, None)
    tracker = cfg.model.tracker
    assert thresholds == (
        tracker.get('mask_nms_thr'),
        tracker.get('new_score_thr'),
    )


@pytest.mark.parametrize('path', PAPER, ids=stem)
def test_schedule(path):
    cfg = Config.fromfile(path)
    optim = cfg.optim_wrapper
    assert optim.optimizer.type == 'AdamW'
    assert optim.optimizer.weight_decay == 1e-4
    assert optim.clip_grad == dict(max_norm=0.01, norm_type=2)
    assert optim.paramwise_cfg.custom_keys == dict(backbone=dict(lr_mult=0.1))
    (decay,) = cfg.param_scheduler
    expected = (1e-4, 12000, [8000])
    if path in IMAGES:
        expected = (2e-4, 59200, [22200, 44400])
        if 'swin' in path.stem:
            expected = (2e-4, 148000, [59200, 118400])
    assert expected == (
        optim.optimizer.lr,
        cfg.train_cfg.max_iters,
        decay.milestones,
    )
    gpus, per_gpu = re.search(r'_(\d+)xb(\d+)-', path.stem).groups()
    assert cfg.train_dataloader.batch_size == int(per_gpu)
    half = re.search('ovis|bdd100k', path.stem) or (
        path in IMAGES and 'swin' in path.stem
    )
    assert int(gpus) * int(per_gpu) == (16 if half else 32)
    assert cfg.auto_scale_lr.base_batch_size == int(gpus) * int(per_gpu)
    assert re.search(r'-(\d+)k_', path.stem).group(1) == str(
        cfg.train_cfg.max_iters // 1000
    )


@pytest.mark.parametrize('path', VIDEOS, ids=stem)
def test_sizes(path):
    cfg = Config.fromfile(path)
    large = bool(re.search('ovis|bdd100k', path.stem))
    resize = cfg.train_dataloader.dataset.pipeline[3].transforms[0]
    short = [size[1] for size in resize.scales]
    assert len(short) == 11 and (short[0], short[-1]) == (
        (480, 800) if large else (320, 640)
    )
    assert large or (392 in short and 384 not in short)
    assert {size[0] for size in resize.scales} == {1333 if large else 768}
    test = cfg.test_dataloader.dataset.pipeline[0].transforms[1]
    assert tuple(test.scale) == (1333, 720 if large else 480)
    # Frames, not videos, are loaded: memory does not grow with their length.
    assert cfg.test_dataloader.sampler.type == 'TrackImgSampler'
    # The masks of BDD100K's validation set are public.
    public = 'bdd100k' in path.stem
    assert cfg.test_evaluator.get('format_only', False) is not public


def test_every_combination_is_there():
    names = {path.stem for path in LEAVES}
    for data in ('youtubevis2019', 'youtubevis2021', 'ovis'):
        for backbone in ('r50', 'swin-l'):
            for method, suffix in (
                ('idol', ''),
                ('idol-boxinst', '-box'),
                ('pm-vis', '-pseudo'),
                ('pm-vis', '-pixel'),
            ):
                per_gpu = 2 if data == 'ovis' else 4
                name = f'{method}_{backbone}_8xb{per_gpu}-12k_{data}{suffix}'
                assert name in names
    for data in ('8xb4-12k_youtubevis2022', '8xb2-12k_bdd100k'):
        assert f'idol_r50_{data}' in names
        assert f'idol-boxinst_r50_{data}-box' in names
        assert f'pm-vis_r50_{data}-pseudo' in names
    assert {'idol_r101_8xb4-12k_youtubevis2019'} <= names


@pytest.mark.parametrize(
    ('option', 'value'),
    [
        ('model.mask_head.mask_losses.proj.loss_weight', 1.0),  # W1
        ('model.mask_head.mask_losses.dice.loss_weight', 4.0),  # W2
        ('model.mask_head.mask_losses.pairwise.color_thresh', 0.2),
        ('model.mask_head.mask_losses.pairwise.warmup_iters', 100),
        ('model.mask_head.mask_losses.pairwise.normalizer', 'edges_in'),
        ('model.data_preprocessor.similarity.swap_rb', True),
        ('model.mask_head.box_rule', 'exact'),
        ('model.mask_head.sync_avg_factor', False),
        ('train_dataloader.dataset.pseudo_ann_file', 'other.json'),
        ('train_dataloader.dataset.ann_file', 'filtered.json'),
        ('train_dataloader.dataset.drop_unmasked', True),
    ],
)
def test_an_ablation_is_one_option(option, value):
    small = CONFIGS / 'pm_vis/pm-vis_r18_1xb4-2k_own-pseudo.py'
    cfg = Config.fromfile(small)
    cfg.merge_from_dict({option: value})
    node = cfg
    for key in option.split('.'):
        node = node[key]
    assert node == value
    if option.startswith('model'):
        with DefaultScope.overwrite_default_scope('pmvis_mm'):
            assert MODELS.build(cfg.model)
