"""Missing-Data and RIA; P13, P14 and every option."""

import copy

import pytest

from pmvis_mm.labeling.filtering import (
    FilterStats,
    filter_missing_data,
    filter_ria,
)
from pmvis_mm.structures import MaskTrack, PseudoMaskSet, parse_annotations
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.utils.errors import AnnotationError, MaskSetError


def rows(number):
    """Mask of the upper rows of a frame of 100 rows and 2 columns."""
    return box_rle((0, 0, 2, number), 100, 2)


def truth(lengths, with_masks=True):
    """One video and instance per length; masks fill the frame."""
    data = dict(info='kept', videos=[], categories=[dict(id=1, name='x')])
    data['annotations'] = []
    for video, length in enumerate(lengths):
        names = [f'{video}/{t}' for t in range(length)]
        data['videos'].append(
            dict(id=video, width=2, height=100, length=length)
        )
        data['videos'][-1]['file_names'] = names
        entry = dict(
            id=10 + video,
            video_id=video,
            category_id=1,
            bboxes=[[0, 0, 2, 100]] * length,
        )
        if with_masks:
            entry['segmentations'] = [rows(100)] * length
            entry['areas'] = [200] * length
        data['annotations'].append(entry)
    return data


def pseudo(data, masks):
    """Pseudo masks per annotation id and frame: rows, or None."""
    annotations = parse_annotations(data, 'boxes.json')
    result = PseudoMaskSet.empty_like(annotations, 'masks.json')
    for box_track in annotations:
        if box_track.id in masks:
            track = MaskTrack.empty_like(box_track)
            for t, number in enumerate(masks[box_track.id]):
                track.set(t, number and rows(number), 'sam', 1.0)
            result.tracks[box_track.video_id].append(track)
    return result


def kept_frames(data):
    """Frames with a box per annotation id; other keys must agree."""
    result = {}
    for entry in data['annotations']:
        kept = [box is not None for box in entry['bboxes']]
        for key in ('segmentations', 'areas'):
            if key in entry:
                assert [v is not None for v in entry[key]] == kept
        result[entry['id']] = [t for t, k in enumerate(kept) if k]
    return result


@pytest.mark.parametrize(
    'threshold, kept',
    [(0.6, [1, 2]), (0, [0, 1, 2]), (1, []), (0.59, [0, 1, 2])],
)
def test_p13_ria(threshold, kept):
    data = truth([3])
    masks = pseudo(data, {10: [59, 60, 61]})
    result, stats = filter_ria(data, masks, threshold)
    assert kept_frames(result).get(10, []) == kept
    gone = 3 - len(kept)
    assert (stats.before, stats.removed, stats.after) == (3, gone, len(kept))
    assert stats.instances_removed == (not kept)
    if threshold == 0.6:
        assert filter_ria(data, masks) == (result, stats)


@pytest.mark.parametrize('threshold', [0, 0.6, 1])
def test_p13_a_missing_mask_is_left_to_missing_data(threshold):
    data = truth([3])
    masks = pseudo(data, {10: [100, None, 100]})
    after_ria, stats = filter_ria(data, masks, threshold)
    assert kept_frames(after_ria) == {10: [0, 1, 2]} and stats.removed == 0
    result, stats = filter_missing_data(after_ria, masks)
    assert kept_frames(result) == {10: [0, 2]} and stats.removed == 1


def test_p14_missing_data_counts():
    data = truth([10])
    masks = pseudo(
        data, {10: [None if t in (2, 6) else 50 for t in range(10)]}
    )
    result, stats = filter_missing_data(data, masks)
    assert kept_frames(result) == {10: [0, 1, 3, 4, 5, 7, 8, 9]}
    assert stats == FilterStats(before=10, removed=2)
    assert stats.after == 8


def test_result_is_a_valid_file_and_input_stays():
    data = truth([2, 1])
    masks = pseudo(data, {10: [None, 90], 11: [10]})
    before = copy.deepcopy(data)
    for result, stats in (
        filter_missing_data(data, masks),
        filter_ria(data, masks),
    ):
        assert data == before
        assert result['info'] == 'kept'
        assert result['videos'] == data['videos']
        parsed = parse_annotations(result, with_masks=True)
        assert parsed.num_boxes == stats.after == 2
    result, _ = filter_missing_data(data, masks)
    entry = result['annotations'][0]
    assert entry['bboxes'] == [None, [0, 0, 2, 100]]
    assert entry['segmentations'] == [None, rows(100)]
    assert entry['areas'] == [None, 200]


def test_boxes_alone_suffice_for_missing_data():
    data = truth([2], with_masks=False)
    result, stats = filter_missing_data(data, pseudo(data, {10: [5, None]}))
    assert kept_frames(result) == {10: [0]} and stats.removed == 1
    assert 'segmentations' not in result['annotations'][0]
    data['annotations'][0]['segmentations'] = None
    result, _ = filter_missing_data(data, pseudo(data, {10: [5, None]}))
    assert result['annotations'][0]['segmentations'] is None


def test_instances_without_a_track_are_missing():
    data = truth([2, 1])
    masks = pseudo(data, {11: [5]})
    result, stats = filter_missing_data(data, masks)
    assert kept_frames(result) == {11: [0]}
    assert stats == FilterStats(3, 2, instances_removed=1)
    result, stats = filter_ria(data, masks, 0.0)
    assert kept_frames(result) == {10: [0, 1], 11: [0]} and stats.removed == 0


def test_drop_empty_videos():
    data = truth([2, 1, 1])
    masks = pseudo(data, {10: [None, None], 11: [90], 12: [10]})
    kept, stats = filter_missing_data(data, masks)
    assert [v['id'] for v in kept['videos']] == [0, 1, 2]
    assert stats.videos_removed == 0
    result, stats = filter_missing_data(data, masks, drop_empty_videos=True)
    assert [v['id'] for v in result['videos']] == [1, 2]
    assert result['annotations'] == kept['annotations']
    assert stats == FilterStats(4, 2, 1, 1)
    result, stats = filter_ria(data, masks, drop_empty_videos=True)
    assert [v['id'] for v in result['videos']] == [0, 1]
    assert stats == FilterStats(4, 1, 1, 1)


def test_nothing_left():
    data = truth([1])
    masks = pseudo(data, {})
    result, stats = filter_missing_data(data, masks)
    assert result['annotations'] == [] and stats.after == 0
    with pytest.raises(
        MaskSetError, match='no annotation is left.*masks.json'
    ):
        filter_missing_data(data, masks, drop_empty_videos=True)


@pytest.mark.parametrize('absent', [None, []])
def test_frames_without_box_are_not_counted(absent):
    data = truth([2])
    entry = data['annotations'][0]
    entry['bboxes'] = [[0, 0, 2, 100], absent]
    entry['segmentations'] = [rows(100), None]
    masks = pseudo(data, {10: [10, None]})
    result, stats = filter_ria(data, masks)
    # The last box is gone, and with it the instance.
    assert stats == FilterStats(1, 1, instances_removed=1)
    assert result['annotations'] == []


def test_ria_keeps_boxes_without_a_real_mask():
    data = truth([2])
    data['annotations'][0]['segmentations'][1] = None
    masks = pseudo(data, {10: [10, 10]})
    result, stats = filter_ria(data, masks)
    (entry,) = result['annotations']
    assert [box is not None for box in entry['bboxes']] == [False, True]
    assert (stats.before, stats.removed) == (2, 1)


def test_file_without_annotations():
    for annotations in ([], None):
        data = dict(truth([1]), annotations=annotations)
        for call in (filter_missing_data, filter_ria):
            result, stats = call(data, pseudo(data, {}))
            assert result['annotations'] == [] and stats == FilterStats()


@pytest.mark.parametrize('threshold', [-0.1, 1.1, float('nan')])
def test_bad_threshold(threshold):
    data = truth([1])
    with pytest.raises(ValueError, match=r'in \[0, 1\], got'):
        filter_ria(data, pseudo(data, {}), threshold)


def test_ria_needs_masks():
    data = truth([1], with_masks=False)
    match = 'no "segmentations".*file t.json, video 0, instance 10.*Fix: RIA'
    with pytest.raises(AnnotationError, match=match):
        filter_ria(data, pseudo(data, {10: [5]}), name='t.json')


@pytest.mark.parametrize('call', [filter_missing_data, filter_ria])
def test_inputs_that_do_not_fit(call):
    data = truth([1, 1])
    masks = pseudo(data, {10: [5], 11: [5]})
    other = truth([1, 1, 1])
    with pytest.raises(MaskSetError, match=r'videos \[2\].*masks.json'):
        call(other, masks, name='t.json')
    longer = truth([1, 2])
    with pytest.raises(MaskSetError, match=r'frames differ.*t.json.*video 1'):
        call(longer, masks, name='t.json')
    renamed = copy.deepcopy(data)
    renamed['annotations'][1]['id'] = 99
    match = 'no annotation with this id.*masks.json, video 1, instance 11'
    with pytest.raises(MaskSetError, match=match):
        call(renamed, masks, name='t.json')
    broken = copy.deepcopy(data)
    broken['annotations'][0]['bboxes'] = []
    with pytest.raises(AnnotationError, match='"bboxes" has length 0.*t.json'):
        call(broken, masks, name='t.json')


@pytest.mark.parametrize('areas', [[200], 'ab', 5])
def test_areas_of_another_length(areas):
    data = truth([2])
    masks = pseudo(data, {10: [5, None]})
    data['annotations'][0]['areas'] = areas
    match = '"areas".*expected 2.*file t.json, video 0, instance 10'
    with pytest.raises(AnnotationError, match=match):
        filter_missing_data(data, masks, name='t.json')


def test_missing_data_drops_annotated_boxes_of_a_set():
    # "bboxes" of a set of pseudo masks are null where there is no mask.
    data = truth([3], with_masks=False)
    box = [0, 0, 2, 100]
    data['annotations'][0].update(
        bboxes=[box, None, None], annotated_bboxes=[box] * 3
    )
    result, stats = filter_missing_data(
        data, pseudo(data, {10: [None, 7, None]})
    )
    (entry,) = result['annotations']
    assert entry['annotated_bboxes'] == [None, box, None]
    assert entry['bboxes'] == [None] * 3
    assert (stats.before, stats.removed) == (3, 2)
    assert parse_annotations(result).num_boxes == 1
