"""Frames of a clip that a loss compares are cropped and scaled alike."""

import random

import numpy as np
import pytest
import torch
from mmengine import Config
from PIL import Image

from pmvis_mm.registry import DATASETS
from pmvis_mm.testing.tiny_vis import write_tiny_vis

pytestmark = pytest.mark.usefixtures('default_scope')


@pytest.fixture
def still(tmp_path):
    """Videos that show the same noise in all of their 40 frames."""
    write_tiny_vis(tmp_path, num_frames=40, size=(64, 96))
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)
    for path in (tmp_path / 'JPEGImages').rglob('*.png'):
        Image.fromarray(noise).save(path)
    return tmp_path


def load(root, config, index=0):
    """Clips of a pipeline that crops these small frames too."""
    pipeline = Config.fromfile(config).train_pipeline
    crop = pipeline[2].transforms[0].transforms[0]
    crop.crop_size = (24, 60)
    pipeline[3].transforms[0].scales = [(96, 64), (192, 128)]
    dataset = DATASETS.build(
        dict(
            type='VISDataset',
            ann_file=str(root / 'instances.json'),
            data_prefix=dict(img_path=str(root / 'JPEGImages')),
            supervision='full',
            pipeline=pipeline,
        )
    )
    np.random.seed(0)
    random.seed(0)  # chooses the frames
    return [dataset[index] for _ in range(20)]


def same(sample):
    """Whether both frames show the same cut-out."""
    key, ref = sample['inputs']
    shapes = [frame.img_shape for frame in sample['data_samples']]
    return shapes[0] == shapes[1] and torch.equal(key, ref)


def bar(gt):
    """Box and mask area of the instance that stays where it is."""
    rows = (gt.instances_ids == 1).nonzero().flatten().tolist()
    return [
        (gt.bboxes[row].tolist(), int(gt.masks.masks[row].sum()))
        for row in rows
    ]


def test_one_crop_and_one_scale_per_clip(still, config_root):
    samples = load(still, config_root / '_base_/pipelines/pseudo_tube.py')
    shapes = {tuple(s['data_samples'][0].img_shape) for s in samples}
    assert len(shapes) > 4  # many crops
    assert all(same(sample) for sample in samples)
    seen = 0
    for sample in samples:
        first, second = (frame.frame_id for frame in sample['data_samples'])
        assert abs(first - second) <= 3
        if 39 in (first, second):
            continue  # the bar is not in the last frame
        bars = [bar(frame.gt_instances) for frame in sample['data_samples']]
        assert bars[0] == bars[1]
        seen += len(bars[0])
    assert seen > 4


def test_without_it_crops_differ(still, config_root):
    """What the test above would find."""
    samples = load(still, config_root / '_base_/pipelines/pseudo.py')
    assert not all(same(sample) for sample in samples)
