"""J&F by hand: rules for empty masks, statistics, frames that count."""

import math
from fractions import Fraction

import numpy as np
import pytest

from pmvis_mm.evaluation.functional import (
    JFQuality,
    decay,
    frame_jf,
    judged_frames,
    measure_jf,
)
from pmvis_mm.structures import MaskTrack, PseudoMaskSet, parse_annotations
from pmvis_mm.structures.rle import box_rle, encode
from pmvis_mm.utils.errors import AnnotationError, MaskSetError

# Its diagonal is 500 pixels: outlines may be 4 pixels apart.
SIZE = (300, 400)
EMPTY = encode(np.zeros(SIZE, bool))


def square(x, y=40, side=20):
    return box_rle((x, y, x + side, y + side), *SIZE)


# ------------------------------------------------------------------- one frame
def test_frame_by_hand():
    assert frame_jf(square(30), square(30)) == (1.0, 1.0)
    # 4 of 20 columns are wrong on each side, but within reach.
    overlap, outline = frame_jf(square(34), square(30))
    assert overlap == pytest.approx(16 / 24) and outline == 1.0
    # See test_boundary for F.
    assert frame_jf(square(35), square(30)) == pytest.approx((0.6, 0.6))
    assert frame_jf(square(200), square(30)) == (0.0, 0.0)


@pytest.mark.parametrize('empty', [None, EMPTY])
def test_empty_masks(empty):
    full = box_rle((0, 0, 400, 300), *SIZE)
    assert frame_jf(empty, None) == frame_jf(None, empty) == (1.0, 1.0)
    for mask in (square(30), full):
        assert frame_jf(empty, mask) == frame_jf(mask, empty) == (0.0, 0.0)


def test_masks_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match=r'\[300, 400\] and \[30, 40\]'):
        frame_jf(square(30), box_rle((0, 0, 5, 5), 30, 40))


# ----------------------------------------------------------------------- decay
def test_decay_by_hand():
    # Eight frames: edges 1, 2.75, 4.5, 6.25, 8, which are frames 1, 3, 5, 6
    # and 8: the first quarter is frames 1-3, the last one 6-8.
    values = [1.0, 0.9, 0.8, 0.5, 0.5, 0.4, 0.3, 0.2]
    assert decay(values) == pytest.approx(0.9 - 0.3)
    # Two frames: one each.
    assert decay([0.8, 0.5]) == pytest.approx(0.3)
    assert decay([0.7]) == 0.0
    assert math.isnan(decay([]))


@pytest.mark.parametrize('number', range(1, 40))
def test_decay_of_a_ramp(number):
    # Of values 0, 1, ... a quarter's mean is that of its ends. Frames are
    # counted from 1, halves go up: exact fractions.
    first, last = (
        math.floor(1 + Fraction(quarter * (number - 1), 4) + Fraction(1, 2))
        for quarter in (1, 3)
    )
    expected = (1 + first) / 2 - (last + number) / 2
    assert decay(range(number)) == pytest.approx(expected)


def test_long_videos_do_not_wrap_around():
    values = [1.0] * 500 + [0.0] * 500
    assert decay(values) == 1.0


# ------------------------------------------------------------------ statistics
def filled():
    """Object 5 in video 1 (four frames), object 0 in video 0 (one)."""
    result = JFQuality()
    for frame, x in ((3, 200), (1, 34), (2, 35), (4, 30)):
        result.add(1, 5, frame, square(x), square(30))
    result.add(0, 0, 1, square(30), square(30))
    return result


def test_summary_by_hand():
    quality = filled()
    assert quality.region == pytest.approx(
        {(5, 1): 2 / 3, (5, 2): 0.6, (5, 3): 0, (5, 4): 1, (0, 1): 1}
    )
    assert quality.boundary == pytest.approx(
        {(5, 1): 1, (5, 2): 0.6, (5, 3): 0, (5, 4): 1, (0, 1): 1}
    )
    assert quality.video_of == {5: 1, 0: 0}
    # Edges of four frames: 1, 1.75, 2.5, 3.25, 4, that is 1, 2, 3, 3, 4.
    five = dict(
        j_mean=(2 / 3 + 0.6 + 0 + 1) / 4,
        j_recall=3 / 4,
        j_decay=(2 / 3 + 0.6) / 2 - 0.5,
        f_mean=2.6 / 4,
        f_recall=3 / 4,
        f_decay=0.8 - 0.5,
    )
    five['jf_mean'] = (five['j_mean'] + five['f_mean']) / 2
    best = dict.fromkeys(five, 1.0)
    best.update(j_decay=0.0, f_decay=0.0)
    objects = quality.per_object()
    assert objects[5] == pytest.approx(five)
    assert objects[0] == pytest.approx(best)
    assert quality.per_video()[1] == pytest.approx(five)
    assert quality.per_video()[0] == pytest.approx(best)
    # Objects count the same, however long.
    assert quality.summary() == pytest.approx(
        {name: (five[name] + best[name]) / 2 for name in five}
    )


def test_a_video_is_the_mean_of_its_objects():
    quality = filled()
    quality.add(1, 6, 1, None, square(30))
    assert quality.per_video()[1]['j_mean'] == pytest.approx(
        quality.per_object()[5]['j_mean'] / 2
    )
    assert quality.summary()['j_recall'] == pytest.approx((0.75 + 1) / 3)


def test_nothing_is_judged():
    summary = JFQuality().summary()
    assert summary.keys() == filled().summary().keys()
    assert all(map(math.isnan, summary.values()))
    assert JFQuality().per_video() == JFQuality().per_object() == {}


def test_parts_add_up():
    whole, other = filled(), JFQuality()
    other.add(2, 9, 1, square(31), square(30))
    whole.update(other)
    assert whole.per_object()[9] == other.per_object()[9]
    assert set(whole.per_video()) == {0, 1, 2}


def test_tolerance_is_used():
    strict = JFQuality(tolerance=0.0)
    strict.add(0, 0, 0, square(31), square(30))
    assert strict.boundary[0, 0] < 1
    assert filled().boundary[5, 1] == 1


# ---------------------------------------------------------- frames that count
def test_judged_frames():
    seen = [None, square(1), None, square(2), square(3)]
    assert judged_frames(seen) == [2, 3]
    assert judged_frames(seen, skip_last=False) == [2, 3, 4]
    assert judged_frames(seen, skip_first=False) == [0, 1, 2, 3]
    assert judged_frames(seen, False, False) == [0, 1, 2, 3, 4]
    assert judged_frames([None] * 3) == []
    assert judged_frames([None, None, square(1)]) == []
    assert judged_frames([]) == []


def truth_json():
    video = dict(id=0, width=400, height=300)
    video['file_names'] = [f'a/{t}' for t in range(4)]
    entries = [
        dict(id=0, bboxes=[[30, 40, 20, 20]] * 4),
        dict(id=3, bboxes=[None, *[[90, 40, 20, 20]] * 2, None]),
    ]
    for entry, x in zip(entries, (30, 90)):
        entry.update(video_id=0, category_id=1)
        entry['segmentations'] = [box and square(x) for box in entry['bboxes']]
    return dict(
        videos=[video],
        categories=[dict(id=1, name='x')],
        annotations=entries,
    )


def truth(with_masks=True):
    return parse_annotations(truth_json(), 'truth.json', with_masks)


def guess(masks):
    annotations = truth(False)
    result = PseudoMaskSet.empty_like(annotations, 'masks.json')
    for box_track in annotations:
        track = MaskTrack.empty_like(box_track)
        for t, mask in enumerate(masks.get(box_track.id, ())):
            track.set(t, mask, 'flow')
        result.tracks[0].append(track)
    return result


def test_measure_a_set():
    masks = {
        0: [None, square(30), square(34), None],
        3: [None, None, square(90), square(90)],
    }
    quality = measure_jf(guess(masks), truth())
    assert quality.region == pytest.approx(
        {(0, 1): 1, (0, 2): 2 / 3, (3, 2): 1}
    )
    whole = measure_jf(guess(masks), truth(), False, False, tolerance=0.0)
    # Absent and not found counts 1, absent and found 0.
    assert whole.region[3, 0] == 1 and whole.region[3, 3] == 0
    assert whole.region[0, 0] == 0
    assert len(whole.region) == 8
    assert whole.boundary[0, 2] < 1 == quality.boundary[0, 2]
    # A set without tracks has empty masks.
    nothing = PseudoMaskSet.empty_like(truth())
    assert measure_jf(nothing, truth()).summary()['jf_mean'] == 0


def test_bad_truth_is_named():
    match = 'no masks to compare with.*truth.json, video 0, instance 0.*Fix'
    with pytest.raises(AnnotationError, match=match):
        measure_jf(guess({}), truth(with_masks=False))
    data = truth_json()
    data['videos'][0]['file_names'][0] = 'elsewhere'
    with pytest.raises(MaskSetError, match='frames differ from truth.json'):
        measure_jf(guess({}), parse_annotations(data, 'truth.json', True))


# --------------------------------------------------- another implementation
def blob(rng):
    """One or two ellipses in a frame of 90 x 120, or nothing."""
    rows, columns = np.mgrid[:90, :120]
    mask = np.zeros((90, 120), bool)
    for _ in range(rng.randint(0, 3)):
        y, x = rng.randint(15, 75), rng.randint(20, 100)
        high, wide = rng.randint(5, 30, 2)
        mask |= ((rows - y) / high) ** 2 + ((columns - x) / wide) ** 2 < 1
    return mask


@pytest.mark.parametrize('seed', range(3))
def test_same_as_trackeval(seed):
    """It assigns objects by J; here there is just one to choose from."""
    metrics = pytest.importorskip('trackeval.metrics')
    pytest.importorskip('skimage')
    rng = np.random.RandomState(seed)
    ours, results = JFQuality(), {}
    for key, length in enumerate((2, 7, 23)):
        real, guess = [], []
        for frame in range(length):
            mask = blob(rng)
            moved = np.roll(mask, rng.randint(-3, 4, 2), (0, 1))
            other = moved if rng.rand() < 0.7 else blob(rng)
            real.append(encode(mask))
            guess.append(encode(other))
            ours.add(key, key, frame, guess[-1], real[-1])
        ids = [np.zeros(1, int)] * length
        results[str(key)] = metrics.JAndF().eval_sequence(
            dict(
                num_timesteps=length,
                num_gt_ids=1,
                num_tracker_ids=1,
                gt_ids=ids,
                tracker_ids=ids,
                gt_dets=[[mask] for mask in real],
                tracker_dets=[[mask] for mask in guess],
            )
        )
    results['all'] = metrics.JAndF().combine_sequences(dict(results))
    found = {str(k): v for k, v in ours.per_video().items()}
    found['all'] = ours.summary()
    for key, figures in found.items():
        for name, value in figures.items():
            letter, _, kind = name.upper().partition('_')
            kind = kind.capitalize()
            theirs = 'J&F' if letter == 'JF' else f'{letter}-{kind}'
            assert results[key][theirs] == pytest.approx(value), (key, name)
