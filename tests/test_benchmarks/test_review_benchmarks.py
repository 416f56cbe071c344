"""The benchmarks of the label review run and count right."""

import json
import subprocess
import sys

import pytest

pytest.importorskip('flask', reason='the page is served by Flask')

from pmvis_mm.testing.review_page import write_tiny_review


def run(repo_root, name, *words):
    return subprocess.run(
        [sys.executable, repo_root / 'benchmarks' / name, *map(str, words)],
        capture_output=True,
        text=True,
    )


def test_suspicion_finds_the_shifted_squares(repo_root, tmp_path):
    write_tiny_review(tmp_path)
    words = (
        tmp_path / 'final.json',
        *('--ann-file', tmp_path / 'instances.json'),
        *('--truth-file', tmp_path / 'instances.json'),
    )
    sources = [f'{n}={tmp_path / n}.json' for n in ('good', 'bad')]
    done = run(repo_root, 'review_suspicion.py', *words, '--sources', *sources)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures['tracks'] == 8
    # Squares of 8 columns, shifted by 2, 6, 0 and 4; the bars are right.
    assert figures['miou'] == pytest.approx(
        (6 / 10 + 2 / 14 + 1 + 4 / 12 + 4) / 8, abs=1e-4
    )
    # One of the sources is the truth; the score is the same for all.
    assert figures['agreement'] == pytest.approx(1)
    assert figures['suspicion'] > 0.8
    assert figures['1 - score'] is None


def test_index_of_a_few_videos(repo_root, tmp_path):
    done = run(
        repo_root, 'review_index.py', '--num-videos', 3, '--folder', tmp_path
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert (figures['videos'], figures['tracks']) == (3, 9)
    assert figures['masks'] > 9 * 4 * 36 * 0.9
    assert figures['/api/tracks/{track}/masks'] > 0
    assert (tmp_path / 'review.sqlite').is_file()


def test_mistakes_end_with_one_line(repo_root):
    done = run(repo_root, 'review_index.py', '--num-videos', 0)
    assert done.stderr == 'error: --num-videos must be 1 or more\n'
    words = ('no.json', '--ann-file', 'no.json', '--truth-file', 'no.json')
    done = run(repo_root, 'review_suspicion.py', *words)
    assert done.stderr.startswith('error: file does not exist')
