"""The benchmark of loading runs; it compares both sides itself."""

import json
import subprocess
import sys

import pytest

pytest.importorskip('mmdet.datasets')
pytest.importorskip('lmdb')


def test_both_sides_give_the_same_and_all_is_timed(repo_root):
    done = subprocess.run(
        [
            sys.executable,
            str(repo_root / 'benchmarks/loader.py'),
            *('--heights', '90', '--num-videos', '1', '--num-frames', '3'),
            *('--clips', '2', '--rounds', '1'),
        ],
        capture_output=True,
        text=True,
        cwd=repo_root,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result['same_results'] is True
    for kind in ('full', 'box'):
        found = result['90'][kind]
        assert found['ratio'] == pytest.approx(
            found['ours'] / found['stock'], abs=0.01
        )
        assert found['ours ms']['LoadVISFrame'] > 0
        assert found['stock ms']['LoadImageFromFile'] > 0
    storages = ['files', 'tar', 'lmdb', 'tar at 480p', 'video file']
    assert list(result['storages']) == storages
    assert min(result['storages'].values()) > 0
