import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks

from pmvis_mm.datasets.transforms import PackVISInputs
from pmvis_mm.utils.errors import ConfigError

KEPT = dict(
    img_path='p',
    ori_shape=(4, 6),
    scale_factor=(1.0, 1.0),
    flip=True,
    flip_direction='horizontal',
    video_id=0,
    video_length=2,
    ori_video_length=9,
    is_video_data=True,
)


def clip():
    """Frames of 2x3 and 4x2 pixels with 2 and 1 instances."""
    shapes, counts = [(2, 3), (4, 2)], [2, 1]
    results = {key: [value, value] for key, value in KEPT.items()}
    results.update(
        img=[np.full((*s, 3), 9, np.uint8) for s in shapes],
        img_shape=shapes,
        img_id=[5, 6],
        frame_id=[3, 7],
        gt_bboxes=[np.ones((n, 4), np.float32) for n in counts],
        gt_bboxes_labels=[np.arange(n) for n in counts],
        gt_instances_ids=[np.array([8, 4]), np.array([4])],
        gt_ignore_flags=[np.zeros(n, bool) for n in counts],
        gt_masks=[
            BitmapMasks(np.ones((n, *s), np.uint8), *s)
            for n, s in zip(counts, shapes)
        ],
        # The second frame has lost instance 8 to a crop.
        gt_masks_valid=[np.array([True, False]), np.array([True, False])],
        gt_masks_valid_ids=[np.array([8, 4]), np.array([8, 4])],
        instances=[[dict(mask='secret')], []],
        key_frame_flags=[True, False],
    )
    return results


def test_frames_of_different_size_are_padded_not_scaled():
    packed = PackVISInputs()(clip())
    images = packed['inputs']
    assert images.shape == (2, 3, 4, 3) and images.dtype == torch.uint8
    assert images[0, 0].tolist() == [[9] * 3] * 2 + [[0] * 3] * 2
    assert images[1, 0].tolist() == [[9, 9, 0]] * 4
    samples = packed['data_samples']
    assert [s.img_shape for s in samples] == [(2, 3), (4, 2)]
    assert samples[1].gt_instances.masks.masks.shape == (1, 4, 2)


def test_equal_frames_are_stacked_as_they_are():
    results = clip()
    results['img'] = [np.full((2, 3, 3), t, np.uint8) for t in range(2)]
    images = PackVISInputs()(results)['inputs']
    assert images.shape == (2, 3, 2, 3)
    assert images[1].unique().tolist() == [1]


def test_metainfo_is_kept_and_raw_annotation_is_not():
    first, second = PackVISInputs()(clip())['data_samples']
    for key, value in KEPT.items():
        assert first.metainfo[key] == value
    assert (first.img_id, first.frame_id) == (5, 3)
    assert (second.img_id, second.frame_id) == (6, 7)
    assert 'instances' not in first.all_keys()


def test_validity_is_packed_and_aligned():
    results = clip()
    first, second = PackVISInputs()(results)['data_samples']
    assert first.gt_instances.masks_valid.dtype == torch.bool
    assert first.gt_instances.masks_valid.tolist() == [True, False]
    assert second.gt_instances.instances_ids.tolist() == [4]
    assert second.gt_instances.masks_valid.tolist() == [False]
    assert len(results['gt_masks_valid'][1]) == 2  # input untouched


def test_key_frame_is_told():
    sample = PackVISInputs()(clip())['data_samples']
    assert sample.key_frames_inds == [0] and sample.ref_frames_inds == [1]


def test_test_sample_without_annotation():
    results = {key: value for key, value in clip().items() if 'gt_' not in key}
    sample = PackVISInputs()(results)['data_samples'][0]
    assert list(sample.gt_instances.all_keys()) == []


@pytest.mark.parametrize('keys', ['instances', ('height', 'instances')])
def test_raw_annotation_cannot_be_asked_for(keys):
    with pytest.raises(ConfigError, match='asks for raw annotations') as info:
        PackVISInputs(meta_keys=keys)
    assert 'Fix: remove them' in str(info.value)


def test_further_meta_keys():
    results = dict(clip(), height=[4, 4])
    sample = PackVISInputs(meta_keys='height')(results)['data_samples'][0]
    assert sample.height == 4
