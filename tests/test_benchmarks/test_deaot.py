"""The benchmark of multi-keyframe tracking runs and tells what it should."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip('mmcv.ops', exc_type=ImportError)


@pytest.mark.slow
def test_last_line_is_json(repo_root):
    command = [sys.executable, repo_root / 'benchmarks/deaot.py']
    command += ['--archs', 'deaott', '--size', '33', '49', '--frames', '6']
    command += ['--keyframes', '3', '--repeats', '1', '--large-frames', '0']
    command += ['--lengths', '4', '8', '--memory-size', '33', '49']
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
    times = found['details']['deaott']
    assert found['deaott'] == times['apart_s'] / times['together_s']
    assert found['joint'] == times['apart_s'] / times['joint_s']
    assert [run['frames'] for run in found['memory']] == [4, 8]
    for run in found['memory']:
        assert run['encoder_calls'] == run['frames']
        assert run['peak_mb'] >= run['start_mb'] > 0
    assert found['large'] == {}
