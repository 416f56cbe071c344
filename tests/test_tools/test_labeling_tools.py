"""Command lines of tools/labeling."""

import json
import os
import socket
import subprocess
import sys

import pytest

from pmvis_mm.testing.tiny_vis import write_tiny_vis


def call(repo_root, tool, *arguments):
    return subprocess.run(
        [sys.executable, repo_root / 'tools/labeling' / tool, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_filter_annotations(repo_root, tmp_path):
    write_tiny_vis(tmp_path)
    real = tmp_path / 'instances.json'
    data = json.loads(real.read_text())
    annotation = data['annotations'][0]
    frame = next(t for t, b in enumerate(annotation['bboxes']) if b)
    annotation['segmentations'][frame] = None
    (tmp_path / 'masks.json').write_text(json.dumps(data))
    done = call(
        repo_root,
        'filter_annotations.py',
        real,
        tmp_path / 'masks.json',
        tmp_path / 'out.json',
        '--ria',
        '0.6',
        '--drop-empty-videos',
    )
    assert done.returncode == 0, done.stderr
    assert 'removed=1' in done.stdout.split('RIA')[0]
    out = json.loads((tmp_path / 'out.json').read_text())
    by_id = {a['id']: a for a in out['annotations']}
    kept = by_id.get(annotation['id'])
    assert kept is None or kept['bboxes'][frame] is None


def test_mistakes_end_with_one_line(repo_root, tmp_path):
    done = call(
        repo_root, 'filter_annotations.py', 'no.json', 'no.json', 'out.json'
    )
    assert done.returncode == 1
    assert done.stderr.strip().startswith('error: file does not exist')
    config = repo_root / 'configs/labeling/pipeline_weights-free.py'
    done = call(
        repo_root,
        'run_pipeline.py',
        config,
        *('--work-dir', tmp_path / 'w'),
        *('--ann-file', tmp_path / 'no.json', '--img-prefix', tmp_path),
    )
    assert done.returncode == 1
    assert 'error: file does not exist' in done.stderr
    assert 'Traceback' not in done.stderr


@pytest.fixture
def own(tmp_path, config_root):
    """Boxes, frames and a pipeline config of one labelling stage."""
    write_tiny_vis(tmp_path, with_masks=False)
    config = tmp_path / 'pipeline.py'
    config.write_text(
        f'ann_file = {str(tmp_path / "instances.json")!r}\n'
        f'img_prefix = {str(tmp_path / "JPEGImages")!r}\n'
        "config = 'labeling/grabcut_doob.py'\n"
        "stages = [dict(name='a', type='label', config='$config')]\n"
    )
    return config


def test_dry_run_tells_what_would_run(repo_root, own, tmp_path):
    words = ('run_pipeline.py', own, '--work-dir', tmp_path / 'w')
    done = call(repo_root, *words, '--dry-run')
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert '  a  label    would run   never run' in lines
    assert lines[-1] == 'All checks passed.'
    assert not (tmp_path / 'w/a').exists()


def test_dry_run_lists_all_problems(repo_root, own, tmp_path):
    next((tmp_path / 'JPEGImages').rglob('*.png')).unlink()
    words = ('run_pipeline.py', own, '--work-dir', tmp_path / 'w')
    done = call(
        repo_root, *words, '--dry-run', '--cfg-options', 'config=no.py'
    )
    assert done.returncode == 1
    error = done.stderr[done.stderr.index('error: ') :]
    assert error.startswith('error: 2 problems:\n  1. frame does not exist')
    assert "  2. config of stage 'a' not found" in error
    assert 'a  label' in done.stdout  # the table comes all the same


def test_help_says_how_processes_start(repo_root):
    text = call(repo_root, 'run_pipeline.py', '--help').stdout
    assert 'torchrun' in text and 'srun of its own' in text


@pytest.mark.parametrize(
    'script', ['dist_run_pipeline.sh', 'slurm_run_pipeline.sh']
)
def test_pipeline_scripts_print_their_usage(repo_root, script):
    path = repo_root / 'tools/labeling' / script
    done = subprocess.run(['bash', path, 'x'], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith('usage: ')


def shell(repo_root, script, *words, **env):
    return subprocess.run(
        ['bash', str(repo_root / 'tools/labeling' / script), *map(str, words)],
        env=dict(os.environ, PYTHON=sys.executable, **env),
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_dist_script_uses_several_processes(repo_root, own, tmp_path):
    """Two gloo processes, the bytes of one."""
    one = call(repo_root, 'run_pipeline.py', own, '--work-dir', tmp_path / '1')
    two = shell(
        repo_root, 'dist_run_pipeline.sh', own, 2, '--work-dir', tmp_path / '2'
    )
    assert one.returncode == two.returncode == 0, two.stderr
    assert '--nproc_per_node=2' in two.stdout + two.stderr
    found = [(tmp_path / n / 'a/masks.json').read_bytes() for n in '12']
    assert found[0] == found[1]


# Does for one task what slurm would do.
SRUN = """#!/bin/sh
echo "srun $@" > {log}
while [ "${{1%python*}}" = "$1" ]; do shift; done
SLURM_PROCID=0 SLURM_NTASKS=1 SLURM_LOCALID=0 MASTER_PORT={port} exec "$@"
"""


def test_slurm_script_gives_each_stage_an_srun(repo_root, own, tmp_path):
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        port = sock.getsockname()[1]
    srun, log = tmp_path / 'bin/srun', tmp_path / 'srun.log'
    srun.parent.mkdir()
    srun.write_text(SRUN.format(log=log, port=port))
    srun.chmod(0o755)
    done = shell(
        repo_root,
        'slurm_run_pipeline.sh',
        *('gpu', 'job', own, '--work-dir', tmp_path / 'w'),
        PATH=f'{srun.parent}{os.pathsep}{os.environ["PATH"]}',
        GPUS='1',
        GPUS_PER_NODE='1',
        SRUN_ARGS='--qos high',
    )
    assert done.returncode == 0, done.stderr
    text = log.read_text()
    assert text.startswith('srun -p gpu --job-name=job --gres=gpu:1 ')
    assert '--qos high --ntasks=1 --kill-on-bad-exit=1' in text
    assert text.strip().endswith('--launcher slurm')
    assert (tmp_path / 'w/a/masks.json').is_file()
