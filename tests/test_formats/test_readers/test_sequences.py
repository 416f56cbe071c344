import pytest

from pmvis_mm.formats.readers.sequences import (
    SequenceFiles,
    describe_sequence,
    find_sequences,
    number_names,
    read_labels,
    read_rows,
)
from pmvis_mm.utils.errors import AnnotationError, ConfigError


def test_names_of_frames(tmp_path):
    sequence = SequenceFiles(
        'a b', tmp_path / 'gt.txt', length=2, img_suffix='.png'
    )
    assert sequence.file_names(0) == [
        'a b/img1/000000.png',
        'a b/img1/000001.png',
    ]
    assert SequenceFiles('a', tmp_path, length=2).file_names(1) is None
    video = describe_sequence(sequence, None, 1)
    assert video.file_names == ['a b/img1/000001.png', 'a b/img1/000002.png']
    assert (video.name, video.length, video.width) == ('a b', 2, None)


def test_detections_if_there_is_no_truth(tmp_path):
    (tmp_path / 'a/det').mkdir(parents=True)
    (tmp_path / 'a/det/det.txt').write_text('1,-1,0,0,5,5\n')
    (found,) = find_sequences(tmp_path, 'x')
    assert found.file == tmp_path / 'a/det/det.txt'
    (tmp_path / 'a/gt').mkdir()
    (tmp_path / 'a/gt/gt.txt').write_text('1,1,0,0,5,5\n')
    (found,) = find_sequences(tmp_path, 'x')
    assert found.file == tmp_path / 'a/gt/gt.txt'


def test_rows(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_bytes(b'\xef\xbb\xbf1, 2,3,\r\n\r\n 4\t5  6 \n')
    assert list(read_rows(path, 'x')) == [
        ('line 1', ['1', '2', '3']),
        ('line 3', ['4', '5', '6']),
    ]


def test_labels(tmp_path):
    assert read_labels(tmp_path) is None
    (tmp_path / 'labels.txt').write_text('ant \n\nbig bee\n', encoding='utf-8')
    assert read_labels(tmp_path) == ['ant', 'big bee']
    (tmp_path / 'labels.txt').write_text('')
    with pytest.raises(AnnotationError, match='is empty'):
        read_labels(tmp_path)


def test_numbers_of_names():
    assert number_names(None) is None
    assert number_names(['a', 'b']) == {1: 'a', 2: 'b'}
    assert number_names({'3': 'a'}) == {3: 'a'}  # from json
    with pytest.raises(ConfigError, match='no list'):
        number_names('car')
    with pytest.raises(ConfigError, match='no number'):
        number_names({'x': 'a'})


def test_one_folder_too_high(tmp_path):
    for name in ('train/a', 'train/b'):
        (tmp_path / name / 'gt').mkdir(parents=True)
        (tmp_path / name / 'gt/gt.txt').write_text('1,1,0,0,5,5\n')
    found = find_sequences(tmp_path, 'MOT')
    assert [sequence.name for sequence in found] == ['a', 'b']
    (tmp_path / 'test/c/gt').mkdir(parents=True)
    (tmp_path / 'test/c/gt/gt.txt').write_text('1,1,0,0,5,5\n')
    match = 'several sets of videos: test, train.*Fix: name one.*test'
    with pytest.raises(AnnotationError, match=match):
        list(find_sequences(tmp_path, 'MOT'))


@pytest.mark.parametrize('text', ['no section', '[Sequence]\nname=a\nb\n'])
def test_error_about_seqinfo_is_one_line(tmp_path, text):
    (tmp_path / 'seqinfo.ini').write_text(text)
    (tmp_path / 'gt').mkdir()
    (tmp_path / 'gt/gt.txt').write_text('1,1,0,0,5,5\n')
    with pytest.raises(AnnotationError, match='not a seqinfo.ini') as caught:
        list(find_sequences(tmp_path, 'MOT'))
    assert '\n' not in str(caught.value)
