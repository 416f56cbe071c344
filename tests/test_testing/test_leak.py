from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmdet.structures.mask import BitmapMasks, PolygonMasks
from mmengine.structures import InstanceData

from pmvis_mm.testing.leak import find_masks

RLE = dict(size=[2, 2], counts='04')


def packed(gt=None, **metainfo):
    frame = DetDataSample(metainfo=metainfo)
    # An InstanceData of length 0 is falsy.
    if gt is None:
        gt = InstanceData(bboxes=torch.zeros(1, 4))
    frame.gt_instances = gt
    sample = TrackDataSample()
    sample.video_data_samples = [frame]
    return dict(inputs=torch.zeros(1, 3, 2, 2), data_samples=sample)


PREFIX = 'data_samples.video_data_samples[0]'


def test_clean_sample():
    sample = packed(
        img_path='masks/a.png', img_shape=(2, 2), flip=False, with_mask=False
    )
    assert find_masks(sample) == []
    assert find_masks([]) == [] and find_masks(None) == []


@pytest.mark.parametrize(
    'masks',
    [
        BitmapMasks(np.zeros((1, 2, 2), np.uint8), 2, 2),
        BitmapMasks(np.zeros((0, 2, 2), np.uint8), 2, 2),
        PolygonMasks([[np.array([0, 0, 1, 0, 1, 1.0])]], 2, 2),
        torch.zeros(1, 2, 2),
    ],
)
def test_masks_in_instances(masks):
    gt = InstanceData()
    gt.masks = masks
    assert find_masks(packed(gt)) == [f'{PREFIX}.gt_instances.masks']


def test_raw_annotation_in_metainfo():
    sample = packed(instances=[dict(bbox=[0, 0, 1, 1], mask=RLE)])
    assert find_masks(sample) == [f'{PREFIX}.instances[0].mask']
    sample = packed(instances=[dict(segmentation=[[0, 0, 1, 0, 1, 1]])])
    assert find_masks(sample) == [f'{PREFIX}.instances[0].segmentation']


@pytest.mark.parametrize(
    'hidden, where',
    [
        (dict(extra=RLE), 'extra'),
        (dict(extra=[1, RLE]), 'extra[1]'),
        (dict(extra=np.zeros((2, 2), bool)), 'extra'),
        (dict(extra=torch.zeros(3, 2, 2, dtype=torch.bool)), 'extra'),
        (dict(gt_semantic_Segm=np.zeros(4)), 'gt_semantic_Segm'),
        (dict(masks_rle='04'), 'masks_rle'),
        (dict(extra=SimpleNamespace(inner=RLE)), 'extra.inner'),
        (dict(extra=np.array([None, RLE], object)), 'extra[1]'),
    ],
)
def test_hidden_elsewhere(hidden, where):
    assert find_masks(hidden) == [where]


def test_flags_of_instances_are_no_masks():
    assert find_masks(dict(valid=np.ones(3, bool), masks=None)) == []


def test_cycles_end():
    data = {}
    data['self'] = data
    assert find_masks(data) == []
