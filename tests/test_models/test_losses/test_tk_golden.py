"""MaskFreeVIS's three mask losses, against its public code."""

from pathlib import Path
from typing import Dict, Optional

import numpy as np
import pytest
import torch

from pmvis_mm.models.losses import (
    BoxProjectionLoss,
    PairwiseAffinityLoss,
    TKLoss,
)
from pmvis_mm.models.temporal_matchers import patch_similarity
from pmvis_mm.models.temporal_matchers.patch import search_offsets
from pmvis_mm.models.utils import (
    box_bitmasks,
    lab_features,
    pairwise_similarity,
)
from pmvis_mm.structures.mask_targets import MaskTargets
from pmvis_mm.testing.golden import golden_dir, golden_files
from pmvis_mm.utils.warmup import linear_warmup

_PATTERN = 'tkloss_*.npz'
# The counter of the public code goes up in each of the 10 layers.
_WARMUP_CALLS = 2000
_LOSSES = dict(
    loss_mask=BoxProjectionLoss(),
    loss_bound=PairwiseAffinityLoss(),
    loss_bound_neighbor=TKLoss(loss_weight=0.1),
)


def _cases() -> list:
    files = golden_files(_PATTERN)
    if files:
        return [pytest.param(path, id=path.stem) for path in files]
    reason = f'no {_PATTERN} in {golden_dir()}'
    return [pytest.param(None, marks=pytest.mark.skip(reason=reason))]


def _load(path: Optional[Path]) -> Dict[str, torch.Tensor]:
    assert path is not None
    with np.load(path) as file:
        return {key: torch.from_numpy(file[key]) for key in file.files}


def _targets(gold: Dict[str, torch.Tensor], lab: torch.Tensor) -> MaskTargets:
    size = tuple(gold['frames'].shape[-2:])
    return MaskTargets(
        box_bitmasks(gold['boxes'], size, 4, 'exact', 'bilinear'),
        similarity=pairwise_similarity(lab)[None],
        lab=lab[None],
    )


@pytest.mark.parametrize('path', _cases())
def test_colours_and_similarities(path):
    gold = _load(path)
    lab = lab_features(gold['frames'])
    assert torch.allclose(lab, gold['lab'], atol=2e-2)
    spatial = pairwise_similarity(gold['lab'][:1])
    assert torch.allclose(spatial, gold['sim0'], atol=1e-5)
    temporal = patch_similarity(
        gold['lab'][:1],
        gold['lab'][1:2],
        search_offsets(dict(kernel=3, dilation=3)),
    )
    assert torch.allclose(temporal, gold['nei01'], atol=1e-5)
    assert 0 < (temporal >= 0.05).float().mean() < 1


@pytest.mark.parametrize('colours', ['of the file', 'ours'])
@pytest.mark.parametrize('name', _LOSSES)
@pytest.mark.parametrize('path', _cases())
def test_losses_and_gradients(path, name, colours):
    gold = _load(path)
    own = colours == 'ours'
    lab = lab_features(gold['frames']) if own else gold['lab']
    loss, targets = _LOSSES[name], _targets(gold, lab)
    if name == 'loss_bound_neighbor':
        targets = loss.prepare(targets)
        loss.warmup_factor = linear_warmup(int(gold['iter']), _WARMUP_CALLS)
    logits = gold['logits'].clone().requires_grad_()
    value = loss(logits[0, gold['src']], targets.gather(gold['tgt']))
    value.backward()
    expected = gold[f'loss/{name}'].item()
    assert value.item() == pytest.approx(expected, rel=1e-5)
    grad = gold[f'grad/{name}']
    largest = grad.abs().max()
    assert largest > 1e-5
    assert (logits.grad - grad).abs().max() < 1e-4 * largest
