"""DeAOT as a source: keyframes, directions, what is computed once.

The weights are closed formulas, not trained: the masks mean nothing, but
they are the ones that the network finds.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from pmvis_mm.apis.deaot_checkpoint import load_deaot_weights
from pmvis_mm.labeling.label_video import LabelVideo
from pmvis_mm.labeling.sources.propagation import Seed
from pmvis_mm.registry import MODELS
from pmvis_mm.structures import BoxTrack, MaskTrack, VideoInfo
from pmvis_mm.structures.rle import box_rle, decode, encode
from pmvis_mm.testing.golden_deaot import golden_propagator, golden_weights
from pmvis_mm.utils.errors import CheckpointError, ConfigError, MaskSetError

SIZE = (40, 56)
LEFT, RIGHT = (4, 6, 26, 34), (30, 8, 52, 36)


class Frames(list):
    """Frames in memory, with the video they belong to."""

    video = None


@pytest.fixture(scope='module')
def weights():
    return golden_propagator('deaott').network.state_dict()


@pytest.fixture
def make_source(default_scope, weights):
    def make(**kwargs):
        propagator = dict(
            type='DeAOTPropagator', network=dict(type='DeAOT', arch='deaott')
        )
        propagator.update(kwargs.pop('propagator', {}))
        config = dict(type='DeAOTSource', prior='seen', propagator=propagator)
        source = MODELS.build({**config, **kwargs}).eval()
        load_deaot_weights(source.propagator.network, weights)
        return source

    return make


def make_frames(length=6):
    rng = np.random.default_rng(3)
    frames = Frames(
        rng.integers(0, 255, (*SIZE, 3), dtype=np.uint8) for _ in range(length)
    )
    names = tuple(f'{t}.png' for t in range(length))
    frames.video = VideoInfo(6, SIZE[1], SIZE[0], names)
    return frames


def seed(instance, frame, box=LEFT, length=6, hidden=()):
    boxes = tuple(
        None if t in hidden else tuple(map(float, box)) for t in range(length)
    )
    return Seed(instance, frame, box_rle(box, *SIZE), boxes)


def sweep(source, frames, seeds, reverse=False):
    """Masks per seed and frame."""
    found = [{} for _ in seeds]
    visited = []
    with torch.no_grad():
        for frame, masks in source.propagate(frames, seeds, reverse):
            visited.append(frame)
            for own, mask in zip(found, masks):
                if mask is not None:
                    assert mask.shape == SIZE and mask.dtype == bool
                    own[frame] = mask
    return found, visited


def by_hand(source, frames, seeds, order):
    """One pass over all seeds of a frame with the propagator itself."""
    propagator = source.propagator
    given = np.zeros(SIZE, np.int64)
    for number, one in enumerate(seeds, 1):
        given[decode(one.mask).astype(bool)] = number
    state = propagator.start(propagator.encode(frames[order[0]]), given)
    found = [{} for _ in seeds]
    for t in order[1:]:
        logits, state = propagator.step(state, propagator.encode(frames[t]))
        for number, own in enumerate(found, 1):
            own[t] = (logits.argmax(0) == number).numpy()
    return found


def assert_same(found, expected):
    assert [list(own) for own in found] == [list(own) for own in expected]
    for own, other in zip(found, expected):
        for t in own:
            assert np.array_equal(own[t], other[t])


def make_video(frames, seen):
    """Boxes everywhere; ``seen``: per instance, keyframes of the prior."""
    length = len(frames)
    tracks, prior = [], {}
    for i, (box, keyframes) in enumerate(zip((LEFT, RIGHT), seen)):
        boxes = [tuple(map(float, box))] * length
        track = BoxTrack(i, 6, 1, boxes)
        found = MaskTrack.empty_like(track)
        for t in keyframes:
            found.set(t, box_rle(box, *SIZE), 'seen')
        tracks.append(track)
        prior[i] = found
    return LabelVideo(frames.video, tracks, frames, dict(seen=prior))


# ------------------------------------------------------------------ directions
@pytest.mark.parametrize('reverse', [False, True])
def test_case_11_equals_a_run_in_one_direction(make_source, reverse):
    source, frames = make_source(), make_frames()
    seeds = [seed(0, 2), seed(1, 2, RIGHT)]
    found, visited = sweep(source, frames, seeds, reverse)
    order = [2, 1, 0] if reverse else [2, 3, 4, 5]
    assert visited == order
    assert_same(found, by_hand(source, frames, seeds, order))
    assert any(mask.any() for own in found for mask in own.values())


def test_case_11_reversed_video_swaps_the_directions(make_source):
    source, frames = make_source(), make_frames()
    found, _ = sweep(source, frames, [seed(0, 2)])
    mirror = Frames(frames[::-1])
    mirror.video = frames.video
    swapped, visited = sweep(source, mirror, [seed(0, 3)], True)
    assert visited == [3, 2, 1, 0]
    assert list(found[0]) == [5 - t for t in swapped[0]]
    for t, mask in swapped[0].items():
        assert np.array_equal(mask, found[0][5 - t])


def test_case_11_keyframes_and_encoder_calls(make_source):
    source, frames = make_source(keyframe_interval=2), make_frames()
    video = make_video(frames, [[0, 2, 4], [3]])
    with torch.no_grad():
        result = source.label(video)
    assert source.features.num_computed == len(frames)
    assert not source.features._kept
    # The nearest keyframe wins, and a keyframe keeps its own mask.
    for track, (box, keyframes) in zip(
        result.tracks, ((LEFT, (0, 2, 4)), (RIGHT, (3,)))
    ):
        for t in keyframes:
            assert track.masks[t] == box_rle(box, *SIZE)
            assert track.sources[t] == 'track'
    assert sorted(result.candidates) == ['track_1', 'track_2', 'track_3']


@pytest.mark.parametrize('max_passes', [1, 2])
def test_batches_change_nothing(make_source, max_passes):
    frames = make_frames()
    expected, found = (
        make_source(keyframe_interval=2, **kwargs)
        for kwargs in ({}, dict(max_passes=max_passes))
    )
    video = make_video(frames, [[0, 2, 4], [2, 3]])
    with torch.no_grad():
        a, b = expected.label(video), found.label(video)
    assert [t.masks for t in a.tracks] == [t.masks for t in b.tracks]
    assert found.features.num_computed == len(frames)


@pytest.mark.parametrize('references', ['independent', 'joint'])
def test_small_cache_costs_no_second_encoding(make_source, references):
    frames = make_frames()
    options = [dict(), dict(cache_mb=0), dict(cache_mb=0, spill_mb=0)]
    roomy, tight, neither = (
        make_source(references=references, **kwargs) for kwargs in options
    )
    video = make_video(frames, [[1], [4]])
    with torch.no_grad():
        a, b, c = (s.label(video) for s in (roomy, tight, neither))
    for other in (b, c):
        assert [t.masks for t in a.tracks] == [t.masks for t in other.tracks]
    # On 1 ... 5, back 4 ... 0.
    assert roomy.features.num_computed == 6
    assert tight.features.num_computed == 6
    # The newest is held, and comes first on the way back if it is the last
    # that is needed again.
    assert neither.features.num_computed == 6 + 3
    assert roomy.features.spill.num_bytes == tight.features.spill.num_bytes


def test_keyframe_at_the_end_needs_no_pass(make_source):
    source, frames = make_source(), make_frames()
    assert sweep(source, frames, [seed(0, 5)]) == ([{}], [])
    found, visited = sweep(source, frames, [seed(0, 5), seed(1, 3, RIGHT)])
    assert visited == [3, 4, 5] and list(found[1]) == [4, 5] and not found[0]
    assert source.features.num_computed == 3


# ------------------------------------------------------------------ references
def test_independent_keyframes_do_not_meet(make_source):
    source, frames = make_source(), make_frames()
    seeds = [seed(0, 1), seed(0, 3), seed(1, 3, RIGHT)]
    found, visited = sweep(source, frames, seeds)
    assert visited == [1, 2, 3, 4, 5]
    first = by_hand(source, frames, seeds[:1], [1, 2, 3, 4, 5])
    second = by_hand(source, frames, seeds[1:], [3, 4, 5])
    assert_same(found, first + second)


@pytest.mark.parametrize('reverse', [False, True])
def test_joint_keyframes_share_a_pass(make_source, reverse):
    source, frames = make_source(references='joint'), make_frames()
    seeds = [seed(0, 1), seed(1, 3, RIGHT)]
    found, _ = sweep(source, frames, seeds, reverse)
    propagator = source.propagator
    order = [3, 2, 1, 0] if reverse else [1, 2, 3, 4, 5]
    given = {
        one.frame: label * decode(one.mask).astype(np.int64)
        # Labels go by the order of appearance.
        for label, one in enumerate(seeds[::-1] if reverse else seeds, 1)
    }
    features = [propagator.encode(image) for image in frames]
    state = propagator.start(features[order[0]], given[order[0]])
    for t in order[1:]:
        logits, state = propagator.step(state, features[t], given.get(t))
        labels = logits.argmax(0).numpy()
        for number, own in enumerate(found):
            label = 2 - number if reverse else 1 + number
            started = t < seeds[number].frame
            if not reverse:
                started = t > seeds[number].frame
            assert (t in own) == started
            if started:
                assert np.array_equal(own[t], labels == label)


def test_joint_is_one_batch(make_source):
    source = make_source(references='joint', max_passes=1)
    seeds = [seed(0, 1), seed(0, 3)]
    assert source.batches(seeds) == [[0, 1]]
    # But references are never forgotten: no more than memory has room for.
    source.propagator.max_frames = 2
    many = [seed(i, t) for i, t in ((0, 1), (0, 3), (1, 1), (1, 5), (1, 3))]
    assert source.batches(many) == [[0, 1, 2, 4], [3]]
    assert make_source(max_passes=1).batches(seeds[::-1]) == [[1], [0]]
    assert source.batches([]) == make_source().batches([]) == []


@pytest.mark.parametrize('first', [0, 1])
def test_smaller_masks_are_in_front(make_source, first):
    source, frames = make_source(), make_frames()
    seeds = [seed(0, 4, (10, 10, 20, 20)), seed(1, 4, LEFT)]
    rest = decode(seeds[1].mask).astype(bool)
    rest[10:20, 10:20] = False
    apart = [seeds[0], replace(seeds[1], mask=encode(rest))]
    order = slice(None, None, -1 if first else 1)
    found, _ = sweep(source, frames, seeds[order])
    assert_same(found, by_hand(source, frames, apart[order], [4, 5]))


def test_mask_that_vanishes_is_not_tracked(make_source):
    source, frames = make_source(propagator=dict(scale=0.3)), make_frames()
    # One pixel of 40 x 56, seen as 17 x 17.
    seeds = [seed(0, 2, (7, 7, 8, 8)), seed(1, 2, RIGHT)]
    found, _ = sweep(source, frames, seeds)
    assert not found[0] and list(found[1]) == [3, 4, 5]


def test_instances_without_a_box_are_suppressed(make_source):
    frames = make_frames()
    seeds = [seed(0, 2, hidden=(3,)), seed(1, 2, RIGHT)]
    source = make_source(suppress_without_box=True)
    found, _ = sweep(source, frames, seeds)
    assert list(found[0]) == [4, 5] and list(found[1]) == [3, 4, 5]
    propagator = source.propagator
    given = decode(seeds[0].mask).astype(np.int64)
    given += 2 * decode(seeds[1].mask).astype(np.int64)
    state = propagator.start(propagator.encode(frames[2]), given)
    for t, absent in ((3, [1]), (4, []), (5, [])):
        features = propagator.encode(frames[t])
        logits, state = propagator.step(state, features, absent=absent)
    assert np.array_equal(found[1][5], (logits.argmax(0) == 2).numpy())


# ---------------------------------------------------------- options, bad input
def test_no_seeds(make_source):
    source, frames = make_source(), make_frames()
    assert sweep(source, frames, []) == ([], [])
    result = source.label(make_video(frames, [[], []]))
    assert [t.masks for t in result.tracks] == [[None] * 6] * 2
    assert source.features.num_computed == 0


def test_empty_mask_starts_nothing(make_source):
    source, frames = make_source(), make_frames()
    empty = Seed(0, 1, box_rle((0, 0, 0, 0), *SIZE), (None,) * 6)
    found, _ = sweep(source, frames, [empty, seed(1, 1, RIGHT)])
    assert not found[0]
    alone = by_hand(source, frames, [seed(1, 1, RIGHT)], [1, 2, 3, 4, 5])
    assert_same(found[1:], alone)


def test_mask_of_another_size(make_source):
    source, frames = make_source(), make_frames()
    wrong = Seed(0, 1, box_rle((1, 1, 5, 5), 8, 8), (None,) * 6)
    message = r'a mask of size \(8, 8\).*\(40, 56\).*video 6, frame 1'
    with pytest.raises(MaskSetError, match=message):
        sweep(source, frames, [wrong])


def test_checkpoint(default_scope, weights, tmp_path):
    path = tmp_path / 'official.pth'
    torch.save(dict(state_dict=golden_weights('deaott')), path)
    config = dict(
        type='DeAOTSource',
        prior='seen',
        propagator=dict(
            type='DeAOTPropagator', network=dict(type='DeAOT', arch='deaott')
        ),
    )
    source = MODELS.build(dict(config, checkpoint=str(path)))
    source.init_weights()  # as the runner does
    found = source.propagator.network.state_dict()
    assert all(torch.equal(found[name], weights[name]) for name in weights)
    with pytest.raises(CheckpointError, match='does not exist'):
        MODELS.build(dict(config, checkpoint=str(tmp_path / 'none.pth')))


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        (dict(spill_mb=-1), 'spill_mb=-1'),
        (dict(spill_dir='no/folder'), "spill_dir='no/folder' is no folder"),
        (dict(references='both'), r"references='both' is unknown"),
        (dict(max_passes=0), 'max_passes=0'),
        (dict(cache_mb=-1), 'cache_mb=-1'),
    ],
)
def test_bad_options(make_source, option, message):
    with pytest.raises(ConfigError, match=message):
        make_source(**option)
