"""Weights that follow from their names, as the golden files have them."""

import hashlib
import math
from typing import Dict, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

# One tensor under two names: the decoder refines boxes with the box heads.
_TIED = ('transformer.decoder.bbox_embed', 'bbox_embed')


def closed_form_state_dict(
    params: Mapping[str, Sequence[int]],
) -> Dict[str, Tensor]:
    """Fill the weights of VNext's IDOL from their names.

    The golden outputs ``idol_r50_*`` were made with these weights: every
    tensor is drawn from a generator whose seed is a hash of its name, so
    nobody needs a checkpoint file.

    Args:
        params (Mapping[str, Sequence[int]]): Shape by VNext's name, as
            ``params`` of a golden json file.

    Returns:
        dict[str, Tensor]: float32, by the same names in the same order.
    """
    return {name: _fill(name, tuple(shape)) for name, shape in params.items()}


def _fill(name: str, shape: Sequence[int]) -> Tensor:
    name = name.replace(*_TIED)
    digest = hashlib.sha256(name.encode()).hexdigest()
    generator = np.random.RandomState(int(digest[:8], 16))
    noise = generator.standard_normal(tuple(shape) or (1,))
    values = _scaled(name, noise.astype(np.float32), shape)
    if 'class_embed' in name and name.endswith('bias'):
        values = values - 1.0
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def _scaled(name: str, values: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Give the noise a size that keeps activations and variances sane."""
    if name.endswith('running_var'):
        return np.abs(values) * 0.1 + 0.9
    if name.endswith('running_mean'):
        return values * 0.1
    owner = name.split('.')[-2] if '.' in name else ''
    if name.endswith('weight') and ('norm' in name or 'bn' in owner):
        return 1 + 0.1 * values
    if 'controller' in name:
        values = 0.62 * values
    if len(shape) >= 2:
        return values / math.sqrt(math.prod(shape[1:]))
    return 0.1 * values
