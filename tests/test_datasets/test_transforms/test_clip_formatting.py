"""Packed clips."""

import numpy as np
import pytest
import torch

pytest.importorskip('mmdet')

from pmvis_mm.datasets import PackVOSInputs
from pmvis_mm.utils.errors import ConfigError


def clip(maps, dtype=np.uint8):
    maps = [np.array(m, np.uint8) for m in maps]
    images = [np.zeros((*m.shape, 3), dtype) for m in maps]
    for t, image in enumerate(images):
        image[..., 2] = 100 + t
    return dict(
        img=images,
        gt_seg_map=maps,
        video_id=[5] * len(maps),
        frame_id=list(range(3, 3 + len(maps))),
    )


def test_objects_of_the_reference_are_numbered_without_gaps():
    out = PackVOSInputs()(clip([[[0, 4, 2, 255]], [[2, 9, 4, 0]]]))
    sample = out['data_samples']
    assert sample.num_objects == 2 and sample.video_id == 5
    assert sample.frame_ids == [3, 4] and sample.img_shape == (1, 4)
    labels = sample.gt_label_maps.data
    assert labels.dtype == torch.uint8
    # 9 comes later: background.
    assert labels.tolist() == [[[0, 2, 1, 255]], [[1, 0, 2, 0]]]
    assert out['inputs'].dtype == torch.uint8
    assert out['inputs'].shape == (2, 3, 1, 4)
    assert out['inputs'][:, 2, 0, 0].tolist() == [100, 101]


def test_float_frames_are_rounded_and_clipped():
    data = clip([[[1, 0, 0, 0]]], np.float32)
    data['img'][0][0, :, 0] = (-20.0, 300.0, 7.6, 0.4)
    out = PackVOSInputs()(data)
    assert out['inputs'][0, 0, 0].tolist() == [0, 255, 8, 0]


def test_reference_without_object():
    assert PackVOSInputs()(clip([[[0, 255]], [[1, 1]]])) is None


def test_bad_input():
    with pytest.raises(ConfigError, match=r'11 objects.*video 5, frame 3'):
        PackVOSInputs()(clip([[[*range(12)]]]))
    with pytest.raises(ConfigError, match='differ in size'):
        PackVOSInputs()(clip([[[1]], [[1, 1]]]))
    assert repr(PackVOSInputs(3)) == 'PackVOSInputs(max_objects=3)'
