import cv2
import numpy as np
import pytest

from pmvis_mm.labeling.label_video import LabelVideo
from pmvis_mm.labeling.sources import FlowPropagator
from pmvis_mm.labeling.sources.flow import _cut, _sampling_grid, _stretch
from pmvis_mm.registry import MODELS
from pmvis_mm.structures import BoxTrack, MaskTrack, VideoInfo
from pmvis_mm.structures.rle import decode, encode, tight_boxes
from pmvis_mm.utils.errors import FrameError

SIZE = (64, 96)
SIDE = 20


class Frames(list):
    """Frames in memory, with the video they belong to."""

    video = None


def texture(size, seed):
    noise = np.random.default_rng(seed).integers(0, 255, (*size, 3))
    noise = cv2.GaussianBlur(noise.astype(np.float32), (0, 0), 1.5)
    low, high = noise.min(), noise.max()
    return (255 * (noise - low) / (high - low)).astype(np.uint8)


def corner(t, start=(12, 10), step=(3, 2)):
    return start[0] + step[0] * t, start[1] + step[1] * t


def truth_of(t, **kwargs):
    x, y = corner(t, **kwargs)
    mask = np.zeros(SIZE, bool)
    mask[y : y + SIDE, x : x + SIDE] = True
    return mask


def box_of(t, **kwargs):
    x, y = corner(t, **kwargs)
    return (float(x), float(y), float(x + SIDE), float(y + SIDE))


def make_video(length=7, objects=({},), boxes=None, seen=None, **more):
    """Textured squares that translate over a textured ground.

    Args:
        length (int): Number of frames.
        objects (Sequence[dict]): Arguments of ``corner``.
        boxes (list, optional): Per object, boxes per frame.
        seen (list): Per object, the frames in which the prior knows it.
        **more: Further priors like ``seen``.
    """
    info = VideoInfo(
        6, SIZE[1], SIZE[0], tuple(f'{t}.png' for t in range(length))
    )
    frames = Frames()
    frames.video = info
    for t in range(length):
        image = texture(SIZE, 0)
        for number, kwargs in enumerate(objects, 1):
            x, y = corner(t, **kwargs)
            square = texture((SIDE, SIDE), number)
            image[y : y + SIDE, x : x + SIDE] = square
        frames.append(image)
    if boxes is None:
        boxes = [[box_of(t, **o) for t in range(length)] for o in objects]
    tracks = [BoxTrack(i, 6, 1, list(own)) for i, own in enumerate(boxes)]
    priors = {}
    for name, known in dict(seen=seen, **more).items():
        priors[name] = {}
        for track, kwargs, times in zip(tracks, objects, known):
            found = MaskTrack.empty_like(track)
            for t in times:
                found.set(t, encode(truth_of(t, **kwargs)), name)
            priors[name][track.id] = found
    return LabelVideo(info, tracks, frames, priors)


def label(video, **kwargs):
    source = MODELS.build(dict(type='FlowPropagator', prior='seen', **kwargs))
    (result,) = source.test_step([video])
    return result


def ious(track, **kwargs):
    values = []
    for t, mask in enumerate(track.masks):
        if mask is None:
            values.append(None)
            continue
        mask, truth = decode(mask), truth_of(t, **kwargs)
        values.append((mask & truth).sum() / (mask | truth).sum())
    return values


@pytest.fixture
def count_flows(monkeypatch):
    """List that gets one entry per computed flow."""
    calls = []
    create = cv2.DISOpticalFlow_create

    class Counting:
        def __init__(self, preset):
            self.flow = create(preset)

        def setFinestScale(self, value):
            self.flow.setFinestScale(value)

        def calc(self, *args):
            calls.append(1)
            return self.flow.calc(*args)

    monkeypatch.setattr(cv2, 'DISOpticalFlow_create', Counting)
    return calls


@pytest.mark.parametrize('guided, least', [(True, 0.9), (False, 0.65)])
def test_square_is_tracked_both_ways_from_the_middle(guided, least):
    video = make_video(seen=[[3]])
    result = label(video, keep_in_box=guided, fit_to_box=guided)
    (track,) = result.tracks
    assert track.sources == ['flow'] * 7
    assert min(ious(track)) > least
    # Standing still would not do: the square moves 9 and 6 pixels.
    still = truth_of(3)
    assert (still & truth_of(0)).sum() / (still | truth_of(0)).sum() < 0.3
    np.testing.assert_array_equal(decode(track.masks[3]), truth_of(3))


@pytest.mark.parametrize('preset', ['ultrafast', 'fast'])
def test_faster_presets(preset):
    video = make_video(seen=[[3]])
    assert min(ious(label(video, preset=preset).tracks[0])) > 0.85


def test_keyframe_at_either_end():
    for keyframe in (0, 6):
        result = label(make_video(seen=[[keyframe]]))
        assert min(ious(result.tracks[0])) > 0.9


def test_each_flow_is_computed_once(count_flows):
    label(make_video(length=5, seen=[[2]]))
    # From frame 2: two pairs ahead, two back.
    assert len(count_flows) == 4
    count_flows.clear()
    other = dict(start=(60, 40), step=(-3, -2))
    video = make_video(
        length=5, objects=({}, other), seen=[[0, 2, 4], [1, 3, 4]]
    )
    result = label(video, keyframe_interval=1)
    # Six seeds, the first in frame 0 and the last in frame 4.
    assert len(count_flows) == 8
    assert sorted(result.candidates) == ['flow_1', 'flow_2', 'flow_3']
    for track, kwargs in zip(result.tracks, ({}, other)):
        assert min(ious(track, **kwargs)) > 0.85


def test_candidates_hold_every_track_and_fusion_the_nearest():
    result = label(make_video(seen=[[0, 6]]), keyframe_interval=3)
    first = result.candidates['flow_1'][0]
    second = result.candidates['flow_2'][0]
    np.testing.assert_array_equal(decode(first.masks[0]), truth_of(0))
    np.testing.assert_array_equal(decode(second.masks[6]), truth_of(6))
    assert min(ious(first)) > 0.85 and min(ious(second)) > 0.85
    fused = result.tracks[0]
    # Frame 3 is a tie, which the earlier keyframe wins.
    assert fused.masks[:4] == first.masks[:4]
    assert fused.masks[4:] == second.masks[4:]


def test_keyframe_that_a_reference_confirms():
    video = make_video(seen=[[1, 5]], other=[[5]])
    result = label(video, keyframe_interval=None, reference='other')
    (track,) = result.tracks
    np.testing.assert_array_equal(decode(track.masks[5]), truth_of(5))
    assert list(result.candidates) == ['flow_1']
    assert min(ious(track)) > 0.85


def test_best_fusion_takes_the_track_that_fits():
    # A bad prior in frame 0: the square without its upper half.
    video = make_video(length=3, seen=[[0, 2]])
    bad = truth_of(0)
    bad[: corner(0)[1] + SIDE // 2] = False
    video.priors['seen'][0].set(0, encode(bad), 'seen')
    kwargs = dict(keyframe_interval=1, fit_to_box=False, keep_in_box=False)
    nearest = label(video, **kwargs).tracks[0]
    best = label(video, fusion='best', **kwargs).tracks[0]
    assert ious(nearest)[1] < 0.7 and ious(best)[1] > 0.9


def test_mean_fusion_is_softer_than_a_vote():
    video = make_video(seen=[[0, 6]])
    result = label(video, keyframe_interval=3, fusion='mean')
    (track,) = result.tracks
    assert min(ious(track)) > 0.9
    for t in (0, 6):
        np.testing.assert_array_equal(decode(track.masks[t]), truth_of(t))
    paths = [decode(c[0].masks[3]) for c in result.candidates.values()]
    # Where both agree there is nothing to decide.
    mean = decode(track.masks[3])
    assert mean[paths[0] & paths[1]].all()
    assert not mean[~(paths[0] | paths[1])].any()
    alone = label(make_video(seen=[[0]]), fusion='mean').tracks[0].masks
    nearest = label(make_video(seen=[[0]])).tracks[0].masks
    for one, two in zip(alone, nearest):
        assert (decode(one) == decode(two)).mean() > 0.998


@pytest.mark.parametrize('fit', [True, False])
def test_boxes_outside_the_image(fit):
    # The square leaves the frame by the left: its box is cut by the frame.
    boxes = [(-4.0, 10.0, 16.0, 30.0), (-8.0, 10.0, 12.0, 30.0)]
    boxes += [(-30.0, 10.0, -10.0, 30.0), (200.0, 80.0, 220.0, 90.0)]
    video = make_video(length=4, boxes=[boxes], seen=[[0]])
    mask = np.zeros(SIZE, bool)
    mask[10:30, :16] = True
    video.priors['seen'][0].set(0, encode(mask), 'seen')
    (track,) = label(video, fit_to_box=fit).tracks
    np.testing.assert_array_equal(decode(track.masks[0]), mask)
    inside = decode(track.masks[1])
    assert inside[12:28, 2:10].all() and not inside[:, 12:].any()
    if fit:
        assert tight_boxes(track.masks[1:2]).tolist() == [[0, 10, 12, 30]]


def test_frames_that_change_size():
    video = make_video(seen=[[3]])
    video.frames[5] = video.frames[5][:, :-1]
    message = 'frame is 95x64 pixels.*says 96x64.*video 6, frame 5'
    with pytest.raises(FrameError, match=message):
        label(video)


def test_require_prior():
    result = label(make_video(seen=[[1, 4]]), require_prior=True)
    present = [mask is not None for mask in result.tracks[0].masks]
    assert [t for t, there in enumerate(present) if there] == [1, 4]


def test_crop_tracks():
    # Boxes of half the height from frame 1 on; nothing else guides.
    boxes = [box_of(t) for t in range(4)]
    boxes[1:] = [(x0, y0, x1, y0 + 10) for x0, y0, x1, _ in boxes[1:]]
    video = make_video(length=4, boxes=[boxes], seen=[[0]])
    free = dict(keep_in_box=False, fit_to_box=False)
    whole = decode(label(video, **free).tracks[0].masks[3])
    cropped = decode(label(video, crop_tracks=True, **free).tracks[0].masks[3])
    x, y = corner(3)
    np.testing.assert_array_equal(
        cropped[y : y + 10, x : x + SIDE], whole[y : y + 10, x : x + SIDE]
    )
    assert not cropped[y + 10 :].any() and whole[y + 10 :].any()


@pytest.mark.parametrize('fit', [True, False])
def test_fit_to_box_makes_every_tight_box_the_annotated_one(fit):
    # Boxes that grow by 2 pixels a frame on each side; the square does not.
    boxes = [
        (x0 - 2 * t, y0 - 2 * t, x1 + 2 * t, y1 + 2 * t)
        for t, (x0, y0, x1, y1) in enumerate(map(box_of, range(4)))
    ]
    video = make_video(length=4, boxes=[boxes], seen=[[0]])
    (track,) = label(video, fit_to_box=fit).tracks
    fits = [tuple(b) for b in tight_boxes(track.masks)] == boxes
    assert fits is fit


def test_absent_frames_get_no_mask_and_do_not_stop_the_track():
    boxes = [box_of(t) for t in range(7)]
    boxes[2] = boxes[3] = None
    video = make_video(boxes=[boxes], seen=[[0]])
    (track,) = label(video).tracks
    assert [t for t, m in enumerate(track.masks) if m is None] == [2, 3]
    assert min(v for v in ious(track) if v is not None) > 0.85


def test_video_of_one_frame(count_flows):
    (track,) = label(make_video(length=1, seen=[[0]])).tracks
    np.testing.assert_array_equal(decode(track.masks[0]), truth_of(0))
    assert count_flows == []


def test_instance_without_a_prior_mask_stays_empty(count_flows):
    other = dict(start=(60, 40), step=(-3, -2))
    video = make_video(length=3, objects=({}, other), seen=[[], [1]])
    del video.priors['seen'][0]
    first, second = label(video).tracks
    assert first.num_masks == 0 and first.boxes == video.tracks[0].boxes
    assert min(ious(second, **other)) > 0.9
    count_flows.clear()
    del video.priors['seen'][1]
    assert [t.num_masks for t in label(video).tracks] == [0, 0]
    assert count_flows == []


def test_small_frames_are_enlarged_for_the_flow_only():
    source = FlowPropagator('seen')
    # 192 / 64, and 3 x 50 < 192 needs a fourth.
    gray = source._gray(np.zeros((64, 96, 3), np.uint8))
    assert gray.shape == (192, 288)
    assert source._gray(np.zeros((50, 96, 3), np.uint8)).shape == (200, 384)
    assert source._gray(np.zeros((192, 300, 3), np.uint8)).shape == (192, 300)
    small = label(make_video(seen=[[3]]), min_side=1)
    assert min(ious(small.tracks[0])) > 0.85


def test_sampling_grid_scales_flow_down():
    flow = np.zeros((4, 6, 2), np.float32)
    flow[..., 0], flow[..., 1] = 2, -4  # at twice the resolution
    grid = _sampling_grid(flow, 2, 3)
    np.testing.assert_allclose(grid[..., 0], [[1, 2, 3], [1, 2, 3]])
    np.testing.assert_allclose(grid[..., 1], [[-2] * 3, [-1] * 3])
    same = _sampling_grid(flow.copy(), 4, 6)
    np.testing.assert_allclose(same[0, :, 0], [2, 3, 4, 5, 6, 7])


def blob():
    """A soft mask, above 0.5 exactly on rows 3 to 7, columns 5 to 12."""
    mask = np.zeros((16, 20), np.float32)
    mask[3:8, 5:13] = 0.5 + 0.5 * np.random.default_rng(0).random((5, 8))
    mask[3:8, 5:13] += 0.01
    mask[2, 6:9] = 0.3
    return mask


def test_stretch_leaves_a_mask_that_fits_as_it_is():
    np.testing.assert_array_equal(_stretch(blob(), (5, 3, 13, 8)), blob())


@pytest.mark.parametrize(
    'box', [(5, 3, 13, 8), (1, 1, 17, 11), (9, 10, 13, 15), (0, 0, 20, 16)]
)
def test_stretch_reaches_the_box(box):
    solid = (blob() > 0.5).astype(np.float32)
    inside = _stretch(solid, box) > 0.5
    rows, columns = (
        np.flatnonzero(inside.any(1)),
        np.flatnonzero(inside.any(0)),
    )
    tight = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    assert tight == box


def test_stretch_doubles_every_pixel():
    mask = np.zeros((8, 8), np.float32)
    mask[2:4, 2:4] = [[1, 1], [1, 0]]
    inside = _stretch(mask, (1, 1, 5, 5)) > 0.5
    assert inside[1:3, 1:5].all() and inside[3:5, 1:3].all()
    assert not inside[4, 4] and inside.sum() <= 13


def test_stretch_of_nothing_is_nothing():
    empty = np.full((8, 8), 0.4, np.float32)
    assert _stretch(empty, (1, 1, 5, 5)) is empty


def test_cut_rounds_outward():
    full = np.ones((8, 8), np.float32)
    cut = _cut(full, (1.9, 2.0, 4.1, 6.0))
    expected = np.zeros((8, 8), np.float32)
    expected[2:6, 1:5] = 1
    np.testing.assert_array_equal(cut, expected)
    assert full.all()


def test_unknown_preset_is_refused():
    with pytest.raises(ValueError, match="got 'slow'"):
        FlowPropagator('seen', preset='slow')
