"""Networks of the ``deaot_*`` golden files: weights from closed formulas."""

from pathlib import Path
from typing import Any, Dict, Tuple

import torch
from mmengine.registry import DefaultScope
from torch import Tensor

from ..apis.deaot_checkpoint import load_deaot_weights
from ..models.vos import DeAOTPropagator
from ..utils.deaot_names import official_to_mm
from .closed_form import fill
from .golden import golden_dir

Shapes = Dict[str, Tuple[int, ...]]

_OWN = Path(__file__).resolve().parents[2] / 'tests' / 'data' / 'golden'
# The smaller networks are the first layers of DeAOT-L.
_LAYERS = dict(deaott=1, deaots=2, deaotb=3)


def official_shapes(arch: str) -> Shapes:
    """List the weights of the public DeAOT.

    Args:
        arch (str): See :class:`DeAOT`.

    Returns:
        dict[str, tuple[int]]: Shape by official name.
    """
    listed = 'deaotl' if arch in _LAYERS else arch
    shapes: Shapes = {}
    for line in _keys_file(f'keys_{listed}.txt').open():
        name, shape = line.split(' ', 1)
        numbers = shape.strip().strip('()').split(',')
        shapes[name] = tuple(int(n) for n in numbers if n.strip())
    layers = _LAYERS.get(arch, 3)
    return {
        name: shape
        for name, shape in shapes.items()
        if not name.startswith('LSTT.layers.')
        or int(name.split('.')[2]) < layers
    }


def _keys_file(name: str) -> Path:
    chosen = golden_dir() / name
    # The lists of names belong to the tests, golden numbers may come alone.
    return chosen if chosen.is_file() else _OWN / name


def golden_weights(arch: str) -> Dict[str, Tensor]:
    """Fill the weights of the public DeAOT from their names.

    Args:
        arch (str): See :class:`DeAOT`.

    Returns:
        dict[str, Tensor]: float32, by official name, without the indices
        that follow from the window size.
    """
    return fill(official_shapes(arch))


def golden_propagator(
    arch: str, dtype: torch.dtype = torch.float32, **kwargs: Any
) -> DeAOTPropagator:
    """Build a network with these weights, ready to track.

    Args:
        arch (str): See :class:`DeAOT`.
        dtype (torch.dtype): Of weights and features. Defaults to float32.
        **kwargs: See :class:`DeAOTPropagator`.

    Returns:
        DeAOTPropagator: In eval mode.
    """
    with DefaultScope.overwrite_default_scope('pmvis_mm'):
        propagator = DeAOTPropagator(dict(type='DeAOT', arch=arch), **kwargs)
    weights, _ = official_to_mm(golden_weights(arch))
    load_deaot_weights(propagator.network, weights)
    return propagator.to(dtype).eval()
