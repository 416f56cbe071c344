"""The benchmark of the selectors runs and counts right."""

import json
import subprocess
import sys

import pytest

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from pmvis_mm.datasets.shapes_vis import write_shapes_vis


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('select') / 'data'
    return write_shapes_vis(root, 2, 3, (48, 64), seed=2)


def run(repo_root, data, *options):
    return subprocess.run(
        [
            sys.executable,
            str(repo_root / 'benchmarks' / 'select_quality.py'),
            *('--ann-file', str(data / 'boxes.json')),
            *('--img-prefix', str(data / 'JPEGImages')),
            *('--truth-file', str(data / 'instances.json')),
            *options,
        ],
        capture_output=True,
        text=True,
        cwd=repo_root,
    )


def test_table_and_json(repo_root, data):
    truth = data / 'instances.json'
    sources = ['--sources', f'real={truth}', f'again={truth}']
    done = run(repo_root, data, *sources)
    assert done.returncode == 0, done.stderr
    *rows, last = done.stdout.splitlines()
    found = json.loads(last)
    assert found['miou'] == dict.fromkeys(
        ('real', 'again', 'shqm', 'quality', 'oracle'), 1.0
    )
    assert set(found['selectors']) == {'shqm', 'quality'}
    assert found['selectors']['quality']['ms_per_mask'] > 0
    names = [row.split()[0] for row in rows[-5:]]
    assert names == ['real', 'again', 'shqm', 'quality', 'oracle']


def test_some_videos_only(repo_root, data):
    truth = data / 'instances.json'
    options = ['--sources', f'real={truth}', '--videos']
    done = run(repo_root, data, *options, 'shapes_00001')
    assert done.returncode == 0, done.stderr
    assert 'shapes_00' in done.stdout or 'shapes_0' in done.stdout
    assert len(done.stdout.splitlines()[-2].split()) == 3
    done = run(repo_root, data, *options, 'nope')
    assert done.returncode == 1
    assert "error: no videos named ['nope']" in done.stderr
