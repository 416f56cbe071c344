"""Affine walks of camera and objects."""

import numpy as np
import pytest

pytest.importorskip('mmdet')

from pmvis_mm.datasets import RandomClipMotion
from pmvis_mm.utils.errors import ConfigError


def clip(labels, frames=4):
    image = np.zeros((*labels.shape, 3), np.uint8)
    image[:] = (40, 80, 120)
    image[labels == 1] = (250, 0, 0)
    image[labels == 2] = (0, 250, 0)
    return dict(img=[image] * frames, gt_seg_map=[labels] * frames)


@pytest.fixture
def square():
    labels = np.zeros((60, 80), np.uint8)
    labels[20:40, 30:50] = 1
    return labels


def center(mask):
    return np.argwhere(mask).mean(0)


def test_labels_move_with_the_image(square):
    np.random.seed(0)
    camera = dict(shift=0.05, rotate=10, scale=0.1, shear=5)
    out = RandomClipMotion(camera)(clip(square))
    masks = [labels == 1 for labels in out['gt_seg_map']]
    for image, mask in zip(out['img'], masks):
        painted = image[..., 0].astype(int) > 145
        assert (painted != mask).sum() <= 40  # the interpolated outline
    assert all((a != b).any() for a, b in zip(masks, masks[1:]))


def test_steps_stay_within_their_range(square):
    np.random.seed(0)
    for _ in range(20):
        out = RandomClipMotion(dict(shift=0.05))(clip(square))
        centers = np.array([center(m == 1) for m in out['gt_seg_map']])
        steps = np.abs(np.diff(centers, axis=0))
        # 5 % of 60 rows and 80 columns, and half a pixel of rounding.
        assert (steps <= [3.6, 4.6]).all()
        assert ((np.array(out['gt_seg_map']) == 1).sum((1, 2)) == 400).all()


def test_scale_changes_the_size(square):
    np.random.seed(0)
    out = RandomClipMotion(dict(scale=0.2), prob=1.0)(clip(square, 2))
    areas = [(m == 1).sum() for m in out['gt_seg_map']]
    low, high = 400 * np.exp(-0.8), 400 * np.exp(0.8)
    assert all(low < area < high for area in areas)
    assert areas[0] != areas[1]


def test_without_ranges_nothing_moves(square):
    out = RandomClipMotion({}, objects={})(clip(square))
    for image, labels in zip(out['img'], out['gt_seg_map']):
        np.testing.assert_array_equal(labels, square)
        # What was hidden is made up, and shines through at outlines.
        np.testing.assert_allclose(image, clip(square)['img'][0], atol=2)


def test_objects_move_by_themselves_and_leave_no_trace(square):
    square[25:35, 60:70] = 2
    square[0] = 255
    np.random.seed(0)
    out = RandomClipMotion({}, dict(shift=0.3))(clip(square))
    paths = [
        np.array([center(m == n) for m in out['gt_seg_map']]) for n in (1, 2)
    ]
    steps = [np.diff(path, axis=0) for path in paths]
    assert (np.abs(steps[0]) > 0.4).any()
    assert (np.abs(steps[0] - steps[1]) > 0.4).any()
    for image, labels in zip(out['img'], out['gt_seg_map']):
        assert (labels[0] == 255).all()
        # Plain background fills itself; nothing of the objects remains.
        empty = labels == 0
        difference = np.abs(image[empty].astype(int) - (40, 80, 120))
        assert (difference.max(1) > 60).mean() < 0.02


def test_clips_may_be_left_alone(square):
    data = clip(square)
    out = RandomClipMotion(dict(shift=0.5), prob=0.0)(data)
    assert out['gt_seg_map'][1] is square


def test_moving_frames_keep_their_own_content():
    frames = [np.full((20, 20, 3), 10 * t, np.uint8) for t in range(3)]
    labels = [np.zeros((20, 20), np.uint8) for _ in range(3)]
    out = RandomClipMotion(dict(shift=0.01), {})(
        dict(img=frames, gt_seg_map=labels)
    )
    assert [int(f[10, 10, 0]) for f in out['img']] == [0, 10, 20]


def test_same_seed_same_motion(square):
    drawn = []
    for seed in (1, 1, 2):
        np.random.seed(seed)
        motion = RandomClipMotion(dict(shift=0.1), dict(rotate=20))
        drawn.append(np.stack(motion(clip(square))['gt_seg_map']))
    assert (drawn[0] == drawn[1]).all() and (drawn[0] != drawn[2]).any()


@pytest.mark.parametrize('ranges', [dict(speed=1), dict(rotate=-3)])
def test_bad_ranges(ranges):
    with pytest.raises(ConfigError, match=next(iter(ranges))):
        RandomClipMotion(ranges)
    with pytest.raises(ConfigError, match=next(iter(ranges))):
        RandomClipMotion({}, ranges)
    assert 'prob=0.5' in repr(RandomClipMotion({}, prob=0.5))
