import weakref

import cv2
import numpy as np
import pytest

from pmvis_mm.structures import MaskTrack
from pmvis_mm.structures.rle import encode
from pmvis_mm.utils.errors import FrameError, OutputError
from pmvis_mm.visualization.overlay import (
    FrameInstances,
    draw_instances,
    frame_instances,
    track_color,
    upscale_factor,
    write_overlay_video,
)


def _mask(height=300, width=40):
    mask = np.zeros((height, width), bool)
    mask[100:200, 10:30] = True
    return mask


def test_colors_are_stable_and_far_apart():
    colors = [track_color(index) for index in range(24)]
    assert colors == [track_color(index) for index in range(24)]
    assert len(set(colors)) == 24
    # Neighbouring ids never look alike.
    for first, second in zip(colors, colors[1:]):
        assert np.abs(np.subtract(first, second)).max() > 60


def test_color_by_hand():
    # Hue 0.05 = 18 degrees: red 1, green 0.2 + 0.8 * 0.3 = 0.44, blue 0.2.
    assert track_color(0) == (51, 112, 255)


@pytest.mark.parametrize(
    'height, factor', [(96, 3), (120, 2), (239, 2), (240, 1), (1080, 1)]
)
def test_upscale_factor(height, factor):
    assert upscale_factor(height) == factor


def test_masked_pixels_are_mixed_and_others_untouched():
    image = np.full((300, 40, 3), 100, np.uint8)
    before = image.copy()
    result = draw_instances(image, [_mask()], [0], alpha=0.25)
    np.testing.assert_array_equal(image, before)
    # 0.75 * 100 + 0.25 * (51, 112, 255) inside, the colour on the outline.
    np.testing.assert_array_equal(result[150, 20], [88, 103, 139])
    np.testing.assert_array_equal(result[100, 10], [51, 112, 255])
    np.testing.assert_array_equal(result[150, 10], [51, 112, 255])
    np.testing.assert_array_equal(result[~_mask()], image[~_mask()])


def test_rle_and_dense_masks_draw_the_same():
    image = np.random.default_rng(0).integers(0, 255, (300, 40, 3), np.uint8)
    first = draw_instances(image, [_mask()], [3], ['cat 3'])
    second = draw_instances(image, [encode(_mask())], [3], ['cat 3'])
    np.testing.assert_array_equal(first, second)


def test_box_is_half_open():
    image = np.zeros((300, 40, 3), np.uint8)
    box = (10.0, 100.0, 30.0, 200.0)
    result = draw_instances(image, [None], [1], boxes=[box])
    ys, xs = np.nonzero(result.any(axis=2))
    assert (xs.min(), ys.min(), xs.max(), ys.max()) == (10, 100, 29, 199)
    assert not result[150, 20].any()


def test_small_frames_are_enlarged():
    image = np.zeros((96, 160, 3), np.uint8)
    mask = np.zeros((96, 160), bool)
    mask[10:20, 30:50] = True
    result = draw_instances(image, [mask], [0])
    assert result.shape == (288, 480, 3)
    ys, xs = np.nonzero(result.any(axis=2))
    assert (xs.min(), ys.min(), xs.max(), ys.max()) == (90, 30, 149, 59)
    same = draw_instances(image, [mask], [0], min_height=0)
    assert same.shape == image.shape


def _label_rows(height):
    image = np.zeros((height, 2 * height, 3), np.uint8)
    box = (0.2 * height, 0.5 * height, 0.6 * height, 0.9 * height)
    plain = draw_instances(image, [None], [0], boxes=[box])
    text = draw_instances(image, [None], [0], ['star 0'], boxes=[box])
    changed = (plain != text).any(axis=(1, 2))
    assert changed[: int(box[1])].any()
    return np.count_nonzero(changed)


def test_label_grows_with_the_image():
    small, large = _label_rows(300), _label_rows(900)
    assert small >= 12
    # 3 ** 0.8: slower than the image, of which one sees more.
    assert large == pytest.approx(2.41 * small, rel=0.15)


def test_label_at_the_border_stays_inside():
    image = np.zeros((300, 200, 3), np.uint8)
    mask = np.zeros((300, 200), bool)
    mask[0:5, 190:200] = True
    result = draw_instances(image, [mask], [0], ['triangle 12'])
    outside = result.copy()
    outside[mask] = 0
    ys, xs = np.nonzero(outside.any(axis=2))
    # The plate was moved left and down: all of its width is in the frame.
    assert xs.min() < 150 and xs.max() <= 199 and ys.max() > 10


def test_small_instances_are_drawn_over_large_ones():
    image = np.full((300, 400, 3), 100, np.uint8)
    large, small = np.zeros((2, 300, 400), bool)
    large[50:250, 50:350] = True
    small[100:140, 100:140] = True
    first = draw_instances(image, [large, small], [0, 1])
    second = draw_instances(image, [small, large], [1, 0])
    np.testing.assert_array_equal(first, second)
    # Half of the small one's colour on what the large one left.
    below = np.rint((100 + np.array(track_color(0))) / 2)
    expected = (below + np.array(track_color(1))) / 2
    assert np.abs(first[120, 120] - expected).max() <= 1


@pytest.mark.parametrize('height', [240, 720, 2160])
@pytest.mark.parametrize('as_rle', [False, True])
def test_an_object_of_one_pixel_is_seen(height, as_rle):
    image = np.full((height, height * 16 // 9, 3), 100, np.uint8)
    mask = np.zeros(image.shape[:2], bool)
    mask[height // 3, height // 2] = True
    result = draw_instances(image, [encode(mask) if as_rle else mask], [4])
    ys, xs = np.nonzero((result != 100).any(axis=2))
    # A ring of a fortieth of the height round it, and the pixel itself.
    radius = 1.5 * height / 60 + 2
    for low, high, center in (
        (xs.min(), xs.max(), height // 2),
        (ys.min(), ys.max(), height // 3),
    ):
        assert (low + high) / 2 == pytest.approx(center, abs=1)
        assert (high - low) / 2 == pytest.approx(radius, rel=0.3)
    color = track_color(4)
    assert (result[height // 3, height // 2] == color).all()
    # Its label leaves it visible.
    text = draw_instances(image, [mask], [4], ['dot 4'])
    assert (text[height // 3, height // 2] == color).all()


def test_grey_frames():
    image = np.random.default_rng(0).integers(0, 255, (300, 40), np.uint8)
    colored = np.repeat(image[..., None], 3, axis=2)
    expected = draw_instances(colored, [_mask()], [3], ['cat 3'])
    for grey in (image, image[..., None]):
        result = draw_instances(grey, [_mask()], [3], ['cat 3'])
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize('shape', [(0, 8, 3), (8, 8, 4), (8,), (2, 8, 8, 3)])
def test_what_is_no_image(shape):
    with pytest.raises(FrameError, match=r'no shape of an image\. Fix: give'):
        draw_instances(np.zeros(shape, np.uint8), [], [])


def test_images_of_other_types():
    with pytest.raises(FrameError, match='the image is float32, not uint8'):
        draw_instances(np.zeros((8, 8, 3), np.float32), [], [])


def test_nothing_to_draw():
    image = np.full((300, 40, 3), 7, np.uint8)
    np.testing.assert_array_equal(draw_instances(image, [], []), image)
    empty = [None, np.zeros((300, 40), bool)]
    result = draw_instances(image, empty, [1, 2], ['a', 'b'])
    np.testing.assert_array_equal(result, image)


def test_bad_input():
    image = np.zeros((300, 40, 3), np.uint8)
    with pytest.raises(FrameError, match='mask is 8x4 pixels, but the frame'):
        draw_instances(image, [np.ones((4, 8), bool)], [0])
    with pytest.raises(ValueError, match='1 ids but 2 masks'):
        draw_instances(image, [None, None], [0])
    with pytest.raises(ValueError, match='1 ids but 0 labels'):
        draw_instances(image, [None], [0], [])


def test_frame_instances_of_pseudo_masks():
    mask = encode(_mask())
    box = (10.0, 100.0, 30.0, 200.0)
    tracks = [
        MaskTrack(4, 1, 2, [mask], [box], ['grabcut'], [0.5]),
        MaskTrack(5, 1, 9, [mask], [box], ['flow'], [None]),
        MaskTrack(6, 1, 2, [None], [box], [None], [None]),
        MaskTrack(7, 1, 2, [None], [None], [None], [None]),
    ]
    found = frame_instances(tracks, 0, {2: 'disk'})
    assert found == FrameInstances(
        [mask, mask], [4, 5], ['disk 4 0.50', '5'], None
    )
    found = frame_instances(tracks, 0, with_boxes=True)
    assert found.ids == [4, 5, 6]
    assert found.boxes == [box] * 3


# --------------------------------------------------------------------- video
def _read_video(path):
    reader = cv2.VideoCapture(str(path))
    frames = []
    while True:
        good, frame = reader.read()
        if not good:
            return frames
        frames.append(frame)


def _frames(number, height=250, width=321):
    for index in range(number):
        yield np.full((height, width, 3), 20 * index, np.uint8)


@pytest.mark.parametrize('codecs', [('vp09', 'mp4v'), ('mp4v',)])
def test_video_reads_back(tmp_path, codecs):
    path = tmp_path / 'new/overlay.mp4'
    assert write_overlay_video(path, _frames(7), codecs=codecs) == 7
    frames = _read_video(path)
    assert len(frames) == 7
    # An odd width is padded by one column.
    assert frames[0].shape == (250, 322, 3)
    for index, frame in enumerate(frames):
        assert abs(frame.mean() - 20 * index) < 4
    assert [p.name for p in path.parent.iterdir()] == ['overlay.mp4']


def test_video_shows_instances(tmp_path):
    mask = np.zeros((96, 160), bool)
    mask[32:64, 40:80] = True
    instances = [FrameInstances([mask], [0]), FrameInstances([None], [0])]
    frames = (np.zeros((96, 160, 3), np.uint8) for _ in range(3))
    write_overlay_video(tmp_path / 'v.mp4', frames, instances, alpha=1.0)
    first, second, third = _read_video(tmp_path / 'v.mp4')
    assert first.shape == (288, 480, 3)
    # (51, 112, 255) as far as the codec's colour space keeps it.
    assert np.abs(first[144, 180] - np.array([51, 112, 255])).max() < 30
    assert second.max() < 30 and third.max() < 30


def test_frames_stream(tmp_path):
    """No more than one frame is alive outside the writer."""
    alive = []

    def frames():
        for _ in range(6):
            frame = np.zeros((240, 320, 3), np.uint8)
            alive.append(weakref.ref(frame))
            yield frame
            del frame
            assert sum(ref() is not None for ref in alive) <= 1

    assert write_overlay_video(tmp_path / 'v.mp4', frames()) == 6


def test_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / 'v.mp4'
    path.write_text('old')

    def frames():
        yield np.zeros((240, 320, 3), np.uint8)
        yield np.zeros((240, 322, 3), np.uint8)

    with pytest.raises(FrameError, match=r'322x240 pixels.*320x240.*frame 1'):
        write_overlay_video(path, frames())
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_unusable_output(tmp_path):
    with pytest.raises(OutputError, match='at least one frame'):
        write_overlay_video(tmp_path / 'v.mp4', [])
    with pytest.raises(OutputError, match=r"none of the codecs \['zzzz'\]"):
        write_overlay_video(tmp_path / 'v.mp4', _frames(1), codecs=['zzzz'])
    (tmp_path / 'file').write_text('')
    with pytest.raises(OutputError, match='cannot write here'):
        write_overlay_video(tmp_path / 'file/v.mp4', _frames(1))
    assert [p.name for p in tmp_path.iterdir()] == ['file']
