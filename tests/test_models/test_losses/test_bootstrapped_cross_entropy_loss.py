import math

import pytest
import torch
import torch.nn.functional as F

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from pmvis_mm.models.losses import (
    BootstrappedCrossEntropyLoss,
    bootstrapped_cross_entropy_loss,
)
from pmvis_mm.registry import MODELS
from pmvis_mm.utils.errors import ConfigError, PMVISError


def two_class(probabilities):
    """Logits (1, 2, 1, N) that give label 1 these probabilities."""
    p = torch.tensor(probabilities)
    return torch.stack((torch.zeros_like(p), p.logit()))[None, :, None]


def test_hand_values_of_all_and_of_the_hardest_half():
    logits = two_class([0.5, 0.25, 0.9, 0.8])
    labels = torch.tensor([[[1, 1, 1, 0]]])
    # -log of .5, .25, .9 and .2
    costs = [-math.log(p) for p in (0.5, 0.25, 0.9, 0.2)]
    found = bootstrapped_cross_entropy_loss(logits, labels)
    assert found.item() == pytest.approx(sum(costs) / 4, rel=1e-5)
    found = bootstrapped_cross_entropy_loss(logits, labels, 0.5)
    assert found.item() == pytest.approx((costs[1] + costs[3]) / 2, rel=1e-5)
    # At least one pixel counts; shares round down.
    for share in (0.01, 0.49):
        found = bootstrapped_cross_entropy_loss(logits, labels, share)
        assert found.item() == pytest.approx(costs[3], rel=1e-5)


def test_ignored_pixels_cost_nothing():
    logits = two_class([0.5, 0.25, 0.9, 0.8])
    labels = torch.tensor([[[255, 1, 255, 255]]])
    found = bootstrapped_cross_entropy_loss(logits, labels, 0.5)
    assert found.item() == pytest.approx(-math.log(0.25) / 2, rel=1e-5)
    nothing = torch.full_like(labels, 255)
    assert bootstrapped_cross_entropy_loss(logits, nothing).item() == 0


def test_hidden_channels_are_not_part_of_the_softmax():
    torch.manual_seed(0)
    logits = torch.randn(1, 4, 3, 3, requires_grad=True)
    labels = torch.randint(0, 2, (1, 3, 3))
    valid = torch.tensor([[True, True, False, False]])
    found = bootstrapped_cross_entropy_loss(logits, labels, valid=valid)
    expected = F.cross_entropy(logits[:, :2], labels)
    torch.testing.assert_close(found, expected)
    found.backward()
    assert logits.grad[:, 2:].abs().max() == 0
    assert logits.grad[:, :2].abs().min() > 0


def test_equals_sorting_by_hand_map_by_map():
    torch.manual_seed(0)
    logits, labels = torch.randn(3, 11, 9, 7), torch.randint(0, 11, (3, 9, 7))
    labels[1, :4] = 255
    costs = []
    for scores, truth in zip(logits.double(), labels):
        each = [
            (scores[:, y, x].exp().sum().log() - scores[truth[y, x], y, x])
            if truth[y, x] != 255
            else torch.tensor(0.0).double()
            for y in range(9)
            for x in range(7)
        ]
        hardest = sorted((c.item() for c in each), reverse=True)[:18]
        costs.append(sum(hardest) / 18)
    found = bootstrapped_cross_entropy_loss(logits, labels, 0.3)
    assert found.item() == pytest.approx(sum(costs) / 3, rel=1e-5)


@pytest.mark.parametrize(
    ('progress', 'share'), [(0, 1.0), (0.25, 0.575), (0.5, 0.15), (1, 0.15)]
)
def test_ramp(progress, share):
    loss = BootstrappedCrossEntropyLoss(loss_weight=0.5)
    assert loss.share(progress) == pytest.approx(share)
    torch.manual_seed(0)
    logits, labels = torch.randn(1, 3, 20, 20), torch.zeros(1, 20, 20).long()
    costs = -logits.log_softmax(1)[0, 0].flatten()
    hardest = costs.sort(descending=True).values[: int(share * 400)]
    found = loss(logits, labels, progress=progress)
    torch.testing.assert_close(found, 0.5 * hardest.mean())


def test_without_a_ramp_the_hardest_count_at_once():
    assert BootstrappedCrossEntropyLoss(ramp=0).share(0.0) == 0.15


def test_no_map_costs_nothing():
    logits = torch.zeros(0, 11, 4, 4, requires_grad=True)
    loss = BootstrappedCrossEntropyLoss()(logits, torch.zeros(0, 4, 4).long())
    loss.backward()
    assert loss.item() == 0 and logits.grad is not None


def test_half_precision_is_left():
    logits = torch.zeros(1, 2, 300, 300, dtype=torch.float16)
    labels = torch.zeros(1, 300, 300).long()
    found = bootstrapped_cross_entropy_loss(logits, labels)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(math.log(2))


def test_bad_input():
    with pytest.raises(PMVISError, match=r'\(1, 2, 3, 3\).*\(1, 3, 4\).*Fix'):
        bootstrapped_cross_entropy_loss(
            torch.zeros(1, 2, 3, 3), torch.zeros(1, 3, 4).long()
        )
    for options, message in (
        (dict(top_share=0), 'top_share=0 is no share'),
        (dict(ramp=2), 'ramp=2 is no part'),
    ):
        with pytest.raises(ConfigError, match=message):
            BootstrappedCrossEntropyLoss(**options)


def test_builds_from_a_config():
    loss = MODELS.build(dict(type='BootstrappedCrossEntropyLoss', ramp=0.2))
    assert 'top_share=0.15, ramp=0.2, ignore_index=255' in repr(loss)
