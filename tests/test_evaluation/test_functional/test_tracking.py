"""Tracks of strips in a frame of 10 x 80: an IoU is a ratio of widths."""

import builtins
import math

import numpy as np
import pytest

from pmvis_mm.evaluation.functional import (
    TrackingOptions,
    combine_tracking,
    evaluate_tracking,
    judge_tracking,
    set_entries,
)
from pmvis_mm.evaluation.functional.tracking import ANY_CLASS
from pmvis_mm.structures import (
    MaskTrack,
    PseudoMaskSet,
    VideoAnnotations,
    VideoInfo,
)
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.testing.strip_tracks import HEIGHT, WIDTH
from pmvis_mm.testing.strip_tracks import predicted_track as guess
from pmvis_mm.testing.strip_tracks import real_track as real
from pmvis_mm.testing.strip_tracks import strip_masks as path
from pmvis_mm.utils.errors import AnnotationError, ConfigError, ResultsError

pytest.importorskip('trackeval')


EMPTY = box_rle((0, 0, 0, 0), HEIGHT, WIDTH)


def make_truth(tracks, lengths=(4, 4)):
    videos = {
        key: VideoInfo(
            key, 80, 10, tuple(f'{key}/{t}.jpg' for t in range(length))
        )
        for key, length in enumerate(lengths)
    }
    categories = [dict(id=k, name=f'c{k}') for k in (1, 2, 5)]
    grouped = {k: [t for t in tracks if t.video_id == k] for k in videos}
    return VideoAnnotations(videos, categories, grouped, 'truth.json')


def judge(guesses, tracks, **options):
    """Figures of one video."""
    found = judge_tracking(guesses, tracks, TrackingOptions(**options))
    return combine_tracking({0: found}).overall


def test_perfect_tracks_get_one():
    truth = make_truth(
        [
            real(1, path((0, 10), (0, 10), None, (5, 15))),
            real(2, path(None, (30, 40), (30, 40), None)),
            real(3, path(*[(0, 20)] * 4), category=5, video=1),
        ]
    )
    entries = [
        guess(t.segmentations, t.category_id, t.video_id) for t in truth
    ]
    found = evaluate_tracking(entries, truth)
    ones = ['HOTA', 'DetA', 'AssA', 'LocA', 'MOTA', 'MOTP', 'sMOTA', 'IDF1']
    counts = dict(IDSW=0, CLR_FP=0, CLR_FN=0, MT=3, CLR_TP=9, IDTP=9)
    for name in ones:
        assert found.overall[name] == pytest.approx(1)
    for name, value in counts.items():
        assert found.overall[name] == value
        assert isinstance(found.overall[name], int)
    assert list(found.categories) == [1, 5]
    assert list(found.videos) == [0, 1]
    assert found.categories[5]['CLR_TP'] == found.videos[1]['CLR_TP'] == 4


def test_identity_switch_by_hand():
    """One instance, followed by two tracks of two frames each."""
    tracks = [real(1, path(*[(0, 10)] * 4))]
    halves = [
        guess(path((0, 10), (0, 10), None, None)),
        guess(path(None, None, (0, 10), (0, 10))),
    ]
    found = judge(halves, tracks)
    # Each match has 2 true, 2 missing associations.
    expected = dict(DetA=1, AssA=0.5, HOTA=math.sqrt(0.5), AssRe=0.5, AssPr=1)
    # Assigned to one of the halves: 2 right, 2 missed, 2 false.
    expected.update(MOTA=(4 - 1) / 4, IDSW=1, IDF1=0.5, Frag=0, LocA=1)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value), name
    whole = judge([guess(path(*[(0, 10)] * 4))], tracks)
    assert whole['AssA'] == 1 and whole['IDSW'] == 0


def test_misses_false_tracks_and_loose_masks_by_hand():
    tracks = [
        real(1, path((0, 10), (0, 10), (0, 10), (0, 10))),
        real(2, path((20, 30), None, None, None)),
    ]
    guesses = [
        # IoU 0.6, then lost.
        guess(path((0, 6), (0, 6), None, None)),
        guess(path((60, 70), None, None, None)),
    ]
    found = judge(guesses, tracks)
    # HOTA: for the 12 thresholds up to 0.6, 2 matches, 3 misses, 1 false.
    share = 12 / 19
    assert found['DetA'] == pytest.approx(share * 2 / 6)
    assert found['AssA'] == pytest.approx(share * 2 / 4)
    assert found['HOTA'] == pytest.approx(share * math.sqrt(2 / 6 * 0.5))
    # LocA is 1 without a match.
    assert found['LocA'] == pytest.approx(share * 0.6 + 1 - share)
    assert found['MOTA'] == pytest.approx((2 - 1) / 5)
    assert found['MOTP'] == pytest.approx(0.6)
    assert found['IDF1'] == pytest.approx(2 / (2 + 0.5 * 1 + 0.5 * 3))
    assert (found['MT'], found['PT'], found['ML']) == (0, 1, 1)


def hota_of_sets(guesses, tracks):
    """HOTA as in section 3 of the paper, for matches that are plain.

    Every prediction must overlap at most one instance and vice versa.
    """
    length = len(tracks[0])
    reals = {
        (i, t) for i, p in enumerate(tracks) for t in range(length) if p[t]
    }
    preds = {
        (j, t) for j, p in enumerate(guesses) for t in range(length) if p[t]
    }
    values = []
    for alpha in np.arange(0.05, 0.99, 0.05):
        matched = set()
        for i, t in reals:
            for j, s in preds:
                if s != t:
                    continue
                (a0, a1), (b0, b1) = tracks[i][t], guesses[j][t]
                common = max(min(a1, b1) - max(a0, b0), 0)
                total = a1 - a0 + b1 - b0 - common
                if common / total >= alpha - 1e-12:
                    matched.add((i, j, t))
        associations = 0.0
        for i, j, _ in matched:
            tpa = sum(m[:2] == (i, j) for m in matched)
            fna = sum(r[0] == i for r in reals) - tpa
            fpa = sum(p[0] == j for p in preds) - tpa
            associations += tpa / (tpa + fna + fpa)
        num_all = len(reals) + len(preds) - len(matched)
        values.append(math.sqrt(associations / num_all))
    return np.mean(values)


@pytest.mark.parametrize('seed', range(4))
def test_hota_equals_its_definition(seed):
    rng = np.random.RandomState(seed)
    length, number = 12, 3
    tracks = [[None] * length for _ in range(number)]
    guesses = [[None] * length for _ in range(number + 1)]
    for t in range(length):
        # Each has a lane of 20 columns; who follows it may change.
        order = np.arange(number + 1)
        if rng.rand() < 0.3:
            order = rng.permutation(number + 1)
        for lane in range(number):
            if rng.rand() < 0.85:
                tracks[lane][t] = (20 * lane, 20 * lane + 10)
        for lane, j in enumerate(order):
            if rng.rand() < 0.85:
                width = rng.randint(3, 11)
                guesses[j][t] = (20 * lane, 20 * lane + width)
    found = judge(
        [guess(path(*p)) for p in guesses],
        [real(k, path(*p)) for k, p in enumerate(tracks)],
    )
    assert 0.1 < found['HOTA'] < 0.95
    assert found['HOTA'] == pytest.approx(hota_of_sets(guesses, tracks))


def test_categories_are_averaged_and_counts_summed():
    truth = make_truth(
        [
            real(1, path(*[(0, 10)] * 4), category=1),
            real(2, path(*[(40, 50)] * 4), category=2),
        ]
    )
    entries = [
        guess(truth.tracks[0][0].segmentations, 1),
        guess(truth.tracks[0][1].segmentations, 5),  # wrong category
    ]
    found = evaluate_tracking(entries, truth)
    assert list(found.categories) == [1, 2, 5]
    hota = {key: v['HOTA'] for key, v in found.categories.items()}
    assert hota == {1: pytest.approx(1), 2: 0, 5: 0}
    assert found.overall['HOTA'] == pytest.approx(1 / 3)
    assert found.overall['CLR_FP'] == found.overall['CLR_FN'] == 4
    together = evaluate_tracking(
        entries, truth, options=TrackingOptions(class_agnostic=True)
    )
    assert list(together.categories) == [ANY_CLASS]
    assert together.overall['HOTA'] == pytest.approx(1)
    # Only these count.
    part = evaluate_tracking(entries, truth, category_ids=[1, 2])
    assert part.overall['HOTA'] == pytest.approx(1 / 2)


def test_a_track_with_two_classes_is_one_without_classes():
    tracks = [real(1, path(*[(0, 10)] * 4))]
    masks = path(*[(0, 10)] * 4)
    guesses = [guess(masks, 5, score=0.4), guess(list(masks), 1, score=0.8)]
    found = judge(guesses, tracks, class_agnostic=True)
    assert found['HOTA'] == pytest.approx(1) and found['CLR_FP'] == 0


def test_doubtful_predictions_are_left_out():
    tracks = [real(1, path(*[(0, 10)] * 4))]
    guesses = [
        guess(path(*[(0, 10)] * 4), score=0.3),
        guess(path(*[(50, 60)] * 4), score=0.29),
    ]
    assert judge(guesses, tracks)['HOTA'] == pytest.approx(1)
    assert judge(guesses, tracks, score_thr=0.0)['CLR_FP'] == 4
    assert judge(guesses, tracks, score_thr=0.31)['CLR_FN'] == 4


def test_order_of_tracks_does_not_matter():
    tracks = [real(k, path(*[(20 * k, 20 * k + 10)] * 4)) for k in range(3)]
    guesses = [
        guess(path(*[(20 * k + 2, 20 * k + 11)] * k, *[None] * (4 - k)))
        for k in range(4)
    ]
    assert judge(guesses, tracks) == judge(guesses[::-1], tracks[::-1])


def test_empty_masks_and_videos():
    tracks = [real(1, path((0, 10), None))]
    same = [guess([*path((0, 10)), EMPTY]), guess([EMPTY, EMPTY])]
    found = judge(same, tracks)
    assert found['HOTA'] == pytest.approx(1) and found['CLR_FP'] == 0
    nothing = judge([], tracks)
    assert nothing['HOTA'] == 0 and nothing['CLR_FN'] == 1
    assert judge(same, [])['CLR_FP'] == 1
    assert judge_tracking([], []) == {}
    found = evaluate_tracking([], make_truth([]))
    assert found.overall == found.categories == found.videos == {}


def test_sequences_are_pooled_before_they_are_averaged():
    """Detections of all videos count the same."""
    long = real(1, path(*[(0, 10)] * 9), video=0)
    short = real(2, path((0, 10)), video=1)
    truth = make_truth([long, short], (9, 1))
    found = evaluate_tracking([guess(long.segmentations)], truth)
    assert found.overall['DetA'] == pytest.approx(0.9)
    assert found.videos[1]['DetA'] == 0
    assert found.overall['MOTA'] == pytest.approx(0.9)


def test_pseudo_masks_are_predictions():
    truth = make_truth([real(7, path(*[(0, 10)] * 4))])
    masks = PseudoMaskSet.empty_like(truth)
    track = MaskTrack.empty_like(truth.tracks[0][0])
    for t in range(3):
        track.set(t, path((0, 10))[0], 'x', 0.1)
    masks.tracks[0].append(track)
    (entry,) = set_entries(masks)
    assert entry == guess(path(*[(0, 10)] * 3, None), score=1.0)
    found = evaluate_tracking(set_entries(masks), truth)
    assert found.overall['DetA'] == pytest.approx(0.75)


def test_nothing_is_printed(capsys):
    tracks = [real(1, path(*[(0, 10)] * 4))]
    judge([guess(path(*[(0, 10)] * 4))], tracks)
    assert capsys.readouterr() == ('', '')


def test_bad_options_are_named():
    for families in ((), ('HOTA', 'VACE')):
        with pytest.raises(ConfigError, match='choose from .*Identity'):
            TrackingOptions(families=families)


def test_a_missing_package_is_named(monkeypatch):
    plain = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith('trackeval'):
            raise ImportError(f'No module named {name!r}')
        return plain(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', refuse)
    with pytest.raises(ConfigError, match='Fix: pip install trackeval'):
        evaluate_tracking([], make_truth([]))


@pytest.mark.parametrize(
    'entry, message',
    [
        (guess(path((0, 1)), video=9), r'do not list \[video 9\]'),
        (guess(path((0, 1)), category=3), 'unknown category_id 3'),
        (guess(path((0, 1))), '1 segmentations but the video has 4 frames'),
        (
            guess([box_rle((0, 0, 2, 2), 4, 4), None, None, None]),
            r'size \[4, 4\] but the frames are \[10, 80\].*frame 0',
        ),
    ],
)
def test_bad_predictions_are_named(entry, message):
    with pytest.raises(ResultsError, match=message):
        evaluate_tracking([entry], make_truth([]))


def test_truth_without_masks_is_named():
    track = real(3, path(*[(0, 10)] * 4))
    track.segmentations = None
    with pytest.raises(AnnotationError, match=r'no masks.*instance 3'):
        evaluate_tracking([], make_truth([track]))
