"""Masks kept by their boxes behave as ordinary bitmaps."""

import copy
import pickle

import numpy as np
import pytest
from mmdet.structures.mask import BitmapMasks
from PIL import Image

from pmvis_mm.datasets.transforms import LoadPseudoMasks, ResizeVISFrame
from pmvis_mm.datasets.transforms.tight_masks import (
    MaskCrop,
    TightMasks,
    tight_boxes,
)
from pmvis_mm.structures import rle

SIZE = (37, 53)


def dense(number=5, seed=0):
    """Ellipses, noise, a full mask and an empty one."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((number, *SIZE), np.uint8)
    for mask in masks[1:]:
        y, x = rng.integers(0, 25, 2)
        part = mask[y : y + rng.integers(1, 20), x : x + rng.integers(1, 25)]
        part[:] = rng.random(part.shape) < 0.6
    masks[-1] = 1
    return masks


def both(seed=0, number=5):
    """The same masks in both forms."""
    masks = dense(number, seed)
    instances = [
        dict(
            bbox=[0.0, 0.0, 9.0, 9.0],
            bbox_label=0,
            instance_id=i,
            ignore_flag=0,
            mask=rle.encode(mask),
        )
        for i, mask in enumerate(masks)
    ]
    loaded = LoadPseudoMasks()(
        dict(height=SIZE[0], width=SIZE[1], instances=instances)
    )['gt_masks']
    assert isinstance(loaded, TightMasks) and loaded.crops is not None
    return loaded, BitmapMasks(masks, *SIZE)


def assert_same(tight, plain):
    assert tight.crops is not None  # nothing has been spread yet
    assert len(tight) == len(plain)
    np.testing.assert_array_equal(tight_boxes(tight), tight_boxes(plain))
    assert (tight.height, tight.width) == (plain.height, plain.width)
    assert tight.masks.dtype == np.uint8 and tight.masks.flags.writeable
    np.testing.assert_array_equal(tight.masks, plain.masks)


ACTIONS = dict(
    nothing=lambda m: m,
    horizontal=lambda m: m.flip('horizontal'),
    vertical=lambda m: m.flip('vertical'),
    diagonal=lambda m: m.flip('diagonal'),
    smaller=lambda m: m.resize((20, 31)),
    larger=lambda m: m.resize((80, 97)),
    stretched=lambda m: m.resize((90, 11)),
    pixel=lambda m: m.resize((1, 1)),
    rescaled=lambda m: m.rescale((40, 30)),
    factor=lambda m: m.rescale(1.7),
    crop=lambda m: m.crop(np.array([10, 5, 40, 30])),
    crop_out=lambda m: m.crop(np.array([-5, 20, 90, 60])),
    crop_thin=lambda m: m.crop(np.array([10, 5, 10, 5])),
    pad=lambda m: m.pad((50, 60)),
    one=lambda m: m[2],
    some=lambda m: m[np.array([3, 0])],
    flags=lambda m: m[np.array([True, False, True, False, True])],
    none=lambda m: m[np.zeros(0, int)],
    all_of_it=lambda m: (
        m.crop(np.array([4, 3, 50, 35]))
        .resize((24, 44))
        .flip()[np.array([1, 4])]
        .pad((30, 50))
    ),
)


@pytest.mark.parametrize('action', ACTIONS)
@pytest.mark.parametrize('seed', range(3))
def test_every_step_is_that_of_bitmaps(action, seed):
    tight, plain = both(seed)
    assert_same(ACTIONS[action](tight), ACTIONS[action](plain))


@pytest.mark.parametrize('action', ACTIONS)
def test_after_spreading_it_is_an_ordinary_one(action):
    tight, plain = both()
    tight.masks[:, 3, 4] = plain.masks[:, 3, 4] = 1  # written to
    np.testing.assert_array_equal(
        ACTIONS[action](tight).masks, ACTIONS[action](plain).masks
    )


@pytest.mark.parametrize('scale', [20, 30, 37, 55, (60, 90), (None, 24)])
def test_resizing_is_that_of_pillow(scale):
    tight, plain = both()
    image = np.zeros((*SIZE, 3), np.uint8)
    resized = ResizeVISFrame(scale)(dict(img=image, gt_masks=tight))
    height, width = resized['img_shape']
    expected = [
        np.asarray(
            Image.fromarray(mask).resize(
                (width, height), Image.Resampling.NEAREST
            )
        )
        for mask in plain.masks
    ]
    assert_same(
        resized['gt_masks'], BitmapMasks(np.stack(expected), height, width)
    )


def test_steps_that_are_not_its_own():
    tight, plain = both()
    for action in (
        lambda m: m.expand(60, 70, 5, 6),
        lambda m: m.translate(SIZE, 5),
        lambda m: m.resize((20, 30), 'bilinear'),
        lambda m: m.pad((50, 60), 1),
    ):
        np.testing.assert_array_equal(action(tight).masks, action(plain).masks)
    assert both()[0].areas.tolist() == plain.areas.tolist()


def test_the_class_is_called_as_mmdet_calls_that_of_bitmaps():
    tight, plain = both()
    # CachedMosaic and CachedMixUp, of masks that are spread or not.
    for pair in ([tight, tight], [tight, plain], [plain, tight[:1]]):
        expected = np.concatenate([copy.copy(m).masks for m in pair])
        np.testing.assert_array_equal(tight.cat(pair).masks, expected)
    # Albu, with a list or an array.
    for masks in (plain.masks, list(plain.masks), plain.masks[:0]):
        made = type(tight)(masks, *SIZE)
        assert (len(made), made.height, made.width) == (len(masks), *SIZE)
        assert made.masks.shape == (len(masks), *SIZE)
        np.testing.assert_array_equal(made.masks, np.array(masks))
    assert type(tight).random(2, 5, 6, rng=0).masks.shape == (2, 5, 6)


def test_no_masks_and_copies():
    tight, plain = both(number=5)
    again = pickle.loads(pickle.dumps(tight))
    assert_same(again, plain)
    assert repr(tight) == 'TightMasks(num_masks=5, height=37, width=53)'
    empty = TightMasks([], 4, 6)
    assert empty.resize((8, 9)).flip().masks.shape == (0, 8, 9)
    assert tight_boxes(empty).shape == (0, 4)


def test_crops_are_never_written_to():
    crop = MaskCrop(1, 1, np.ones((2, 2), np.uint8))
    masks = TightMasks([crop], 4, 4)
    masks[0].masks[:] = 7
    flipped = masks.flip()
    flipped.masks[:] = 9
    assert masks.masks.sum() == 4


def test_boxes_of_masks():
    masks = np.zeros((2, 6, 8), np.uint8)
    masks[0, 2:5, 3:7] = 1
    found = tight_boxes(BitmapMasks(masks, 6, 8))
    assert found.tolist() == [[3, 2, 7, 5], [0, 0, 0, 0]]
    assert found.dtype == np.float32
