"""The benchmark of the selection runs and counts right."""

import json
import subprocess
import sys

import pytest


def run(repo_root, *options):
    script = repo_root / 'benchmarks' / 'selection.py'
    return subprocess.run(
        [sys.executable, str(script), *options],
        capture_output=True,
        text=True,
        cwd=repo_root,
    )


def test_last_line_is_json(repo_root):
    size = ['--height', '90', '--width', '160', '--seed', '1']
    done = run(repo_root, '--annotations', '201', *size)
    assert done.returncode == 0, done.stderr
    *progress, last = done.stdout.splitlines()
    assert progress[0].startswith('201 annotations in 2 videos')
    found = json.loads(last)
    assert found['annotations'] == 201
    # Masks need one of 'ibm', of which about 2 % are missing.
    assert 180 <= found['masks'] <= 201
    assert sum(found['winners'].values()) == found['masks']
    parts = found['seconds_doob'] + found['seconds_shqm']
    assert 0 < parts <= found['seconds'] + 0.02
    assert found['peak_mb'] > 10
    again = json.loads(
        run(repo_root, '--annotations', '201', *size).stdout.splitlines()[-1]
    )
    assert again['winners'] == found['winners']


@pytest.mark.parametrize('number', ['0', '-5'])
def test_bad_number_is_refused(repo_root, number):
    done = run(repo_root, '--annotations', number)
    assert done.returncode == 2
    assert f'--annotations should be at least 1: {number}' in done.stderr
