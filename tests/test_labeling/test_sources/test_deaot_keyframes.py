"""DeAOT from many keyframes: what is shared, fused, bounded and refused."""

import numpy as np
import pytest
import torch

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from pmvis_mm.apis.deaot_checkpoint import load_deaot_weights
from pmvis_mm.engine.hooks.label_hooks import SHQMHook
from pmvis_mm.labeling.label_video import LabelVideo
from pmvis_mm.labeling.sources.propagation import Seed
from pmvis_mm.labeling.sources.track_fusion import SoftMask
from pmvis_mm.registry import MODELS
from pmvis_mm.structures import BoxTrack, MaskTrack, VideoInfo
from pmvis_mm.structures.rle import area, box_rle, decode, encode
from pmvis_mm.testing.golden_deaot import golden_propagator
from pmvis_mm.utils.errors import FrameError, MaskSetError

SIZE = (40, 56)
LEFT, RIGHT = (4, 6, 26, 34), (30, 8, 52, 36)
LENGTH = 6


class Frames(list):
    """Frames in memory, with the video they belong to."""

    video = None


@pytest.fixture(scope='module')
def weights():
    return golden_propagator('deaott').network.state_dict()


@pytest.fixture
def make_source(default_scope, weights):
    def make(dtype=torch.float32, **kwargs):
        config = dict(
            type='DeAOTSource',
            prior='seen',
            keyframe_interval=2,
            propagator=dict(
                type='DeAOTPropagator',
                network=dict(type='DeAOT', arch='deaott'),
                long_term_gap=2,
            ),
        )
        source = MODELS.build({**config, **kwargs}).eval()
        load_deaot_weights(source.propagator.network, weights)
        return source.to(dtype)

    return make


def make_frames(length=LENGTH):
    rng = np.random.default_rng(3)
    frames = Frames(
        rng.integers(0, 255, (*SIZE, 3), dtype=np.uint8) for _ in range(length)
    )
    names = tuple(f'{t}.png' for t in range(length))
    frames.video = VideoInfo(6, SIZE[1], SIZE[0], names)
    return frames


def make_video(frames, seen, boxes=(LEFT, RIGHT)):
    """The same boxes everywhere; ``seen``: keyframes of each instance."""
    tracks, prior = [], {}
    for i, (box, keyframes) in enumerate(zip(boxes, seen)):
        own = [tuple(map(float, box))] * len(frames)
        track = BoxTrack(i, 6, 1, own)
        found = MaskTrack.empty_like(track)
        for t in keyframes:
            found.set(t, box_rle(box, *SIZE), 'seen')
        tracks.append(track)
        prior[i] = found
    return LabelVideo(frames.video, tracks, frames, dict(seen=prior))


def dense(rle):
    return np.zeros(SIZE, bool) if rle is None else decode(rle)


def label(source, video):
    with torch.no_grad():
        return source.label(video)


def run_apart(source, video, key, order):
    """One keyframe in one direction: probabilities and masks per frame."""
    propagator, prior = source.propagator, video.priors['seen']
    given = np.zeros(SIZE, np.int64)
    there = [i for i in prior if prior[i].masks[key] is not None]
    for number, i in enumerate(there, 1):
        given[decode(prior[i].masks[key])] = number
    state = propagator.start(propagator.encode(video.frames[key]), given)
    found = {}
    for t in order:
        features = propagator.encode(video.frames[t])
        logits, state = propagator.step(state, features)
        labels, probs = logits.argmax(0), logits.softmax(0)
        for number, i in enumerate(there, 1):
            found[i, t] = (labels == number).numpy(), probs[number].numpy()
    return found


def count_encodings(source):
    """Frames that went through the encoder, one entry per call."""
    calls, encode_frame = [], source.propagator.encode

    def counting(image):
        calls.append(image.tobytes())
        return encode_frame(image)

    source.features.compute = counting
    return calls


# ----------------------------------------------------- equal to separate runs
@pytest.mark.parametrize(
    ('dtype', 'options'),
    [
        (torch.float32, dict()),
        (torch.float32, dict(cache_mb=0)),
        (torch.float64, dict(cache_mb=0, max_passes=2)),
    ],
)
def test_case_11_equals_separate_runs(make_source, dtype, options):
    source = make_source(dtype, fusion='mean', **options)
    video = make_video(make_frames(), [[0, 2, 4], [2, 5]])
    calls = count_encodings(source)
    soft = {}
    propagate = source.propagate

    def spy(frames, seeds, reverse):
        for frame, masks in propagate(frames, seeds, reverse):
            for seed, found in zip(seeds, masks):
                if found is not None:
                    soft[seed.instance, seed.frame, frame] = found
            yield frame, masks

    source.propagate = spy
    result = label(source, video)
    assert len(calls) == len(set(calls)) == LENGTH
    number = 0
    for key in (0, 2, 4, 5):
        for order in (range(key + 1, LENGTH), range(key - 1, -1, -1)):
            apart = run_apart(source, video, key, order)
            for (i, t), (mask, prob) in apart.items():
                found = soft[i, key, t]
                assert isinstance(found, SoftMask)
                assert np.array_equal(found.mask, mask)
                assert np.abs(found.prob - prob).max() <= 1e-6
                number += 1
    assert len(soft) == number == 5 * (LENGTH - 1)
    for rank, key in enumerate((0, 2, 4), 1):
        path = result.candidates[f'track_{rank}'][0].masks
        assert path[key] == box_rle(LEFT, *SIZE)
        for t in set(range(LENGTH)) - {key}:
            assert np.array_equal(dense(path[t]), soft[0, key, t].mask)


def test_joint_encodes_once(make_source):
    for options in (dict(), dict(cache_mb=0)):
        source = make_source(references='joint', **options)
        calls = count_encodings(source)
        label(source, make_video(make_frames(), [[1, 3, 5], [2]]))
        assert len(calls) == len(set(calls)) == LENGTH


def test_per_instance_runs_are_alone(make_source):
    source = make_source(references='per_instance', max_passes=2)
    video = make_video(make_frames(), [[2], [2, 4]])
    calls = count_encodings(source)
    result = label(source, video)
    assert len(calls) == LENGTH
    for i in range(2):
        # The other one is background.
        alone = make_video(video.frames, [[2], [2, 4]])
        alone.priors['seen'] = {i: video.priors['seen'][i]}
        expected = label(make_source(), alone)
        assert result.tracks[i].masks == expected.tracks[i].masks
    together = label(make_source(), video)
    assert together.tracks[0].masks != result.tracks[0].masks


def test_half_precision_spill_changes_little(make_source):
    frames = make_frames()
    video = make_video(frames, [[0, 2, 4], [2, 5]])
    exact = label(make_source(), video)
    source = make_source(cache_mb=0, spill_half=True)
    calls = count_encodings(source)
    rough = label(source, video)
    assert len(calls) == LENGTH
    for a, b in zip(exact.tracks, rough.tracks):
        for one, two in zip(a.masks, b.masks):
            assert (dense(one) == dense(two)).mean() > 0.99


# -------------------------------------------------------------------- memory
@pytest.mark.parametrize('length', [10, 30])
def test_memory_does_not_grow_with_the_video(make_source, length):
    source = make_source(keyframe_interval=None, cache_mb=0)
    size = source.propagator.encode(make_frames(1)[0]).nbytes
    source.features.max_bytes = 3 * size
    video = make_video(make_frames(length), [[2], [length - 3]])
    most, tokens, get = [], [], source.features.get

    def spy(frames, index):
        features = get(frames, index)
        most.append(len(source.features._kept))
        return features

    source.features.get = spy
    predict = source.propagator.predict
    source.propagator.max_frames = 4

    def watch(state, features):
        tokens.append(max(len(m.marks) for m in state.memories))
        return predict(state, features)

    source.propagator.predict = watch
    label(source, video)
    assert max(most) == 3 and max(tokens) == 4
    assert source.features.num_computed == length
    assert source.features.spill.num_bytes == 0  # it is gone


# -------------------------------------------------------------------- fusion
@pytest.mark.parametrize('references', ['independent', 'joint'])
@pytest.mark.parametrize('fusion', ['nearest', 'mean', 'best'])
def test_fusions_keep_the_keyframes(make_source, fusion, references):
    source = make_source(fusion=fusion, references=references)
    result = label(source, make_video(make_frames(), [[0, 2, 4], [2, 5]]))
    for track, box, keys in zip(
        result.tracks, (LEFT, RIGHT), ((0, 2, 4), (2, 5))
    ):
        given = box_rle(box, *SIZE)
        assert all(track.masks[t] == given for t in keys)
        if fusion == 'nearest':
            assert track.num_masks == LENGTH


def test_mean_of_one_keyframe_is_that_track(make_source):
    source = make_source(fusion='mean', keyframe_interval=None)
    video = make_video(make_frames(), [[2], [2]])
    result = label(source, video)
    for i, track in enumerate(result.tracks):
        path = result.candidates['track_1'][i].masks
        for one, two in zip(track.masks, path):
            # Rounding to 1/255 moves what is about as likely either way.
            assert (dense(one) == dense(two)).mean() > 0.99


def test_mean_masks_do_not_overlap(make_source):
    source = make_source(fusion='mean')
    result = label(source, make_video(make_frames(), [[0, 4], [0, 4]]))
    for t in (1, 2, 3, 5):
        first, second = (dense(track.masks[t]) for track in result.tracks)
        assert not (first & second).any()


def test_all_tracks_compete_in_shqm(make_source):
    video = make_video(make_frames(), [[0, 2, 4], [2, 5]])
    result = label(make_source(), video)
    before = {n: dict(c) for n, c in result.candidates.items()}
    SHQMHook(['seen'], own='track', tracks='all').after_label(
        None, video, result
    )
    for track in result.tracks:
        paths = [c[track.id].masks for c in before.values() if track.id in c]
        for t in range(LENGTH):
            assert track.masks[t] in [p[t] for p in paths]
    used = {s for track in result.tracks for s in track.sources}
    assert used <= {'track', 'track_1', 'track_2', 'track_3', 'seen'}


@pytest.mark.parametrize(
    ('interval', 'mode', 'keyframes'),
    [
        (None, 'top', [3]),
        (None, 'per_segment', [3]),
        (2, 'top', [3, 4, 5]),
        (2, 'per_segment', [1, 3, 5]),
        (100, 'top', [3]),
    ],
)
def test_one_keyframe_or_several(make_source, interval, mode, keyframes):
    source = make_source(keyframe_interval=interval, keyframe_mode=mode)
    video = make_video(make_frames(), [[]])
    found = video.priors['seen'][0]
    x0, y0, x1, y1 = LEFT
    for t, missing in enumerate((9, 8, 7, 0, 5, 4)):
        found.set(t, box_rle((x0, y0, x1 - missing, y1), *SIZE), 'seen')
    result = label(source, video)
    starts = [
        t for t in range(LENGTH) if result.tracks[0].masks[t] == found.masks[t]
    ]
    assert starts == keyframes
    assert len(result.candidates) == len(keyframes)


# ------------------------------------------------------------------ bad input
def test_video_of_one_frame(make_source):
    for fusion in ('nearest', 'mean', 'best'):
        source = make_source(fusion=fusion)
        video = make_video(make_frames(1), [[0], []])
        first, second = label(source, video).tracks
        assert first.masks == [box_rle(LEFT, *SIZE)]
        assert second.masks == [None]  # no keyframe at all
        assert source.features.num_computed == 0


def test_object_without_a_keyframe_stays_empty(make_source):
    source = make_source(fusion='mean')
    video = make_video(make_frames(), [[1], []])
    del video.priors['seen'][1]
    first, second = label(source, video).tracks
    assert first.num_masks > 1 and second.num_masks == 0


@pytest.mark.parametrize('other', [(40, 72), (40, 55)])
def test_frames_that_change_size(make_source, other):
    """Even where the network would see both at the same size."""
    frames = make_frames()
    frames[3] = np.zeros((*other, 3), np.uint8)
    message = rf'frame is {other[1]}x40 pixels.*says 56x40.*video 6, frame 3'
    source = make_source()
    with pytest.raises(FrameError, match=message):
        label(source, make_video(frames, [[1], [2]]))
    assert not source.features._kept


@pytest.mark.parametrize('count', [12, 35, 105])
def test_many_objects(make_source, count):
    """Each is a few pixels of a grid, which the network sees as they are."""
    source = make_source(
        propagator=dict(
            type='DeAOTPropagator', network=dict(type='DeAOT', arch='deaott')
        )
    )
    boxes = [
        (4 * (i % 14), 5 * (i // 14), 4 * (i % 14) + 4, 5 * (i // 14) + 5)
        for i in range(count)
    ]
    video = make_video(make_frames(2), [[0]] * count, boxes)
    groups = []
    predict = source.propagator.predict

    def spy(state, features):
        groups.append(state.num_groups)
        return predict(state, features)

    source.propagator.predict = spy
    result = label(source, video)
    assert groups == [-(-count // 10)]
    found = [t.masks[1] for t in result.tracks if t.masks[1] is not None]
    assert sum(map(area, found)) <= SIZE[0] * SIZE[1]
    assert found
    assert all(
        t.masks[0] == box_rle(box, *SIZE)
        for t, box in zip(result.tracks, boxes)
    )


def test_too_many_objects(make_source):
    boxes = [(i % 56, i // 56, i % 56 + 1, i // 56 + 1) for i in range(255)]
    video = make_video(make_frames(2), [[1]] * 255, boxes)
    message = r"255 objects.*254.*video 6, frame 1.*'per_instance'"
    with pytest.raises(MaskSetError, match=message):
        label(make_source(), video)


@pytest.mark.parametrize('fusion', ['nearest', 'mean', 'best'])
def test_boxes_outside_the_image(make_source, fusion):
    boxes = ((-9, -9, 20, 30), (60, 50, 90, 80))
    source = make_source(fusion=fusion, crop_tracks=True)
    video = make_video(make_frames(), [[1, 3], []], boxes)
    first, second = label(source, video).tracks
    assert first.masks[1] == box_rle((0, 0, 20, 30), *SIZE)
    for mask in filter(None, first.masks):
        outside = decode(mask)
        outside[:30, :20] = False
        assert not outside.any()
    assert second.num_masks == 0
    # A mask that has nothing to do with its box is no keyframe.
    video.priors['seen'][1].set(2, box_rle(LEFT, *SIZE), 'seen')
    assert label(source, video).tracks[1].num_masks == 0


def test_empty_keyframe_mask(make_source):
    source = make_source()
    empty = encode(np.zeros(SIZE, bool))
    seeds = [Seed(0, 1, empty, (None,) * LENGTH)]
    with torch.no_grad():
        found = list(source.propagate(make_frames(), seeds, False))
    assert all(masks == [None] for _, masks in found)
