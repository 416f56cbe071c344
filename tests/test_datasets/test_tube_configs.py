"""Base configs of MaskFreeVIS: pipelines, joint data, schedules."""

import pytest
import torch
from mmengine import Config
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from torch import nn

from pmvis_mm.datasets.metainfo import DATASET_CLASSES
from pmvis_mm.registry import DATASETS
from pmvis_mm.testing.leak import find_masks
from pmvis_mm.testing.tiny_downloads import write_coco_download
from pmvis_mm.testing.tiny_vis import write_tiny_vis
from pmvis_mm.utils.fileio import dump_json

pytestmark = pytest.mark.usefixtures('default_scope')

LEAF = """
_base_ = [
    '{root}/_base_/datasets/{dataset}.py',
    '{root}/_base_/pipelines/{pipeline}.py',
    '{root}/_base_/schedules/{schedule}.py',
    '{root}/_base_/default_runtime.py',
]
"""
SINGLE = """
train_dataloader = dict(
    dataset=dict(supervision='{supervision}', pipeline=_base_.train_pipeline)
)
"""
JOINT = """
images, videos = _base_.train_dataloader.dataset.datasets
images['pipeline'] = _base_.coco_train_pipeline
videos['pipeline'] = _base_.train_pipeline
train_dataloader = dict(dataset=dict(datasets=[images, videos]))
"""
VALIDATION = """
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
"""


def leaf(folder, root, body, **names):
    path = folder / 'leaf.py'
    names = dict(schedule='maskfreevis_6k', supervision='box', **names)
    text = (LEAF + body).format(root=root.as_posix(), **names)
    path.write_text(text)
    return Config.fromfile(path)


def write_videos(root, train, val, version):
    """Write tiny videos laid out as the download of a dataset."""
    for split, file in (('train', train), ('valid', val)):
        data = write_tiny_vis(root / 'made', num_frames=4)
        data['categories'] = [
            dict(id=i + 1, name=name)
            for i, name in enumerate(DATASET_CLASSES[version])
        ]
        for entry in data['annotations']:
            entry['category_id'] = 6 + entry['id'] % 2
        dump_json(data, root / file)
        # OVIS has no folder JPEGImages.
        target = root / split / ('' if version == 'ovis' else 'JPEGImages')
        target.parent.mkdir(parents=True, exist_ok=True)
        (root / 'made/JPEGImages').rename(target)


def load(dataloader, batch_size=2):
    dataloader.update(
        num_workers=0, persistent_workers=False, batch_size=batch_size
    )
    return Runner.build_dataloader(dataloader, seed=0)


@pytest.mark.parametrize('version', ['youtube_vis_2019', 'youtube_vis_2021'])
def test_joint_batches_are_clips_of_images_or_of_videos(
    tmp_path, config_root, version
):
    cfg = leaf(
        tmp_path,
        config_root,
        JOINT + VALIDATION,
        dataset=f'joint_coco_{version}',
        pipeline='tube_joint',
    )
    data = cfg.train_dataloader.dataset.datasets
    assert [d.supervision for d in data] == ['full', 'box']
    write_coco_download(tmp_path / 'coco', ('car', 'car'))
    write_videos(tmp_path / 'vis', data[1].ann_file, cfg.val_ann_file, version)
    data[0].data_root, data[1].data_root = (
        str(tmp_path / name) for name in ('coco', 'vis')
    )
    loader = load(cfg.train_dataloader)
    assert loader.batch_sampler.ratios == [1.0, 0.75]
    assert loader.dataset.metainfo['classes'] == DATASET_CLASSES[version]
    label = DATASET_CLASSES[version].index(
        'sedan' if version.endswith('2019') else 'car'
    )
    seen = set()
    batches = iter(loader)
    while len(seen) < 2:
        batch = next(batches)
        (length,) = {len(clip) for clip in batch['inputs']}
        assert length in (3, 4)
        for clip in batch['data_samples']:
            for frame in clip:
                gt = frame.gt_instances
                assert ('masks' in gt) == (length == 4)
                if length == 4:
                    assert set(gt.labels.tolist()) <= {label}
        if length == 3:
            assert find_masks(batch) == []
        seen.add(length)
    sample = check_validation(cfg, tmp_path / 'vis')
    assert tuple(sample['inputs'].shape) == (4, 3, 360, 540)


def check_validation(cfg, root):
    """Build the validation data; returns the first sample: a video."""
    assert cfg.val_dataloader.batch_size == 1
    assert cfg.val_dataloader.sampler == dict(
        type='DefaultSampler', shuffle=False, round_up=False
    )
    assert cfg.test_dataloader.sampler == cfg.val_dataloader.sampler
    cfg.val_dataloader.dataset.data_root = str(root)
    return DATASETS.build(cfg.val_dataloader.dataset)[0]


@pytest.mark.parametrize(
    'version', ['youtube_vis_2019', 'youtube_vis_2021', 'ovis']
)
@pytest.mark.parametrize('pipeline', ['tube_box', 'tube_box_480p'])
def test_tubes_of_videos_from_boxes(tmp_path, config_root, version, pipeline):
    cfg = leaf(
        tmp_path,
        config_root,
        SINGLE + VALIDATION,
        dataset=f'{version}_tubes',
        pipeline=pipeline,
    )
    root = tmp_path / 'vis'
    write_videos(root, cfg.train_ann_file, cfg.val_ann_file, version)
    assert cfg.train_dataloader.batch_size == 2
    cfg.train_dataloader.dataset.data_root = str(root)
    batch = next(iter(load(cfg.train_dataloader)))
    assert find_masks(batch) == []
    for clip, sample in zip(batch['inputs'], batch['data_samples']):
        # One size for all five frames; three to two, short side 360 or 480.
        assert tuple(clip.shape) in {(5, 3, 360, 540), (5, 3, 480, 720)}
        assert len({frame.flip for frame in sample}) == 1
        assert len(sample.key_frames_inds) == 1
        for frame in sample:
            ids = frame.gt_instances.instances_ids.tolist()
            assert len(ids) == (1 if frame.frame_id == 3 else 2)
    sample = check_validation(cfg, root)
    short = 480 if pipeline.endswith('480p') else 360
    assert tuple(sample['inputs'].shape) == (4, 3, short, short * 3 // 2)


@pytest.mark.parametrize('pipeline', ['tube_tight', 'tube_full'])
def test_boxes_of_masks_with_and_without_the_masks(
    tmp_path, config_root, pipeline
):
    cfg = Config.fromfile(config_root / f'_base_/pipelines/{pipeline}.py')
    data = write_tiny_vis(tmp_path, num_videos=1, num_frames=2)
    for entry in data['annotations']:  # boxes that do not fit their masks
        entry['bboxes'] = [b and [0, 0, 40, 30] for b in entry['bboxes']]
    dump_json(data, tmp_path / 'instances.json')
    dataset = DATASETS.build(
        dict(
            type='VISDataset',
            ann_file=str(tmp_path / 'instances.json'),
            data_prefix=dict(img_path=str(tmp_path / 'JPEGImages')),
            pipeline=cfg.train_pipeline,
        )
    )
    sample = dataset[0]
    for frame in sample['data_samples']:
        gt = frame.gt_instances
        scale = frame.img_shape[0] / 32
        # The square, 8 x 8; boxes of resized masks are whole pixels.
        sides = (gt.bboxes[0, 2:] - gt.bboxes[0, :2]) / scale
        assert torch.allclose(sides, torch.tensor([8.0, 8.0]), atol=0.1)
        assert ('masks' in gt) == (pipeline == 'tube_full')
    assert bool(find_masks(sample)) == (pipeline == 'tube_full')


def test_images_from_boxes_at_large_scale_jitter(tmp_path, config_root):
    cfg = leaf(
        tmp_path,
        config_root,
        SINGLE,
        dataset='coco_clips',
        pipeline='coco_image_box',
    )
    write_coco_download(tmp_path / 'coco', num_images=4)
    cfg.train_dataloader.dataset.data_root = str(tmp_path / 'coco')
    dataset = load(cfg.train_dataloader).dataset
    sides, boxes = [], 0
    for turn in range(40):
        sample = dataset[turn % 4]
        assert find_masks(sample) == []
        assert tuple(sample['inputs'].shape[:2]) == (1, 3)
        height, width = sample['inputs'].shape[-2:]
        sides.append(max(height, width))
        (frame,) = sample['data_samples']
        gt = frame.gt_instances
        boxes += len(gt)
        limits = torch.tensor([width, height] * 2)
        assert (gt.bboxes >= 0).all() and (gt.bboxes <= limits).all()
    assert boxes > 0
    # From a tenth of the canvas; above it, cropped: half of all.
    assert 102 <= min(sides) < 400 and max(sides) == 1024
    assert 8 <= sides.count(1024) <= 34


def test_pseudo_clips_move(tmp_path, config_root):
    cfg = Config.fromfile(config_root / '_base_/pipelines/coco_pseudo_clip.py')
    write_coco_download(tmp_path, ('car', 'car'))
    dataset = DATASETS.build(
        dict(
            type='COCOClipDataset',
            ann_file=str(tmp_path / 'annotations/instances_train2017.json'),
            data_prefix=dict(img_path=str(tmp_path / 'train2017')),
            category_map='youtube_vis_2019',
            pipeline=cfg.coco_train_pipeline,
        )
    )
    instances = 0
    for _ in range(6):
        sample = dataset[0]
        assert len(sample['inputs']) == 4
        height, width = sample['inputs'].shape[-2:]
        assert min(height, width) <= 512 and max(height, width) <= 768
        first = sample['inputs'][0]
        assert not all(torch.equal(first, i) for i in sample['inputs'][1:])
        for frame in sample['data_samples']:
            gt = frame.gt_instances
            instances += len(gt)
            assert gt.masks.masks.shape == (len(gt), height, width)
            for box, mask in zip(gt.bboxes.tolist(), gt.masks.masks):
                x1, y1, x2, y2 = map(int, box)
                inside = mask[y1:y2, x1:x2]
                assert inside.sum() == mask.sum() > 0
                assert inside[0].any() and inside[:, -1].any()
    assert instances > 0


SCHEDULES = dict(
    maskfreevis_6k=(6000, [4000], 1e-4, 16),
    maskfreevis_8k=(8000, [5500], 1e-4, 16),
    maskfreevis_70k=(70000, [37500], 1e-4, 16),
    maskfreevis_140k=(140000, [75000], 5e-5, 8),
    maskfreevis_coco_369k=(368750, [327778, 355092], 1e-4, 16),
)


@pytest.mark.parametrize('name', SCHEDULES)
def test_schedules_by_number(config_root, name):
    iters, steps, rate, clips = SCHEDULES[name]
    cfg = Config.fromfile(config_root / f'_base_/schedules/{name}.py')
    assert cfg.train_cfg.max_iters == iters < cfg.train_cfg.val_interval
    (scheduler,) = cfg.param_scheduler  # no warm-up
    assert scheduler.milestones == steps and scheduler.gamma == 0.1
    assert scheduler.end == iters
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr) == ('AdamW', rate)
    assert optimizer.weight_decay == 0.05
    assert cfg.optim_wrapper.clip_grad == dict(max_norm=0.01, norm_type=2)
    assert cfg.auto_scale_lr.base_batch_size == clips
    assert (cfg.val_cfg is None) == ('coco' in name)


class Small(nn.Module):
    """A Swin, and the parts of a head that are treated on their own."""

    def __init__(self):
        super().__init__()
        from mmdet.models.backbones import SwinTransformer

        self.backbone = SwinTransformer(
            embed_dims=4,
            depths=[2, 2, 18, 2],
            num_heads=[1, 1, 1, 1],
            window_size=2,
            use_abs_pos_embed=True,
            pretrain_img_size=32,
        )
        self.track_head = nn.ModuleDict(
            dict(
                query_embed=nn.Embedding(2, 4),
                query_feat=nn.Embedding(2, 4),
                level_embed=nn.Embedding(2, 4),
                norm=nn.LayerNorm(4),
                conv=nn.Sequential(nn.Conv2d(4, 4, 1), nn.GroupNorm(2, 4)),
                linear=nn.Linear(4, 4),
            )
        )


def test_norm_layers_and_embeddings_do_not_decay(config_root):
    cfg = Config.fromfile(config_root / '_base_/schedules/maskfreevis_6k.py')
    model = Small()
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    settings = {
        id(p): (group['lr'], group['weight_decay'])
        for group in wrapper.optimizer.param_groups
        for p in group['params']
    }
    free = {
        id(p)
        for module in model.modules()
        if isinstance(module, (nn.LayerNorm, nn.GroupNorm, nn.Embedding))
        for p in module.parameters(recurse=False)
    }
    assert len(settings) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        is_free = id(parameter) in free or any(
            word in name
            for word in ('absolute_pos_embed', 'relative_position_bias')
        )
        slow = name.startswith('backbone.')
        rate, decay = settings[id(parameter)]
        assert rate == pytest.approx(1e-5 if slow else 1e-4), name
        assert decay == pytest.approx(0.0 if is_free else 0.05), name
