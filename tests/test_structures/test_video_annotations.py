import copy
import json
import math

import pytest

from pmvis_mm.structures import (
    VideoAnnotations,
    VideoInfo,
    parse_annotations,
)
from pmvis_mm.utils.errors import AnnotationError


def tiny():
    """Video 0 of two 10x8 frames with one annotation of id 0."""
    mask = dict(size=[8, 10], counts=[8, 2, 70])
    return dict(
        videos=[
            dict(id=0, width=10, height=8, length=2, file_names=['a/0', 'a/1'])
        ],
        categories=[dict(id=0, name='cat')],
        annotations=[
            dict(
                id=0,
                video_id=0,
                category_id=0,
                bboxes=[[1, 0, 1, 2], None],
                segmentations=[mask, None],
                iscrowd=0,
            )
        ],
    )


def annotation(**changes):
    data = tiny()
    data['annotations'][0].update(changes)
    return data


def video(**changes):
    data = tiny()
    data['videos'][0].update(changes)
    return data


def doubled(key):
    data = tiny()
    data[key].append(copy.deepcopy(data[key][0]))
    return data


def assert_refused(data, match, *where):
    with pytest.raises(AnnotationError, match=match) as info:
        parse_annotations(data, 'boxes.json', with_masks=True)
    text = str(info.value)
    for part in ('file boxes.json', 'Fix: ', *where):
        assert part in text, text


def test_reads_boxes_as_half_open_xyxy():
    result = parse_annotations(tiny())
    (track,) = result.tracks[0]
    assert (track.id, track.video_id, track.category_id) == (0, 0, 0)
    assert track.boxes == [(1.0, 0.0, 2.0, 2.0), None]
    assert track.iscrowd is False
    assert result.num_boxes == 1
    assert result.videos[0].name == 'a' and result.videos[0].length == 2


def test_masks_are_dropped_unless_asked_for():
    assert parse_annotations(tiny()).tracks[0][0].segmentations is None
    (track,) = parse_annotations(tiny(), with_masks=True).tracks[0]
    assert track.segmentations[0]['size'] == [8, 10]
    assert track.segmentations[1] is None


def test_boxes_only_file_is_fine(tmp_path):
    data = tiny()
    del data['annotations'][0]['segmentations']
    path = tmp_path / 'boxes.json'
    path.write_text(json.dumps(data))
    result = VideoAnnotations.from_file(path, with_masks=True)
    assert result.tracks[0][0].segmentations is None
    assert result.file == str(path)


def test_null_annotations_are_fine():
    data = dict(tiny(), annotations=None)
    assert parse_annotations(data).tracks == {0: []}


def test_rounding_is_clipped_and_no_error():
    data = annotation(bboxes=[[-1.5, 0, 11.5, 9], []])
    (track,) = parse_annotations(data).tracks[0]
    assert track.boxes == [(0.0, 0.0, 10.0, 8.0), None]


def test_far_outside_is_clipped_only_on_demand():
    data = annotation(bboxes=[[5, 2, 9, 3], None])
    assert_refused(
        data, 'sticks out of the 10x8 frame by 4.0', 'clip_boxes=True'
    )
    clipped = parse_annotations(data, clip_boxes=True)
    assert clipped.tracks[0][0].boxes[0] == (5.0, 2.0, 10.0, 5.0)


@pytest.mark.parametrize(
    'box, match',
    [
        ([math.nan, 0, 1, 1], 'no finite number'),
        ([0, math.inf, 1, 1], 'no finite number'),
        (['x', 0, 1, 1], 'no finite number'),
        ([1, 1, -2, 3], 'no positive width and height'),
        ([1, 1, 0, 3], 'no positive width and height'),
        ([1, 1, 3, 0], 'no positive width and height'),
        ([20, 0, 2, 2], 'lies outside the 10x8 frame'),
        ([-5, 0, 2, 2], 'lies outside the 10x8 frame'),
        ([1, 2, 3], r'is not \[x, y, width, height\]'),
        ({'x': 1}, r'is not \[x, y, width, height\]'),
    ],
)
def test_bad_box_names_the_frame(box, match):
    data = annotation(bboxes=[[1, 0, 1, 2], box])
    assert_refused(data, match, 'video 0', 'frame 1', 'instance 0')


@pytest.mark.parametrize('key', ['bboxes', 'segmentations'])
def test_one_entry_per_frame(key):
    data = annotation(**{key: [None]})
    assert_refused(
        data, f'"{key}" has length 1 but the video has 2', 'video 0'
    )


def test_boxes_are_needed():
    data = tiny()
    del data['annotations'][0]['bboxes']
    assert_refused(data, 'no "bboxes"', 'video 0', 'instance 0')


@pytest.mark.parametrize(
    'mask, match',
    [
        (dict(size=[4, 4], counts=[16]), r'mask size \[4, 4\] differs'),
        (dict(size=[8, 10], counts=[3]), 'counts add up to 3'),
        ([[1, 2, 3, 4]], 'even number of at least 6'),
        (7, 'not a segmentation: int'),
    ],
)
def test_bad_mask_names_the_frame(mask, match):
    data = annotation(segmentations=[None, mask])
    assert_refused(data, match, 'video 0', 'frame 1', 'instance 0')
    parse_annotations(data)  # boxes alone do not read it


@pytest.mark.parametrize(
    'key, kind',
    [
        ('videos', 'video'),
        ('categories', 'category'),
        ('annotations', 'annotation'),
    ],
)
def test_ids_are_unique_and_present(key, kind):
    assert_refused(doubled(key), f'duplicate {kind} id 0')
    data = tiny()
    del data[key][0]['id']
    assert_refused(data, f'{kind} number 0 has no integer "id"')
    for key_of_65_bits in (2**63, -(2**63) - 1):
        data[key][0]['id'] = key_of_65_bits
        assert_refused(data, f'{kind} id {key_of_65_bits} does not fit')


def test_unknown_category():
    match = r'unknown category_id 5; known are \[0\]'
    assert_refused(annotation(category_id=5), match, 'video 0', 'instance 0')
    assert_refused(
        annotation(category_id=[0]), 'unknown category_id', 'video 0'
    )


def test_unknown_video():
    assert_refused(annotation(video_id=9), 'unknown video_id 9', 'instance 0')
    assert_refused(annotation(video_id=[0]), r'unknown video_id \[0\]')


@pytest.mark.parametrize('names', [[], None, 'a/0'])
def test_empty_video(names):
    assert_refused(video(file_names=names), 'video without frames', 'video 0')


def test_length_disagrees():
    assert_refused(
        video(length=3), '"length" is 3 but 2 file names', 'video 0'
    )


@pytest.mark.parametrize('width', [0, -1, None, 3.5])
def test_bad_frame_size(width):
    assert_refused(
        video(width=width), '"width" is .*, not a positive', 'video 0'
    )


@pytest.mark.parametrize('key', ['videos', 'categories'])
def test_layout(key):
    assert_refused(dict(tiny(), **{key: []}), f'"{key}" is missing or empty')
    assert_refused([], 'expected a json object, got list')


def test_file_that_is_no_json(tmp_path):
    path = tmp_path / 'cut.json'
    path.write_text(json.dumps(tiny())[:40])
    with pytest.raises(AnnotationError, match='not a json file') as info:
        VideoAnnotations.from_file(path)
    assert 'cut.json' in str(info.value) and 'Fix: ' in str(info.value)
    path.write_bytes(b'\x89PNG\xff')
    with pytest.raises(AnnotationError, match='not a json file'):
        VideoAnnotations.from_file(path)


def test_missing_file(tmp_path):
    with pytest.raises(AnnotationError, match='does not exist') as info:
        VideoAnnotations.from_file(tmp_path / 'no.json')
    assert 'no.json' in str(info.value)
    with pytest.raises(AnnotationError, match='this is a folder'):
        VideoAnnotations.from_file(tmp_path)


def test_frame_names_are_strings():
    assert_refused(video(file_names=['a/0', 7]), 'is not a string', 'video 0')


def test_annotations_that_are_no_list_are_refused():
    assert_refused(
        dict(tiny(), annotations=3), '"annotations" is int, not a list'
    )


def test_numbers_too_long_for_a_float():
    huge = 10**400
    odd = annotation(bboxes=[[huge, 0, 4, 4], None])
    assert_refused(odd, 'no finite number', 'frame 0')
    assert_refused(video(width=huge), 'not a positive integer up to 65535')


def test_boxes_alone_are_the_annotated_ones():
    # "bboxes" of a set of pseudo masks are null where there is no mask.
    given = [None, [2, 1, 4, 3]]
    data = annotation(annotated_bboxes=given)
    (track,) = parse_annotations(data).tracks[0]
    assert track.boxes == [None, (2.0, 1.0, 6.0, 4.0)]
    (track,) = parse_annotations(data, with_masks=True).tracks[0]
    assert track.boxes == [(1.0, 0.0, 2.0, 2.0), None]
    (track,) = parse_annotations(annotation(annotated_bboxes=None)).tracks[0]
    assert track.boxes == [(1.0, 0.0, 2.0, 2.0), None]
    with pytest.raises(AnnotationError, match='"annotated_bboxes" has length'):
        parse_annotations(annotation(annotated_bboxes=[None]))


@pytest.mark.parametrize(
    ('first', 'name'),
    [
        ('a/0.jpg', 'a'),
        ('a/b/0.jpg', 'a/b'),
        ('0.jpg', '7'),
        ('clip 1.mp4#0', 'clip 1'),
        ('a/b.c.MOV#5', 'a/b.c'),
    ],
)
def test_names_of_videos(first, name):
    assert VideoInfo(7, 4, 4, (first, 'x.jpg')).name == name
