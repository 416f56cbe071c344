"""Checkpoint files of DeAOT: those of the public code and ours.

Ours have the weights of the network alone, or below ``network.``, as
training and :class:`DeAOTPropagator` write them. Files that mmengine's
``EMAHook`` took part in hold the averaged weights as ``state_dict``.
"""

from dataclasses import replace
from pathlib import Path
from typing import Dict, Optional

from mmengine.registry import DefaultScope
from torch import Tensor

from ..models.vos import DeAOT
from ..utils.checkpoint import load_weights, read_checkpoint
from ..utils.converted_files import (
    PathLike,
    refuse_same_file,
    write_checkpoint,
)
from ..utils.deaot_names import is_official, official_to_mm
from ..utils.errors import CheckpointError
from ..utils.vnext_names import ConversionReport

# Follows from the window size; files may lack it.
_INDEX = 'relative_position_index'
# Where models that hold a network have its weights.
_HOLDER = 'network.'
_LAYERS = 'gpm.layers.'


def load_deaot_checkpoint(network: DeAOT, file: PathLike) -> None:
    """Load the weights of a file of the public code or of ours.

    Of a training with ``EMAHook``, the averaged weights.

    Args:
        network (DeAOT): Changed in place.
        file (str | Path): Checkpoint; nothing in it is run.

    Raises:
        CheckpointError: If the file is missing, broken or of another
            network.
    """
    weights = read_checkpoint(file)['state_dict']
    if is_official(weights):
        weights, _ = official_to_mm(weights, file)
    elif any(name.startswith(_HOLDER) for name in weights):
        weights = {
            name[len(_HOLDER) :]: value
            for name, value in weights.items()
            if name.startswith(_HOLDER)
        }
    load_deaot_weights(network, weights, file)


def load_deaot_weights(
    network: DeAOT, weights: Dict[str, Tensor], file: Optional[PathLike] = None
) -> None:
    """Load weights by our names; all must be there.

    Args:
        network (DeAOT): Changed in place.
        weights (dict[str, Tensor]): By our names. Others are logged.
        file (str | Path, optional): Names the file in messages.

    Raises:
        CheckpointError: If a weight is missing or has another shape.
    """
    own = network.state_dict()
    deeper = [n for n in weights if n.startswith(_LAYERS) and n not in own]
    if deeper:
        # Shallower variants have all of their weights in it.
        raise CheckpointError(
            f'checkpoint of a DeAOT with more layers than arch='
            f'{network.arch!r}: {len(deeper)} weights from {deeper[0]} on',
            file=file,
            fix='give the arch that the file was trained with',
        )
    load_weights(network, {**_indices(network), **weights}, file)


def convert_deaot_checkpoint(
    src: PathLike, dst: Optional[PathLike] = None, arch: str = 'r50_deaotl'
) -> ConversionReport:
    """Convert a checkpoint of the public DeAOT to ours.

    Args:
        src (str | Path): File to read; nothing in it is run.
        dst (str | Path, optional): File to write. None only checks.
        arch (str): Network that the weights are of, see :class:`DeAOT`; it
            must get all of its weights. Defaults to 'r50_deaotl'.

    Returns:
        ConversionReport: What was used, dropped and made up.

    Raises:
        CheckpointError: If ``src`` is missing, broken or of another
            network.
        ConfigError: If ``arch`` is unknown or both files are the same.
        OutputError: If ``dst`` cannot be written.
    """
    refuse_same_file(src, dst)
    with DefaultScope.overwrite_default_scope('pmvis_mm'):
        network = DeAOT(arch)
    found, report = official_to_mm(read_checkpoint(src)['state_dict'], src)
    load_deaot_weights(network, found, src)
    ours = network.state_dict()
    dropped = (*report.dropped, *(n for n in found if n not in ours))
    report = replace(
        report,
        num_used=report.num_total - len(dropped),
        dropped=dropped,
        made_up=tuple(n for n in ours if n not in found),
    )
    meta = dict(arch=arch, source=f'{Path(src).name} of aot-benchmark')
    write_checkpoint(dict(state_dict=ours, meta=meta), dst)
    return report


def _indices(network: DeAOT) -> Dict[str, Tensor]:
    return {
        name: value
        for name, value in network.state_dict().items()
        if name.endswith(_INDEX)
    }
