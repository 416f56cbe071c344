"""The benchmark of streaming inference runs and tells what it should."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip('mmcv.ops', exc_type=ImportError)


@pytest.mark.slow
def test_last_line_is_json(repo_root):
    config = repo_root / 'configs/idol/idol_r18_1xb4-2k_own.py'
    command = [sys.executable, repo_root / 'benchmarks/inference.py']
    command += ['--config', config, '--growth-size', '64', '96']
    command += ['--lengths', '2', '4', '--instances', '5', '--sizes']
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        cwd=repo_root,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
    )
    assert done.returncode == 0, done.stderr
    *_, last = done.stdout.splitlines()
    found = json.loads(last)
    short, long = found['growth']
    assert (short['frames'], long['frames']) == (2, 4)
    assert short['size'] == [64, 96]
    for run in (short, long):
        assert run['fps'] > 0 and run['peak_mb'] >= run['start_mb'] > 0
        assert 1 <= run['instances_per_frame'] <= 6
    assert found['memory_growth'] == pytest.approx(
        long['peak_mb'] / short['peak_mb']
    )
