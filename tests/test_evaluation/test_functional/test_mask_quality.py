"""Mask quality by hand: IoU is a number of rows in a frame of 100."""

import math

import pytest

from pmvis_mm.evaluation.functional import MaskQuality, measure_masks, oracle
from pmvis_mm.structures import MaskTrack, PseudoMaskSet, parse_annotations
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.utils.errors import AnnotationError, MaskSetError


def rows(number):
    return box_rle((0, 0, 2, number), 100, 2)


def truth_json():
    """Annotation 5 in video 1 (three frames), 0 in video 0 (two frames)."""
    videos = [
        dict(id=1, width=2, height=100, file_names=['a/0', 'a/1', 'a/2']),
        dict(id=0, width=2, height=100, file_names=['b/0', 'b/1']),
    ]
    entries = [
        dict(id=5, video_id=1, category_id=1, bboxes=[[0, 0, 2, 100]] * 3),
        dict(id=0, video_id=0, category_id=1, bboxes=[[0, 0, 2, 100]] * 2),
    ]
    for entry in entries:
        entry['segmentations'] = [rows(100)] * len(entry['bboxes'])
    categories = [dict(id=1, name='x')]
    return dict(videos=videos, categories=categories, annotations=entries)


def truth(data=None, with_masks=True):
    return parse_annotations(data or truth_json(), 'truth.json', with_masks)


def guess(masks):
    """Rows, or None, per annotation id and frame."""
    annotations = truth(with_masks=False)
    result = PseudoMaskSet.empty_like(annotations, 'masks.json')
    for box_track in annotations:
        if box_track.id in masks:
            track = MaskTrack.empty_like(box_track)
            for t, number in enumerate(masks[box_track.id]):
                track.set(t, number and rows(number), 'sam', 1.0)
            result.tracks[box_track.video_id].append(track)
    return result


def test_ious_and_summary_by_hand():
    quality = measure_masks(guess({5: [75, 50, None], 0: [90, 10]}), truth())
    assert quality.ious == {
        (5, 0): 0.75,
        (5, 1): 0.5,
        (5, 2): 0.0,
        (0, 0): 0.9,
        (0, 1): pytest.approx(0.1),
    }
    absent = [key for key, there in quality.present.items() if not there]
    assert absent == [(5, 2)]
    assert quality.video_of == {5: 1, 0: 0}
    assert quality.summary() == pytest.approx(
        dict(
            miou=2.25 / 5,
            miou_present=2.25 / 4,
            coverage=0.8,
            above_50=0.6,
            above_75=0.4,
            above_90=0.2,
        )
    )


def test_per_video():
    quality = measure_masks(guess({5: [75, 50, None], 0: [90, 10]}), truth())
    videos = quality.per_video()
    assert list(videos) == [1, 0]
    assert videos[1]['miou'] == pytest.approx(1.25 / 3)
    assert videos[1]['coverage'] == pytest.approx(2 / 3)
    assert videos[0]['miou'] == videos[0]['miou_present'] == 0.5
    assert videos[0]['above_50'] == 0.5


def test_instances_without_a_track_count_zero():
    quality = measure_masks(guess({0: [100, 100]}), truth())
    assert quality.summary()['miou'] == pytest.approx(2 / 5)
    assert quality.summary()['miou_present'] == 1
    assert quality.per_video()[1] == dict.fromkeys(quality.summary(), 0.0)


def test_frames_without_real_mask_or_box_do_not_count():
    data = truth_json()
    first, second = data['annotations']
    first['segmentations'] = [rows(100), None, rows(100)]
    second['bboxes'] = [None, [0, 0, 2, 100]]
    quality = measure_masks(guess({5: [80, 80, 80], 0: [80, 80]}), truth(data))
    assert list(quality.ious) == [(5, 0), (5, 2), (0, 1)]


def test_nothing_to_compare():
    data = dict(truth_json(), annotations=[])
    quality = measure_masks(PseudoMaskSet.empty_like(truth(data)), truth(data))
    summary = quality.summary()
    assert len(summary) == 6 and all(map(math.isnan, summary.values()))
    assert quality.per_video() == {}
    assert (
        summary.keys()
        == MaskQuality({(0, 0): 1.0}, {(0, 0): True}).summary().keys()
    )


def test_oracle_takes_the_best():
    one = measure_masks(guess({5: [75, 50, None], 0: [90, 10]}), truth())
    two = measure_masks(guess({5: [70, 60, None], 0: [None, 20]}), truth())
    best = oracle([one, two])
    ious = [best.ious[key] for key in one.ious]
    assert ious == pytest.approx([0.75, 0.6, 0, 0.9, 0.2])
    assert list(best.present.values()) == [True, True, False, True, True]
    assert best.per_video().keys() == {0, 1}
    assert oracle([two]).summary() == two.summary()
    # The candidates stay as they are.
    assert one.ious[5, 1] == 0.5 and two.present[0, 0] is False
    with pytest.raises(ValueError, match='at least one candidate'):
        oracle([])


def test_outlines_only_when_asked_for():
    masks = guess({5: [100, 50, None], 0: [100, 100]})
    plain = measure_masks(masks, truth())
    assert not plain.boundary and 'boundary_f' not in plain.summary()
    quality = measure_masks(masks, truth(), boundary=True)
    assert quality.ious == plain.ious
    # Full frames have no outline, half a frame has one; a missing mask is 0.
    expected = {(5, 0): 1, (5, 1): 0, (5, 2): 0, (0, 0): 1, (0, 1): 1}
    assert quality.boundary == expected
    assert quality.summary()['boundary_f'] == pytest.approx(3 / 5)
    assert quality.per_video()[1]['boundary_f'] == pytest.approx(1 / 3)
    rest = quality.summary()
    del rest['boundary_f']
    assert rest == plain.summary()


def test_oracle_takes_the_outline_of_its_choice():
    one = measure_masks(guess({5: [100, 50, None]}), truth(), boundary=True)
    two = measure_masks(guess({5: [60, 100, None]}), truth(), boundary=True)
    best = oracle([one, two])
    assert [best.boundary[5, t] for t in range(3)] == [1, 1, 0]
    two.boundary.clear()
    assert not oracle([one, two]).boundary


def test_truth_without_masks_is_refused():
    match = 'no masks to compare with.*truth.json, video 1, instance 5.*Fix'
    with pytest.raises(AnnotationError, match=match):
        measure_masks(guess({}), truth(with_masks=False))


def test_other_videos_are_refused():
    data = truth_json()
    data['videos'][0]['file_names'][0] = 'elsewhere'
    match = 'frames differ from truth.json.*masks.json, video 1'
    with pytest.raises(MaskSetError, match=match):
        measure_masks(guess({}), truth(data))
