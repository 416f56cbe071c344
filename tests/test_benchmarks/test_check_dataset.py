"""The benchmark of the dataset checker runs and finds its data clean."""

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize('words', [[], ['--box-only']])
def test_small(repo_root, words):
    path = repo_root / 'benchmarks/check_dataset.py'
    size = '--videos 6 --frames 5 --objects 2 --height 90 --width 160'
    done = subprocess.run(
        [sys.executable, str(path), *size.split(), *words],
        capture_output=True,
        text=True,
        cwd=repo_root,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found['videos'], found['frames']) == (6, 30)
    assert found['boxes'] == 60 and found['masks'] == (None if words else 60)
    # Of 40 classes, 12 tracks leave most unused.
    assert set(found['findings']) <= {'category-unused'}
    assert 0 < found['check_seconds'] < found['seconds']
    assert found['peak_mb'] > 0
