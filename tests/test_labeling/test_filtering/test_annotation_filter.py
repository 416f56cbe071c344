"""Missing-Data and RIA (golden P13 and P14 of the paper's spec)."""

import copy

import pytest

from pmvis_mm.labeling.filtering import filter_missing_data, filter_ria
from pmvis_mm.structures import PseudoMaskSet, parse_annotations
from pmvis_mm.testing.masks import block
from pmvis_mm.utils.errors import AnnotationError, MaskSetError

REAL = block(0, 9, 0, 9)  # 100 pixels


def annotation(key, video, masks):
    return dict(
        id=key,
        video_id=video,
        category_id=4,
        bboxes=[None if m is None else [0, 0, 10, 10] for m in masks],
        segmentations=list(masks),
        areas=[None if m is None else 100 for m in masks],
    )


def content(*annotations, length=3, videos=(0, 7)):
    return dict(
        videos=[
            dict(
                id=key,
                width=64,
                height=64,
                length=length,
                file_names=[f'{key}/{t}.jpg' for t in range(length)],
            )
            for key in videos
        ],
        categories=[dict(id=4, name='thing')],
        annotations=list(annotations),
    )


def pseudo(*annotations, **kwargs):
    return PseudoMaskSet.from_json(
        copy.deepcopy(content(*annotations, **kwargs)), 'pseudo.json'
    )


def rows(number):
    """A mask of so many rows: its IoU with REAL is number / 10."""
    return block(0, number - 1, 0, 9)


def test_p14_missing_data_leaves_as_many_as_the_pseudo_masks():
    data = content(annotation(0, 0, [REAL] * 10), length=10)
    masks = pseudo(annotation(0, 0, [REAL] * 8 + [None] * 2), length=10)
    before = copy.deepcopy(data)
    found, stats = filter_missing_data(data, masks)
    assert data == before
    entry = found['annotations'][0]
    for key in ('bboxes', 'segmentations', 'areas'):
        assert entry[key][8:] == [None, None] and None not in entry[key][:8]
    assert (stats.before, stats.removed, stats.after) == (10, 2, 8)


def test_p13_ria_keeps_from_the_threshold_on():
    data = content(annotation(0, 0, [REAL] * 3))
    masks = pseudo(annotation(0, 0, [rows(5), rows(6), rows(7)]))
    found, stats = filter_ria(data, masks, threshold=0.6)
    assert found['annotations'][0]['bboxes'] == [
        None,
        [0, 0, 10, 10],
        [
            0,
            0,
            10,
            10,
        ],
    ]
    assert stats.removed == 1
    assert filter_ria(data, masks, threshold=0)[1].removed == 0
    assert filter_ria(data, masks, threshold=0.7)[1].removed == 2


def test_p13_missing_masks_go_whatever_the_threshold():
    data = content(annotation(0, 0, [REAL] * 3))
    masks = pseudo(annotation(0, 0, [REAL, None, REAL]))
    assert filter_missing_data(data, masks)[1].removed == 1
    # RIA alone leaves them to Missing-Data.
    assert filter_ria(data, masks, threshold=0.9)[1].removed == 0


def test_instance_without_a_frame_goes_and_its_video_stays():
    data = content(annotation(0, 0, [REAL] * 3), annotation(1, 7, [REAL] * 3))
    masks = pseudo(annotation(0, 0, [REAL] * 3))
    found, stats = filter_missing_data(data, masks)
    assert [a['id'] for a in found['annotations']] == [0]
    assert [v['id'] for v in found['videos']] == [0, 7]
    assert (stats.instances_removed, stats.videos_removed) == (1, 0)
    found, stats = filter_missing_data(data, masks, drop_empty_videos=True)
    assert [v['id'] for v in found['videos']] == [0]
    assert stats.videos_removed == 1
    parse_annotations(found)  # still a valid file


def test_missing_data_needs_no_masks():
    entry = annotation(0, 0, [REAL] * 3)
    del entry['segmentations'], entry['areas']
    found, stats = filter_missing_data(
        content(entry), pseudo(annotation(0, 0, [REAL, REAL, None]))
    )
    assert stats.removed == 1
    assert 'segmentations' not in found['annotations'][0]


def test_ria_without_real_masks_is_refused():
    entry = annotation(0, 0, [REAL] * 3)
    del entry['segmentations']
    masks = pseudo(annotation(0, 0, [REAL] * 3))
    with pytest.raises(AnnotationError, match='no "segmentations".*real.jso'):
        filter_ria(content(entry), masks, name='real.json')


def test_masks_of_other_videos_are_refused():
    data = content(annotation(0, 0, [REAL] * 3))
    masks = pseudo(annotation(0, 0, [REAL] * 3), videos=(0,))
    with pytest.raises(MaskSetError, match=r'videos \[7\] are only in one'):
        filter_missing_data(data, masks)
    strange = pseudo(annotation(5, 0, [REAL] * 3))
    with pytest.raises(MaskSetError, match='no annotation with this id'):
        filter_missing_data(data, strange)


def test_nothing_left_is_refused():
    data = content(annotation(0, 0, [REAL] * 3))
    masks = pseudo(annotation(0, 0, [None] * 3))
    with pytest.raises(MaskSetError, match='no annotation is left'):
        filter_missing_data(data, masks, drop_empty_videos=True)


def test_bad_threshold():
    data = content(annotation(0, 0, [REAL] * 3))
    with pytest.raises(ValueError, match=r'threshold should be in \[0, 1\]'):
        filter_ria(data, pseudo(), threshold=1.5)
