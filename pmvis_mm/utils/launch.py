"""What `tools/train.py` and `tools/test.py` share: config and launcher.

Imported by the tools only, so that the rest of ``utils`` stays free of torch.
"""

import argparse
import logging
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, List, Mapping, Optional

import torch
import torch.distributed as torch_dist
from mmengine.config import Config, ConfigDict, DictAction
from mmengine.device import get_device
from mmengine.model import is_model_wrapper
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from mmengine.utils import digit_version
from torch import nn

from .checkpoint import check_weights
from .errors import CheckpointError, ConfigError
from .fileio import ensure_writable
from .num_classes import sync_num_classes

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')

# Where each launcher leaves rank, world size and local rank.
_RANK_VARIABLES: Mapping[str, List[str]] = {
    'slurm': ['SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'],
    'mpi': [
        'OMPI_COMM_WORLD_RANK',
        'OMPI_COMM_WORLD_SIZE',
        'OMPI_COMM_WORLD_LOCAL_RANK',
    ],
}


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that training and testing share.

    Args:
        parser (argparse.ArgumentParser): Parser of the tool.
    """
    parser.add_argument(
        '--work-dir',
        help='folder of logs and results; default: work_dir of the config, '
        'else work_dirs/<name of the config>',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override settings of the config: key=value; a list is '
        'key="[a,b]" without white space',
    )
    parser.add_argument(
        '--launcher',
        choices=LAUNCHERS,
        default='none',
        help='how the processes were started',
    )
    # torch.distributed.launch passes one or the other, by torch's version.
    parser.add_argument(
        '--local_rank',
        '--local-rank',
        type=int,
        default=0,
        help=argparse.SUPPRESS,
    )


def load_config(args: argparse.Namespace) -> Config:
    """Read the config of a command line and apply its overrides.

    Args:
        args (argparse.Namespace): Has ``config`` and the arguments of
            :func:`add_common_arguments`.

    Returns:
        Config: With ``work_dir`` and ``launcher`` set.

    Raises:
        ConfigError: If the config file does not exist.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    if not Path(args.config).is_file():
        raise ConfigError(
            'config not found',
            file=args.config,
            fix='check the path; configs of an installed package are run '
            'by name through "mim train|test pmvis_mm NAME.py"',
        )
    cfg = Config.fromfile(args.config)
    cfg.launcher = args.launcher
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = os.path.join('work_dirs', Path(args.config).stem)
    sync_num_classes(cfg)
    return cfg


def check_checkpoint(path: str, fix: str) -> str:
    """Check that a local checkpoint exists; URLs pass as they are.

    Args:
        path (str): File, or an address with ``://``.
        fix (str): What the error message proposes.

    Returns:
        str: ``path``.

    Raises:
        ConfigError: If ``path`` is no file.
    """
    if '://' not in path and not Path(path).is_file():
        raise ConfigError('checkpoint not found', file=path, fix=fix)
    return path


def check_load_from(cfg: Config, runner: Runner) -> None:
    """Refuse an initial or resumed checkpoint of another model.

    Args:
        cfg (Config): With ``load_from``, ``resume`` and maybe
            ``allow_partial_load`` (True: weights that the file lacks start
            anew).
        runner (Runner): Built, not started.

    Raises:
        CheckpointError: If the file is missing or does not fit.
    """
    load_from = cfg.get('load_from')
    if not load_from or str(load_from).lower() == 'none':
        return
    if '://' not in load_from and not Path(load_from).is_file():
        raise CheckpointError(
            'load_from does not exist',
            file=load_from,
            fix='make it (the README beside the config says how), or start '
            'without: --cfg-options load_from=None',
        )
    resume = bool(cfg.get('resume'))
    check_weights(
        unwrapped(runner.model),
        load_from,
        new_classes=not resume,
        allow_missing=bool(cfg.get('allow_partial_load')) and not resume,
        resume=resume,
    )


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the model inside of DistributedDataParallel and the like."""
    inner: Any = model.module if is_model_wrapper(model) else model
    return inner


def enable_amp(cfg: Config) -> None:
    """Train with automatic mixed precision.

    On a GPU in float16 with dynamic loss scaling, on the CPU in bfloat16,
    which needs none.

    Args:
        cfg (Config): Changed in place.

    Raises:
        ConfigError: If mmengine has no mixed precision for this device.
    """
    device = get_device()
    if device == 'cpu':
        # The full path, as the default scope may be another.
        cfg.optim_wrapper.type = 'pmvis_mm.engine.BFloat16OptimWrapper'
        for key in ('loss_scale', 'dtype', 'use_fsdp'):
            cfg.optim_wrapper.pop(key, None)
        return
    if device not in ('cuda', 'npu', 'mlu', 'musa'):
        raise ConfigError(
            f'--amp is not available on {device}', fix='leave --amp out'
        )
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.loss_scale = 'dynamic'


def enable_auto_scale_lr(cfg: Config) -> None:
    """Scale the learning rate with the real batch size.

    Args:
        cfg (Config): Changed in place.

    Raises:
        ConfigError: If the config does not say its base batch size.
    """
    scale = cfg.get('auto_scale_lr') or {}
    if 'base_batch_size' not in scale:
        raise ConfigError(
            '--auto-scale-lr needs auto_scale_lr.base_batch_size',
            file=cfg.filename,
            fix='add auto_scale_lr=dict(base_batch_size=N), N being the '
            'batch size that the learning rate was chosen for',
        )
    cfg.auto_scale_lr.enable = True


def enable_painting(cfg: Config, show_dir: str) -> None:
    """Let the visualization hook paint predictions into a folder.

    Args:
        cfg (Config): Changed in place.
        show_dir (str): Where the painted frames go.

    Raises:
        ConfigError: If the config has no visualization hook.
    """
    hook = (cfg.get('default_hooks') or {}).get('visualization')
    if not hook:
        raise ConfigError(
            '--show-dir needs default_hooks.visualization',
            file=cfg.filename,
            fix="add dict(type='DetVisualizationHook') for images or "
            "dict(type='VISVisualizationHook') for videos",
        )
    hook.draw = True
    # The hooks join this to a time-stamped folder unless it is absolute.
    hook.test_out_dir = os.path.abspath(show_dir)


def build_runner(cfg: Config) -> Runner:
    """Build the runner, on gloo when several processes share CPUs.

    Args:
        cfg (Config): Complete config.

    Returns:
        Runner: mmengine's, or the one that ``runner_type`` names.

    Raises:
        OutputError: If the work folder cannot be written.
    """
    ensure_writable(cfg.work_dir)
    if cfg.launcher != 'none' and get_device() == 'cpu':
        _distribute_on_cpu(cfg)
    if 'runner_type' in cfg:
        return RUNNERS.build(cfg)
    return Runner.from_cfg(cfg)


def close_distributed() -> None:
    """Leave the process group together, after a run that went well.

    A process that exits while gloo's threads still run may abort, although
    its results are complete. After an error nobody waits for the others:
    the launcher ends them.
    """
    if not (torch_dist.is_available() and torch_dist.is_initialized()):
        return
    torch_dist.barrier()
    old = digit_version(torch.__version__) < digit_version('2.2')
    if not (old and torch_dist.get_backend() == 'gloo'):
        torch_dist.destroy_process_group()
        return
    # There gloo may also hang while it is closed (seen once in 12 runs with
    # torch 2.1). Everything is on disk: leave without closing it.
    for worker in multiprocessing.active_children():
        # Workers of a dataloader would wait for a reader for ever.
        worker.terminate()
        worker.join(10)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _distribute_on_cpu(cfg: Config) -> None:
    """Do what mmengine's ``init_dist`` does, without touching CUDA."""
    env_cfg = cfg.setdefault('env_cfg', ConfigDict())
    env_cfg.setdefault('dist_cfg', ConfigDict()).backend = 'gloo'
    if cfg.launcher in _RANK_VARIABLES:
        _export_ranks(cfg.launcher)
    if not torch_dist.is_initialized():
        torch_dist.init_process_group('gloo')
    wrapper = cfg.get('model_wrapper_cfg') or dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    if str(wrapper.get('type', '')).endswith('DistributedDataParallel'):
        # mmengine's default is [LOCAL_RANK], which DDP refuses on CPU.
        wrapper.setdefault('device_ids', None)
    cfg.model_wrapper_cfg = wrapper


def _export_ranks(launcher: str) -> None:
    """Give torch the ranks that slurm or mpi announced."""
    names = ('RANK', 'WORLD_SIZE', 'LOCAL_RANK')
    for name, theirs in zip(names, _RANK_VARIABLES[launcher]):
        if theirs not in os.environ:
            raise ConfigError(
                f'--launcher {launcher} without {theirs} in the environment',
                fix='start through srun or mpirun, or use --launcher pytorch',
            )
        os.environ[name] = os.environ[theirs]
    if 'MASTER_ADDR' not in os.environ:
        nodes = os.environ.get('SLURM_NODELIST')
        os.environ['MASTER_ADDR'] = _first_host(nodes)
    os.environ.setdefault('MASTER_PORT', '29500')


def _first_host(nodes: Optional[str]) -> str:
    if not nodes:
        return '127.0.0.1'
    hosts = subprocess.run(
        ['scontrol', 'show', 'hostnames', nodes],
        check=True,
        capture_output=True,
        text=True,
    )
    return hosts.stdout.split()[0]
