"""Running a script in several processes that talk through gloo."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, List, Union

_BEFORE = """
import datetime
import json
import sys
import torch
import torch.distributed as dist
rank, arguments = int(sys.argv[1]), sys.argv[4:]
torch.set_num_threads(1)
dist.init_process_group(
    'gloo',
    init_method='file://' + sys.argv[3],
    rank=rank,
    world_size=int(sys.argv[2]),
    timeout=datetime.timedelta(seconds=60),
)
"""
_AFTER = """
print('ANSWER', json.dumps(answer), flush=True)
sys.stdin.read()  # leaving one by one hangs in gloo of torch 2.1
"""


def run_processes(
    script: str, folder: Union[str, Path], *arguments: Any, count: int = 2
) -> List[Any]:
    """Run a script in every process of a gloo group.

    Args:
        script (str): Python source. It finds ``rank`` and ``arguments``
            (list of str), and leaves what it has to say, anything that json
            holds, as ``answer``.
        folder (str | Path): Where the processes meet; not used before.
        arguments: For the script.
        count (int): Number of processes. Defaults to 2.

    Returns:
        list: The answer of each process.

    Raises:
        RuntimeError: If a process ends without an answer; says what it
            wrote to its error output.
    """
    source = _BEFORE + script + _AFTER
    words = [str(count), str(Path(folder) / 'store'), *map(str, arguments)]
    workers = [
        subprocess.Popen(
            [sys.executable, '-c', source, str(rank), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    try:
        return [_answer(worker) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


def _answer(worker: 'subprocess.Popen[str]') -> Any:
    assert worker.stdout is not None and worker.stderr is not None
    for line in iter(worker.stdout.readline, ''):
        if line.startswith('ANSWER '):
            return json.loads(line.split(' ', 1)[1])
    raise RuntimeError(worker.stderr.read())
