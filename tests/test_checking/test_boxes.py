"""Defects of boxes and tracks."""

import math

import pytest


def put(data, box, frame=2, key='bboxes', instance=0):
    data['annotations'][instance][key][frame] = box
    return data


def drop_masks(data):
    for entry in data['annotations']:
        del entry['segmentations'], entry['areas']
    return data


@pytest.mark.parametrize('box', [[1, 2, 3], [1, 2, 3, 4, 5], 7, {'x': 1}, 'b'])
def test_not_four(data, one, box):
    place, problem = one(put(data, box), 'box-not-four')
    assert place == (1, 2, 1) and problem.startswith(f'box {box!r}')


@pytest.mark.parametrize('value,repaired', [('8', True), ('a', False)])
def test_strings(data, found_in, value, repaired):
    box = [8, 6, value, 8]
    (finding,) = found_in(put(data, box), 'box-not-number')
    assert (finding.video, finding.frame, finding.instance) == (1, 2, 1)
    assert finding.repaired == repaired


@pytest.mark.parametrize('value', [None, True, [1]])
def test_other_things(data, one, value):
    one(put(data, [8, 6, 8, value]), 'box-not-number')


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf, 10**400])
def test_not_finite(data, one, value):
    place, _ = one(put(data, [8, 6, 8, value]), 'box-not-finite')
    assert place == (1, 2, 1)


@pytest.mark.parametrize(
    'box,code',
    [
        ([8, 6, 0, 8], 'box-zero-size'),
        ([8, 6, 8, 0.0], 'box-zero-size'),
        ([8, 6, -8, 8], 'box-negative-size'),
        ([8, 6, 0, -8], 'box-negative-size'),
        ([48, 6, 8, 8], 'box-outside'),
        ([8, -9, 8, 8], 'box-outside'),
        ([41, 6, 8.5, 8], None),  # by 1.5: rounding
        ([41, 6, 9.5, 8], 'box-sticks-out'),  # by 2.5
        ([-3, 6, 8, 8], 'box-sticks-out'),
        ([8, 6, 0.5, 8], 'box-sub-pixel'),
    ],
)
def test_values(data, found_in, box, code):
    drop_masks(data)
    # That of the object which is nearer, or it would jump as well.
    instance = int(box[0] > 20)
    put(data, box, frame=1, instance=instance)
    found = found_in(data, *([code] if code else []))
    for finding in found:
        place = finding.video, finding.frame, finding.instance
        assert place == (1, 1, instance + 1)
        assert str([*map(float, box)]) in finding.problem


def test_clipped_boxes_are_no_error(data, found_in):
    drop_masks(data)
    put(data, [-3, 6, 8, 8])
    found_in(data, clip_boxes=True)


def test_whole_frame(data, one, found_in):
    drop_masks(data)
    put(data, [0, 0, 48, 32])
    found_in(data)  # an object may fill a frame
    data['annotations'][0]['bboxes'] = [[0, 0, 48, 32]] * 4
    place, problem = one(data, 'box-whole-frame')
    assert place == (1, 0, 1) and 'is the whole 48x32 frame' in problem


def test_corners(data, found_in):
    drop_masks(data)
    # Right lower corners instead of sizes; the bar reaches to (34, 26), so
    # that 30 + 34 > 48.
    for entry in data['annotations']:
        entry['bboxes'] = [
            b and [b[0], b[1], b[0] + b[2], b[1] + b[3]]
            for b in entry['bboxes']
        ]
    found = found_in(data, 'boxes-xyxy', 'box-sticks-out')
    (finding,) = found.of('boxes-xyxy')
    assert finding.problem.startswith('6 of 14 boxes')
    assert finding.severity == 'warning'


def test_shares(data, found_in):
    drop_masks(data)
    for entry in data['annotations']:
        entry['bboxes'] = [
            b and [b[0] / 48, b[1] / 32, b[2] / 48, b[3] / 32]
            for b in entry['bboxes']
        ]
    found = found_in(data, 'boxes-normalised', 'box-sub-pixel')
    (finding,) = found.of('boxes-normalised')
    assert finding.problem.startswith('14 of 14 boxes lie between 0 and 1')
    assert finding.severity == 'error'


def test_jump(data, one):
    drop_masks(data)
    # From (8, 10) by 34 pixels to (42, 10), then (12, 10): the diagonal of
    # the frame is 57.7, the box 4 x 4; there and back are two jumps.
    data['annotations'][0]['bboxes'] = [
        [2, 8, 4, 4],
        [3, 8, 4, 4],
        [40, 8, 4, 4],
        [41, 8, 4, 4],
    ]
    place, problem = one(data, 'box-jump')
    assert place == (1, 2, 1)
    assert problem.startswith('the box is 37 pixels away')


def test_no_jump_over_a_gap(data, found_in):
    drop_masks(data)
    data['annotations'][0]['bboxes'] = [[2, 8, 4, 4], None, [40, 8, 4, 4], []]
    found_in(data)


def test_annotated_boxes_of_pseudo_masks(data, one):
    entry = data['annotations'][0]
    entry['annotated_bboxes'] = list(entry['bboxes'])
    place, problem = one(
        put(data, [8, 6, 8, -1], key='annotated_bboxes'), 'box-negative-size'
    )
    assert place == (1, 2, 1) and problem.startswith('annotated box [8.0')


def test_unknown_size_stops_nothing(data, found_in):
    data['videos'][0]['width'] = None
    put(data, [8, 600, -8, 8])
    data['annotations'][0]['segmentations'][1] = 'no mask'
    found_in(data, 'video-size', 'box-negative-size')


# ------------------------------------------------------------------- tracks
def test_empty_track(data, one):
    drop_masks(data)
    data['annotations'][1]['bboxes'] = [None, [], None, None]
    assert one(data, 'track-empty')[0] == (1, None, 2)


def test_masks_without_boxes_do_not_make_pseudo_masks_empty(data, found_in):
    entry = data['annotations'][1]
    entry['annotated_bboxes'] = entry['bboxes']
    entry.update(bboxes=[None] * 4, segmentations=[None] * 4, areas=[None] * 4)
    found_in(data)


def test_copy_of_a_track(data, found_in):
    data['annotations'].append(dict(data['annotations'][0], id=5))
    (finding,) = found_in(data, 'track-duplicate')
    assert (finding.video, finding.instance) == (1, 5) and finding.repaired
    assert 'annotation 1 in all frames, and is the same' in finding.problem


@pytest.mark.parametrize('key,value', [('category_id', 2), ('iscrowd', 1)])
def test_same_boxes(data, found_in, key, value):
    data['annotations'].append(
        dict(data['annotations'][0], id=5, **{key: value})
    )
    (finding,) = found_in(data, 'track-same-boxes')
    assert finding.instance == 5 and not finding.repaired


def test_same_boxes_with_other_masks(data, found_in):
    copy = dict(data['annotations'][0], id=5)
    copy['segmentations'] = None
    copy['areas'] = None
    data['annotations'].append(copy)
    found_in(data, 'track-same-boxes')
    # Masks tell nothing where they are not looked at, but stay.
    (finding,) = found_in(data, 'track-duplicate', box_only=True)
    assert not finding.repaired
