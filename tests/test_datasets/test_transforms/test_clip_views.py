import copy

import numpy as np
import pytest
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks

from pmvis_mm.datasets.transforms import (
    FilterTrackInstances,
    RandomClipInterpCrop,
    RandomClipRotate,
)
from pmvis_mm.registry import TRANSFORMS
from pmvis_mm.utils.errors import ConfigError

BOX = [6, 4, 12, 8]  # half-open xyxy


@pytest.fixture(autouse=True)
def _seed():
    np.random.seed(0)


def frame(size=(20, 30), boxes=(BOX,), with_masks=True):
    """Pixel (y, x) is (y, x, 9); an instance fills each box."""
    height, width = size
    rows, columns = np.indices(size)
    image = np.stack([rows, columns, rows * 0 + 9], -1).astype(np.uint8)
    number = len(boxes)
    results = dict(
        img=image,
        img_shape=size,
        video_id=3,
        frame_id=0,
        gt_bboxes=HorizontalBoxes(np.array(boxes, np.float32).reshape(-1, 4)),
        gt_bboxes_labels=np.arange(number),
        gt_instances_ids=np.arange(number) + 5,
        gt_ignore_flags=np.zeros(number, bool),
    )
    if with_masks:
        masks = np.zeros((number, *size), np.uint8)
        for mask, (x1, y1, x2, y2) in zip(masks, boxes):
            mask[y1:y2, x1:x2] = 1
        results.update(
            gt_masks=BitmapMasks(masks, height, width),
            gt_masks_valid=np.ones(number, bool),
            gt_masks_valid_ids=np.arange(number) + 5,
        )
    return results


def clip(length=4, **kwargs):
    frames = [frame(**kwargs) for _ in range(length)]
    return {key: [f[key] for f in frames] for key in frames[0]}


def corners(results):
    """Where the windows lie: (top, left), read off the first pixels."""
    return np.array([image[0, 0, :2] for image in results['img']], int)


def filtered(results):
    """Frames after FilterTrackInstances with boxes of masks."""
    step = FilterTrackInstances(box_source='mask')
    frames = [
        step({key: copy.deepcopy(v[t]) for key, v in results.items()})
        for t in range(len(results['img']))
    ]
    return frames


def test_windows_pan_on_a_line_and_keep_their_size():
    crop = TRANSFORMS.build(
        dict(type='RandomClipInterpCrop', crop_size=(8, 12))
    )
    directions, seen = set(), set()
    for _ in range(200):
        results = crop(clip())
        shapes = {image.shape[:2] for image in results['img']}
        (size,) = shapes
        assert set(results['img_shape']) == {size}
        assert 8 <= min(size) and max(size) <= 12
        seen.add(size[0])
        found = corners(results)
        assert (found >= 0).all()
        assert (found + size <= (20, 30)).all()
        steps = np.diff(found, axis=0)
        # All the way in one direction, on both axes alike.
        assert (steps >= 0).all() or (steps <= 0).all()
        directions.add(int(np.sign(steps.sum())))
        # On a straight line, up to the rounding of both axes.
        length = found[-1] - found[0]
        across = (found - found[0]) @ np.array([-length[1], length[0]])
        assert (np.abs(across) <= np.abs(length).sum() + 1).all()
    assert directions == {-1, 0, 1}
    assert seen == set(range(8, 13))


def test_a_window_is_cut_out_of_boxes_and_masks_alike():
    crop = RandomClipInterpCrop((10, 10))
    for _ in range(50):
        results = crop(clip())
        for t, one in enumerate(filtered(results)):
            top, left = corners(results)[t]
            x1, x2 = np.clip(np.array([6, 12]) - left, 0, 10)
            y1, y2 = np.clip(np.array([4, 8]) - top, 0, 10)
            if x1 == x2 or y1 == y2:
                assert len(one['gt_instances_ids']) == 0
                continue
            assert one['gt_instances_ids'].tolist() == [5]
            assert one['gt_bboxes'].tolist() == [[x1, y1, x2, y2]]
            annotated = results['gt_bboxes'][t].numpy().tolist()
            assert annotated == [[x1, y1, x2, y2]]


def test_a_window_larger_than_the_frame_changes_nothing():
    before, results = clip(), RandomClipInterpCrop((384, 600))(clip())
    for old, new in zip(before['img'], results['img']):
        assert np.array_equal(old, new)
    assert results['gt_bboxes'][0].numpy().tolist() == [BOX]


def test_frames_of_different_size_are_refused():
    results = clip(2)
    results['img'][1] = results['img'][1][:10]
    with pytest.raises(ConfigError, match='differ in size') as info:
        RandomClipInterpCrop((8, 12))(results)
    assert 'video 3' in str(info.value)
    assert 'share_random_params=True' in str(info.value)


def test_a_quarter_turn_about_the_middle_by_hand():
    # Counter-clockwise in a square of 20: (x, y) goes to (y, 20 - x).
    rotate = RandomClipRotate((90, 90), (0.5, 0.5))
    results = rotate(clip(3, size=(20, 20)))
    old = frame(size=(20, 20))
    for t in range(3):
        assert np.array_equal(results['img'][t], np.rot90(old['img']))
        masks = results['gt_masks'][t].masks
        assert np.array_equal(masks[0], np.rot90(old['gt_masks'].masks[0]))
        # x1 = 4, x2 = 8; y1 = 20 - 12, y2 = 20 - 6.
        box = results['gt_bboxes'][t].numpy()
        assert np.allclose(box, [[4, 8, 8, 14]], atol=1e-4)
    for one in filtered(results):
        assert one['gt_bboxes'].tolist() == [[4, 8, 8, 14]]


def test_angles_are_sorted_either_way_within_the_range(monkeypatch):
    rotate = RandomClipRotate()
    seen, ways = [], set()
    monkeypatch.setattr(
        rotate,
        '_rotate',
        lambda f, angle, center: seen.append((angle, *center)) or f,
    )
    for _ in range(200):
        seen.clear()
        rotate(clip(4, size=(4, 4), boxes=()))
        angles = np.array([entry[0] for entry in seen])
        assert (np.abs(angles) <= 15).all() and len(set(angles)) == 4
        steps = np.sign(np.diff(angles))
        assert set(steps) in ({1.0}, {-1.0})
        ways.add(steps[0])
        (center,) = {entry[1:] for entry in seen}  # one for the clip
        assert all(0.4 <= share <= 0.6 for share in center)
    assert ways == {1.0, -1.0}


def test_what_comes_from_outside_is_black_and_background():
    results = RandomClipRotate((45, 45), (0.5, 0.5))(
        clip(1, boxes=[[0, 0, 30, 20]])
    )
    image, mask = results['img'][0], results['gt_masks'][0].masks[0]
    assert image.shape == (20, 30, 3) and image.dtype == np.uint8
    assert not image[0, 0].any() and mask[0, 0] == 0
    # The third channel is 9 wherever there is picture.
    assert ((image[..., 2] == 9) <= (mask == 1)).all()
    assert mask.sum() > 250
    # The box of the turned corners, clipped.
    assert results['gt_bboxes'][0].numpy().tolist() == [[0, 0, 30, 20]]


def test_transforms_are_recorded_as_mmdet_does():
    point = np.array([14.0, 9.0, 1.0])
    results = RandomClipRotate((10, 20))(
        RandomClipInterpCrop((18, 20))(clip(2, boxes=[[14, 9, 15, 10]]))
    )
    for t in range(2):
        x, y, one = results['homography_matrix'][t] @ point
        box = results['gt_bboxes'][t].numpy()[0]
        assert one == pytest.approx(1)
        # The corner of the box is the left upper one or next to it.
        assert box[0] - 1e-3 <= x <= box[2] + 1e-3
        assert box[1] - 1e-3 <= y <= box[3] + 1e-3


@pytest.mark.parametrize('with_masks', [True, False])
@pytest.mark.parametrize('boxes', [(), (BOX,)])
def test_frames_without_instances_or_masks_pass(with_masks, boxes):
    results = clip(2, boxes=boxes, with_masks=with_masks)
    results['gt_bboxes'] = [b.numpy() for b in results['gt_bboxes']]
    results = RandomClipRotate()(RandomClipInterpCrop((8, 12))(results))
    assert ('gt_masks' in results) == with_masks
    for t in range(2):
        number = len(results['gt_instances_ids'][t])
        assert number <= len(boxes)
        assert len(results['gt_bboxes'][t]) == number
        if with_masks:
            shape = results['img'][t].shape[:2]
            assert results['gt_masks'][t].masks.shape == (number, *shape)


@pytest.mark.parametrize(
    'build, message',
    [
        (lambda: RandomClipInterpCrop((9, 8)), r'crop_size=\(9, 8\) is no r'),
        (lambda: RandomClipInterpCrop((0, 8)), 'is no range of sides'),
        (lambda: RandomClipInterpCrop((8,)), 'is no range of sides'),
        (lambda: RandomClipRotate((15, -15)), r'angle_range=\(15, -15\)'),
        (lambda: RandomClipRotate((0, 1), (0.4,)), 'center_range='),
    ],
)
def test_bad_ranges(build, message):
    with pytest.raises(ConfigError, match=message) as info:
        build()
    assert 'Fix: ' in str(info.value)


def test_repr():
    assert 'crop_size=(384, 600)' in repr(RandomClipInterpCrop())
    assert repr(RandomClipRotate()) == (
        'RandomClipRotate(angle_range=(-15.0, 15.0), center_range=(0.4, 0.6))'
    )
