"""How the processes of a stage are started."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

from mmengine.logging import print_log

from ...utils.errors import ConfigError
from .config import package_root

LAUNCHERS = ('pytorch', 'slurm')


@dataclass(frozen=True)
class Launcher:
    """Runs a tool in processes of its own, as a person would.

    With 'pytorch' several processes run on this machine by torchrun, one
    for each GPU (without GPUs, gloo on the CPUs). With 'slurm' each stage is
    one ``srun`` with ``num_processes`` tasks: it waits for its resources,
    and holds them for the stage only.

    Attributes:
        kind (str): 'pytorch' or 'slurm'. Defaults to 'pytorch'.
        num_processes (int): Processes of each stage that labels, trains or
            tests. Defaults to 1.
        srun_args (tuple[str]): Further words for ``srun``: partition,
            GPUs, ... Defaults to none.

    Raises:
        ConfigError: If the kind is unknown or there is no process.
    """

    kind: str = 'pytorch'
    num_processes: int = 1
    srun_args: Tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in LAUNCHERS:
            raise ConfigError(
                f'launcher {self.kind!r} is unknown',
                fix=f'choose from {LAUNCHERS}',
            )
        if self.num_processes < 1:
            raise ConfigError(
                f'num_processes={self.num_processes} is not positive',
                fix='use 1 or more',
            )

    def command(self, tool: str, words: Sequence[Any]) -> List[str]:
        """Write the command line of a tool.

        Args:
            tool (str): File in ``tools/``.
            words (Sequence): Its arguments.

        Returns:
            list[str]: What to run.
        """
        script = [str(package_root() / 'tools' / tool), *map(str, words)]
        number = self.num_processes
        if self.kind == 'slurm':
            srun = ['srun', *self.srun_args, f'--ntasks={number}']
            srun += ['--kill-on-bad-exit=1', sys.executable, '-u']
            return [*srun, *script, '--launcher', 'slurm']
        if number == 1:
            return [sys.executable, *script]
        torchrun = [sys.executable, '-m', 'torch.distributed.run']
        torchrun += ['--standalone', f'--nproc_per_node={number}']
        return [*torchrun, *script, '--launcher', 'pytorch']

    def call(self, tool: str, words: Sequence[Any]) -> None:
        """Run a tool and wait for it.

        Args:
            tool (str): File in ``tools/``.
            words (Sequence): Its arguments.

        Raises:
            RuntimeError: If it fails.
        """
        command = self.command(tool, words)
        print_log(' '.join(command))
        status = subprocess.run(command, env=_environment()).returncode
        if status:
            raise RuntimeError(
                f'{tool} failed with exit status {status}; what it printed '
                'is above. Finished stages are kept: mend the cause and run '
                'the same command again'
            )

    def check(self) -> None:
        """Look for what starts the processes.

        Raises:
            ConfigError: If more GPUs are asked for than there are, or there
                is no slurm.
        """
        if self.kind == 'slurm':
            if shutil.which('srun') is None:
                raise ConfigError(
                    'no srun on this machine',
                    fix='start from a login node of the cluster, or use '
                    'tools/labeling/dist_run_pipeline.sh',
                )
            return
        import torch  # the pipeline itself does without

        found = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if found and self.num_processes > found:
            raise ConfigError(
                f'{self.num_processes} GPUs are asked for, {found} are here',
                fix='lower --num-processes, or check CUDA_VISIBLE_DEVICES',
            )


def _environment() -> Dict[str, str]:
    """Let child processes find this package without an installation."""
    root = str(Path(__file__).resolve().parents[3])
    paths = [root, os.environ.get('PYTHONPATH', '')]
    return {
        **os.environ,
        'PYTHONPATH': os.pathsep.join(p for p in paths if p),
    }
