"""The mask losses together, as PM-VIS and its relatives use them."""

import pytest
import torch

from pmvis_mm.models.losses import (
    BoxProjectionLoss,
    MaskDiceLoss,
    MaskFocalLoss,
    PairwiseAffinityLoss,
    linear_warmup,
)
from pmvis_mm.registry import MODELS
from pmvis_mm.structures.mask_targets import MaskTargets
from pmvis_mm.testing.sample_s import sample_s

MATCHED = torch.tensor([0, 0, 1])  # gt of each of the three queries
CASES = [  # swap_rb, threshold, Σw, L_pair, total at iteration 5000
    (False, 0.3, 174, 0.656870, 2.322833),
    (False, 0.2, 575, 0.776000, 2.441963),
    (True, 0.3, 295, 0.996103, 2.662067),
    (True, 0.2, 459, 0.896661, 2.562625),
]


def _rows(swap_rb=False) -> MaskTargets:
    return sample_s().targets(swap_rb).gather(MATCHED)


@pytest.mark.parametrize('swap_rb, tau, num_edges, value, total', CASES)
def test_p1_idol_boxinst_rows(swap_rb, tau, num_edges, value, total):
    sample, rows = sample_s(), _rows(swap_rb)
    projection = BoxProjectionLoss()(sample.logits, rows)
    assert projection.item() == pytest.approx(0.832982, abs=1e-5)
    similar = (rows.similarity >= tau)[rows.clip_index]
    assert (similar * rows.box_masks[:, :, None]).sum() == num_edges
    pairwise = PairwiseAffinityLoss(color_thresh=tau)(sample.logits, rows)
    assert pairwise.item() == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize('swap_rb, tau, num_edges, value, total', CASES)
def test_p2_weights_and_warm_up(swap_rb, tau, num_edges, value, total):
    logits, rows = sample_s().logits, _rows(swap_rb)
    projection = BoxProjectionLoss(2.0)(logits, rows).item()
    loss = PairwiseAffinityLoss(2.0, color_thresh=tau)
    terms = {}
    for iteration in (1, 5000, 10000, 12000):
        loss.warmup_factor = linear_warmup(iteration, 10000)
        terms[iteration] = loss(logits, rows).item()
    assert projection + terms[5000] == pytest.approx(total, abs=1e-5)
    assert terms[1] == pytest.approx(2e-4 * value, abs=1e-8)
    assert terms[10000] == terms[12000] == pytest.approx(2 * value, abs=2e-5)


def test_p3_mask_loss():
    sample, rows = sample_s(), _rows()
    focal = MaskFocalLoss()(sample.logits, rows).item()
    dice = MaskDiceLoss()(sample.logits, rows).item()
    assert focal == pytest.approx(0.551928, abs=1e-5)
    assert dice == pytest.approx(0.758444, abs=1e-5)
    weighted = MaskFocalLoss(1.0)(sample.logits, rows).item()
    weighted += MaskDiceLoss(2.5)(sample.logits, rows).item()
    assert weighted == pytest.approx(2.448038, abs=1e-5)
    assert weighted == pytest.approx(0.5 * (2 * focal + 5 * dice), abs=1e-5)
    every = sample.targets()
    focal = MaskFocalLoss()(sample.logits, every).item()
    dice = MaskDiceLoss()(sample.logits, every).item()
    assert focal == pytest.approx(0.569907, abs=1e-5)
    assert dice == pytest.approx(0.817196, abs=1e-5)


def _build(**weights):
    types = dict(
        proj='BoxProjectionLoss',
        pairwise='PairwiseAffinityLoss',
        focal='MaskFocalLoss',
        dice='MaskDiceLoss',
    )
    return {
        name: MODELS.build(dict(type=types[name], loss_weight=weight))
        for name, weight in weights.items()
    }


@pytest.mark.parametrize(
    'w1, w2, effective',
    [
        (1.0, 0.5, dict(proj=2.0, pairwise=2.0, focal=1.0, dice=2.5)),
        (0.5, 0.5, dict(proj=1.0, pairwise=1.0, focal=1.0, dice=2.5)),
        (1.0, 0.8, dict(proj=2.0, pairwise=2.0, focal=1.6, dice=4.0)),
        (0.0, 0.5, dict(focal=1.0, dice=2.5)),  # IDOL† of Table VII
    ],
)
def test_p10_effective_weights(w1, w2, effective):
    # 2 W1 (prj + pair) + W2 (2 focal + 5 dice), general formula of PM-VIS.
    logits, rows = sample_s().logits, _rows()
    total = sum(
        loss(logits, rows).item() for loss in _build(**effective).values()
    )
    unit = {
        name: loss(logits, rows).item()
        for name, loss in _build(proj=1, pairwise=1, focal=1, dice=1).items()
    }
    general = 2 * w1 * (unit['proj'] + unit['pairwise'])
    general += w2 * (2 * unit['focal'] + 5 * unit['dice'])
    assert total == pytest.approx(general, abs=1e-5)


def test_p16_empty_batch():
    empty = sample_s().targets().gather(torch.zeros(0, dtype=torch.long))
    logits = torch.zeros(0, 1, 16, 16, requires_grad=True)
    losses = _build(proj=2.0, pairwise=2.0, focal=1.0, dice=2.5)
    losses['pairwise'].warmup_factor = 0.125
    for loss in losses.values():
        value = loss(logits, empty)
        assert value.shape == ()
        assert value.item() == 0
        assert value.requires_grad
        value.backward()
    assert logits.grad.shape == logits.shape
    # Counting iterations is the hook's business, whatever the batch holds.
    assert losses['pairwise'].warmup_factor == 0.125


def test_missing_pseudo_mask_loses_only_the_mask_row():
    sample = sample_s()
    full = sample.targets()
    partial = MaskTargets(
        full.box_masks,
        similarity=full.similarity,
        masks=full.masks,
        masks_valid=torch.tensor([[True], [False], [True]]),
    )
    for loss in _build(proj=2.0, pairwise=2.0).values():
        assert torch.equal(
            loss(sample.logits, partial), loss(sample.logits, full)
        )
    kept = torch.tensor([0, 2])
    for loss in _build(focal=1.0, dice=2.5).values():
        assert loss(sample.logits, partial).item() == pytest.approx(
            loss(sample.logits[kept], full.gather(kept)).item(), abs=1e-6
        )
