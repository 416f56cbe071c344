"""The benchmark of the evaluation runs, and its two sides agree."""

import json
import subprocess
import sys

import pytest

pytest.importorskip('mmdet.evaluation.functional')

SMALL = ['--height', '72', '--width', '128', '--seed', '3']


def run(repo_root, *options):
    done = subprocess.run(
        [
            sys.executable,
            str(repo_root / 'benchmarks/evaluator.py'),
            *SMALL,
            *options,
        ],
        capture_output=True,
        text=True,
        cwd=repo_root,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_both_evaluators_agree(repo_root):
    words = ['--frames', '5', '--truths', '4', '--predictions', '12']
    found = run(repo_root, *words, '--errors')
    assert found['max_diff'] <= 1e-9 and 0 < found['AP'] < 1
    assert found['speedup'] > 1
    assert found['speedup'] == pytest.approx(
        found['seconds_ytviseval'] / found['seconds_evaluate_tracks']
    )
    assert (found['truths'], found['predictions']) == (4, 12)


def test_validation(repo_root):
    words = ['--videos', '3', '--frames', '6', '--predictions', '7']
    found = run(repo_root, '--validation', *words)
    assert found['videos'] == 3 and 9 <= found['frames'] <= 27
    assert 0 < found['masks'] <= 7 * found['frames']
    assert 0 < found['megabytes']['zip'] < found['megabytes']['json']
    assert found['seconds'] > 0 and found['peak_mb'] >= found['before_mb']
