"""The benchmark of the temporal loss runs and both sides agree."""

import json
import subprocess
import sys

import pytest


def run(repo_root, *options):
    pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')
    script = repo_root / 'benchmarks' / 'tk_loss.py'
    return subprocess.run(
        [sys.executable, str(script), *options],
        capture_output=True,
        text=True,
        cwd=repo_root,
    )


def test_last_line_is_json(repo_root):
    size = ['--height', '160', '--width', '250', '--instances', '4']
    done = run(repo_root, '--quick', '--device', 'cpu', *size)
    assert done.returncode == 0, done.stderr
    first, *table, last = done.stdout.splitlines()
    assert first.startswith('2 predictions of 4 instances in 3 frames')
    assert len(table) == 3
    found = json.loads(last)
    assert found['max_grad_diff'] < 1e-5
    assert 0 < found['max_grad_diff_absolute'] < 1e-5
    assert found['speedup'] > 1  # of one run on a busy machine
    assert -0.1 < found['memory_ratio'] < 0.5  # negative: noise
    assert found['memory_by'] == 'peak RSS'
    assert found['mb_unfold'] > 2
    assert 0.02 < found['similar_candidates'] < 0.6
    assert 0.02 < found['box_area'] < 0.5
    assert found['pairs_per_prediction'] > 50
    assert 'growth' not in found


def test_bad_number_is_refused(repo_root):
    done = run(repo_root, '--instances', '0')
    assert done.returncode == 2
    assert '--instances should be at least 1: 0' in done.stderr
