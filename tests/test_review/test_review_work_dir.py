"""A pipeline's work dir as what is to be reviewed."""

import json

import pytest

from pmvis_mm.review.work_dir import find_review_inputs, write_review_inputs
from pmvis_mm.utils.errors import ConfigError


@pytest.fixture
def work_dir(tmp_path):
    root = tmp_path / 'work'
    report = root / 'recipe' / 'report'
    report.mkdir(parents=True)
    write_review_inputs(
        report,
        str(root / 'final' / 'masks.json'),
        {'prompted, raw': str(root / 'a' / 'stages' / 'raw.json')},
        '/data/boxes.json',
        '/data/frames',
    )
    return root


def test_masks_are_found_after_a_move(work_dir, tmp_path):
    moved = work_dir.rename(tmp_path / 'moved')
    for folder in (moved, moved / 'recipe', moved / 'recipe' / 'report'):
        found = find_review_inputs(folder)
        final = tmp_path / 'moved' / 'final' / 'masks.json'
        assert str(final) == str((folder / found.final).resolve())
        assert list(found.sources) == ['prompted, raw']
        assert found.sources['prompted, raw'].endswith('a/stages/raw.json')
        assert (found.ann_file, found.img_prefix) == (
            '/data/boxes.json',
            '/data/frames',
        )


def test_folders_without_a_report(tmp_path):
    with pytest.raises(ConfigError, match='no pipeline has made a report'):
        find_review_inputs(tmp_path)
    with pytest.raises(ConfigError, match='no pipeline has made a report'):
        find_review_inputs(tmp_path / 'no')


def test_several_reports(work_dir):
    other = work_dir / 'other' / 'report'
    other.mkdir(parents=True)
    write_review_inputs(other, 'm.json', None, 'b.json', 'f')
    with pytest.raises(ConfigError, match='several reports') as caught:
        find_review_inputs(work_dir)
    assert str(other) in str(caught.value)
    assert find_review_inputs(other).sources == {}


@pytest.mark.parametrize('content', [[], dict(final='x'), dict(sources=3)])
def test_malformed_note(work_dir, content):
    path = work_dir / 'recipe' / 'report' / 'inputs.json'
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match='does not say what a report'):
        find_review_inputs(work_dir)
