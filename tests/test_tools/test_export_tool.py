"""export_masks.py through its words, and what hostile input it gets."""

import errno
import json
import os
import runpy
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from pmvis_mm.formats import RULES, export_set, load_source
from pmvis_mm.formats.export_marker import MARKER
from pmvis_mm.formats.export_names import file_stems, make_unique, video_name
from pmvis_mm.structures import PseudoMaskSet, VideoAnnotations, VideoInfo
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.testing.odd_dataset import odd_dataset, write_odd_frames
from pmvis_mm.utils.errors import (
    ConfigError,
    MaskSetError,
    OutputError,
    ResultsError,
)


@pytest.fixture
def run(repo_root, monkeypatch, capsys):
    """Function that runs the tool; gives its exit code and words."""

    def call(*words):
        path = repo_root / 'tools/dataset_converters/export_masks.py'
        monkeypatch.setattr(sys, 'argv', [path.name, *map(str, words)])
        code = 0
        try:
            runpy.run_path(str(path), run_name='__main__')
        except SystemExit as stop:
            code = stop.code
        return code, capsys.readouterr().out

    return call


@pytest.fixture
def odd(tmp_path):
    path = tmp_path / 'odd ä.json'
    path.write_text(json.dumps(odd_dataset()))
    return path


def _names(folder):
    return sorted(p.name for p in folder.iterdir() if p.name != MARKER)


# ---------------------------------------------------------------- the tool
def test_it_says_what_was_written_and_lost(run, odd, tmp_path):
    out = tmp_path / 'aus gabe'
    code, text = run(odd, 'mots', out)
    assert code == 0
    facts = json.loads(text.splitlines()[-1])
    assert facts == dict(
        path=str(out),
        videos=3,
        tracks=6,
        masks=17,
        boxes=0,
        lost={'pixels where masks overlap': 240},
    )
    assert 'left out: pixels where masks overlap     240' in text
    assert 'note: tracks are numbered from 1 in each video' in text
    assert f'ids 0 ... {2**40} do not fit' in text
    assert 'note: the format has no place for names of classes' in text
    assert _names(out) == ['MOT-02.txt', 'empty one.txt', 'ä clip.txt']
    lines = (out / 'MOT-02.txt').read_text().splitlines()
    assert [line.split()[:5] for line in lines[:3]] == [
        ['1', '2001', '2', '24', '32'],
        ['1', '10000', '10', '24', '32'],
        ['2', '2001', '2', '24', '32'],
    ]


@pytest.mark.parametrize('format', RULES)
def test_every_format(run, odd, tmp_path, format):
    out = tmp_path / 'out'
    words = []
    if format in ('mp4', 'webm'):
        write_odd_frames(tmp_path / 'frames', odd_dataset())
        words = ['--img-prefix', tmp_path / 'frames', '--fps', '5']
        words += ['--option', 'min_height=0']
    code, text = run(odd, format, out, *words)
    assert code == 0 and f'written: {out}' in text
    assert out.is_dir() != RULES[format].one_file
    assert _names(tmp_path)[-1] == 'out' or 'odd' in _names(tmp_path)[-1]
    assert not [n for n in _names(tmp_path) if n.startswith('.')]
    if out.is_dir():
        assert len(_names(out)) == 3 + (format == 'mot')  # seqmap.txt


def test_options_videos_and_threshold(run, odd, tmp_path):
    out = tmp_path / 'out'
    words = ['--videos', 'MOT-02', '12', '--option', 'first_frame=0']
    words += [
        'layout=files',
        'class_ids={"cat": 7, "yak": 8}',
        '--tight-boxes',
    ]
    code, text = run(odd, 'mot', out, *words)
    assert code == 0
    assert "note: class_ids names ['yak'], no classes of this file" in text
    assert _names(out) == ['MOT-02.txt', 'empty one.txt']
    lines = (out / 'MOT-02.txt').read_text().splitlines()
    assert lines[0] == '0,11,0,0,32,3,1,7,1'
    assert {line.split(',')[6] for line in lines} == {'0', '1'}  # a crowd
    assert 'numbered' not in text  # 11, 12 and 300 are fine
    code, _ = run(odd, 'mot', tmp_path / 'b', '--score-thr', '1.5')
    assert code == 0
    assert (tmp_path / 'b/MOT-02/gt/gt.txt').read_text() == ''


@pytest.mark.parametrize('zipped', [False, True])
def test_results(run, odd, tmp_path, zipped):
    mask = box_rle((1, 1, 4, 4), 20, 16)
    entry = dict(video_id=12, category_id=2, score=0.5)
    text = json.dumps([dict(entry, segmentations=[None, mask])])
    path = tmp_path / ('r.zip' if zipped else 'r.json')
    if zipped:
        with zipfile.ZipFile(path, 'w') as archive:
            archive.writestr('results.json', text)
    else:
        path.write_text(text)
    code, text = run(path, 'csv', tmp_path / 'a.csv', '--ann', odd)
    assert code == 0
    rows = (tmp_path / 'a.csv').read_text().splitlines()
    assert rows[1:] == ['empty one,1,,1,2,nobody,0.5,0.5,1,1,4,4,9']
    code, _ = run(path, 'csv', tmp_path / 'b.csv')
    assert 'results name neither videos nor categories' in code
    assert 'Fix: name the annotation file too (--ann)' in code


# ------------------------------------------------------------ bad requests
@pytest.mark.parametrize(
    'words, message',
    [
        (['--videos', 'nix'], 'no such video; there are 3: ä clip, MOT-02'),
        (['--option', 'shape=box'], r"has no options \['shape'\]"),
        (['--option', 'path=x'], r"has no options \['path'\]"),
        (['--option', 'first_frame=x'], r"first_frame='x' .* kind than 1"),
        (['--option', 'class_ids=[1]'], r'class_ids=\[1\] .* another kind'),
        (['--option', 'id_style=odd'], "id_style='odd' is unknown"),
        (['--option', 'layout=tree'], "layout 'tree' is unknown"),
        (['--ann', 'x.json'], 'this is no list of results'),
    ],
)
def test_bad_requests(run, odd, tmp_path, words, message):
    code, _ = run(odd, 'mots', tmp_path / 'out', *words)
    assert code.startswith('error: ')
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(code)
    assert _names(tmp_path) == [odd.name]


def test_unknown_format_and_missing_frames(odd, tmp_path):
    source = load_source(odd)
    with pytest.raises(ConfigError, match="format 'xml' is unknown"):
        export_set(source, 'xml', tmp_path / 'out')
    with pytest.raises(ConfigError, match=r"'mp4' paints .*--img-prefix"):
        export_set(source, 'mp4', tmp_path / 'out')
    assert _names(tmp_path) == [odd.name]


@pytest.mark.parametrize('format', ['results', 'mots', 'png'])
def test_boxes_are_no_masks(tmp_path, format):
    data = odd_dataset()
    for entry in data['annotations']:
        del entry['segmentations'], entry['areas']
    (tmp_path / 'a.json').write_text(json.dumps(data))
    source = load_source(tmp_path / 'a.json')
    with pytest.raises(ConfigError, match='holds masks, but .* boxes only'):
        export_set(source, format, tmp_path / 'out')


def test_older_exports_are_kept_unless_asked(run, odd, tmp_path):
    out = tmp_path / 'out'
    assert run(odd, 'png', out, '--videos', '3')[0] == 0
    code, _ = run(odd, 'png', out)
    assert 'it exists already' in code and '--overwrite' in code
    assert _names(out) == ['MOT-02']
    assert run(odd, 'png', out, '--overwrite')[0] == 0
    assert _names(out) == ['MOT-02', 'empty one', 'ä clip']
    for name in ('diary.doc', 'MOT-02/00009.png'):
        (out / name).write_text('mine')
        code, _ = run(odd, 'png', out, '--overwrite')
        assert f'holds {name!r}, which the export did not write' in code
        assert (out / name).read_text() == 'mine'
        (out / name).unlink()
    code, _ = run(odd, 'csv', out, '--overwrite')
    assert 'this is a folder' in code
    code, _ = run(odd, 'png', odd, '--overwrite')
    assert 'would replace its own source' in code
    code, _ = run(odd, 'json', odd, '--overwrite')
    assert 'would replace its own source' in code
    assert json.loads(odd.read_text()) == odd_dataset()


def test_a_folder_that_no_export_wrote_stays(odd, tmp_path):
    out = tmp_path / 'out'
    out.mkdir()
    notes = out / 'notes.txt'
    notes.write_text('mine')
    source = load_source(odd)
    for content in (None, '{', '[]', '{"files": 3}', '{"files": [[]]}'):
        if content is not None:
            (out / MARKER).write_text(content)
        with pytest.raises(OutputError, match='nothing tells .* by hand'):
            export_set(source, 'mots', out, overwrite=True)
        assert notes.read_text() == 'mine'
    (out / MARKER).write_text('{"files": ["other.txt"]}')
    with pytest.raises(OutputError, match="holds 'notes.txt'"):
        export_set(source, 'mots', out, overwrite=True)
    notes.unlink()
    (tmp_path / 'frames').mkdir()
    (out / 'link').symlink_to(tmp_path / 'frames')
    with pytest.raises(OutputError, match="holds 'link'"):
        export_set(source, 'mots', out, overwrite=True)
    (out / 'link').unlink()
    export_set(source, 'mots', out, overwrite=True)
    files = json.loads((out / MARKER).read_text())['files']
    assert files == _names(out) and len(files) == 3


def test_names_of_classes_are_kept_beside_sequences(run, odd, tmp_path):
    note = 'note: the format has no place for names of classes'
    for number, (words, kept) in enumerate([
        ([], True),
        (['layout=files'], False),
        (['class_ids={"cat": 7}'], False),
    ]):  # fmt: skip
        out = tmp_path / str(number)
        code, text = run(odd, 'mot', out, '--option', 'first_frame=1', *words)
        assert code == 0 and (note not in text) == kept
        assert any(out.rglob('labels.txt')) == kept


def test_errors_name_the_folder_that_was_asked_for(odd, tmp_path):
    data = odd_dataset()
    data['categories'][0]['name'] = 'two\nlines'
    odd.write_text(json.dumps(data))
    with pytest.raises(OutputError, match='fit into one line') as error:
        export_set(load_source(odd), 'mot', tmp_path / 'out')
    assert error.value.file.parent.parent.parent == tmp_path / 'out'
    assert str(error.value.file) in str(error.value)
    assert error.value.args == (str(error.value),)


# ----------------------------------------------------------- bad content
def test_a_set_without_videos(tmp_path):
    empty = PseudoMaskSet({}, [dict(id=1, name='a')], {}, 'empty')
    for format in ('json', 'mots'):
        with pytest.raises(MaskSetError, match='there is no video in it'):
            export_set(empty, format, tmp_path / 'out')
    assert _names(tmp_path) == []


def test_a_set_without_tracks(tmp_path):
    data = odd_dataset()
    data['annotations'] = []
    (tmp_path / 'a.json').write_text(json.dumps(data))
    source = load_source(tmp_path / 'a.json')
    report = export_set(source, 'coco_video', tmp_path / 'b.json')
    assert report.counts['tracks'] == 0 and report.counts['videos'] == 3
    made = json.loads((tmp_path / 'b.json').read_text())
    assert len(made['images']) == 11 and made['annotations'] == []
    assert [c['id'] for c in made['categories']] == [90, 4, 2]
    export_set(source, 'png', tmp_path / 'png')
    with Image.open(tmp_path / 'png/empty one/1.png') as image:
        assert image.size == (16, 20) and not np.asarray(image).any()


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(category_id=7), 'unknown category_id 7; known are'),
        (dict(video_id=99), 'a video that the annotations do not list'),
        (dict(score=float('nan')), 'has score nan'),
        (
            dict(segmentations=[None, box_rle((0, 0, 2, 2), 9, 9)]),
            r'a mask of size \[9, 9\] but the frames are \[20, 16\]',
        ),
        (dict(segmentations=[None]), 'has 1 segmentations but .* 2 frames'),
    ],
)
def test_results_that_do_not_fit(odd, tmp_path, change, message):
    entry = dict(video_id=12, category_id=2, score=0.5)
    entry.update(segmentations=[None, None], **{})
    path = tmp_path / 'r.json'
    path.write_text(json.dumps([dict(entry, **change)]))
    with pytest.raises(ResultsError, match=message) as error:
        load_source(path, odd)
    assert 'r.json' in str(error.value) and 'Fix: ' in str(error.value)


def test_a_set_with_masks_of_another_size(odd, tmp_path):
    masks = PseudoMaskSet.from_json(odd_dataset(), 'odd')
    track = masks.tracks[3][0]
    track.masks[1] = box_rle((0, 0, 2, 2), 9, 9)
    for format in RULES:
        if format in ('mp4', 'webm', 'csv', 'mot'):
            continue
        with pytest.raises(OutputError, match=r'a mask is \[9, 9\] but'):
            export_set(masks, format, tmp_path / 'out')
    assert _names(tmp_path) == [odd.name]


# -------------------------------------------------------------- bad disks
@pytest.mark.parametrize('format', ['json', 'csv', 'mots', 'png', 'cvat'])
def test_a_full_disk_leaves_nothing(odd, tmp_path, monkeypatch, format):
    source = load_source(odd)
    folder = tmp_path / 'new'
    (folder / 'old').mkdir(parents=True)
    replace = os.replace
    calls = []

    def full(old, new):
        calls.append(new)
        if len(calls) == 2 or RULES[format].one_file:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(old, new)

    monkeypatch.setattr(os, 'replace', full)
    with pytest.raises(OutputError, match='No space left on device'):
        export_set(source, format, folder / 'out')
    assert _names(folder) == ['old']


def test_a_folder_that_cannot_be_written(odd, tmp_path):
    (tmp_path / 'file').write_text('')
    source = load_source(odd)
    for format in ('json', 'png'):
        with pytest.raises(OutputError, match='cannot write here'):
            export_set(source, format, tmp_path / 'file/deep/out')


def test_a_disk_that_is_read_only(odd, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    source = load_source(odd)
    for name in ('mkstemp', 'mkdtemp'):
        monkeypatch.setattr(f'tempfile.{name}', refuse)
    for format in ('json', 'png', 'mots'):
        with pytest.raises(OutputError, match='Read-only file system'):
            export_set(source, format, tmp_path / 'out')
    assert _names(tmp_path) == [odd.name]


# ------------------------------------------------------------------ names
@pytest.mark.parametrize(
    'file, name',
    [
        ('bear/00000.jpg', 'bear'),
        ('480p/bear/00000.jpg', '480p/bear'),
        ('MOT17-02/img1/000001.jpg', 'MOT17-02'),
        ('img1/000001.jpg', 'img1'),
        ('00000.jpg', '8'),
        ('a b.MP4#0', 'a b'),
        ('x/c.mov#12', 'x/c'),
        ('x\\y\\0.png', 'x/y'),
    ],
)
def test_names_of_videos(file, name):
    assert video_name(VideoInfo(8, 4, 4, (file,))) == name


def test_names_of_files():
    assert file_stems(['480p/bear', '480p/dog']) == ['bear', 'dog']
    # The same last part, by case at least: all parts.
    assert file_stems(['a/Bear', 'b/bear']) == ['a_Bear', 'b_bear']
    assert file_stems(['Bear', 'bear', 'bear_2']) == [
        'Bear',
        'bear_3',
        'bear_2',
    ]
    hostile = ['..', '', 'a/..', '../../etc/passwd', 'c:\\x', 'CON', '-rf',
               '.git', 'a\n\0b', 'dot.', 'ü' * 300]  # fmt: skip
    stems = file_stems(hostile)
    assert len({s.lower() for s in stems}) == len(stems)
    for stem in stems:
        assert not set(stem) & set('/\\:*?"<>|\n\0')
        assert stem.strip('. ') == stem and not stem.startswith(('-', '.'))
        assert 0 < len(stem.encode()) <= 200
    assert stems[5] == '_CON' and stems[3] == '_.._.._etc_passwd'
    assert make_unique(['a', 'a', 'a_2', 'b', 'a']) == [
        'a',
        'a_3',
        'a_2',
        'b',
        'a_4',
    ]


def test_hostile_names_stay_in_the_folder(odd, tmp_path):
    data = odd_dataset()
    for video, name in zip(data['videos'], ['../../up', '..', 'a/../../up']):
        length = video['length']
        video['file_names'] = [f'{name}/{t}.jpg' for t in range(length)]
    (tmp_path / 'b.json').write_text(json.dumps(data))
    source = load_source(tmp_path / 'b.json')
    for format in ('mots', 'png', 'cvat', 'mot'):
        out = tmp_path / 'deep' / format
        report = export_set(source, format, out)
        assert len(report.files) == 3
        assert 'have other names as files' in report.notes[-1]
        for place in report.files.values():
            path = (out / place).resolve()
            assert path.exists() and out.resolve() in path.parents
    assert _names(tmp_path / 'deep') == ['cvat', 'mot', 'mots', 'png']


def test_annotations_and_mask_sets_as_python_objects(odd, tmp_path):
    truth = VideoAnnotations.from_file(odd, with_masks=True)
    export_set(truth, 'json', tmp_path / 'a.json')
    again = VideoAnnotations.from_file(tmp_path / 'a.json', with_masks=True)
    assert again.videos == truth.videos
    key = lambda track: track.id  # noqa: E731
    assert sorted(again, key=key) == sorted(truth, key=key)
    masks = PseudoMaskSet.load(odd)
    export_set(masks, 'png', tmp_path / 'png', videos=[3])
    with Image.open(tmp_path / 'png/MOT-02/000001.png') as image:
        assert sorted(np.unique(image)) == [0, 11, 255]


def test_videos_that_share_a_name(odd, tmp_path):
    data = odd_dataset()
    for video in data['videos']:
        names = range(video['id'] * 10, video['id'] * 10 + video['length'])
        video['file_names'] = [f'same/{t}.jpg' for t in names]
    (tmp_path / 'b.json').write_text(json.dumps(data))
    source = load_source(tmp_path / 'b.json')
    report = export_set(source, 'mots', tmp_path / 'out')
    assert list(report.files.items()) == [
        ('same', 'same.txt'),
        ('same_2', 'same_2.txt'),
        ('same_3', 'same_3.txt'),
    ]
    assert report.notes[0].startswith('2 videos got a number after a name')
    export_set(source, 'coco_video', tmp_path / 'c.json')
    made = json.loads((tmp_path / 'c.json').read_text())
    assert [v['name'] for v in made['videos']] == ['same', 'same_2', 'same_3']
