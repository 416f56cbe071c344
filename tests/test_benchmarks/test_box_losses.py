"""The benchmark of the box losses runs and both sides agree."""

import json
import subprocess
import sys

import pytest


def run(repo_root, *options):
    pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')
    script = repo_root / 'benchmarks' / 'box_losses.py'
    return subprocess.run(
        [sys.executable, str(script), *options],
        capture_output=True,
        text=True,
        cwd=repo_root,
    )


def test_last_line_is_json(repo_root):
    size = ['--height', '200', '--width', '250', '--repeats', '1']
    done = run(repo_root, '--quick', '--device', 'cpu', *size)
    assert done.returncode == 0, done.stderr
    *table, last = done.stdout.splitlines()
    # 200 x 250 is padded to 224 x 256; masks are at a quarter.
    assert '2 layers, 5 instances, maps of 56 x 64' in table[-4]
    found = json.loads(last)
    assert found['max_grad_diff'] < 1e-5
    assert 0 < found['max_grad_diff_absolute'] < 1e-5
    assert found['speedup'] > 0.5  # of one run on a busy machine
    assert 0 <= found['memory_ratio'] < 0.5
    assert found['memory_by'] == 'peak RSS'
    assert found['mb_unfold'] > 5
    assert 0.2 < found['similar_edges'] < 0.8
    assert 0 < found['box_area'] < 0.5


def test_bad_number_is_refused(repo_root):
    done = run(repo_root, '--layers', '0')
    assert done.returncode == 2
    assert '--layers should be at least 1: 0' in done.stderr
