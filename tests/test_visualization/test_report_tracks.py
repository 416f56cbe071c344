"""Suspicion of tracks, and whether it foretells their IoU."""

import math

import pytest

from pmvis_mm.evaluation.functional import MaskQuality
from pmvis_mm.structures import BoxTrack, MaskTrack, PseudoMaskSet, VideoInfo
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.visualization.report_tracks import (
    MAX_TRACK_ROWS,
    mean_score,
    rank_tracks,
    suspect_rows,
    suspicion_correlation,
)

BOX = (0.0, 0.0, 4.0, 4.0)
MASK = box_rle(BOX, 8, 8)


def make_track(key, scores, boxes=True):
    """A mask where there is a score; 'none' is a mask without one."""
    box_track = BoxTrack(key, 1, 1, [BOX if boxes else None] * len(scores))
    track = MaskTrack.empty_like(box_track)
    for t, score in enumerate(scores):
        if score is not None:
            value = None if score == 'none' else score
            track.set(t, MASK, 'any', value)
    return track


def make_set(*tracks):
    video = VideoInfo(1, 8, 8, ('v/0.png', 'v/1.png'))
    return PseudoMaskSet({1: video}, [dict(id=1, name='cat')], {1: [*tracks]})


def quality_of(ious):
    keys = [(key, 0) for key in ious]
    return MaskQuality(
        dict(zip(keys, ious.values())),
        dict.fromkeys(keys, True),
        dict.fromkeys(ious, 1),
    )


def test_mean_score_skips_missing():
    track = MaskTrack(1, 1, 1, [], [], [], [0.5, None, 1.0])
    assert mean_score(track) == 0.75
    track.scores = [None]
    assert math.isnan(mean_score(track))


def test_ranking():
    tracks = make_set(
        make_track(4, [0.9, 0.9]),
        make_track(2, [0.2, 0.2]),
        make_track(7, ['none', None]),
        make_track(9, [None, None]),
        make_track(1, [0.2, 0.2]),
    )
    ranked = rank_tracks(tracks, 'suspicion', None)
    assert [track.id for track in ranked] == [9, 1, 2, 4]
    quality = quality_of({4: 0.1, 7: 0.3})
    ranked = rank_tracks(tracks, 'iou', quality)
    assert [track.id for track in ranked] == [4, 7]
    assert rank_tracks(make_set(), 'suspicion', None) == []


def test_rows_name_the_weakest_frame():
    tracks = make_set(make_track(4, [0.9, 0.5]), make_track(2, [None, None]))
    none, some = suspect_rows(tracks, quality_of({4: 0.25}))
    assert some == dict(
        id=4, video=1, name='v', category='cat', masks=2, boxes=2,
        score=0.7, suspicion=pytest.approx(0.3), iou=0.25, weakest=1,
    )  # fmt: skip
    assert (none['id'], none['suspicion'], none['weakest']) == (2, 1, None)
    assert none['iou'] is None and none['masks'] == 0
    many = make_set(*(make_track(n, [0.5, 0.5]) for n in range(60)))
    assert len(suspect_rows(many, None)) == MAX_TRACK_ROWS


def test_correlation_with_what_real_masks_say():
    tracks = make_set(
        *(make_track(n, [s]) for n, s in enumerate([0.9, 0.7, 0.5, 0.3]))
    )
    same = quality_of({0: 0.99, 1: 0.9, 2: 0.4, 3: 0.1})
    assert suspicion_correlation(tracks, same) == pytest.approx(1)
    turned = quality_of({0: 0.1, 1: 0.2, 2: 0.3, 3: 0.4})
    assert suspicion_correlation(tracks, turned) == pytest.approx(-1)
    # Ranks 1 2 3 4 and 2 1 4 3: 1 - 6 * 4 / (4 * 15).
    mixed = quality_of({0: 0.8, 1: 0.9, 2: 0.3, 3: 0.4})
    assert suspicion_correlation(tracks, mixed) == pytest.approx(0.6)


def test_no_correlation_to_speak_of():
    two = make_set(make_track(1, [0.9]), make_track(2, [0.1]))
    assert suspicion_correlation(two, quality_of({1: 0.9, 2: 0.1})) is None
    assert suspicion_correlation(two, None) is None
    equal = make_set(*(make_track(n, [0.5]) for n in range(3)))
    ious = quality_of({0: 0.9, 1: 0.5, 2: 0.1})
    assert suspicion_correlation(equal, ious) is None
    blank = make_set(*(make_track(n, ['none']) for n in range(3)))
    assert suspicion_correlation(blank, ious) is None
