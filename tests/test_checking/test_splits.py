"""Overlap between files."""

import copy
import json
import shutil

import pytest

from pmvis_mm.checking import check_files
from pmvis_mm.checking.splits import frame_keys, shared_videos
from pmvis_mm.utils.errors import ConfigError


@pytest.fixture
def compare(data, clean_root, tmp_path):
    """Function that checks the clean file and a changed one."""

    def run(change=lambda data: None, prefixes=(), **options):
        other = copy.deepcopy(data)
        change(other)
        files = clean_root / 'instances.json', tmp_path / 'val.json'
        files[1].write_text(json.dumps(other))
        reports, overlap = check_files(files, prefixes, **options)
        assert not sum(len(report.findings) for report in reports)
        return list(overlap), str(files[0]), str(files[1])

    return run


def rename(data, names):
    for video, stem in zip(data['videos'], names):
        video['file_names'] = [stem.format(t) for t in range(4)]


def test_same_frames(compare):
    found, train, val = compare()
    assert [f.code for f in found] == ['split-shared-frames'] * 2
    assert [(f.video, f.file) for f in found] == [(1, val), (2, val)]
    assert found[0].problem == (f'4 of 4 frames are also in {train}, video 1')


def test_some_frames(compare):
    found, *_ = compare(lambda d: rename(d, ('x/{}.png', 'v1/0000{}.png')))
    assert [(f.code, f.video) for f in found] == [('split-shared-frames', 2)]


def test_no_frames(compare):
    found, *_ = compare(lambda d: rename(d, ('x/{}.png', 'y/{}.png')))
    assert found == []


def test_parts_of_a_video(compare):
    found, *_ = compare(lambda d: rename(d, ('x/{}.png', 'v1/0010{}.png')))
    (finding,) = found
    assert (finding.code, finding.video) == ('split-same-name', 2)
    assert finding.severity == 'note' and "of 'v1'" in finding.problem


def test_same_names_below_other_folders(compare, clean_root, tmp_path):
    """Names say nothing there, pictures do."""
    images = clean_root / 'JPEGImages'
    other = tmp_path / 'val'
    shutil.copytree(images, other)
    shutil.copy(other / 'v0/00001.png', other / 'v0/00000.png')
    found, train, _ = compare(prefixes=[images, other])
    assert [(f.code, f.video) for f in found] == [('split-same-content', 2)]
    assert found[0].problem.endswith(f'as video 2 of {train}')
    found, *_ = compare(prefixes=[images, other], decode='none')
    assert found == []
    found, *_ = compare(prefixes=[images])
    assert [f.code for f in found] == ['split-shared-frames'] * 2


def test_categories(compare):
    def change(data):
        rename(data, ('x/{}.png', 'y/{}.png'))
        data['categories'][0]['name'] = 'bar'
        data['categories'][1]['name'] = 'square'

    (finding,), _, val = compare(change)
    assert finding.code == 'split-categories' and finding.file == val
    assert finding.problem.endswith("'1: bar', '2: square'")


def test_bad_arguments(clean_root, tmp_path):
    file = clean_root / 'instances.json'
    with pytest.raises(ConfigError, match='named twice'):
        check_files([file, file])
    with pytest.raises(ConfigError, match='2 image folders for 1 files'):
        check_files([file], ['a', 'b'])
    with pytest.raises(ConfigError, match="decode='some' is unknown"):
        check_files([file], decode='some')


def test_file_that_cannot_be_read(clean_root, tmp_path):
    text = (clean_root / 'instances.json').read_text()
    (tmp_path / 'cut.json').write_text(text[: len(text) // 2])
    reports, _ = check_files(
        [tmp_path / 'cut.json', tmp_path / 'x', clean_root / 'instances.json']
    )
    codes = [report.findings.codes for report in reports]
    assert codes == [('file-unreadable',), ('file-unreadable',), ()]
    assert 'not a json file' in next(iter(reports[0].findings)).problem
    assert 'does not exist' in next(iter(reports[1].findings)).problem


def images(*paths):
    return [dict(img_path=path) for path in paths]


def test_keys_of_loaded_datasets():
    first = frame_keys(
        [
            dict(video_id=3, images=images('a/b/0.png', 'a/b/1.png')),
            dict(video_id=5, images=images('a/c/0.png')),
        ]
    )
    second = frame_keys(
        [
            dict(video_id=1, images=images('a/x/../b/1.png')),
            dict(video_id=2, images=images('c/0.png')),
        ]
    )
    assert [keys.shape for keys in first.values()] == [(2,), (1,)]
    assert shared_videos(first, second) == [3]
    assert shared_videos(second, first) == [1]
    assert shared_videos(first, {}) == shared_videos({}, first) == []
