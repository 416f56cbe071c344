import numpy as np
import pytest
from mmdet.structures.mask import BitmapMasks
from PIL import Image

from pmvis_mm.datasets.transforms import ResizeVISFrame
from pmvis_mm.datasets.transforms.resizing import shortest_edge_size
from pmvis_mm.registry import TRANSFORMS
from pmvis_mm.utils.errors import ConfigError


def noise(height, width, channels=3):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize(
    'size, short, cap, expected',
    [
        ((720, 1280), 480, 1333, (480, 853)),  # 853.33
        ((1280, 720), 480, 1333, (853, 480)),
        ((720, 1280), 360, 768, (360, 640)),
        ((480, 640), 640, None, (640, 853)),
        ((100, 100), 333, 400, (333, 333)),
        ((4, 6), 3, None, (3, 5)),  # 4.5 rounds up
        # The cap: 640 x 1137.8 shrinks by 768 / 1137.8.
        ((720, 1280), 640, 768, (432, 768)),
        ((1280, 720), 640, 768, (768, 432)),
        # 480 x 1920 shrinks by 1333 / 1920: 333.25.
        ((270, 1080), 480, 1333, (333, 1333)),
        # Never vanishes, other than with detectron2.
        ((1, 3000), 1, 1000, (1, 1000)),
        ((1, 3000), 4, 1000, (1, 1000)),
    ],
)
def test_size_rule(size, short, cap, expected):
    assert shortest_edge_size(size, short, cap) == expected


def test_image_equals_pillow_and_keys_are_set():
    image = noise(72, 128)
    results = ResizeVISFrame((1333, 48))(dict(img=image.copy()))
    expected = np.asarray(
        Image.fromarray(image).resize((85, 48), Image.Resampling.BILINEAR)
    )
    assert results['img'].dtype == np.uint8
    assert np.array_equal(results['img'], expected)
    assert results['img_shape'] == (48, 85)
    assert results['scale_factor'] == (85 / 128, 48 / 72)
    assert results['keep_ratio'] is True
    assert results['scale'] == (1333, 48)


def test_shrinking_averages():
    # Antialiased: stripes of one pixel become grey, not black or white.
    image = np.zeros((8, 64, 3), np.uint8)
    image[:, ::2] = 200
    shrunk = ResizeVISFrame(2)(dict(img=image))['img']
    assert shrunk.shape == (2, 16, 3)
    assert (abs(shrunk[:, 1:-1].astype(int) - 100) <= 10).all()


def test_boxes_follow_the_true_factors_of_both_axes():
    boxes = np.array([[0, 0, 128, 72], [64, 36, 140, 80]], np.float32)
    results = ResizeVISFrame((None, 48))(
        dict(img=noise(72, 128), gt_bboxes=boxes)
    )
    expected = [[0, 0, 85, 48], [42.5, 24, 85, 48]]
    assert isinstance(results['gt_bboxes'], np.ndarray)
    assert np.allclose(results['gt_bboxes'], expected, atol=1e-5)
    free = ResizeVISFrame((None, 48), clip_object_border=False)(
        dict(img=noise(72, 128), gt_bboxes=boxes[1:].copy())
    )
    assert np.allclose(
        free['gt_bboxes'], [[42.5, 24, 140 * 85 / 128, 80 * 48 / 72]]
    )


def test_masks_are_sampled_at_pixel_centres():
    masks = np.zeros((2, 4, 8), np.uint8)
    masks[0, 1, 1] = 1
    masks[1, 2, 6] = 1
    masks[1, 3, 7] = 1
    results = ResizeVISFrame(2)(
        dict(img=noise(4, 8), gt_masks=BitmapMasks(masks, 4, 8))
    )
    # Of a block of 2 x 2, the pixel right below the centre is taken.
    resized = results['gt_masks']
    assert (resized.height, resized.width) == (2, 4)
    assert resized.masks.dtype == np.uint8
    assert np.array_equal(resized.masks, masks[:, 1::2, 1::2])
    assert resized.masks.sum((1, 2)).tolist() == [1, 1]


def test_masks_equal_pillow_at_an_odd_factor():
    masks = (noise(37, 53, 3) > 127).astype(np.uint8).transpose(2, 0, 1)
    results = ResizeVISFrame((60, 50))(
        dict(img=noise(37, 53), gt_masks=BitmapMasks(masks.copy(), 37, 53))
    )
    height, width = results['img_shape']
    assert (height, width) == (42, 60)
    for ours, mask in zip(results['gt_masks'].masks, masks):
        pillow = Image.fromarray(mask).resize(
            (width, height), Image.Resampling.NEAREST
        )
        assert np.array_equal(ours, np.asarray(pillow))


def test_without_instances():
    results = ResizeVISFrame(16)(
        dict(
            img=noise(8, 12),
            gt_bboxes=np.zeros((0, 4), np.float32),
            gt_masks=BitmapMasks(np.zeros((0, 8, 12), np.uint8), 8, 12),
        )
    )
    assert results['gt_bboxes'].shape == (0, 4)
    assert results['gt_masks'].masks.shape == (0, 16, 24)


def test_segmentation_map():
    seg = np.arange(32, dtype=np.uint8).reshape(4, 8)
    results = ResizeVISFrame(2)(dict(img=noise(4, 8), gt_seg_map=seg))
    assert np.array_equal(results['gt_seg_map'], seg[1::2, 1::2])


@pytest.mark.usefixtures('default_scope')
def test_random_choice_resize_uses_it():
    scales = [(None, 16), (40, 32)]
    choice = TRANSFORMS.build(
        dict(
            type='RandomChoiceResize',
            scales=scales,
            resize_type='ResizeVISFrame',
        )
    )
    assert isinstance(choice.resize, ResizeVISFrame)
    np.random.seed(0)
    seen = set()
    for _ in range(20):
        results = choice(dict(img=noise(24, 48)))
        seen.add((results['scale_idx'], results['img_shape']))
    assert seen == {(0, (16, 32)), (1, (20, 40))}


def test_float_images_are_refused():
    image = dict(img=noise(8, 8).astype(np.float32), video_id=3, frame_id=1)
    with pytest.raises(ConfigError, match='uint8 frames, got float32') as info:
        ResizeVISFrame(4)(image)
    assert 'video 3, frame 1' in str(info.value)
    assert 'to_float32=False' in str(info.value)


@pytest.mark.parametrize(
    'scale', [(1333,), (480, None), (0, 480), (1333, 4.5), 'big', -1]
)
def test_impossible_scales_are_refused(scale):
    with pytest.raises(ConfigError, match='no size to resize to'):
        ResizeVISFrame(scale)


def test_scale_that_was_never_set():
    with pytest.raises(ConfigError, match='scale=0 is no size'):
        ResizeVISFrame(0)(dict(img=noise(8, 8)))


def test_repr():
    text = repr(ResizeVISFrame((None, 48)))
    assert text == (
        'ResizeVISFrame(scale=(None, 48), clip_object_border=True)'
    )
