"""Two processes share out the videos of a labelling run."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from mmengine.config import Config
from mmengine.runner import Runner

from pmvis_mm.datasets.shapes_vis import write_shapes_vis

pytestmark = pytest.mark.slow
NUM_VIDEOS, NUM_FRAMES = 8, 3
RESULTS = ('masks.json', 'stages/raw.json', 'stages/doob.json')

# Slows one process down or holds it up as long as a folder exists.
HOOK = """
import os, time
from pathlib import Path
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from pmvis_mm.registry import HOOKS


@HOOKS.register_module()
class HoldUpHook(Hook):
    def __init__(self, rank, seconds=0, folder='nowhere'):
        self.rank, self.seconds, self.folder = rank, seconds, Path(folder)

    def after_label(self, runner, video, result):
        if get_rank() == self.rank:
            if self.folder.is_dir():
                (self.folder / f'{os.getpid()}.pid').touch()
            while self.folder.is_dir():
                time.sleep(0.05)
            time.sleep(self.seconds)
"""


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('sharing') / 'data'
    return write_shapes_vis(root, NUM_VIDEOS, NUM_FRAMES, (48, 64), seed=2)


@pytest.fixture(scope='module')
def alone(data, config_root, tmp_path_factory):
    """Work folder of a run in one process."""
    work_dir = tmp_path_factory.mktemp('alone')
    cfg = Config.fromfile(str(config_root / 'labeling' / 'grabcut_doob.py'))
    cfg.test_dataloader.dataset.ann_file = str(data / 'boxes.json')
    cfg.test_dataloader.dataset.img_prefix = str(data / 'JPEGImages')
    cfg.work_dir, cfg.experiment_name = str(work_dir), uuid.uuid4().hex
    Runner.from_cfg(cfg).test()
    return work_dir


@pytest.fixture
def start(data, repo_root, tmp_path):
    """Function that starts a labelling run with a hook of its own."""
    (tmp_path / 'hold_up.py').write_text(HOOK)

    def popen(work_dir, processes, **hook):
        config = tmp_path / 'config.py'
        base = repo_root / 'configs' / 'labeling' / 'grabcut_doob.py'
        hooks = [dict(type='DOOBHook'), dict(type='HoldUpHook', **hook)]
        config.write_text(
            f'_base_ = [{str(base)!r}]\ncustom_hooks = {hooks!r}\n'
            "custom_imports = dict(imports=['hold_up'])\n"
        )
        words = [sys.executable, repo_root / 'tools' / 'test.py', config]
        if processes > 1:
            words = ['bash', repo_root / 'tools' / 'dist_test.sh', config]
            words += ['none', processes]
        dataset = 'test_dataloader.dataset'
        words += ['--work-dir', work_dir, '--cfg-options']
        words += [f'{dataset}.ann_file={data / "boxes.json"}']
        words += [f'{dataset}.img_prefix={data / "JPEGImages"}']
        with socket.socket() as sock:
            sock.bind(('127.0.0.1', 0))
            port = str(sock.getsockname()[1])
        env = dict(os.environ, PYTHON=sys.executable, PORT=port)
        env.update(PYTHONPATH=f'{tmp_path}{os.pathsep}{repo_root}')
        env.pop('LOCAL_RANK', None)
        return subprocess.Popen(
            [str(word) for word in words],
            cwd=tmp_path,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return popen


def finish(process):
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output[-5000:]
    return output


def shards_of(work_dir):
    return {
        path.stem: path.stat().st_mtime_ns
        for path in Path(work_dir).glob('shards-*/*.json')
    }


def stats_of(work_dir):
    return json.loads((work_dir / 'label_stats.json').read_text())


def assert_same(work_dir, expected):
    for name in RESULTS:
        got, want = (folder / name for folder in (work_dir, expected))
        assert got.read_bytes() == want.read_bytes(), name
    # Claims are gone with the run, killed ones with the next.
    assert not list(work_dir.glob('shards-*/claims'))


def test_slow_process_leaves_its_share_to_the_other(start, alone, tmp_path):
    both = tmp_path / 'both'
    output = finish(start(both, 2, rank=1, seconds=2))
    assert "backend='gloo'" in output
    assert_same(both, alone)
    fast, slow = stats_of(both)['ranks']
    assert (fast['rank'], slow['rank']) == (0, 1)
    assert fast['videos'] > slow['videos'] >= 1
    assert fast['videos'] + slow['videos'] == NUM_VIDEOS
    assert fast['frames'] == NUM_FRAMES * fast['videos']
    # By halves, the slow one would need 8 s.
    assert 2 <= slow['seconds'] and fast['seconds'] > 0
    assert fast['idle_seconds'] >= 0
    assert f'process 1 labelled {slow["videos"]} videos' in output
    (whole,) = stats_of(alone)['ranks']
    assert whole['videos'] == NUM_VIDEOS and whole['idle_seconds'] < 1


@pytest.mark.skipif(not hasattr(signal, 'SIGKILL'), reason='no such signal')
def test_killed_process_is_finished_by_another_run(start, alone, tmp_path):
    hold = tmp_path / 'hold'
    work_dir, other = tmp_path / 'w', tmp_path / 'other'
    hook = dict(rank=1, folder=str(hold))
    hold.mkdir()
    process = start(work_dir, 2, **hook)
    try:
        # The second process stands in a video, the first did all others.
        _wait_until(
            lambda: (
                len(shards_of(work_dir)) == NUM_VIDEOS - 1
                and list(hold.iterdir())
            ),
            process,
        )
        (mark,) = hold.iterdir()
        os.kill(int(mark.stem), signal.SIGKILL)
        output, _ = process.communicate(timeout=300)
    finally:
        process.kill()
        shutil.rmtree(hold)
    assert process.returncode != 0
    assert 'Signal 9' in output or 'exitcode: -9' in output or '-9' in output
    before = shards_of(work_dir)
    assert len(before) == NUM_VIDEOS - 1
    assert not (work_dir / 'masks.json').exists()
    # What it had claimed is left behind and must not matter.
    assert len(list(work_dir.glob('shards-*/claims/*/*'))) == NUM_VIDEOS
    shutil.copytree(work_dir, other)
    for folder, processes in ((work_dir, 1), (other, 2)):
        before = shards_of(folder)
        output = finish(start(folder, processes, **hook))
        assert f'{len(before)} of {NUM_VIDEOS} videos are finished' in output
        assert_same(folder, alone)
        after = shards_of(folder)
        assert {key: after[key] for key in before} == before
        ranks = stats_of(folder)['ranks']
        assert sum(share['videos'] for share in ranks) == 1


def _wait_until(condition, process, seconds=400):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[0][-5000:]
        assert time.monotonic() < end, 'too slow'
        time.sleep(0.05)
