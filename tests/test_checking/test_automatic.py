"""The fast part of the check, as datasets run it."""

import json

import pytest

from pmvis_mm.checking import automatic
from pmvis_mm.checking.automatic import (
    load_checked_annotations,
    load_checked_masks,
)
from pmvis_mm.structures import PseudoMaskSet, VideoAnnotations
from pmvis_mm.utils.errors import AnnotationError, MaskSetError


@pytest.fixture
def logged(monkeypatch):
    """Lines that the check logs."""
    lines = []
    monkeypatch.setattr(
        automatic, 'print_log', lambda text, *_: lines.append(text)
    )
    return lines


@pytest.fixture
def write(tmp_path):
    def dump(data):
        (tmp_path / 'a b.json').write_text(json.dumps(data))
        return str(tmp_path / 'a b.json')

    return dump


def spoil_masks(data):
    for entry in data['annotations']:
        entry['segmentations'] = [dict(size=[1, 1], counts='?')] * 4
        entry['areas'] = 'many'
    return data


def test_clean(data, write, logged):
    file = write(data)
    assert load_checked_annotations(file) == VideoAnnotations.from_file(file)
    assert load_checked_annotations(
        file, with_masks=True
    ) == VideoAnnotations.from_file(file, with_masks=True)
    assert load_checked_masks(file) == PseudoMaskSet.load(file)
    assert logged == []


def test_one_error_reads_as_ever(data, write):
    data['annotations'][0]['bboxes'][2] = [8, 6, 0, 8]
    file = write(data)
    with pytest.raises(AnnotationError) as plain:
        VideoAnnotations.from_file(file)
    with pytest.raises(AnnotationError) as checked:
        load_checked_annotations(file)
    assert str(checked.value) == str(plain.value)


def test_number_of_errors(data, write):
    data['annotations'][0]['bboxes'][2] = [8, 6, 0, 8]
    data['annotations'][2]['category_id'] = 7
    data['annotations'][3]['bboxes'][0] = None  # a warning is no error
    file = write(data)
    with pytest.raises(AnnotationError) as plain:
        VideoAnnotations.from_file(file)
    with pytest.raises(AnnotationError) as checked:
        load_checked_annotations(file)
    assert str(checked.value) == (
        f'{plain.value}; 2 errors in all: run "python '
        f"tools/analysis_tools/check_dataset.py '{file}' --box-only\""
    )
    assert (checked.value.video, checked.value.frame) == (1, 2)
    with pytest.raises(AnnotationError) as unchecked:
        load_checked_annotations(file, check=False)
    assert str(unchecked.value) == str(plain.value)
    with pytest.raises(MaskSetError, match='2 errors in all'):
        load_checked_masks(file)


def test_error_that_reading_does_not_find(data, write):
    for entry in data['annotations']:
        entry['bboxes'] = [b and [v / 64 for v in b] for b in entry['bboxes']]
    file = write(data)
    with pytest.raises(AnnotationError, match='lie between 0 and 1') as info:
        load_checked_annotations(file)
    assert info.value.file == file
    load_checked_annotations(file, check=False)


def test_warnings_are_logged_once(data, write, logged):
    data['videos'][0]['file_names'][2:] = ['v0/00003.png', 'v0/00002.png']
    data['annotations'][0]['bboxes'][1:3] = [[6, 6, 8, 0.5], [8, 6, 0.5, 8]]
    file = write(data)
    load_checked_annotations(file)
    (line,) = logged
    assert line.startswith(
        f'{file}: 1 x frame-order, 2 x box-sub-pixel, such as: '
        "'v0/00002.png' comes after 'v0/00003.png'. To see all: python"
    )
    load_checked_annotations(file, check=False)
    assert len(logged) == 1


def test_clipped_boxes(data, write):
    data['annotations'][0]['bboxes'][0] = [-4, 6, 14, 8]
    file = write(data)
    with pytest.raises(AnnotationError, match='sticks out'):
        load_checked_annotations(file)
    load_checked_annotations(file, clip_boxes=True)
    load_checked_masks(file)


def test_masks_are_looked_at_only_where_they_count(data, write, logged):
    file = write(spoil_masks(data))
    load_checked_annotations(file)
    assert logged == []
    with pytest.raises(AnnotationError, match='mask size'):
        load_checked_annotations(file, with_masks=True)


def test_other_processes_leave_it_to_the_main_one(
    data, write, logged, monkeypatch
):
    data['annotations'][0]['bboxes'][2] = [8, 6, 0.5, 8]
    monkeypatch.setattr(automatic, 'is_main_process', lambda: False)
    monkeypatch.setattr(automatic, 'check_annotations', pytest.fail)
    load_checked_annotations(write(data))
    data['annotations'][0]['bboxes'][2] = [8]
    with pytest.raises(AnnotationError, match=r'is not \[x, y') as info:
        load_checked_annotations(write(data))
    assert 'in all' not in str(info.value)
    assert logged == []


def test_file_is_read_once(data, write, monkeypatch):
    read = []

    def load(path, *words):
        read.append(path)
        return data

    monkeypatch.setattr(automatic, 'load_json', load)
    load_checked_annotations('x')
    load_checked_masks('y')
    assert read == ['x', 'y']


# ----------------------------------------------------------------- datasets
@pytest.fixture
def build(clean_root):
    registry = pytest.importorskip('pmvis_mm.registry')
    images = str(clean_root / 'JPEGImages')

    def make(kind, file, **options):
        if kind == 'VISDataset':
            options['data_prefix'] = dict(img_path=images)
        else:
            options['img_prefix'] = images
        return registry.DATASETS.build(
            dict(type=kind, ann_file=file, **options)
        )

    return make


@pytest.mark.parametrize(
    'kind,options',
    [('VISDataset', dict(supervision='box')), ('LabelVideoDataset', {})],
)
def test_box_supervision_sees_no_mask(
    build, data, write, logged, kind, options
):
    assert len(build(kind, write(spoil_masks(data)), **options))
    assert logged == []
    for entry in data['annotations']:
        entry['bboxes'][1] = [0]
    with pytest.raises(AnnotationError, match='4 errors in all.*box-only'):
        build(kind, write(data), **options)
    with pytest.raises(AnnotationError) as info:
        build(kind, write(data), check_annotations=False, **options)
    assert 'in all' not in str(info.value)


@pytest.mark.parametrize('supervision', ['full', 'pseudo'])
def test_masks_that_train(build, data, write, logged, supervision):
    data['annotations'][0]['bboxes'][2] = [14, 6, 8, 8]
    build('VISDataset', write(data), supervision=supervision)
    (line,) = logged
    assert '1 x box-mask-mismatch' in line and '--box-only' not in line
    build(
        'VISDataset',
        write(data),
        supervision=supervision,
        check_annotations=False,
    )
    assert len(logged) == 1


def test_keys_of_frames(build, data, write):
    dataset = build('VISDataset', write(data), supervision='box')
    assert {key: len(v) for key, v in dataset.frame_keys.items()} == {
        1: 4,
        2: 4,
    }
