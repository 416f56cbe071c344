import numpy as np
import pytest
from mmdet.structures.mask import BitmapMasks
from PIL import Image

from pmvis_mm.datasets.transforms import LoadPseudoMasks, LoadVISFrame
from pmvis_mm.structures import rle
from pmvis_mm.utils.errors import AnnotationError, FrameError


@pytest.fixture
def frame(tmp_path):
    path = tmp_path / 'a.png'
    Image.fromarray(np.full((4, 6, 3), (3, 2, 1), np.uint8)).save(path)
    return dict(img_path=str(path), height=4, width=6, video_id=0, frame_id=5)


def annotated(**changes):
    mask = np.zeros((4, 6), bool)
    mask[1:3, 2:5] = True
    return dict(
        height=4,
        width=6,
        instances=[
            dict(
                bbox=[2.0, 1.0, 5.0, 3.0],
                bbox_label=7,
                instance_id=0,
                ignore_flag=0,
                mask=rle.encode(mask),
            ),
            dict(
                bbox=[0.0, 0.0, 1.5, 1.0],
                bbox_label=0,
                instance_id=2**40,
                ignore_flag=1,
            ),
        ],
        **changes,
    )


def test_frame_is_bgr_with_its_shape(frame):
    results = LoadVISFrame()(frame)
    assert results['img'].dtype == np.uint8
    assert results['img'][3, 5].tolist() == [1, 2, 3]
    assert results['img_shape'] == results['ori_shape'] == (4, 6)


def test_frame_to_float32(frame):
    image = LoadVISFrame(to_float32=True)(frame)['img']
    assert image.dtype == np.float32 and image[0, 0].tolist() == [1, 2, 3]


def test_frame_of_other_size_names_file_video_frame_fix(frame):
    frame['height'] = 5
    with pytest.raises(FrameError, match=r'6x4 .* says 6x5') as info:
        LoadVISFrame()(frame)
    for part in ('a.png', 'video 0, frame 5', 'Fix: '):
        assert part in str(info.value)
    assert LoadVISFrame(check_size=False)(frame)['img_shape'] == (4, 6)


def test_missing_and_truncated_frame(frame):
    with open(frame['img_path'], 'rb') as file:
        content = file.read()
    with open(frame['img_path'], 'wb') as file:
        file.write(content[:50])
    with pytest.raises(FrameError, match=r'truncated .*video 0, frame 5'):
        LoadVISFrame()(frame)
    frame['img_path'] += 'x'
    with pytest.raises(FrameError, match=r'not exist .*video 0, frame 5'):
        LoadVISFrame()(frame)


def test_instance_without_mask_gets_zeros_and_is_invalid():
    results = LoadPseudoMasks()(annotated())
    assert isinstance(results['gt_masks'], BitmapMasks)
    masks = results['gt_masks'].masks
    assert masks.shape == (2, 4, 6) and masks.dtype == np.uint8
    assert masks[0].sum() == 6 and masks[0, 1:3, 2:5].all()
    assert not masks[1].any()
    assert results['gt_masks_valid'].tolist() == [True, False]
    assert results['gt_masks_valid_ids'].tolist() == [0, 2**40]
    assert results['gt_bboxes'].tolist() == [[2, 1, 5, 3], [0, 0, 1.5, 1]]
    assert results['gt_bboxes'].dtype == np.float32
    assert results['gt_bboxes_labels'].tolist() == [7, 0]
    assert results['gt_ignore_flags'].tolist() == [False, True]
    assert results['gt_instances_ids'].tolist() == [0, 2**40]


def test_masks_of_any_form():
    results = annotated(video_id=3, frame_id=1)
    polygon = [[2.0, 1.0, 5.0, 1.0, 5.0, 3.0, 2.0, 3.0]]
    runs = dict(size=[4, 6], counts=[9, 2, 2, 2, 2, 2, 5])
    reference = LoadPseudoMasks()(annotated())['gt_masks'].masks[0]
    assert reference.sum() == 6
    for mask in (polygon, runs):
        results['instances'][0]['mask'] = mask
        masks = LoadPseudoMasks()(results)['gt_masks'].masks
        assert np.array_equal(masks[0], reference)
    # Without a pixel there is no mask.
    results['instances'][0]['mask'] = dict(size=[4, 6], counts=[24])
    assert not LoadPseudoMasks()(results)['gt_masks_valid'].any()


@pytest.mark.parametrize(
    'mask, message',
    [
        ([[1.0, 2.0]], 'at least 6 coordinates, got 2'),
        (dict(size=[6, 4], counts=[24]), r'mask size \[6, 4\] differs'),
        (dict(size=[4, 6], counts=[23]), 'counts add up to 23'),
        ('mask', 'not a segmentation: str'),
    ],
)
def test_malformed_mask_names_video_frame_instance(mask, message):
    results = annotated(video_id=3, frame_id=1)
    results['instances'][0]['mask'] = mask
    with pytest.raises(AnnotationError, match=message) as info:
        LoadPseudoMasks()(results)
    assert 'video 3, frame 1, instance 0' in str(info.value)
    assert 'Fix: ' in str(info.value)


def test_instances_are_copied():
    results = annotated()
    given = results['instances']
    loaded = LoadPseudoMasks()(results)['instances']
    assert loaded == given
    assert loaded is not given and loaded[0] is not given[0]


def test_box_supervision_loads_no_mask():
    results = LoadPseudoMasks(with_mask=False)(annotated())
    assert len(results['gt_bboxes']) == 2
    assert not [key for key in results if 'mask' in key]


def test_frame_without_instances():
    results = LoadPseudoMasks()(dict(height=4, width=6, instances=[]))
    assert results['gt_bboxes'].shape == (0, 4)
    assert results['gt_masks'].masks.shape == (0, 4, 6)
    for key in ('gt_masks_valid', 'gt_instances_ids', 'gt_bboxes_labels'):
        assert results[key].shape == (0,)


def test_repr_names_the_options(frame):
    assert repr(LoadPseudoMasks(False)) == 'LoadPseudoMasks(with_mask=False)'
    assert 'check_size=False' in repr(LoadVISFrame(check_size=False))
