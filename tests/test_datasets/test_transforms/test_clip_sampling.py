import copy
from collections import Counter

import numpy as np
import pytest
from mmdet.datasets.transforms import BaseFrameSample

from pmvis_mm.datasets.transforms import ClipFrameSample
from pmvis_mm.registry import TRANSFORMS
from pmvis_mm.utils.errors import ConfigError


@pytest.fixture(autouse=True)
def _seed():
    np.random.seed(0)


def video(length):
    return dict(
        video_id=7,
        video_length=length,
        images=[
            dict(frame_id=t, file_name=f'{t}.jpg', instances=[dict(bbox=[t])])
            for t in range(length)
        ],
    )


def test_it_is_a_frame_sampler_of_mmdet():
    assert TRANSFORMS.get('ClipFrameSample') is ClipFrameSample
    assert isinstance(ClipFrameSample(), BaseFrameSample)


@pytest.mark.parametrize(
    'key, pool', [(0, range(1, 6)), (11, range(6, 11)), (6, range(1, 12))]
)
def test_g13_frames_come_from_the_neighbourhood_without_the_key(key, pool):
    sample = ClipFrameSample(num_frames=5, frame_range=5)
    drawn = Counter()
    for _ in range(2000):
        frames, flags = sample.sampling_frames(12, key)
        assert len(frames) == 5 and frames.count(key) == 1
        assert [f for f, flag in zip(frames, flags) if flag] == [key]
        drawn.update(f for f in frames if f != key)
    assert set(drawn) == set(pool) - {key}
    # Uniform: 8000 draws.
    share = np.array(list(drawn.values())) / 8000
    assert np.allclose(share, 1 / len(drawn), atol=0.02)


def test_g13_draws_are_with_replacement_in_random_order():
    sample = ClipFrameSample(num_frames=5, frame_range=5)
    clips = [sample.sampling_frames(12, 0)[0] for _ in range(4000)]
    # Four draws out of five are all different with 5*4*3*2/5^4 = 0.192.
    different = np.mean([len(set(clip)) == 5 for clip in clips])
    assert different == pytest.approx(0.192, abs=0.02)
    # Every place of the clip holds the key frame equally often.
    places = Counter(clip.index(0) for clip in clips)
    assert np.allclose([places[i] / 4000 for i in range(5)], 0.2, atol=0.03)


def test_in_the_order_of_time_without_shuffling():
    sample = ClipFrameSample(shuffle=False)
    for _ in range(50):
        frames, flags = sample.sampling_frames(12, 4)
        assert frames == sorted(frames)
        assert flags.index(True) == frames.index(4)


def test_without_replacement_frames_repeat_only_where_there_are_too_few():
    sample = ClipFrameSample(num_frames=5, frame_range=5, replace=False)
    for _ in range(50):
        assert len(set(sample.sampling_frames(12, 0)[0])) == 5
        counts = Counter(sample.sampling_frames(3, 1)[0])
        assert counts == {0: 2, 1: 1, 2: 2}


def test_a_range_may_have_two_sides():
    sample = ClipFrameSample(frame_range=(-1, 2))
    seen = {f for _ in range(99) for f in sample.sampling_frames(9, 4)[0]}
    assert seen == {3, 4, 5, 6}


@pytest.mark.parametrize('length, frame_range', [(1, 5), (4, 0)])
def test_without_neighbour_the_key_frame_is_repeated(length, frame_range):
    sample = ClipFrameSample(num_frames=4, frame_range=frame_range)
    results = sample(dict(video(length), key_frame_id=0))
    assert results['frame_id'] == [0] * 4
    assert results['key_frame_flags'].count(True) == 1
    # A transform that changes one of them leaves the others alone.
    results['instances'][0][0]['bbox'].append(9)
    assert [i[0]['bbox'] for i in results['instances'][1:]] == [[0]] * 3


def test_one_frame_is_the_key_frame():
    results = ClipFrameSample(num_frames=1)(dict(video(9), key_frame_id=5))
    assert results['frame_id'] == [5]
    assert results['key_frame_flags'] == [True]


def test_the_key_frame_is_uniform_unless_it_is_given():
    sample = ClipFrameSample(num_frames=1)
    keys = Counter(sample(video(4))['frame_id'][0] for _ in range(4000))
    assert np.allclose([keys[t] / 4000 for t in range(4)], 0.25, atol=0.03)


def test_what_a_clip_holds_and_that_the_video_is_left_alone():
    given = dict(video(12), key_frame_id=3)
    before = copy.deepcopy(given)
    results = ClipFrameSample(num_frames=3)(given)
    assert given == before
    assert results['video_id'] == [7] * 3
    assert results['video_length'] == [3] * 3
    assert results['ori_video_length'] == [12] * 3
    for frame, name, instances in zip(
        results['frame_id'], results['file_name'], results['instances']
    ):
        assert name == f'{frame}.jpg'
        assert instances == [dict(bbox=[frame])]


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(num_frames=0), 'num_frames=0 is no number of frames'),
        (dict(num_frames=2.5), 'num_frames=2.5 is no number of frames'),
        (dict(frame_range=-1), 'frame_range=-1 is no neighbourhood'),
        (dict(frame_range=(1, 3)), r'frame_range=\(1, 3\) is no neighb'),
        (dict(frame_range=(-1, 0, 1)), 'is no neighbourhood'),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ConfigError, match=message) as info:
        ClipFrameSample(**kwargs)
    assert 'Fix: ' in str(info.value)


def test_a_key_frame_outside_of_the_video():
    with pytest.raises(ConfigError, match='key_frame_id=4 of a video of 4'):
        ClipFrameSample()(dict(video(4), key_frame_id=4))


def test_repr():
    assert repr(ClipFrameSample(num_frames=3)) == (
        'ClipFrameSample(num_frames=3, frame_range=(-5, 5), replace=True, '
        'shuffle=True)'
    )
