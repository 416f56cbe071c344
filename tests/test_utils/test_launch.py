import argparse
import os
import subprocess
import sys

import pytest

pytest.importorskip('mmdet')

import torch
from mmengine.config import Config
from mmengine.registry import OPTIM_WRAPPERS

from pmvis_mm.engine import BFloat16OptimWrapper
from pmvis_mm.utils import launch
from pmvis_mm.utils.errors import ConfigError, OutputError
from pmvis_mm.utils.launch import close_distributed


def _args(*words):
    parser = argparse.ArgumentParser()
    parser.add_argument('config')
    launch.add_common_arguments(parser)
    return parser.parse_args(words)


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv('LOCAL_RANK', '0')  # restored after load_config
    path = tmp_path / 'some_name.py'
    path.write_text('a = dict(b=1, c=[1, 2])\n')
    return str(path)


def test_overrides_and_default_work_dir(config):
    cfg = launch.load_config(_args(config, '--cfg-options', 'a.b=5'))
    assert cfg.a.b == 5 and cfg.a.c == [1, 2]
    assert cfg.work_dir == os.path.join('work_dirs', 'some_name')
    assert cfg.launcher == 'none'


def test_work_dir_on_the_command_line_beats_the_config(config):
    words = (config, '--cfg-options', 'work_dir=mine')
    assert launch.load_config(_args(*words)).work_dir == 'mine'
    cfg = launch.load_config(_args(*words, '--work-dir', 'x'))
    assert cfg.work_dir == 'x'


def test_missing_config_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r'config not found.*nope\.py.*Fix'):
        launch.load_config(_args(str(tmp_path / 'nope.py')))


@pytest.mark.parametrize('spelling', ['--local_rank', '--local-rank'])
def test_both_spellings_of_local_rank(config, spelling, monkeypatch):
    monkeypatch.delenv('LOCAL_RANK')
    launch.load_config(_args(config, f'{spelling}=3'))
    assert os.environ['LOCAL_RANK'] == '3'


def test_checkpoint_paths_and_addresses(tmp_path):
    file = tmp_path / 'a.pth'
    file.touch()
    assert launch.check_checkpoint(str(file), 'fix') == str(file)
    url = 'https://example.org/a.pth'
    assert launch.check_checkpoint(url, 'fix') == url
    with pytest.raises(ConfigError, match=r'not found.*b\.pth.*Fix: look'):
        launch.check_checkpoint(str(tmp_path / 'b.pth'), 'look')


def test_amp_on_a_gpu_scales_the_loss(monkeypatch):
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper')))
    monkeypatch.setattr(launch, 'get_device', lambda: 'cuda')
    launch.enable_amp(cfg)
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert cfg.optim_wrapper.loss_scale == 'dynamic'


def test_amp_on_the_cpu_is_bfloat16(monkeypatch):
    monkeypatch.setattr(launch, 'get_device', lambda: 'cpu')
    parameter = torch.nn.Parameter(torch.ones(1))
    options = dict(
        optimizer=dict(type='SGD', lr=0.1), clip_grad=dict(max_norm=1.0)
    )
    amp = dict(type='AmpOptimWrapper', loss_scale=512.0, dtype='float16')
    for given in (dict(type='OptimWrapper'), amp):
        cfg = Config(dict(optim_wrapper=dict(given, **options)))
        launch.enable_amp(cfg)
        cfg.optim_wrapper.optimizer = torch.optim.SGD([parameter], lr=0.1)
        wrapper = OPTIM_WRAPPERS.build(cfg.optim_wrapper)
        assert type(wrapper) is BFloat16OptimWrapper


def test_amp_is_refused_where_mmengine_has_none(monkeypatch):
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper')))
    monkeypatch.setattr(launch, 'get_device', lambda: 'mps')
    with pytest.raises(ConfigError, match='--amp is not available on mps'):
        launch.enable_amp(cfg)
    assert cfg.optim_wrapper.type == 'OptimWrapper'


def test_auto_scale_lr_needs_its_base_batch_size():
    cfg = Config(dict(auto_scale_lr=dict(base_batch_size=16)))
    launch.enable_auto_scale_lr(cfg)
    assert cfg.auto_scale_lr.enable is True
    with pytest.raises(ConfigError, match='base_batch_size'):
        launch.enable_auto_scale_lr(Config(dict(a=1)))


def test_painting_needs_a_hook(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hooks = dict(visualization=dict(type='DetVisualizationHook'))
    cfg = Config(dict(default_hooks=hooks))
    launch.enable_painting(cfg, 'shown')
    assert cfg.default_hooks.visualization.draw is True
    shown = cfg.default_hooks.visualization.test_out_dir
    assert shown == str(tmp_path / 'shown')
    with pytest.raises(ConfigError, match='VISVisualizationHook'):
        launch.enable_painting(Config(dict(default_hooks={})), 'x')


def test_work_dir_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / 'file').write_text('')
    work_dir = tmp_path / 'file' / 'w'
    cfg = Config(dict(launcher='none', work_dir=str(work_dir)))
    with pytest.raises(OutputError, match='Fix: choose another') as caught:
        launch.build_runner(cfg)
    assert caught.value.file.parent == work_dir


@pytest.fixture
def process_groups(monkeypatch):
    started = []
    monkeypatch.setattr(
        launch.torch_dist, 'init_process_group', started.append
    )
    monkeypatch.setattr(launch.torch_dist, 'is_initialized', lambda: False)
    return started


def test_processes_on_cpu_use_gloo_and_no_device_ids(process_groups):
    cfg = Config(dict(launcher='pytorch', find_unused_parameters=True))
    launch._distribute_on_cpu(cfg)
    assert process_groups == ['gloo']
    assert cfg.env_cfg.dist_cfg.backend == 'gloo'
    assert cfg.model_wrapper_cfg == dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=True,
        device_ids=None,
    )


def test_a_wrapper_of_the_config_is_kept(process_groups):
    wrapper = dict(type='NoGradModelWrapper')
    cfg = Config(dict(launcher='pytorch', model_wrapper_cfg=wrapper))
    launch._distribute_on_cpu(cfg)
    assert cfg.model_wrapper_cfg == dict(type='NoGradModelWrapper')


def test_slurm_ranks_reach_torch(process_groups, monkeypatch):
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'):
        monkeypatch.setenv(name, '-1')  # so that they are restored
    monkeypatch.setenv('MASTER_ADDR', 'head')
    monkeypatch.setenv('MASTER_PORT', '1234')
    monkeypatch.setenv('SLURM_PROCID', '5')
    monkeypatch.setenv('SLURM_NTASKS', '8')
    monkeypatch.setenv('SLURM_LOCALID', '1')
    launch._distribute_on_cpu(Config(dict(launcher='slurm')))
    ranks = [os.environ[n] for n in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK')]
    assert ranks == ['5', '8', '1']
    assert os.environ['MASTER_ADDR'] == 'head'


def test_mpi_without_its_variables_is_explained(process_groups, monkeypatch):
    monkeypatch.delenv('OMPI_COMM_WORLD_RANK', raising=False)
    with pytest.raises(ConfigError, match=r'OMPI_COMM_WORLD_RANK.*mpirun'):
        launch._distribute_on_cpu(Config(dict(launcher='mpi')))


def test_closing_a_single_process_does_nothing():
    import torch.distributed as dist

    assert not dist.is_initialized()
    close_distributed()
    assert not dist.is_initialized()


_LEAVE = """
import multiprocessing, sys, time
import torch, torch.distributed
from pmvis_mm.utils.launch import close_distributed
torch.distributed.init_process_group(
    'gloo', init_method=sys.argv[1], rank=0, world_size=1
)
multiprocessing.Process(target=time.sleep, args=(600,)).start()
torch.__version__ = '2.1.2'  # where gloo is not closed
close_distributed()
"""


def test_no_worker_outlives_the_process(tmp_path, repo_root):
    """An orphan would hold the output open, and whoever reads it waits."""
    done = subprocess.run(
        [sys.executable, '-c', _LEAVE, f'file://{tmp_path}/store'],
        capture_output=True,
        cwd=repo_root,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
