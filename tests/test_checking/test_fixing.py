"""Repairs: what has one obvious repair, and nothing else."""

import copy
import json
import math
import shutil

import pytest

from pmvis_mm.checking import (
    check_annotations,
    check_files,
    fix_annotations,
    write_fixed,
)
from pmvis_mm.structures import parse_annotations
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.utils.errors import AnnotationError, ConfigError, OutputError


def fix(data, *codes, left=(), **options):
    """Repair content; check the codes of the changes and what is left."""
    changes = fix_annotations(data, **options)
    assert {change.code for change in changes} == set(codes)
    found, _ = check_annotations(data)
    assert set(found.codes) == set(left)
    again = copy.deepcopy(data)
    assert fix_annotations(again, **options) == []
    assert repr(again) == repr(data)
    return changes


def first(data):
    return data['annotations'][0]


def test_nothing_to_repair(data):
    before = copy.deepcopy(data)
    fix(data)
    assert data == before


def test_ids(data):
    second, third, fourth = data['annotations'][1:]
    second['id'], third['id'] = 1, '1'
    del fourth['id']
    changes = fix(data, 'id-duplicate', 'id-not-integer', 'id-missing')
    assert [entry['id'] for entry in data['annotations']] == [1, 2, 3, 4]
    assert [(c.before, c.after) for c in changes] == [
        (1, 2),
        ('1', 3),
        (None, 4),
    ]


def test_ids_of_videos_are_left(data):
    data['videos'][1]['id'] = 1
    fix(data, left=['id-duplicate', 'video-unknown'])


def test_video(data):
    data['videos'][0].update(length=7, width=48.0)
    names = data['videos'][1]['file_names']
    names[2] = 'v1\\00002.png'
    changes = fix(data, 'video-length', 'video-size', 'frame-backslash')
    assert data['videos'][0]['length'] == 4
    assert data['videos'][0]['width'] == 48
    assert names[2] == 'v1/00002.png'
    (change,) = [c for c in changes if c.code == 'frame-backslash']
    assert (change.video, change.frame) == (2, 2)


def test_annotation(data):
    first(data).update(width=1, length=4, iscrowd=True)
    fix(data, 'annotation-size', 'iscrowd-not-binary')
    assert first(data)['width'] == 48 and first(data)['iscrowd'] == 1
    assert type(first(data)['iscrowd']) is int


@pytest.mark.parametrize(
    'code,box,after',
    [
        ('box-not-finite', [8, 6, math.nan, 8], None),
        ('box-not-finite', [8, 6, 10**400, 8], None),
        ('box-zero-size', [8, 6, 0, 8], None),
        ('box-negative-size', [16, 6, -8, 8], None),
        ('box-outside', [8, 33, 8, 8], None),
        ('box-sticks-out', [8, -4, 8, 18], [8, 0, 8, 14]),
        ('box-sticks-out', [8.5, 26, 8, 9], [8.5, 26, 8, 6]),
        ('box-not-number', ['8', 6, '8.5', 8], [8.0, 6.0, 8.5, 8.0]),
    ],
)
def test_boxes(data, code, box, after):
    for entry in data['annotations']:
        del entry['segmentations'], entry['areas']
    first(data)['bboxes'][2] = box
    (change,) = fix(data, code)
    assert first(data)['bboxes'][2] == change.after == after
    assert (change.video, change.frame, change.instance) == (1, 2, 1)
    assert repr(change.before) == repr(box)
    parse_annotations(data)


def test_mask_gives_its_box(data):
    first(data)['bboxes'][2] = [8, 6, math.nan, 8]
    changes = fix(data, 'box-not-finite', 'mask-without-box')
    assert first(data)['bboxes'][2] == [8, 6, 8, 8]
    assert [c.after for c in changes] == [None, [8, 6, 8, 8]]


def test_what_is_no_box_is_left(data):
    first(data)['bboxes'][2] = [1, 2, 3]
    fix(data, left=['box-not-four'])


def test_boxes_of_another_form_are_left(data):
    for entry in data['annotations']:
        del entry['segmentations'], entry['areas']
        entry['bboxes'] = [
            b and [b[0], b[1], b[0] + b[2], b[1] + b[3]]
            for b in entry['bboxes']
        ]
    fix(data, left=['boxes-xyxy', 'box-sticks-out'])


@pytest.mark.parametrize(
    'code,mask',
    [
        ('mask-size', box_rle((8, 6, 16, 14), 31, 48)),
        ('mask-malformed', dict(size=[32, 48], counts='?')),
        ('mask-empty', box_rle((0, 0, 0, 0), 32, 48)),
    ],
)
def test_masks(data, code, mask):
    first(data)['segmentations'][2] = mask
    changes = fix(data, code, 'area-mismatch', left=['box-without-mask'])
    assert first(data)['segmentations'][2] is None
    assert first(data)['areas'] == [64, 64, None, 64]
    assert first(data)['bboxes'][2] == [8, 6, 8, 8]
    assert changes[0].before == mask


def test_areas(data):
    first(data)['areas'] = [64, 70, 64, 64]
    data['annotations'][1]['areas'] = [3]
    fix(data, 'area-mismatch', 'areas-length')
    assert first(data)['areas'] == [64] * 4
    assert data['annotations'][1]['areas'] == [64, 64, 64, None]


def test_tracks(data):
    data['annotations'].insert(1, dict(first(data), id=5))
    empty = data['annotations'][2]
    assert empty['id'] == 2
    empty.update(bboxes=[None] * 4, segmentations=[None] * 4)
    empty['areas'] = None
    changes = fix(data, 'track-duplicate', 'track-empty')
    assert [entry['id'] for entry in data['annotations']] == [1, 3, 4]
    assert {c.instance for c in changes} == {5, 2}


def test_masks_stay_with_box_only(data):
    mask = dict(size=[1, 1], counts='?')
    first(data)['segmentations'][2] = mask
    data['annotations'][1]['bboxes'] = [None] * 4
    before = copy.deepcopy(data)
    assert fix_annotations(data, box_only=True) == []
    assert data == before


def test_unknown_keys_stay(data):
    data['owner'] = first(data)['note'] = 'me'
    first(data)['bboxes'][2] = None
    fix(data, 'mask-without-box', left=['unknown-key'])
    assert data['owner'] == first(data)['note'] == 'me'


@pytest.mark.parametrize('content', [[], None, dict(videos=3), {}])
def test_no_content(content):
    assert fix_annotations(content) == []


# -------------------------------------------------------------------- files
def test_names_as_on_disk(data, clean_root, tmp_path):
    images = tmp_path / 'images'
    shutil.copytree(clean_root / 'JPEGImages', images)
    (images / 'v1').rename(images / 'V1')
    file, out = tmp_path / 'a.json', tmp_path / 'new ä' / 'b.json'
    file.write_text(json.dumps(data))
    changes, _ = write_fixed(file, out, img_prefix=str(images))
    assert {c.code for c in changes} == {'frame-case'} and len(changes) == 4
    (report,), _ = check_files([out], [images], decode='all')
    assert len(report.findings) == 0


def test_copy_and_lists(data, tmp_path):
    first(data)['bboxes'][2] = [8, 6, math.inf, 8]
    file, out = tmp_path / 'a.json', tmp_path / 'b.json'
    file.write_text(json.dumps(data))
    before = file.read_bytes()
    changes, lists = write_fixed(file, out)
    assert file.read_bytes() == before
    assert [path.name for path in lists] == [
        'b.changes.json',
        'b.changes.txt',
    ]
    listed = json.loads(lists[0].read_text(), parse_constant=pytest.fail)
    assert listed[0] == dict(
        code='box-not-finite',
        what='bboxes',
        before=[8, 6, 'inf', 8],
        after=None,
        video=1,
        frame=2,
        instance=1,
    )
    assert lists[1].read_text().splitlines() == [
        'box-not-finite [video 1, frame 2, instance 1]: bboxes '
        '[8, 6, "inf", 8] -> null',
        'mask-without-box [video 1, frame 2, instance 1]: bboxes '
        'null -> [8.0, 6.0, 8.0, 8.0]',
    ]
    assert len(changes) == 2
    assert json.loads(out.read_text())['annotations'][0]['bboxes'][2]


def test_bad_arguments(data, tmp_path):
    file = tmp_path / 'a.json'
    file.write_text(json.dumps(data))
    with pytest.raises(ConfigError, match='would replace the input'):
        write_fixed(file, tmp_path / 'x' / '..' / 'a.json')
    with pytest.raises(OutputError, match='cannot write here'):
        write_fixed(file, file / 'b.json')
    file.write_text('[]')
    with pytest.raises(AnnotationError, match='nothing to repair'):
        write_fixed(file, tmp_path / 'b.json')


def test_what_utf8_cannot_hold_is_listed(data, tmp_path):
    first(data)['areas'] = '\ud800'
    file, out = tmp_path / 'a.json', tmp_path / 'b.json'
    file.write_text(json.dumps(data))
    changes, lists = write_fixed(file, out)
    assert [change.what for change in changes] == ['areas']
    assert '\\ud800' in lists[1].read_text(encoding='utf-8')
