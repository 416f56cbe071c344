"""Defects of lists, ids, references and lengths."""

import pytest

from pmvis_mm.checking import check_annotations


def test_clean(data, found_in):
    found_in(data)
    found_in(data, box_only=True)


@pytest.mark.parametrize('content', [[], None, 'text', 3])
def test_no_object(content, one):
    _, problem = one(content, 'file-not-object')
    assert problem.startswith('expected a json object, got')


@pytest.mark.parametrize(
    'videos,state', [([], 'empty'), ({}, 'dict, not a list')]
)
def test_videos_missing(data, found_in, videos, state):
    data['videos'] = videos
    # Annotations are of no known video then.
    found = found_in(data, 'list-missing', 'video-unknown')
    assert found.of('list-missing')[0].problem == f'"videos" is {state}'
    del data['videos']
    found = found_in(data, 'list-missing', 'video-unknown')
    assert found.of('list-missing')[0].problem == '"videos" is missing'


def test_annotations_no_list(data, one):
    data['annotations'] = 'none'
    assert one(data, 'list-missing')[1] == '"annotations" is str, not a list'


@pytest.mark.parametrize('annotations', [None, []])
def test_no_annotations(data, one, annotations):
    data['annotations'] = annotations
    one(data, 'no-annotations')
    del data['annotations']
    one(data, 'no-annotations')


def test_entry_is_no_object(data, one):
    data['annotations'].insert(1, 'x')
    _, problem = one(data, 'entry-not-object')
    assert problem == "annotation number 1 is 'x'"


def test_unknown_keys(data, found_in):
    data['descriptoin'] = ''
    for entry in data['annotations']:
        entry['bbox'] = []
    found = found_in(data, 'unknown-key')
    assert [f.problem for f in found] == [
        "unknown key 'descriptoin' in the file",
        "unknown key 'bbox' in 4 x annotation",
    ]
    assert found.num_errors == found.num_warnings == 0


# --------------------------------------------------------------------- ids
def test_id_missing(data, one):
    del data['annotations'][1]['id']
    place, problem = one(data, 'id-missing')
    assert place == (1, None, None)
    assert problem == 'annotation number 1: no "id"'


@pytest.mark.parametrize('key', ['7', 7.0, True])
def test_id_is_no_integer(data, one, key):
    data['annotations'][3]['id'] = key
    place, problem = one(data, 'id-not-integer')
    assert place == (2, None, key) and type(key).__name__ in problem


def test_id_beyond_64_bits(data, one):
    data['annotations'][0]['id'] = 2**63
    assert one(data, 'id-out-of-range')[0] == (1, None, 2**63)


def test_id_twice(data, found_in):
    data['annotations'][2]['id'] = 1
    found = found_in(data, 'id-duplicate')
    (finding,) = found
    assert (finding.video, finding.instance) == (2, 1) and finding.repaired


def test_video_id_twice(data, found_in):
    data['videos'][1]['id'] = 1
    found = found_in(data, 'id-duplicate', 'video-unknown')
    (finding,) = found.of('id-duplicate')
    # Nobody knows which of both an annotation means.
    assert finding.video == 1 and not finding.repaired
    assert [f.instance for f in found.of('video-unknown')] == [3, 4]


def test_id_zero(data, one):
    data['annotations'][0]['id'] = 0
    assert one(data, 'id-zero')[1] == 'a annotation has the id 0'


@pytest.mark.parametrize('key', [9, '1', None, [1]])
def test_unknown_video(data, one, key):
    data['annotations'][1]['video_id'] = key
    place, problem = one(data, 'video-unknown')
    assert place == (key, None, 2) and repr(key) in problem


@pytest.mark.parametrize('key', [9, '1', None, True, {}])
def test_unknown_category(data, one, key):
    data['annotations'][1]['category_id'] = key
    place, problem = one(data, 'category-unknown')
    assert place == (1, None, 2)
    assert problem == f'unknown category_id {key!r}; known are 1, 2'


# ------------------------------------------------------------------ videos
def test_video_without_frames(data, one):
    data['videos'][1]['file_names'] = []
    assert one(data, 'video-no-frames')[0] == (2, None, None)


@pytest.mark.parametrize('name', [None, 3, '', '  '])
def test_frame_name_is_no_name(data, one, name):
    data['videos'][1]['file_names'][2] = name
    # The numbers of the rest need not be those of a series any more.
    found, _ = check_annotations(data, 'a.json')
    relatives = set(found.codes) - {'frame-name-invalid'}
    assert relatives <= {'frame-gap'}
    place, _ = one(data, 'frame-name-invalid', *relatives)
    assert place == (2, 2, None)


@pytest.mark.parametrize('length', [5, '4', 4.5, True])
def test_video_length(data, one, length):
    data['videos'][0]['length'] = length
    place, problem = one(data, 'video-length')
    assert place == (1, None, None)
    assert problem == f'"length" is {length!r} but 4 file names are listed'


@pytest.mark.parametrize('width', [0, -1, '48', None, True, 48.5])
def test_video_size(data, one, width):
    data['videos'][0]['width'] = width
    place, problem = one(data, 'video-size')
    assert place == (1, None, None) and f'"width" is {width!r}' in problem


def test_video_without_annotations(data, one):
    data['annotations'] = data['annotations'][:2]
    assert one(data, 'video-no-annotations')[0] == (2, None, None)


def test_mixed_sizes(data, one):
    data['videos'][1].update(width=50)
    for entry in data['annotations'][2:]:
        entry['segmentations'] = None
        del entry['areas']
    _, problem = one(data, 'sizes-mixed')
    assert problem == 'videos of 2 sizes: 48x32 (1), 50x32 (1)'


# ------------------------------------------------------------- annotations
def test_no_boxes(data, one):
    del data['annotations'][0]['bboxes']
    assert one(data, 'bboxes-missing')[0] == (1, None, 1)


@pytest.mark.parametrize(
    'key,code',
    [
        ('bboxes', 'bboxes-length'),
        ('segmentations', 'segmentations-length'),
        ('areas', 'areas-length'),
    ],
)
def test_lengths(data, one, key, code):
    data['annotations'][2][key].append(None)
    place, problem = one(data, code)
    assert place == (2, None, 3)
    assert problem == f'"{key}" has length 5 but the video has 4 frames'
    data['annotations'][2][key] = 'none'
    assert "length 'none'" in one(data, code)[1]


@pytest.mark.parametrize(
    'key', ['sources', 'scores', 'annotated_bboxes', 'interpolated']
)
def test_lengths_of_pseudo_masks(data, one, key):
    data['annotations'][2][key] = [None]
    assert one(data, 'extra-length')[0] == (2, None, 3)


def test_size_in_the_annotation(data, one):
    data['annotations'][0].update(width=48, height=31, length=3)
    place, problem = one(data, 'annotation-size')
    assert place == (1, None, 1)
    assert '"height" is 31, not 32, "length" is 3, not 4' in problem


@pytest.mark.parametrize('crowd', [2, -1, '0', None, True])
def test_iscrowd(data, found_in, crowd):
    data['annotations'][0]['iscrowd'] = crowd
    (finding,) = found_in(data, 'iscrowd-not-binary')
    assert finding.instance == 1 and repr(crowd) in finding.problem
    assert finding.repaired == (crowd is True)


def test_masks_are_not_looked_at_for_boxes(data, found_in):
    for entry in data['annotations']:
        entry['segmentations'] = [dict(size=[1, 1], counts='?')] * 9
        entry['areas'] = 'many'
    found_in(data, box_only=True)
    found_in(data, 'segmentations-length', 'areas-length')


@pytest.mark.parametrize('side', [10**400, 2**31, 65536, 0])
def test_sides_that_no_mask_may_have(data, one, side):
    data['videos'][0]['width'] = side
    problem = one(data, 'video-size')[1]
    assert 'not a positive integer up to 65535' in problem
