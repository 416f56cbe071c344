"""The contract of propagators, with one that moves masks by one pixel."""

import pytest

from pmvis_mm.testing.shifting import (
    OneToTheRight,
    left_edges,
    moving,
    only,
    strip,
    strip_box,
)
from pmvis_mm.testing.shifting import shifting_video as make_video
from pmvis_mm.utils.errors import ConfigError


def test_both_directions_join_at_the_keyframe():
    video = make_video([moving(5)], seen=[only(5, 2, strip(4))])
    source = OneToTheRight('seen', name='shift')
    result = source.label(video)
    (track,) = result.tracks
    assert left_edges(track.masks) == [2, 3, 4, 5, 6]
    # The propagator returned an empty mask there.
    assert track.masks[2] == strip(4)
    assert track.sources == ['shift'] * 5
    assert track.scores == [None] * 5
    assert source.sweeps == [(False, [(0, 2)]), (True, [(0, 2)])]
    assert list(result.candidates) == ['shift_1']
    assert result.candidates['shift_1'][0].masks == track.masks


@pytest.mark.parametrize('keyframe', [0, 4])
def test_keyframe_at_an_end(keyframe):
    prior = only(5, keyframe, strip(2 + keyframe))
    source = OneToTheRight('seen')
    (track,) = source.label(make_video([moving(5)], seen=[prior])).tracks
    assert left_edges(track.masks) == [2, 3, 4, 5, 6]


def test_video_of_one_frame():
    video = make_video([moving(1)], seen=[[strip(2)]])
    (track,) = OneToTheRight('seen').label(video).tracks
    assert track.masks == [strip(2)]


def test_all_seeds_in_one_sweep_per_direction():
    boxes = [moving(6), moving(6, 12)]
    seen = [[strip(2 + t) for t in range(6)], only(6, 5, strip(17))]
    source = OneToTheRight('seen', keyframe_interval=2)
    result = source.label(make_video(boxes, seen=seen))
    # 6 // 2 keyframes; the second instance has a mask in one frame only.
    seeds = [(0, 0), (0, 1), (0, 2), (1, 5)]
    assert source.sweeps == [(False, seeds), (True, seeds)]
    assert left_edges(result.tracks[1].masks) == [12, 13, 14, 15, 16, 17]
    assert {
        name: list(masks) for name, masks in result.candidates.items()
    } == {
        'track_1': [0, 1],
        'track_2': [0],
        'track_3': [0],
    }


def test_keyframe_is_where_the_mask_fits_its_box_best():
    # Fits: 3/4, 2/4, 4/4, 1/4.
    seen = [[strip(2, 3), strip(2, 2), strip(2, 4), strip(2, 1)]]
    source = OneToTheRight('seen', keyframe_interval=None)
    source.label(make_video([[strip_box(2)] * 4], seen=seen))
    assert source.sweeps[0] == (False, [(0, 2)])


def test_keyframe_by_agreement_with_a_reference():
    boxes = [[strip_box(2)] * 4]
    # Alone, frame 0 is as good as any. With the reference (SCM = IoU of the
    # masks times both box fits): 1/4 * 1/4, 0 as it is missing,
    # 3/4 * 3/4, 2/3 * 3/4 * 1/2.
    seen = [[strip(2), strip(2), strip(2), strip(2, 3)]]
    other = [[strip(2, 1), None, strip(2, 3), strip(2, 2)]]
    video = make_video(boxes, seen=seen, other=other)
    source = OneToTheRight('seen', reference='other', keyframe_interval=2)
    source.label(video)
    assert source.sweeps[0] == (False, [(0, 2), (0, 3)])
    alone = OneToTheRight('seen', keyframe_interval=2)
    alone.label(video)
    assert alone.sweeps[0] == (False, [(0, 0), (0, 1)])


def test_keyframes_per_segment():
    seen = [[strip(2), strip(2), strip(2), strip(2, 3)]]
    video = make_video([[strip_box(2)] * 4], seen=seen)
    source = OneToTheRight(
        'seen', keyframe_interval=2, keyframe_mode='per_segment'
    )
    source.label(video)
    assert source.sweeps[0] == (False, [(0, 0), (0, 2)])


def test_reference_that_lacks_the_instance_leaves_it_empty():
    video = make_video(
        [moving(3)] * 2,
        seen=[[strip(2), strip(3), strip(4)]] * 2,
        other=[None, [strip(2), None, None]],
    )
    result = OneToTheRight('seen', reference='other').label(video)
    assert left_edges(result.tracks[0].masks) == [None] * 3
    assert left_edges(result.tracks[1].masks) == [2, 3, 4]


def test_no_box_no_mask():
    boxes = moving(4)
    boxes[2] = None
    video = make_video([boxes], seen=[only(4, 1, strip(3))])
    result = OneToTheRight('seen').label(video)
    assert left_edges(result.tracks[0].masks) == [2, 3, None, 5]
    assert left_edges(result.candidates['track_1'][0].masks)[2] is None


def test_mask_without_a_box_is_no_keyframe():
    boxes = moving(3)
    boxes[0] = None
    seen = [strip(2), strip(3, 3), None]
    source = OneToTheRight('seen')
    source.label(make_video([boxes], seen=[seen]))
    assert source.sweeps[0] == (False, [(0, 1)])


def test_require_prior_keeps_the_number_of_masks():
    seen = [strip(2), None, strip(4), None]
    video = make_video([moving(4)], seen=[seen])
    loose = OneToTheRight('seen').label(video)
    strict = OneToTheRight('seen', require_prior=True).label(video)
    assert left_edges(loose.tracks[0].masks) == [2, 3, 4, 5]
    assert left_edges(strict.tracks[0].masks) == [2, None, 4, None]
    assert strict.candidates['track_1'][0].num_masks == 2


@pytest.mark.parametrize('require_prior', [False, True])
def test_instance_without_prior_stays_empty(require_prior):
    video = make_video(
        [moving(3)] * 3, seen=[None, [None] * 3, [strip(2)] * 3]
    )
    source = OneToTheRight('seen', require_prior=require_prior)
    result = source.label(video)
    assert [track.id for track in result.tracks] == [0, 1, 2]
    assert [track.num_masks for track in result.tracks] == [0, 0, 3]
    assert result.tracks[0].boxes == moving(3)


def test_nothing_to_track_sweeps_nothing():
    source = OneToTheRight('seen')
    for video in (
        make_video([[None] * 3], seen=[[strip(2)] * 3]),
        make_video([moving(3)], seen=[None]),
    ):
        result = source.label(video)
        assert result.tracks[0].num_masks == 0 and result.candidates == {}
    assert source.sweeps == []


def test_crop_tracks_cuts_with_the_box():
    boxes = [strip_box(2)] * 3
    video = make_video([boxes], seen=[[strip(2), None, None]])
    result = OneToTheRight('seen', crop_tracks=True).label(video)
    (track,) = result.tracks
    # Moved by 0, 1, 2 pixels and cut at column 6.
    assert track.masks == [strip(2), strip(3, 3), strip(4, 2)]
    assert result.candidates['track_1'][0].masks == track.masks
    free = OneToTheRight('seen').label(video)
    assert free.tracks[0].masks == [strip(2), strip(3), strip(4)]


def test_track_cropped_to_nothing_is_no_mask():
    boxes = [strip_box(2), strip_box(12)]
    video = make_video([boxes], seen=[[strip(2), None]])
    result = OneToTheRight('seen', crop_tracks=True).label(video)
    assert left_edges(result.tracks[0].masks) == [2, None]
    assert result.tracks[0].sources == ['track', None]


def test_track_cropped_to_nothing_gives_way_to_another():
    boxes = [strip_box(12), strip_box(0), strip_box(1), strip_box(2)]
    seen = [strip(12), None, None, strip(2)]
    video = make_video([boxes], seen=[seen])
    source = OneToTheRight('seen', keyframe_interval=2, crop_tracks=True)
    (track,) = source.label(video).tracks
    # Frame 1 is nearest to keyframe 0, whose track is at column 13.
    assert left_edges(track.masks) == [12, 0, 1, 2]


@pytest.mark.parametrize(
    'kwargs, name',
    [(dict(prior='nope'), 'nope'), (dict(prior='a', reference='b'), 'b')],
)
def test_unknown_prior_is_named(kwargs, name):
    video = make_video([moving(3)], a=[[strip(2)] * 3])
    with pytest.raises(ConfigError, match=f"no masks named '{name}'"):
        OneToTheRight(**kwargs).label(video)


def test_unknown_options_are_refused():
    with pytest.raises(ConfigError, match="fusion should.*got 'median'"):
        OneToTheRight('a', fusion='median')
    with pytest.raises(ConfigError, match='keyframe_interval=0 is not pos'):
        OneToTheRight('a', keyframe_interval=0)
    with pytest.raises(ConfigError, match="got 'middle'"):
        OneToTheRight('a', keyframe_mode='middle')
