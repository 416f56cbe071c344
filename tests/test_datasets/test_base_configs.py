import pytest
import torch
from mmengine import Config
from mmengine.runner import Runner

from pmvis_mm.datasets.metainfo import DATASET_CLASSES
from pmvis_mm.registry import DATASETS, HOOKS, MODELS, VISUALIZERS
from pmvis_mm.testing.tiny_coco import write_tiny_coco_clips
from pmvis_mm.testing.tiny_vis import write_tiny_vis
from pmvis_mm.utils.errors import FrameError
from pmvis_mm.utils.fileio import dump_json

pytestmark = pytest.mark.usefixtures('default_scope')

LEAF = """
_base_ = [
    '{root}/_base_/datasets/{dataset}.py',
    '{root}/_base_/pipelines/{pipeline}.py',
    '{root}/_base_/default_runtime.py',
]
train_dataloader = dict(
    dataset=dict(supervision='{supervision}', pipeline=_base_.train_pipeline)
)
"""
VALIDATION = """
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
"""


def leaf(folder, root, dataset, pipeline):
    path = folder / 'leaf.py'
    text = LEAF if dataset == 'coco_clips' else LEAF + VALIDATION
    path.write_text(
        text.format(
            root=root.as_posix(),
            dataset=dataset,
            pipeline=pipeline,
            supervision=pipeline.replace('coco_', '').split('_')[0],
        )
    )
    return Config.fromfile(path)


@pytest.mark.parametrize(
    'dataset, pipeline, train, prefix',
    [
        ('youtube_vis_2019', 'full', 'train.json', 'train/JPEGImages/'),
        (
            'youtube_vis_2021',
            'pseudo',
            'train/instances.json',
            'train/JPEGImages/',
        ),
        ('ovis', 'box_720p', 'annotations_train.json', 'train/'),
        (
            'youtube_vis_2022',
            'box',
            'train/instances.json',
            'train/JPEGImages/',
        ),
        (
            'bdd100k_mots',
            'full_720p',
            'annotations/mots_train.json',
            'images/seg_track_20/train/',
        ),
        ('own', 'box', 'train/boxes.json', 'train/JPEGImages/'),
    ],
)
def test_bases_join_and_read_the_official_layout(
    dataset, pipeline, train, prefix, tmp_path, config_root
):
    base = Config.fromfile(config_root / f'_base_/datasets/{dataset}.py')
    assert 'pipeline' not in base.train_dataloader.dataset
    cfg = leaf(tmp_path, config_root, dataset, pipeline)
    assert cfg.default_scope == 'pmvis_mm'
    assert cfg.train_dataloader.dataset.ann_file == train
    # A file of that layout below another root is read.
    classes = DATASET_CLASSES.get(dataset)
    data = write_tiny_vis(tmp_path / 'made')
    if classes:
        data['categories'] = [
            dict(id=i, name=name) for i, name in enumerate(classes)
        ]
    dump_json(data, tmp_path / 'root' / train)
    (tmp_path / 'root' / prefix).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / 'made/JPEGImages').rename(tmp_path / 'root' / prefix)
    cfg.train_dataloader.dataset.update(
        data_root=str(tmp_path / 'root'), supervision='full', pipeline=[]
    )
    built = DATASETS.build(cfg.train_dataloader.dataset)
    assert len(built) == 2
    if classes:
        assert built.metainfo['classes'] == classes


def test_validation_is_in_test_mode(config_root):
    for name in (*DATASET_CLASSES, 'own'):
        path = config_root / f'_base_/datasets/{name}.py'
        if name == 'coco':  # no such config
            assert not path.exists()
            continue
        cfg = Config.fromfile(path)
        for loader in (cfg.val_dataloader, cfg.test_dataloader):
            assert loader.dataset.test_mode is True
            if name == 'own':  # small: whole videos, for any model
                assert loader.batch_size == 1
                assert loader.sampler.round_up is False
            else:
                assert loader.sampler.type == 'TrackImgSampler'


@pytest.mark.parametrize('pipeline', ['box', 'pseudo', 'full'])
def test_loader_feeds_mmdets_preprocessor(tmp_path, config_root, pipeline):
    changes = dict(supervision='full' if pipeline == 'pseudo' else pipeline)
    write_tiny_vis(tmp_path / 'train')
    config = leaf(tmp_path, config_root, 'own', pipeline)
    changes['ann_file'] = 'train/instances.json'
    config.train_dataloader.dataset.update(changes, data_root=str(tmp_path))
    config.train_dataloader.update(
        num_workers=0, batch_size=2, persistent_workers=False
    )
    loader = Runner.build_dataloader(config.train_dataloader, seed=0)
    batch = next(iter(loader))
    preprocessor = MODELS.build(
        dict(
            type='TrackDataPreprocessor',
            mean=[0.0, 0.0, 0.0],
            std=[1.0, 1.0, 1.0],
            bgr_to_rgb=True,
            pad_mask=pipeline != 'box',
            pad_size_divisor=32,
        )
    )
    data = preprocessor(batch, training=True)
    height, width = data['inputs'].shape[-2:]
    assert tuple(data['inputs'].shape[:3]) == (2, 2, 3)
    assert height % 32 == 0 and width % 32 == 0
    for sample in data['data_samples']:
        for frame in sample:
            gt = frame.gt_instances
            assert gt.bboxes.dtype == torch.float32
            assert len(gt.labels) == len(gt.bboxes) > 0
            if pipeline != 'box':
                assert gt.masks.masks.shape[1:] == (height, width)
                assert gt.masks_valid.all()
    # The colour of the background of the videos, now RGB.
    reds = {float(clip[0, 0, 0, 0]) for clip in data['inputs']}
    assert reds <= {60.0, 80.0}


@pytest.mark.parametrize('supervision', ['box', 'full'])
def test_images_train_as_clips_with_similarity(
    tmp_path, config_root, supervision
):
    made = tmp_path / 'data'
    content = write_tiny_coco_clips(made, num_images=3)
    # The official ids leave numbers out.
    content['categories'] = [
        dict(id=2 * i + 1, name=name)
        for i, name in enumerate(DATASET_CLASSES['coco'])
    ]
    for annotation in content['annotations']:
        annotation['category_id'] = 2 * 79 + 1
    (made / 'annotations').mkdir()
    (made / 'images').rename(made / 'train2017')
    config = leaf(tmp_path, config_root, 'coco_clips', f'coco_{supervision}')
    # The layout of the download, and nothing to validate with.
    dataset = config.train_dataloader.dataset
    dump_json(content, made / dataset.ann_file)
    assert 'val_dataloader' not in config
    assert config.train_dataloader.batch_size == 4
    dataset.data_root = str(made)
    config.train_dataloader.update(
        num_workers=0, batch_size=2, persistent_workers=False
    )
    loader = Runner.build_dataloader(config.train_dataloader, seed=0)
    assert len(loader.dataset) == 3  # the empty image is filtered
    preprocessor = MODELS.build(
        dict(
            type='VISDataPreprocessor',
            mean=[0.0, 0.0, 0.0],
            std=[1.0, 1.0, 1.0],
            bgr_to_rgb=True,
            pad_size_divisor=32,
            similarity=dict(removed=0),
        )
    )
    data = preprocessor(next(iter(loader)), training=True)
    height, width = data['inputs'].shape[-2:]
    assert data['similarity'].shape == (2, 1, 8, height // 4, width // 4)
    for clip, sample in zip(data['inputs'], data['data_samples']):
        for frame, view in zip(clip, sample):
            h, w = view.img_shape
            assert not frame[:, h:].any() and not frame[:, :, w:].any()
            assert ('masks' in view.gt_instances) == (supervision == 'full')
            assert set(view.gt_instances.labels.tolist()) <= {79}


@pytest.mark.parametrize('pipeline', ['box', 'pseudo', 'full'])
@pytest.mark.parametrize('num_frames, annotated', [(1, True), (3, False)])
def test_short_and_empty_clips_pass(
    tmp_path, config_root, pipeline, num_frames, annotated
):
    data = write_tiny_vis(
        tmp_path, num_videos=2, num_frames=num_frames, size=(420, 640)
    )
    if num_frames == 1:  # the bar is absent in the last frame
        data['annotations'] = data['annotations'][::2]
    if not annotated:
        data['annotations'] = data['annotations'][2:]
    dump_json(data, tmp_path / 'instances.json')
    config = Config.fromfile(config_root / f'_base_/pipelines/{pipeline}.py')
    dataset = DATASETS.build(
        dict(
            type='VISDataset',
            ann_file=str(tmp_path / 'instances.json'),
            data_prefix=dict(img_path=str(tmp_path / 'JPEGImages')),
            supervision='box' if pipeline == 'box' else 'full',
            pipeline=config.train_pipeline,
        )
    )
    most = 0
    for _ in range(6):
        sample = dataset[0]
        frames = sample['data_samples']
        assert len(frames) == 2 and len(sample['inputs']) == 2
        assert {frame.video_id for frame in frames} == {0}
        for frame in frames:
            gt = frame.gt_instances
            most = max(most, len(gt))
            assert gt.bboxes.shape == (len(gt.instances_ids), 4)
            if pipeline != 'box':
                shape = gt.masks.masks.shape
                assert shape == (len(gt), *frame.img_shape)
                assert len(gt.masks_valid) == len(gt)
    assert most == int(annotated)


def test_frames_are_resized_as_the_public_code_does(config_root):
    for name in ('box', 'full', 'pseudo', 'coco_box', 'coco_full'):
        for suffix in ('', '_720p'):
            path = config_root / f'_base_/pipelines/{name}{suffix}.py'
            if not path.exists():
                assert name.startswith('coco') and suffix
                continue
            config = Config.fromfile(path)
            test = config.test_pipeline[0].transforms[1]
            assert test.type == 'ResizeVISFrame'
            assert test.scale == config.test_scale
            assert "type='Resize'" not in config.pretty_text
            found = config.pretty_text.count("resize_type='ResizeVISFrame'")
            assert found == (2 if name.startswith('coco') else 1)
            (resize,) = (
                step
                for group in config.train_pipeline
                for step in group.get('transforms', ())
                if step.type == 'RandomChoiceResize'
            )
            assert resize.scales == [
                (config.train_long_edge, s) for s in config.train_short_edges
            ]
            assert len(resize.scales) == 11


def test_error_in_a_worker_names_the_frame(tmp_path, config_root):
    write_tiny_vis(tmp_path / 'train', num_videos=1, num_frames=2)
    frame = tmp_path / 'train/JPEGImages/v0/00001.png'
    frame.write_bytes(frame.read_bytes()[:60])
    config = leaf(tmp_path, config_root, 'own', 'box')
    config.train_dataloader.dataset.update(
        data_root=str(tmp_path), ann_file='train/instances.json'
    )
    config.train_dataloader.update(num_workers=1, batch_size=1)
    loader = Runner.build_dataloader(config.train_dataloader, seed=0)
    with pytest.raises(FrameError, match='truncated') as info:
        next(iter(loader))
    assert 'video 0, frame 1' in str(info.value)


def test_runtime_names_known_parts(config_root):
    cfg = Config.fromfile(config_root / '_base_/default_runtime.py')
    for hook in cfg.default_hooks.values():
        assert HOOKS.get(hook.type) is not None, hook.type
    assert VISUALIZERS.get(cfg.visualizer.type) is not None
    built = HOOKS.build(cfg.default_hooks.checkpoint)
    assert built.interval == 1000 and built.by_epoch is False
