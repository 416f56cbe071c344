import pytest
import torch
from mmengine import Config
from mmengine.runner import Runner

from pmvis_mm.datasets.metainfo import DATASET_CLASSES
from pmvis_mm.registry import DATASETS, HOOKS, MODELS, VISUALIZERS
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
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
"""


def leaf(folder, root, dataset, pipeline):
    path = folder / 'leaf.py'
    path.write_text(
        LEAF.format(
            root=root.as_posix(),
            dataset=dataset,
            pipeline=pipeline,
            supervision=pipeline.split('_')[0],
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


def test_validation_is_in_test_mode_with_whole_videos(config_root):
    for name in (*DATASET_CLASSES, 'own'):
        path = config_root / f'_base_/datasets/{name}.py'
        if name == 'youtube_vis_2022':
            assert not path.exists()
            continue
        cfg = Config.fromfile(path)
        for loader in (cfg.val_dataloader, cfg.test_dataloader):
            assert loader.dataset.test_mode is True
            assert loader.batch_size == 1
            assert loader.sampler.round_up is False


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
