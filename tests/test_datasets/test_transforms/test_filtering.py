import numpy as np
import pytest
from mmdet.datasets.transforms import RandomCrop
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks

from pmvis_mm.datasets.transforms import FilterTrackInstances, PackVISInputs
from pmvis_mm.testing.leak import find_masks
from pmvis_mm.utils.errors import ConfigError


def frame(with_masks=True):
    """Four instances (ids 10, 0, 5, 7) in an 8x8 frame.

    10: visible, has a mask smaller than its box. 0: box without area.
    5: no mask. 7: a mask, in the right lower corner.
    """
    results = dict(
        img=np.zeros((8, 8, 3), np.uint8),
        img_shape=(8, 8),
        gt_bboxes=np.array(
            [[0, 0, 4, 4], [3, 3, 3, 6], [1, 1, 3, 5], [6, 6, 8, 8]],
            np.float32,
        ),
        gt_bboxes_labels=np.array([1, 2, 3, 4]),
        gt_ignore_flags=np.array([False, False, False, True]),
        gt_instances_ids=np.array([10, 0, 5, 7]),
    )
    if with_masks:
        masks = np.zeros((4, 8, 8), np.uint8)
        masks[0, 1:3, 1:4] = 1
        masks[1, 3:6, 3:5] = 1
        masks[3, 6:8, 6:8] = 1
        results['gt_masks'] = BitmapMasks(masks, 8, 8)
        results['gt_masks_valid'] = np.array([True, True, False, True])
        results['gt_masks_valid_ids'] = np.array([10, 0, 5, 7])
    return results


def test_empty_box_is_dropped_and_all_stays_aligned():
    results = FilterTrackInstances()(frame())
    assert results['gt_instances_ids'].tolist() == [10, 5, 7]
    assert results['gt_bboxes_labels'].tolist() == [1, 3, 4]
    assert results['gt_ignore_flags'].tolist() == [False, False, True]
    assert results['gt_masks_valid'].tolist() == [True, False, True]
    assert results['gt_masks_valid_ids'].tolist() == [10, 5, 7]
    assert results['gt_masks'].masks.sum((1, 2)).tolist() == [6, 0, 4]
    assert results['gt_bboxes'][0].tolist() == [0, 0, 4, 4]


def test_boxes_from_masks_are_tight_and_need_a_mask():
    results = FilterTrackInstances(box_source='mask')(frame())
    assert results['gt_instances_ids'].tolist() == [10, 0, 7]
    assert results['gt_bboxes'].tolist() == [
        [1, 1, 4, 3],
        [3, 3, 5, 6],
        [6, 6, 8, 8],
    ]
    assert results['gt_masks_valid'].all()


def test_without_masks():
    results = FilterTrackInstances()(frame(with_masks=False))
    assert results['gt_instances_ids'].tolist() == [10, 5, 7]
    assert 'gt_masks_valid' not in results
    with pytest.raises(ConfigError, match='no masks are loaded'):
        FilterTrackInstances(box_source='mask')(frame(with_masks=False))


def test_boxes_may_be_mmdets_boxes():
    results = frame()
    results['gt_bboxes'] = HorizontalBoxes(results['gt_bboxes'])
    results = FilterTrackInstances()(results)
    assert results['gt_bboxes'].shape == (3, 4)


def test_after_a_crop_validity_follows_the_ids():
    crop = RandomCrop((4, 4), allow_negative_crop=True)
    crop._rand_offset = lambda margin: (4, 4)  # keeps the right lower 4x4
    results = crop(frame())
    # mmdet has dropped instances, validity is still the old one.
    assert results['gt_instances_ids'].tolist() == [5, 7] or (
        results['gt_instances_ids'].tolist() == [7]
    )
    assert len(results['gt_masks_valid']) == 4
    results = FilterTrackInstances()(results)
    assert results['gt_instances_ids'].tolist() == [7]
    assert results['gt_masks_valid'].tolist() == [True]
    assert results['gt_bboxes'].tolist() == [[2, 2, 4, 4]]


def test_mask_cropped_away_loses_validity_but_keeps_the_box():
    crop = RandomCrop((2, 8), allow_negative_crop=True)
    crop._rand_offset = lambda margin: (3, 0)  # rows 3 and 4
    results = FilterTrackInstances()(crop(frame()))
    # 10 reaches row 3 with its box, not with its mask.
    assert results['gt_instances_ids'].tolist() == [10, 5]
    assert results['gt_masks_valid'].tolist() == [False, False]


def test_negative_crop_leaves_an_empty_frame():
    results = frame()
    for key in list(results):
        if key.startswith('gt_'):
            results[key] = results[key][np.zeros(0, int)]
    results = FilterTrackInstances(box_source='mask')(results)
    assert results['gt_bboxes'].shape == (0, 4)
    assert results['gt_masks'].masks.shape == (0, 8, 8)
    assert results['gt_masks_valid'].shape == (0,)


def test_min_box_size():
    results = FilterTrackInstances(min_box_size=3)(frame())
    assert results['gt_instances_ids'].tolist() == [10]


def test_ids_that_do_not_fit_the_boxes():
    results = frame()
    results['gt_bboxes'] = results['gt_bboxes'][:2]
    results.update(video_id=3, frame_id=1)
    with pytest.raises(ConfigError, match='2 boxes but 4 track ids') as info:
        FilterTrackInstances()(results)
    assert 'video 3, frame 1' in str(info.value)
    assert 'Fix: ' in str(info.value)


def test_unknown_box_source():
    with pytest.raises(ConfigError, match="box_source='masks' is unknown"):
        FilterTrackInstances(box_source='masks')


def test_masks_may_go_once_their_boxes_are_taken():
    step = FilterTrackInstances(box_source='mask', keep_masks=False)
    results = step(frame())
    assert results['gt_bboxes'].tolist() == [
        [1, 1, 4, 3],
        [3, 3, 5, 6],
        [6, 6, 8, 8],
    ]
    for key in ('gt_masks', 'gt_masks_valid', 'gt_masks_valid_ids'):
        assert results[key] is None
    # What is gone may be filtered again, by its boxes.
    again = FilterTrackInstances(min_box_size=3)(results)
    assert again['gt_instances_ids'].tolist() == []
    with pytest.raises(ConfigError, match='no masks are loaded'):
        step(results)
    assert 'keep_masks=False' in repr(step)


def test_without_masks_there_is_none_to_drop():
    results = FilterTrackInstances(keep_masks=False)(frame(False))
    assert 'gt_masks' not in results


def test_masks_are_gone_for_all_that_follows_a_broadcaster():
    from mmcv.transforms import TransformBroadcaster

    clip = {key: [value] * 2 for key, value in frame().items()}
    clip['img_id'] = [1, 2]
    step = FilterTrackInstances(box_source='mask', keep_masks=False)
    results = TransformBroadcaster([step])(clip)
    assert results['gt_masks'] == [None, None]
    packed = PackVISInputs()(results)
    assert find_masks(packed) == []
    for sample in packed['data_samples']:
        assert sample.gt_instances.instances_ids.tolist() == [10, 0]
        assert sample.ignored_instances.instances_ids.tolist() == [7]
