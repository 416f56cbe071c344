import numpy as np
import pytest

from pmvis_mm.labeling.label_video import LabelVideo
from pmvis_mm.labeling.sources import GrabCutSource
from pmvis_mm.registry import MODELS
from pmvis_mm.structures import BoxTrack, VideoInfo
from pmvis_mm.structures.rle import decode


def paint(size=(60, 80), box=(24, 16, 44, 36), seed=0):
    """A red square on a green ground, both a little noisy, and its mask."""
    mask = np.zeros(size, bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    image = np.where(mask[..., None], (30, 40, 210), (40, 170, 50))
    noise = np.random.default_rng(seed).integers(-12, 13, image.shape)
    return (image + noise).astype(np.uint8), mask


def iou(first, second):
    return (first & second).sum() / (first | second).sum()


def segment(image, box, **kwargs):
    ((mask, score),) = GrabCutSource(**kwargs).segment(image, [box])
    assert score is None
    return mask


def test_clear_square_is_found_in_a_loose_box():
    image, truth = paint()
    mask = segment(image, (20.5, 13.2, 48.7, 40.1))
    assert mask.dtype == bool and mask.shape == (60, 80)
    assert iou(mask, truth) > 0.98


def test_two_boxes_keep_their_order():
    image, first = paint()
    other, second = paint(box=(4, 40, 18, 56))
    image[second] = other[second]
    found = GrabCutSource().segment(image, [(2, 38, 20, 58), (22, 14, 46, 38)])
    assert [score for _, score in found] == [None, None]
    assert iou(found[0][0], second) > 0.95
    assert iou(found[1][0], first) > 0.95


def test_same_input_gives_the_same_mask():
    image = np.random.default_rng(3).integers(0, 255, (60, 80, 3), np.uint8)
    source, box = GrabCutSource(), (10, 10, 60, 50)
    first = source.segment(image, [box])[0][0]
    # Another cut in between moves the global state of the clustering.
    source.segment(image, [(0, 0, 30, 30)])
    np.testing.assert_array_equal(source.segment(image, [box])[0][0], first)


def test_empty_list():
    assert GrabCutSource().segment(paint()[0], []) == []


def test_box_that_fills_the_frame():
    image, truth = paint(box=(10, 8, 70, 52))
    mask = segment(image, (0, 0, 80, 60))
    assert iou(mask, truth) > 0.95


@pytest.mark.parametrize('size', [(1, 1), (1, 2), (2, 2), (3, 3), (1, 9)])
def test_frame_too_small_to_tell_anything(size):
    image = paint(size, (0, 0, 1, 1))[0]
    mask = segment(image, (0, 0, size[1], size[0]))
    assert mask is None or mask.shape == size


@pytest.mark.parametrize('corner', [(0, 0), (79, 59), (40, 30)])
def test_box_of_one_pixel(corner):
    x, y = corner
    mask = segment(paint()[0], (x, y, x + 1, y + 1))
    # With a single candidate there is nothing else to find.
    assert mask is None or np.argwhere(mask).tolist() == [[y, x]]


def test_box_of_one_pixel_that_stands_out():
    image, truth = paint(box=(30, 20, 31, 21))
    np.testing.assert_array_equal(segment(image, (30, 20, 31, 21)), truth)


@pytest.mark.parametrize(
    'box', [(0, 0, 20, 20), (60, 40, 80, 60), (60, 0, 80, 20)]
)
def test_box_at_the_border(box):
    image, truth = paint(box=box)
    loose = (
        max(box[0] - 4, 0),
        max(box[1] - 4, 0),
        min(box[2] + 4, 80),
        min(box[3] + 4, 60),
    )
    assert iou(segment(image, loose), truth) > 0.95


def test_mask_stays_in_the_box_rounded_outward():
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    mask = segment(image, (20.5, 10.5, 50.2, 40.2))
    inside = np.zeros((60, 80), bool)
    inside[10:41, 20:51] = True
    assert mask.any() and not (mask & ~inside).any()


def test_large_box_is_worked_on_small():
    image, truth = paint((300, 400), (100, 80, 300, 220))
    mask = segment(image, (90, 70, 310, 230), max_side=64)
    assert mask.shape == (300, 400)
    # A pixel of the small cut-out is 5.5 wide: half of one at the outline.
    assert iou(mask, truth) > 0.9
    # A box smaller than the square: enlarged, the mask still stays inside.
    inner = segment(image, (103, 83, 297, 217), max_side=64, core=0.9)
    outside = np.ones_like(inner)
    outside[83:217, 103:297] = False
    assert inner.sum() > 0.9 * 194 * 134 and not (inner & outside).any()
    # A thin one would vanish when shrunk.
    thin = segment(image, (10, 150, 390, 151), max_side=64)
    assert thin is None or thin.shape == (300, 400)


def test_uniform_frame_gives_at_least_the_core():
    mask = segment(np.full((60, 80, 3), 90, np.uint8), (20, 10, 60, 50))
    # Centre of the box: surely foreground, by decree.
    assert mask[30, 40] and not mask[5, 5]
    without = segment(
        np.full((60, 80, 3), 90, np.uint8), (20, 10, 60, 50), core=0
    )
    assert without is None or without.shape == (60, 80)


def test_no_foreground_is_no_mask(monkeypatch):
    import cv2

    def nothing(image, trimap, *args):
        trimap[:] = cv2.GC_BGD

    monkeypatch.setattr(cv2, 'grabCut', nothing)
    image, _ = paint()
    assert segment(image, (20, 13, 48, 40)) is None
    result = label(image, [(20, 13, 48, 40)])
    assert result.tracks[0].masks == [None]
    assert result.tracks[0].sources == [None]


def label(image, boxes, **kwargs):
    """Label a video of equal frames, one box (or None) per frame."""
    names = tuple(f'{t}.png' for t in range(len(boxes)))
    info = VideoInfo(2, image.shape[1], image.shape[0], names)
    track = BoxTrack(5, 2, 1, list(boxes))
    frames = [image] * len(boxes)
    source = MODELS.build(dict(type='GrabCutSource', **kwargs))
    (result,) = source.test_step([LabelVideo(info, [track], frames)])
    return result


def test_label_names_the_source_and_skips_absent_frames():
    image, truth = paint()
    box = (22, 14, 46, 38)
    result = label(image, [None, box, None], name='cut')
    (track,) = result.tracks
    assert (track.id, track.category_id) == (5, 1)
    assert track.boxes == [None, box, None]
    assert track.sources == [None, 'cut', None]
    assert track.scores == [None, None, None]
    assert track.masks[0] is None and track.masks[2] is None
    assert iou(decode(track.masks[1]), truth) > 0.98


def test_frames_without_a_box_are_not_read():
    class Frames(list):
        def __getitem__(self, index):
            raise AssertionError(f'frame {index} was read')

    info = VideoInfo(0, 80, 60, ('a.png', 'b.png'))
    video = LabelVideo(info, [BoxTrack(0, 0, 1, [None, None])], Frames())
    result = GrabCutSource().label(video)
    assert result.tracks[0].masks == [None, None]


def test_video_without_instances():
    info = VideoInfo(0, 80, 60, ('a.png',))
    assert GrabCutSource().label(LabelVideo(info, [], [])).tracks == []


def test_only_predicts():
    with pytest.raises(ValueError, match="got mode 'loss'"):
        GrabCutSource()([], mode='loss')
