"""The benchmark of HQ-SAM runs and both sides make the same masks."""

import importlib.util
import json
import subprocess
import sys

import pytest

PACKAGE = importlib.util.find_spec('segment_anything_hq') is not None


def run(repo_root, *options):
    pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')
    script = repo_root / 'benchmarks' / 'hq_sam.py'
    return subprocess.run(
        [sys.executable, str(script), *options],
        capture_output=True,
        text=True,
        cwd=repo_root,
    )


@pytest.mark.skipif(not PACKAGE, reason='segment-anything-hq not installed')
def test_last_line_is_json(repo_root):
    size = ['--size', '60', '80', '--repeats', '1', '--boxes', '1', '5']
    done = run(repo_root, *size)
    assert done.returncode == 0, done.stderr
    *table, last = done.stdout.splitlines()
    assert table[0].startswith('vit_tiny, 80 x 60, cpu, 1 thread(s), torch')
    assert table[1].split() == ['boxes', '1', '5']
    assert [line.split()[0] for line in table[2:]] == [
        'ours',
        'package',
        'per_instance',
    ]
    found = json.loads(last)
    # One box, five boxes, and five with an embedding for each.
    assert found['compared_pixels'] == (1 + 5 + 5) * 60 * 80
    assert found['differing_pixels'] == 0
    assert 0.05 < found['masked_share'] < 0.95
    assert found['speedup_per_instance'] > found['speedup_5_boxes'] > 0.5


@pytest.mark.skipif(PACKAGE, reason='segment-anything-hq is installed')
def test_missing_package_is_one_line(repo_root):
    done = run(repo_root)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.splitlines()[-1].startswith(
        'error: the package segment-anything-hq cannot be imported'
    )
    assert 'Traceback' not in done.stderr


def test_bad_number_is_refused(repo_root):
    done = run(repo_root, '--boxes', '0')
    assert done.returncode == 2
    assert 'numbers should be at least 1' in done.stderr
