"""Tools around the public datasets: what they print, how they end."""

import re
import shutil

import pytest

from pmvis_mm.datasets.layouts import LAYOUTS
from pmvis_mm.datasets.vos_folders import read_names
from pmvis_mm.formats.export_rules import RULES
from pmvis_mm.formats.readers import ANNOTATION_READERS
from pmvis_mm.testing.leak import find_masks
from pmvis_mm.testing.tiny_downloads import write_tiny_download
from pmvis_mm.utils.fileio import load_json

FOLDER = 'dataset_converters'


def test_check_download_of_a_whole_set(tool, tmp_path, capsys):
    root = write_tiny_download('ovis', tmp_path)
    assert tool(f'{FOLDER}/check_download.py', 'ovis', root) == 0
    out = capsys.readouterr().out
    assert f'OVIS in {root}' in out
    lines = [line.split() for line in out.splitlines()]
    assert ['annotations_train.json', 'note', 'training'] in lines
    assert ['valid', 'ok', 'validation'] in lines
    assert '2 videos; the official file has 607' in out


def test_check_download_names_what_is_missing(tool, tmp_path, capsys):
    root = write_tiny_download('ovis', tmp_path)
    shutil.rmtree(root / 'valid')
    assert tool(f'{FOLDER}/check_download.py', 'ovis', root) == 1
    out = capsys.readouterr().out
    assert 'valid: does not exist' in out
    assert 'fix: get valid.zip from https://songbai.site/ovis' in out


def test_check_download_of_a_file(tool, tmp_path):
    (tmp_path / 'train.zip').write_text('')
    code = tool(f'{FOLDER}/check_download.py', 'ovis', tmp_path / 'train.zip')
    assert code.startswith('error: this is a file, not a folder')
    assert 'train.zip' in code and 'name the folder' in code


def test_check_download_takes_the_root_of_the_configs(
    tool, tmp_path, monkeypatch, capsys
):
    write_tiny_download('youtube_vis_2022', tmp_path / 'data')
    monkeypatch.chdir(tmp_path)
    assert tool(f'{FOLDER}/check_download.py', 'youtube_vis_2022') == 0
    assert 'note: the training set is that of 2021' in capsys.readouterr().out


def test_check_download_knows_its_datasets(tool, capsys):
    assert tool(f'{FOLDER}/check_download.py', 'ytvis') == 2
    assert 'bdd100k_mots' in capsys.readouterr().err


def test_drop_masks(tool, tmp_path, capsys):
    root = write_tiny_download('ovis', tmp_path)
    source, out = root / 'annotations_train.json', root / 'boxes.json'
    assert tool(f'{FOLDER}/drop_masks.py', source, out) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ['removed', 'times']
    assert 'annotations.segmentations      4' in lines
    assert 'annotations.areas              4' in lines
    assert lines[-1] == f'written: {out}'
    assert find_masks(load_json(out)) == []
    assert tool(f'{FOLDER}/drop_masks.py', out, root / 'again.json') == 0
    assert 'nothing had to be removed' in capsys.readouterr().out
    assert load_json(out) == load_json(root / 'again.json')


def test_drop_masks_of_a_bad_file(tool, tmp_path):
    (tmp_path / 'a.json').write_text('{"videos": ')
    words = tmp_path / 'a.json', tmp_path / 'b.json'
    code = tool(f'{FOLDER}/drop_masks.py', *words)
    assert code.startswith('error: not a json file')
    assert not words[1].exists()


def test_find_overlap(tool, tmp_path, capsys):
    (tmp_path / 'a.txt').write_text('x\ny\nz\n')
    (tmp_path / 'b.txt').write_text('y\nw\n')
    words = tmp_path / 'a.txt', tmp_path / 'b.txt', '--out', tmp_path / 'c.txt'
    assert tool(f'{FOLDER}/find_overlap.py', *words) == 0
    out = capsys.readouterr().out
    assert f'{tmp_path}/b.txt       2       1' in out
    assert 'c.txt, 1 names' in out
    assert (tmp_path / 'c.txt').read_text().splitlines()[-1] == 'y'


def test_overlap_of_youtube_vis_and_vos(tool, tmp_path, monkeypatch, capsys):
    """As docs/dataset_prepare.md has it; the config reads the list."""
    monkeypatch.chdir(tmp_path)
    for name in ('youtube_vos', 'youtube_vis_2019', 'youtube_vis_2021'):
        write_tiny_download(name, 'data')
    words = (
        'data/youtube_vos/train/meta.json',
        'data/youtube_vis_2019/train.json',
        'data/youtube_vis_2021/train/instances.json',
    )
    out = 'data/youtube_vos/exclude.txt'
    assert tool(f'{FOLDER}/find_overlap.py', *words, '--out', out) == 0
    assert '1 names' in capsys.readouterr().out
    assert read_names(out) == ('003234408d',)


def test_the_docs_name_what_there_is(repo_root):
    text = (repo_root / 'docs/dataset_prepare.md').read_text('utf-8')
    paths = re.findall(r'(?:tools|configs|pmvis_mm)/[\w/.-]+\.py', text)
    assert len(set(paths)) > 8
    assert [p for p in paths if not (repo_root / p).is_file()] == []
    # The table of formats, and that of datasets.
    first = re.findall(r'^\| (`[^|]+) \|', text, re.MULTILINE)
    named = {name for cell in first for name in re.findall(r'`(\w+)`', cell)}
    assert set(ANNOTATION_READERS.module_dict) | set(LAYOUTS) <= named
    written = text.split('Formats: ')[1].split('\n\n')[0]
    assert set(re.findall(r'`(\w+)`', written)) == set(RULES)


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (('no.txt', 'no.txt'), 'error: list of videos cannot be read'),
        (('a.txt', 'a.txt', '--by-content', '.'), 'error: 1 folders'),
    ],
)
def test_find_overlap_ends_with_one_line(
    tool, tmp_path, monkeypatch, words, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'a.txt').write_text('x\n')
    code = tool(f'{FOLDER}/find_overlap.py', *words)
    assert code.startswith(message)
