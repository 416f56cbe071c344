"""The benchmark of the label review page, in small."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pmvis_mm.testing.browser import find_chromium


@pytest.mark.skipif(find_chromium() is None, reason='no Chromium is installed')
def test_prints_times_and_memory(repo_root: Path) -> None:
    pytest.importorskip('flask')
    pytest.importorskip('playwright')
    done = subprocess.run(
        [sys.executable, str(repo_root / 'benchmarks' / 'review_page.py')]
        + ['--videos', '9', '--frames', '3', '--tracks', '2']
        + ['--repeats', '1', '--stops', '2', '--look-at', '2'],
        capture_output=True,
        text=True,
        check=True,
    )
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result['videos'], result['tracks']) == (9, 18)
    assert 0 < result['load_seconds'] <= result['load_seconds_max'] < 60
    if Path('/proc/self/smaps_rollup').exists():
        peaks = [result[f'renderer_mb_{s}'] for s in ('loaded', 'looked')]
        assert 10 < peaks[0] <= peaks[1] < result['all_mb_looked']


def test_an_index_that_is_not_there_is_named(
    repo_root: Path, tmp_path: Path
) -> None:
    pytest.importorskip('flask')
    done = subprocess.run(
        [sys.executable, str(repo_root / 'benchmarks' / 'review_page.py')]
        + ['--review', str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert 'the index of the review does not exist' in done.stderr
