"""Command lines of the stages."""

import sys

import pytest
import torch

from pmvis_mm.apis.pipeline import Launcher
from pmvis_mm.utils.errors import ConfigError

WORDS = ['c.py', '--work-dir', 'w']


def test_one_process(repo_root):
    assert Launcher().command('train.py', WORDS) == [
        sys.executable,
        str(repo_root / 'tools/train.py'),
        *WORDS,
    ]


@pytest.mark.parametrize('tool', ['train.py', 'test.py'])
def test_torchrun(tool, repo_root):
    words = Launcher(num_processes=4).command(tool, WORDS)
    assert words[:3] == [sys.executable, '-m', 'torch.distributed.run']
    assert words[3:5] == ['--standalone', '--nproc_per_node=4']
    assert words[5:] == [
        str(repo_root / 'tools' / tool),
        *WORDS,
        '--launcher',
        'pytorch',
    ]


def test_srun(repo_root):
    launcher = Launcher('slurm', 16, ('-p', 'gpu', '--gres=gpu:8'))
    words = launcher.command('test.py', WORDS)
    assert words[:5] == ['srun', '-p', 'gpu', '--gres=gpu:8', '--ntasks=16']
    assert words[5] == '--kill-on-bad-exit=1'
    assert words[-5:] == [*WORDS, '--launcher', 'slurm']


def test_bad_options():
    with pytest.raises(ConfigError, match="launcher 'mpi' is unknown"):
        Launcher('mpi')
    with pytest.raises(ConfigError, match='num_processes=0 is not'):
        Launcher(num_processes=0)


def test_more_gpus_than_there_are(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    Launcher(num_processes=2).check()
    with pytest.raises(ConfigError, match='3 GPUs are asked for, 2 are here'):
        Launcher(num_processes=3).check()
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    Launcher(num_processes=3).check()  # gloo on the CPUs


def test_no_slurm(monkeypatch):
    monkeypatch.setenv('PATH', '')
    with pytest.raises(ConfigError, match='no srun on this machine'):
        Launcher('slurm').check()


def test_failing_tool():
    with pytest.raises(RuntimeError, match='Finished stages are kept'):
        Launcher().call('test.py', ['no-such-config.py'])
