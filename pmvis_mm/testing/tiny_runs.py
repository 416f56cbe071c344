"""Runs of tiny IDOL models through the tools, for tests."""

import json
import math
import os
import runpy
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Mapping, Set, Union
from unittest import mock

import torch
from mmengine.logging import MessageHub, MMLogger
from mmengine.visualization import Visualizer
from torch import Tensor

from ..datasets.shapes_vis import write_shapes_vis
from ..structures import PseudoMaskSet
from ..utils.checkpoint import read_checkpoint
from ..visualization.local_visualizer import VISLocalVisualizer
from .tiny_idol import TINY_MODEL

# Live as long as the process; a run must not write to where another did.
_MANAGERS = (Visualizer, VISLocalVisualizer, MMLogger, MessageHub)
SIZE = (48, 64)  # height, width
_CONFIGS = dict(
    box='idol_boxinst/idol-boxinst_r18_1xb4-2k_own-box.py',
    box_tk='idol_boxinst/idol-boxinst-tk_r18_1xb4-2k_own-box.py',
    pseudo='pm_vis/pm-vis_r18_1xb4-2k_own-pseudo.py',
    pseudo_tk='pm_vis/pm-vis-tk_r18_1xb4-2k_own-pseudo.py',
    full='idol/idol_r18_1xb4-2k_own.py',
)
_LEAF = """
_base_ = {base!r}
model = {model!r}
train_pipeline = _base_.train_pipeline
train_pipeline[1]['transforms'][2]['scale'] = {scale}
test_pipeline = _base_.test_pipeline
test_pipeline[0]['transforms'][1]['scale'] = {scale}
train_dataloader = dict(
    batch_size=2,
    dataset=dict(data_root={root!r}, pipeline=train_pipeline),
)
val_dataloader = dict(
    dataset=dict(data_root={root!r}, pipeline=test_pipeline)
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file={root!r} + 'val/instances.json')
test_evaluator = val_evaluator
train_cfg = dict(max_iters=2)
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval=1, max_keep_ckpts=-1)
)
log_processor = dict(window_size=1)
randomness = dict(seed=0)
"""


def write_tiny_shapes(root: Path) -> None:
    """Write four videos to train on, two to test with, masks for PM-VIS.

    Args:
        root (Path): Gets ``train``, ``val`` and ``masks.json``.
    """
    write_shapes_vis(root / 'train', 4, num_frames=4, size=SIZE)
    write_shapes_vis(root / 'val', 2, num_frames=4, size=SIZE, seed=1)
    masks = PseudoMaskSet.load(root / 'train' / 'instances.json')
    masks.dump(root / 'masks.json')


def write_tiny_configs(
    folder: Path, data: Path, config_root: Path
) -> Dict[str, Path]:
    """Write tiny leaf configs of the methods.

    Args:
        folder (Path): Gets the configs.
        data (Path): From :func:`write_tiny_shapes`.
        config_root (Path): The shipped configs.

    Returns:
        dict[str, Path]: By supervision: 'box', 'pseudo', 'full'; with
        TKLoss 'box_tk', 'pseudo_tk'.
    """
    paths = {}
    for name, base in _CONFIGS.items():
        text = _LEAF.format(
            base=str(config_root / base),
            model=TINY_MODEL,
            scale=SIZE[::-1],
            root=f'{data}/',
        )
        if name.startswith('pseudo'):
            text += (
                'train_dataloader["dataset"]["pseudo_ann_file"] = '
                f'{str(data / "masks.json")!r}\n'
            )
        paths[name] = folder / f'tiny_{name}.py'
        paths[name].write_text(text)
    return paths


@contextmanager
def plain_config_text() -> Iterator[None]:
    """Let configs be written on one line; layout takes most of a tiny run."""
    same: Dict[str, Any] = dict(new=lambda text, **_: (text, True))
    # mmengine looks it up at import or, in newer versions, at each use.
    with (
        mock.patch('yapf.yapflib.yapf_api.FormatCode', **same),
        mock.patch('mmengine.config.config.FormatCode', create=True, **same),
    ):
        yield


def run_tool(path: Path, *words: Any) -> Any:
    """Run a tool in this process.

    Args:
        path (Path): Script.
        words (Any): Its arguments.

    Returns:
        Any: Its exit code.
    """
    for manager in _MANAGERS:
        manager._instance_dict.clear()
    argv = [path.name, *map(str, words)]
    with (
        mock.patch.object(sys, 'argv', argv),
        mock.patch.dict(os.environ, LOCAL_RANK='0'),
        plain_config_text(),
    ):
        try:
            runpy.run_path(str(path), run_name='__main__')
        except SystemExit as leave:
            return leave.code
    return 0


def read_losses(work_dir: Union[str, Path]) -> Dict[int, Dict[str, float]]:
    """Read the losses by iteration of the newest run in a work dir."""
    file = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))[-1]
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return {
        line['step']: {k: v for k, v in line.items() if 'loss' in k}
        for line in lines
        if 'loss' in line
    }


def positive_losses(values: Mapping[str, float]) -> Set[str]:
    """Name the losses of the last prediction that are not 0.

    Args:
        values (Mapping[str, float]): Of an iteration, all finite.

    Returns:
        set[str]: Names without ``loss_``.
    """
    assert all(math.isfinite(value) for value in values.values())
    return {
        name[len('loss_') :]
        for name, value in values.items()
        if name.startswith('loss_') and value > 0
    }


def train_tiny(
    tool: Callable[..., Any], config: Path, work_dir: Path, *options: str
) -> Dict[int, Dict[str, float]]:
    """Train.

    Args:
        tool (Callable): Runs the tool that its first argument names.
        config (Path): From :func:`write_tiny_configs`.
        work_dir (Path): Of the run.
        options (str): ``key=value`` for ``--cfg-options``.

    Returns:
        dict: The losses by iteration.
    """
    words = ['--work-dir', work_dir]
    if options:
        words += ['--cfg-options', *options]
    assert tool('train.py', config, *words) == 0
    return read_losses(work_dir)


def change_checkpoint(
    source: Path, path: Path, change: Callable[[Mapping[str, Tensor]], None]
) -> Path:
    """Write trained weights, changed, as a new checkpoint.

    Args:
        source (Path): Checkpoint.
        path (Path): New checkpoint.
        change (Callable): Changes the weights, by name, in place.

    Returns:
        Path: ``path``.
    """
    weights = read_checkpoint(source)['state_dict']
    change(weights)
    torch.save(dict(state_dict=weights), path)
    return path
