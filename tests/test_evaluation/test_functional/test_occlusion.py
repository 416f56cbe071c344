"""Overlaps of boxes by hand, and by counting pixels."""

import numpy as np
import pytest

from pmvis_mm.evaluation.functional import (
    occlusion_levels,
    overlap_shares,
)
from pmvis_mm.structures import BoxTrack, parse_annotations
from pmvis_mm.utils.errors import AnnotationError

NONE, SLIGHT, SEVERE = 'no_occlusion', 'slight_occlusion', 'severe_occlusion'


def track(boxes, key=1, occlusion=None):
    return BoxTrack(key, 7, 1, boxes, occlusion=occlusion)


def test_overlaps_by_hand():
    # Two squares of 4 have 2 x 4 in common, a third one is alone.
    boxes = [(0, 0, 4, 4), (2, 0, 6, 4), (10, 10, 12, 12)]
    assert overlap_shares(boxes).tolist() == [0.5, 0.5, 0.0]
    # A box inside of another one; halves of pixels count.
    boxes = [(0, 0, 10, 10), (1.5, 1, 4, 3)]
    assert overlap_shares(boxes).tolist() == [0.05, 1.0]


def test_what_three_share_counts_once():
    boxes = [(0, 0, 4, 1), (1, 0, 5, 1), (2, 0, 6, 1)]
    # Columns 1-4 of 0-5 are in two boxes or more.
    assert overlap_shares(boxes).tolist() == [0.75, 1.0, 0.75]


def test_touching_boxes_do_not_overlap():
    boxes = [(0, 0, 4, 4), (4, 0, 8, 4), (0, 4, 4, 8)]
    assert overlap_shares(boxes).tolist() == [0, 0, 0]


def test_few_boxes():
    assert overlap_shares([]).shape == (0,)
    assert overlap_shares([(1, 1, 5, 5)] * 2).tolist() == [1, 1]
    assert overlap_shares([(1, 1, 5, 5)]).tolist() == [0]


@pytest.mark.parametrize('seed', range(5))
def test_same_as_counting_pixels(seed):
    rng = np.random.RandomState(seed)
    corners = np.sort(rng.randint(0, 30, (8, 2, 2)), axis=1)
    boxes = [
        (x0, y0, x1 + 1, y1 + 1) for (x0, y0), (x1, y1) in corners.tolist()
    ]
    masks = np.zeros((8, 40, 40), bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes):
        mask[y0:y1, x0:x1] = True
    number = masks.sum(0)
    expected = [(m & (number > 1)).sum() / m.sum() for m in masks]
    assert overlap_shares(boxes) == pytest.approx(expected)


def test_levels_from_boxes():
    one = track([(0, 0, 10, 10), (0, 0, 10, 10), (0, 0, 10, 10), None])
    two = track([(9, 0, 19, 10), (5, 0, 8, 10), None, (0, 0, 1, 1)])
    assert occlusion_levels([one, two]) == [
        [SLIGHT, SLIGHT, NONE, None],
        [SLIGHT, SEVERE, None, NONE],
    ]
    half = track([(5, 0, 15, 10), *[None] * 3])
    assert occlusion_levels([one, half])[0][0] == SEVERE
    assert occlusion_levels([]) == []


def test_what_is_annotated_counts():
    words = [SEVERE, None, None]
    one = track([(0, 0, 10, 10), (0, 0, 10, 10), None], 1, words)
    two = track([(0, 0, 10, 10)] * 3, 2, [NONE] * 3)
    assert occlusion_levels([one, two]) == [
        [SEVERE, SEVERE, None],
        [NONE, NONE, NONE],
    ]
    gone = track([(0, 0, 4, 4), None, None], 3, [SLIGHT, SLIGHT, None])
    assert occlusion_levels([gone]) == [[SLIGHT, None, None]]


def test_it_is_read_with_masks_only():
    entry = dict(id=1, video_id=0, category_id=1, bboxes=[[0, 0, 2, 2]])
    entry['occlusion'] = [SLIGHT]
    data = dict(
        videos=[dict(id=0, width=8, height=8, file_names=['a/0.jpg'])],
        categories=[dict(id=1, name='x')],
        annotations=[entry],
    )
    (found,) = parse_annotations(data, with_masks=True)
    assert found.occlusion == [SLIGHT]
    (found,) = parse_annotations(data)
    assert found.occlusion is None


@pytest.mark.parametrize(
    'words, message',
    [
        ([NONE], r'length 1 but the video has 2 frames \[file t.json, video'),
        ('no_occlusion', "length 'no_occlusion'"),
        ([NONE, 'much'], r"is 'much' .*video 7, frame 1, instance 4.*slight"),
        ([NONE, 2], 'is 2'),
    ],
)
def test_bad_words_are_named(words, message):
    with pytest.raises(AnnotationError, match=message):
        occlusion_levels([track([None, None], 4, words)], 't.json')
