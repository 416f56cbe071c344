import copy

import numpy as np
import pytest
import torch
from mmdet.datasets.transforms import PackTrackInputs
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


@pytest.mark.parametrize('flags', [None, [0, 1, 0]])
def test_packed_as_mmdet_does(flags):
    """But for what the class says it does otherwise."""
    rng = np.random.default_rng(0)
    images = [
        rng.integers(0, 256, (9, 13, 3), dtype=np.uint8) for _ in range(4)
    ]
    # Flips are views that run backwards; crops have gaps between rows.
    images[1] = images[1][:, ::-1]
    images[2] = images[2][::-1, ::-1]
    images[3] = rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)[2:11, 3:16]
    results = dict(
        img=images,
        img_id=[1, 2, 3, 4],
        img_shape=[(9, 13)] * 4,
        frame_id=[0, 1, 2, 3],
        flip=[True] * 4,
        key_frame_flags=[False, True, False, False],
        gt_bboxes=[rng.random((3, 4)).astype(np.float32) for _ in range(4)],
        gt_bboxes_labels=[np.arange(3) for _ in range(4)],
        gt_instances_ids=[np.array([5, 7, 9]) for _ in range(4)],
        gt_masks=[
            BitmapMasks(rng.integers(0, 2, (3, 9, 13), np.uint8), 9, 13)
            for _ in range(4)
        ],
    )
    if flags is not None:
        results['gt_ignore_flags'] = [np.array(flags, bool)] * 4
    ours = PackVISInputs()(copy.deepcopy(results))
    theirs = PackTrackInputs()(copy.deepcopy(results))
    assert torch.equal(ours['inputs'], theirs['inputs'])
    assert ours['inputs'].is_contiguous()
    ours, theirs = ours['data_samples'], theirs['data_samples']
    assert ours.metainfo == theirs.metainfo
    assert len(ours) == len(theirs) == 4
    for a, b in zip(ours, theirs):
        assert a.metainfo == b.metainfo
        for name in ('gt_instances', 'ignored_instances'):
            x, y = getattr(a, name), getattr(b, name)
            assert set(x.keys()) == set(y.keys())
            for key in y.keys():
                if key == 'masks':
                    assert type(x.masks) is type(y.masks)
                    assert (x.masks.masks == y.masks.masks).all()
                else:
                    assert x[key].dtype == y[key].dtype
                    assert torch.equal(x[key], y[key])


def test_floats_are_packed_as_they_are():
    image = np.random.default_rng(0).random((5, 4, 3)).astype(np.float32)
    packed = PackVISInputs()(dict(img=[image, image[:, ::-1]], img_id=[0, 1]))
    expected = np.stack([image, image[:, ::-1]]).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(packed['inputs'].numpy(), expected)


def test_the_frames_have_the_name_that_readers_of_dicts_use():
    sample = PackVISInputs()(clip())['data_samples']
    assert sample.keys() == ['video_data_samples']
    frames = sample.to_dict()['video_data_samples']
    assert [frame.frame_id for frame in frames] == [3, 7]
