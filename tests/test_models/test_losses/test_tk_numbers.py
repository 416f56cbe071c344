"""Numbers of the specification that the public code of MaskFreeVIS gives."""

import math

import pytest
import torch

from pmvis_mm.models.losses import (
    BoxProjectionLoss,
    PairwiseAffinityLoss,
    TKLoss,
    prepare_targets,
    temporal_connections,
)
from pmvis_mm.models.temporal_matchers import PatchMatcher
from pmvis_mm.structures.mask_targets import MaskTargets
from pmvis_mm.testing.sample_tubes import sample_tubes
from pmvis_mm.utils.warmup import linear_warmup


@pytest.mark.parametrize(
    'swap_rb, projection, pairwise, temporal',
    [
        (True, 1.066950, 0.773856, 0.478672),
        (False, 1.066950, 0.761530, 0.418853),
    ],
)
def test_g6_tube_losses(swap_rb, projection, pairwise, temporal):
    logits, targets, index = sample_tubes(swap_rb)
    loss = TKLoss(loss_weight=0.1)
    targets = prepare_targets([BoxProjectionLoss(), loss], targets)
    rows = targets.gather(index)
    for other, expected in (
        (BoxProjectionLoss(), projection),
        (PairwiseAffinityLoss(), pairwise),
        (loss, temporal),
    ):
        assert other(logits, rows).item() == pytest.approx(expected, rel=1e-5)
    # n is the counter before the call, which counts itself.
    for calls, share in ((0, 1 / 2000), (999, 0.5), (1999, 1), (5000, 1)):
        loss.warmup_factor = linear_warmup(calls + 1, 2000)
        value = loss(logits, rows).item()
        assert value == pytest.approx(temporal * share, rel=1e-5)


def test_g6_joint_training_of_three_frames():
    logits, targets, index = sample_tubes(swap_rb=True, num_frames=3)
    loss = TKLoss(loss_weight=0.1, connection='release3')
    rows = loss.prepare(targets).gather(index)
    for other, expected in (
        (BoxProjectionLoss(), 1.009121),
        (PairwiseAffinityLoss(), 0.778992),
        (loss, 0.266197),
    ):
        assert other(logits, rows).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    'swap_rb, edges, patches, kept',
    [(True, 0.691406, 0.227648, 654), (False, 0.698438, 0.197309, 587)],
)
def test_g6_similar_pixels(swap_rb, edges, patches, kept):
    _, targets, _ = sample_tubes(swap_rb)
    similar = (targets.similarity >= 0.3).float().mean()
    assert similar.item() == pytest.approx(edges, abs=1e-6)
    cyclic = temporal_connections(5, 'cyclic')
    every = PatchMatcher(num_neighbors=None)(targets.lab, cyclic)
    share = len(every) / (2 * 5 * 9 * 256)
    assert share == pytest.approx(patches, abs=1e-6)
    matches = PatchMatcher()(targets.lab, cyclic)
    assert matches.counts[:, 0].tolist() == [kept, kept]


def test_g11_warm_up():
    loss = TKLoss()
    assert loss.warmup_iters == 200
    for iteration in (1, 37, 199, 200, 201):
        # Of the last of the 10 calls of this iteration, as released.
        released = min(10 * iteration / 2000, 1)
        factor = linear_warmup(iteration, loss.warmup_iters)
        assert factor == pytest.approx(released)


def test_g12_effective_weight():
    logits, targets, index = sample_tubes(swap_rb=True)
    loss = TKLoss()
    assert loss.loss_weight == 0.5
    loss.warmup_factor = 0.5
    value = loss(logits, loss.prepare(targets).gather(index))
    assert value.item() == pytest.approx(5 * 0.5 * 0.478672, rel=1e-5)


def single_pair(p, q):
    """The loss of one pixel with probability p, its partner with q."""
    targets = MaskTargets(
        torch.ones(1, 2, 1, 1), lab=torch.zeros(1, 2, 3, 1, 1)
    )
    loss = TKLoss(
        1.0,
        PatchMatcher(search=dict(kernel=1, dilation=1), num_neighbors=1),
        connection=[(0, 1)],
    )
    logits = torch.tensor([q, p]).logit().view(1, 2, 1, 1)
    return loss(logits, loss.prepare(targets)).item()


@pytest.mark.parametrize(
    'p, q, value',
    [
        (0.5, 0.5, 0.693147),
        (0.9, 0.9, 0.198451),
        (0.9, 0.1, 1.714798),
        (0.2, 0.9, 1.347074),
    ],
)
def test_g5_single_pairs(p, q, value):
    assert single_pair(p, q) == pytest.approx(value, abs=1e-6)


def test_g5_candidates_outside_cost_nothing_but_count():
    # All black: the 9 candidates of each of 2 x 2 pixels are alike, but
    # only the middle one is inside.
    targets = MaskTargets(
        torch.ones(1, 2, 2, 2), lab=torch.zeros(1, 2, 3, 2, 2)
    )
    loss = TKLoss(
        1.0, PatchMatcher(num_neighbors=None), connection='sequential'
    )
    value = loss(torch.zeros(1, 2, 2, 2), loss.prepare(targets))
    assert value.item() == pytest.approx(math.log(2) / 9)
