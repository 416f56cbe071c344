"""SHQM; P5, P14 and every option."""

import numpy as np
import pytest

from pmvis_mm.labeling.selection import (
    agreement,
    pairwise_scm,
    select_track,
    shqm,
)
from pmvis_mm.structures import BoxTrack, MaskTrack
from pmvis_mm.structures.rle import box_rle, encode
from pmvis_mm.testing.masks import block

BOX = (10, 10, 40, 30)


def p4_masks():
    return [
        block(10, 29, 10, 39),
        block(12, 31, 10, 39),
        block(10, 27, 14, 39),
    ]


def near(values):
    return pytest.approx(values, abs=2e-5)


def test_p5_three_candidates():
    masks = p4_masks()
    assert agreement(masks, BOX) == near([1.27782, 1.07660, 1.01558])
    winner, score = shqm(masks, BOX)
    assert winner == 0 and score == near(1.27782 / 2)


def test_p5_fourth_candidate():
    masks = [*p4_masks(), block(11, 29, 10, 38)]
    expected = [2.12116, 1.70015, 1.52809, 1.97939]
    assert agreement(masks, BOX) == near(expected)
    assert pairwise_scm(masks, BOX)[0, 3] == near(0.84334)
    winner, score = shqm(masks, BOX)
    assert winner == 0 and score == near(2.12116 / 3)


@pytest.mark.parametrize('empty', [None, encode(np.zeros((64, 64)))])
def test_p5_an_empty_candidate_leaves_a_tie(empty):
    one, two, _ = p4_masks()
    masks = [one, two, empty]
    assert agreement(masks, BOX) == near([0.66942, 0.66942, 0])
    # The last one wins, or who comes first in the priority.
    assert shqm(masks, BOX) == (1, near(0.66942))
    assert shqm([one, empty, two], BOX)[0] == 2
    assert shqm([empty, one, two], BOX)[0] == 2
    assert shqm(masks, BOX, priority=[0, 1, 2])[0] == 0
    assert shqm(masks, BOX, priority=[2, 1, 0])[0] == 1
    # Those that the priority leaves out come after, the last one first.
    assert shqm(masks, BOX, priority=[0])[0] == 0
    assert shqm(masks, BOX, priority=[2])[0] == 1
    assert shqm(masks, BOX, priority=[])[0] == 1


def test_p5_winner_is_opposite_to_the_least_agreeing_pair():
    rng = np.random.default_rng(0)
    checked = 0
    for _ in range(400):
        x0, y0 = rng.integers(0, 8, (2, 3))
        w, h = rng.integers(8, 20, (2, 3))
        masks = [
            box_rle((a, b, a + c, b + d), 32, 32)
            for a, b, c, d in zip(x0, y0, w, h)
        ]
        scores = pairwise_scm(masks, (4, 4, 20, 20))
        opposite = [scores[1, 2], scores[0, 2], scores[0, 1]]
        total = agreement(masks, (4, 4, 20, 20))
        assert total == pytest.approx(sum(opposite) - np.array(opposite))
        if np.diff(np.sort(opposite))[0] > 1e-9:
            checked += 1
            assert shqm(masks, (4, 4, 20, 20))[0] == np.argmin(opposite)
    assert checked > 300


def test_priority_decides_between_equals_only():
    one, two, three = p4_masks()
    assert shqm([one, two, three], BOX, priority=[2, 1, 0])[0] == 0
    same = [one, dict(one), dict(one)]
    assert shqm(same, BOX) == (2, pytest.approx(1))
    assert shqm(same, BOX, priority=[1, 2, 0])[0] == 1


def test_single_candidate_wins_without_a_score():
    mask = p4_masks()[0]
    assert shqm([mask], BOX) == (0, 0.0)
    assert shqm([None, mask, None], BOX) == (1, 0.0)


def test_no_candidate():
    empty = encode(np.zeros((64, 64)))
    for nothing in ([], [None], [None, empty], [empty, empty]):
        assert shqm(nothing, BOX) == (None, 0.0)
    assert agreement([], BOX).shape == (0,)


def test_options_reach_the_scores():
    masks = p4_masks()
    inclusive = agreement(masks, BOX, box_rule='inclusive')
    assert inclusive == near([1.13093, 0.99861, 0.88244])
    both = agreement(masks, BOX, 'giou', 'inclusive')
    assert both == near([1.12974, 0.99670, 0.88172])
    for call in (agreement, shqm):
        for masks in ([], p4_masks()):
            with pytest.raises(ValueError, match='box_term should be one of'):
                call(masks, BOX, box_term='diou')
            with pytest.raises(ValueError, match='box_rule should be one of'):
                call(masks, BOX, box_rule='closed')
    _, score = shqm(masks, BOX, box_term='giou', box_rule='inclusive')
    assert score == near(1.12974 / 2)


# ------------------------------------------------------------------- tracks
def box_track(length=4):
    return BoxTrack(7, 3, 5, [BOX] * length)


def track_of(masks, track=None):
    result = MaskTrack.empty_like(track or box_track(len(masks)))
    for frame, mask in enumerate(masks):
        result.set(frame, mask, 'whatever', 0.9)
    return result


def test_select_track_by_hand():
    one, two, three = p4_masks()
    candidates = dict(
        sam=track_of([one, one, None, None]),
        ibm=track_of([two, None, None, two]),
        track=track_of([three, None, None, one]),
    )
    track = MaskTrack.empty_like(box_track())
    track.set(2, one, 'old', 1.0)  # not read
    found = select_track(track, candidates)
    assert (found.id, found.video_id, found.category_id) == (7, 3, 5)
    assert found.boxes == [BOX] * 4
    assert found.masks == [one, one, None, one]
    assert found.sources == ['sam', 'sam', None, 'track']
    # 1.27782 / 2; alone; nothing; .66942 / 1.
    assert found.scores == [0.63891, 0.0, None, near(0.66942)]
    assert track.sources == [None, None, 'old', None]


def test_select_track_skips_frames_without_box():
    track = BoxTrack(7, 3, 5, [BOX, None])
    masks = track_of([p4_masks()[0]] * 2)
    found = select_track(MaskTrack.empty_like(track), dict(sam=masks))
    assert [mask is None for mask in found.masks] == [False, True]


def test_require_holds_frames_back():
    one, two, _ = p4_masks()
    track = MaskTrack.empty_like(box_track(3))
    candidates = dict(
        sam=track_of([one, one, one]),
        ibm=track_of([two, None, two]),
        track=track_of([one, one, None]),
    )

    def kept(require):
        found = select_track(track, candidates, require)
        return [mask is not None for mask in found.masks]

    assert kept([]) == [True, True, True]
    assert kept(['ibm']) == [True, False, True]
    assert kept(['ibm', 'track']) == [True, False, False]
    # A source that lacks the whole instance is left out of candidates.
    assert kept(['other']) == [False, False, False]


def test_priority_by_name():
    one, two, _ = p4_masks()
    track = MaskTrack.empty_like(box_track(1))
    candidates = dict(sam=track_of([one]), ibm=track_of([two]))

    def winner(priority):
        return select_track(track, candidates, priority=priority).sources[0]

    assert winner(None) == winner([]) == 'ibm'
    assert winner(['sam', 'ibm']) == winner(['sam']) == 'sam'
    assert winner(['other']) == 'ibm'
    assert winner(['other', 'sam']) == 'sam'


def test_p14_annotation_counts():
    mask = block(10, 29, 10, 39)
    track = MaskTrack.empty_like(box_track(10))
    ibm = track_of([None if t in (2, 6) else mask for t in range(10)])
    candidates = dict(
        sam=track_of([mask] * 10), ibm=ibm, track=track_of([mask] * 10)
    )
    assert select_track(track, candidates, ['ibm']).num_masks == 8
    assert select_track(track, candidates).num_masks == 10


def test_options_reach_select_track():
    track = MaskTrack.empty_like(box_track(1))
    candidates = {
        name: track_of([mask]) for name, mask in zip('abc', p4_masks())
    }
    found = select_track(
        track, candidates, box_term='giou', box_rule='inclusive'
    )
    assert found.scores == [near(1.12974 / 2)]


def test_select_track_without_candidates():
    track = MaskTrack.empty_like(box_track(2))
    assert select_track(track, {}).masks == [None, None]
    empty = MaskTrack.empty_like(BoxTrack(1, 1, 1, []))
    assert select_track(empty, dict(sam=empty)).masks == []
