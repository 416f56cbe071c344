"""Mistakes that run through a whole video are told, not repaired."""

import copy

import pytest

from pmvis_mm.checking import check_annotations, fix_annotations

LONG = 20  # frames


@pytest.fixture
def film(data):
    """A video of 20 frames, 48x32, with two tracks of boxes; one more."""
    video = data['videos'][0]
    video['file_names'] = [f'v0/{t:05d}.png' for t in range(LONG)]
    video['length'] = LONG
    data['annotations'] = [
        dict(
            id=key,
            video_id=1,
            category_id=key,
            bboxes=[[x + t, 20, 8, 6 + key] for t in range(LONG)],
        )
        for key, x in ((1, 19), (2, 2))
    ] + data['annotations'][2:]
    return data


def boxes_of(data):
    return [b for entry in data['annotations'][:2] for b in entry['bboxes']]


def assert_left_alone(data, code, **options):
    """Nothing of video 1 changes, and the finding says so."""
    before = copy.deepcopy(data)
    assert fix_annotations(data, **options) == []
    assert data == before
    found, _ = check_annotations(data, **options)
    (finding,) = found.of(code)
    assert finding.video == 1 and not finding.repaired
    assert found.num_warnings >= 1
    assert not any(f.repaired for f in found if f.video == 1)
    return finding.problem


def test_clean(film, found_in):
    found_in(film)


def test_width_and_height_swapped(film):
    film['videos'][0].update(width=32, height=48)
    # Of the first track, x from 29 on: more than half of the box is beyond.
    problem = assert_left_alone(film, 'boxes-systematic')
    assert problem.startswith('10 of 40 boxes of this video would be lost in')
    assert 'fit if width and height of the video were swapped' in problem


def test_x_and_y_swapped(film):
    for box in boxes_of(film):
        box[:] = [box[1], box[0], box[3], box[2]]
    problem = assert_left_alone(film, 'boxes-systematic')
    assert 'or x and y of the boxes' in problem


def test_another_size(film):
    for box in boxes_of(film):
        box[:] = [4 * v for v in box]
    problem = assert_left_alone(film, 'boxes-systematic')
    assert problem.endswith('boxes reach to 184x112, as in another size')


def test_corners_the_wrong_way_round(film):
    for box in boxes_of(film)[:12]:
        box[:] = [box[0] + box[2], box[1], -box[2], box[3]]
    problem = assert_left_alone(film, 'boxes-systematic')
    assert problem.endswith('width or height of boxes are negative')


def test_annotated_boxes_of_pseudo_masks(film):
    first = film['annotations'][0]
    first['annotated_bboxes'] = first['bboxes']
    first['bboxes'] = [None] * LONG
    film['videos'][0].update(width=32, height=48)
    assert_left_alone(film, 'boxes-systematic')


def test_tracks_stay_too(film):
    # Without its copies, the video would be repaired the next time.
    film['videos'][0].update(width=32, height=48)
    film['annotations'].insert(1, dict(film['annotations'][0], id=9))
    for box in film['annotations'][0]['bboxes'][:12]:
        box[0] = 1
    film['annotations'][1]['bboxes'] = film['annotations'][0]['bboxes']
    for entry in film['annotations'][2:3]:
        for box in entry['bboxes'][:2]:
            box[0] = 40
    assert_left_alone(film, 'boxes-systematic')


def test_numbers_in_quotes_do_not_hide_it(film):
    for box in boxes_of(film):
        box[:] = [str(4 * v) for v in box]
    before = copy.deepcopy(film)
    assert fix_annotations(film) == [] and film == before


def test_other_videos_are_repaired(film):
    film['videos'][0].update(width=32, height=48)
    film['annotations'][2]['bboxes'][0] = [4, 40, 8, 8]
    (change, *_) = fix_annotations(film)
    assert (change.code, change.video) == ('box-outside', 2)
    found, _ = check_annotations(film)
    assert 'boxes-systematic' in found.codes
    assert fix_annotations(film) == []


@pytest.mark.parametrize('wrong', [9, 12])
def test_a_few_are_repaired(film, wrong):
    # Nine are too few; of 120, twelve are not more than a tenth.
    if wrong == 12:
        for key in (10, 11, 12, 13):
            boxes = [[t, 1 + key, 4, 4] for t in range(LONG)]
            film['annotations'].append(
                dict(id=key, video_id=1, category_id=1, bboxes=boxes)
            )
    for box in boxes_of(film)[:wrong]:
        box[0] = 60
    changes = fix_annotations(film)
    assert [c.code for c in changes] == ['box-outside'] * wrong
    assert fix_annotations(film) == []


def test_boxes_that_stick_out_or_say_nothing_are_repaired(film):
    # Clipping keeps most of them; zeros are what tools write for "absent".
    for box in boxes_of(film)[:12]:
        box[0] = -3.5
    for box in boxes_of(film)[20:32]:
        box[:] = [0, 0, 0, 0]
    changes = fix_annotations(film)
    assert sorted(c.code for c in changes) == (
        ['box-sticks-out'] * 12 + ['box-zero-size'] * 12
    )
    assert fix_annotations(film) == []


@pytest.mark.parametrize(
    'mask,text',
    [
        (dict(size=[64, 96], counts='P`0'), '12 are of another size'),
        (dict(size=[32, 48], counts='?'), '0 are of another size'),
    ],
)
def test_masks(film, mask, text):
    first = film['annotations'][0]
    first['segmentations'] = [mask] * 12 + [None] * 8
    first['areas'] = [50] * LONG
    problem = assert_left_alone(film, 'masks-systematic')
    assert problem.startswith('12 of 12 masks of this video') and (
        text in problem
    )
    # Boxes alone are another matter.
    first['bboxes'][0] = [60, 1, 2, 2]
    (change,) = fix_annotations(film, box_only=True)
    assert change.code == 'box-outside'
