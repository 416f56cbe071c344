"""Crops of clips keep an object of the reference."""

import numpy as np
import pytest

pytest.importorskip('mmdet')

from pmvis_mm.datasets import RandomClipCrop
from pmvis_mm.utils.errors import ConfigError


def clip(labels, frames=2):
    height, width = labels.shape
    image = np.arange(height * width * 3).reshape(height, width, 3) % 251
    return dict(
        img=[image.astype(np.uint8)] * frames,
        gt_seg_map=[labels] * frames,
        img_shape=[labels.shape] * frames,
        video_id=['v'] * frames,
        frame_id=list(range(frames)),
    )


def test_one_window_for_all_frames():
    labels = np.arange(60 * 80).reshape(60, 80) % 7
    data = clip(labels.astype(np.uint8), 3)
    before = data['img'][0]
    np.random.seed(0)
    out = RandomClipCrop((20, 30), min_pixels=1)(data)
    assert out['img_shape'] == [(20, 30)] * 3
    for image, seg in zip(out['img'], out['gt_seg_map']):
        assert image.shape == (20, 30, 3) and seg.shape == (20, 30)
        np.testing.assert_array_equal(image, out['img'][0])
    # The window is a part of the frame, at one place in both.
    rows, columns = np.where((before == out['img'][0][0, 0]).all(-1))
    assert any(
        (before[y : y + 20, x : x + 30] == out['img'][0]).all()
        and (labels[y : y + 20, x : x + 30] == out['gt_seg_map'][0]).all()
        for y, x in zip(rows, columns)
        if y <= 40 and x <= 50
    )


@pytest.mark.parametrize('spot', [(0, 0), (199, 299), (100, 7)])
def test_tiny_object_is_never_lost(spot):
    labels = np.zeros((200, 300), np.uint8)
    labels[spot] = 4
    np.random.seed(0)
    crop = RandomClipCrop(33, min_pixels=100)
    places = set()
    for _ in range(30):
        seg = crop(clip(labels.copy()))['gt_seg_map'][0]
        assert (seg == 4).sum() == 1
        places.add(tuple(np.argwhere(seg == 4)[0]))
    assert len(places) == 1 if spot in ((0, 0), (199, 299)) else places


def test_windows_with_enough_of_an_object_are_preferred():
    labels = np.zeros((64, 200), np.uint8)
    labels[:, 150:] = 2
    np.random.seed(0)
    crop = RandomClipCrop(64, min_pixels=640, max_tries=200)
    areas = [
        (crop(clip(labels))['gt_seg_map'][0] == 2).sum() for _ in range(20)
    ]
    assert min(areas) >= 640


def test_small_frames_are_padded():
    labels = np.ones((4, 10), np.uint8)
    data = clip(labels)
    inner = data['img'][0]
    out = RandomClipCrop(8, min_pixels=1)(data)
    image, seg = out['img'][0], out['gt_seg_map'][0]
    assert (seg[2:6] == 1).all() and seg.sum() == 32
    assert image[0, 0].tolist() == [104, 116, 124]
    assert any((inner[:, x : x + 8] == image[2:6]).all() for x in range(3))


def test_clip_without_object_is_refused():
    labels = np.zeros((8, 8), np.uint8)
    assert RandomClipCrop(4)(clip(labels)) is None
    labels[:] = 255
    assert RandomClipCrop(4)(clip(labels)) is None


def test_only_the_first_frame_counts():
    first, second = np.zeros((2, 40, 40), np.uint8)
    first[0, 0] = second[30:, 30:] = 1
    data = clip(first)
    data['gt_seg_map'] = [first, second]
    out = RandomClipCrop(8, min_pixels=50)(data)
    assert out['gt_seg_map'][0].sum() == 1
    assert out['gt_seg_map'][1].sum() == 0


def test_float_frames_stay_float():
    data = clip(np.ones((8, 8), np.uint8))
    data['img'] = [image.astype(np.float32) - 300 for image in data['img']]
    out = RandomClipCrop(9, min_pixels=1)(data)
    assert out['img'][0].dtype == np.float32 and out['img'][0].min() < -200


def test_bad_input():
    with pytest.raises(ConfigError, match='crop_size=0'):
        RandomClipCrop(0)
    with pytest.raises(ConfigError, match='crop_size'):
        RandomClipCrop((3, 4, 5))
    data = clip(np.ones((8, 8), np.uint8))
    data['img'][1] = np.zeros((9, 8, 3), np.uint8)
    with pytest.raises(ConfigError, match=r'differ in size.*video v'):
        RandomClipCrop(4)(data)
    assert 'crop_size=(4, 4)' in repr(RandomClipCrop(4))
