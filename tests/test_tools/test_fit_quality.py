"""The tool that fits the quality estimator, on a tiny set."""

import json
import subprocess
import sys

from pmvis_mm.labeling.selection import QualityModel


def call(repo_root, *arguments):
    tool = repo_root / 'tools/labeling/fit_quality.py'
    return subprocess.run(
        [sys.executable, str(tool), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_weights_are_printed_and_written(repo_root, tmp_path):
    out = tmp_path / 'weights.json'
    done = call(
        repo_root,
        *('--num-videos', 3, '--held-out', 2, '--draws', 4),
        *('--size', 64, 96, '--out', out),
    )
    assert done.returncode == 0, done.stderr
    figures, last = done.stdout.splitlines()[-2:]
    weights = json.loads(last)
    assert weights == json.loads(out.read_text())
    assert QualityModel(**weights).to_json() == weights
    assert weights['own'] and weights['joint']
    names, values = figures.split()[::2], figures.split()[1::2]
    measured = dict(zip(names, map(float, values)))
    assert set(measured) == {'shqm', 'quality', 'oracle', 'correlation'}
    assert measured['quality'] <= measured['oracle'] <= 1


def test_nothing_to_fit_to_is_refused(repo_root):
    done = call(repo_root, '--num-videos', 0)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith('error: --num-videos')
