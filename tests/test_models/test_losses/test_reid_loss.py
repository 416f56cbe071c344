import math

import pytest
import torch

from pmvis_mm.models.losses import (
    ContrastiveReIDLoss,
    CosineReIDLoss,
    contrastive_reid_loss,
    cosine_reid_loss,
)
from pmvis_mm.models.losses.reid_loss import sample_negatives
from pmvis_mm.registry import MODELS
from pmvis_mm.utils.errors import ConfigError


def _mask(*rows) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.bool)


def test_case_5_contrastive_value_of_the_reference():
    # v = (1, 0): dot products are the first coordinates.
    key = torch.tensor([[1.0, 0.0]])
    ref = torch.tensor(
        [[2.0, 5.0], [1.0, -3.0], [0.5, 1.0], [-1.0, 9.0], [0.0, 0.0]]
    )
    pos, neg = _mask([1, 1, 0, 0, 0]), _mask([0, 0, 1, 1, 1])
    loss = ContrastiveReIDLoss(loss_weight=2.0)(key, ref, pos, neg)
    assert loss.item() == pytest.approx(2 * 0.923464, abs=1e-5)
    # One positive: cross entropy of the positive against the negatives.
    pos = _mask([1, 0, 0, 0, 0])
    loss = contrastive_reid_loss(key, ref, pos, neg)
    logits = torch.tensor([[2.0, 0.5, -1.0, 0.0]])
    expected = torch.nn.functional.cross_entropy(logits, torch.tensor([0]))
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)


def test_case_5_cosine_value_of_the_reference():
    key = torch.tensor([[2.0, 0.0]])
    cosines = (0.9, 0.2, -0.1)
    ref = torch.tensor([[c, math.sqrt(1 - c * c)] for c in cosines])
    ref = ref * torch.tensor([[3.0], [0.5], [7.0]])
    pos, neg = _mask([1, 0, 0]), _mask([0, 1, 1])
    loss = CosineReIDLoss(loss_weight=3.0)(key, ref, pos, neg)
    assert loss.item() == pytest.approx(3 * 0.02, abs=1e-6)


def test_equals_mmdets_cross_entropy_of_several_positives():
    pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')
    from mmdet.models.losses import MultiPosCrossEntropyLoss

    torch.manual_seed(0)
    key, ref = torch.randn(6, 8), torch.randn(20, 8)
    pos = torch.rand(6, 20) < 0.3
    loss = contrastive_reid_loss(key, ref, pos, ~pos)
    reference = MultiPosCrossEntropyLoss()
    expected = reference(key @ ref.T, pos.long(), reduction_override='none')
    torch.testing.assert_close(loss, expected)


def test_positive_and_negative_at_once_counts_twice():
    key, ref = torch.tensor([[1.0, 1.0]]), torch.tensor([[1.0, 0.0]])
    both = _mask([1])
    # log(1 + exp(v.r - v.r)); ((cos - 1)^2 + cos^2) / 2 with cos = sqrt(.5)
    loss = contrastive_reid_loss(key, ref, both, both)
    assert loss.item() == pytest.approx(math.log(2), abs=1e-6)
    cosine = math.sqrt(0.5)
    loss = cosine_reid_loss(key, ref, both, both)
    expected = ((cosine - 1) ** 2 + cosine**2) / 2
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_large_products_do_not_overflow():
    key = torch.tensor([[1000.0, 0.0]], requires_grad=True)
    ref = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    pos, neg = _mask([1, 0]), _mask([0, 1])
    loss = contrastive_reid_loss(key, ref, pos, neg)
    assert loss.item() == 1000
    loss.sum().backward()
    # d (v.n - v.p) / dv
    assert key.grad.tolist() == [[1, -1]]
    # The other way round nothing is left to learn.
    loss = contrastive_reid_loss(key, ref, neg, pos)
    assert loss.item() == 0


def test_autocast_is_left():
    torch.manual_seed(0)
    key, ref = torch.randn(3, 8), torch.randn(9, 8)
    pos = torch.rand(3, 9) < 0.5
    for loss in (contrastive_reid_loss, cosine_reid_loss):
        expected = loss(key, ref, pos, ~pos)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            found = loss(key, ref, pos, ~pos)
        assert torch.equal(found, expected)
    half = contrastive_reid_loss(key.half(), ref.half(), pos, ~pos)
    assert half.dtype == torch.float32


@pytest.mark.parametrize(
    'pos, neg', [([0, 0], [1, 1]), ([1, 1], [0, 0]), ([0, 0], [0, 0])]
)
def test_nothing_to_contrast(pos, neg):
    key = torch.ones(1, 3, requires_grad=True)
    ref = torch.ones(2, 3, requires_grad=True)
    loss = contrastive_reid_loss(key, ref, _mask(pos), _mask(neg))
    assert loss.item() == 0
    cosine = cosine_reid_loss(key, ref, _mask(pos), _mask(neg))
    # All cosines are 1: an error of 1 for negatives.
    assert cosine.item() == pytest.approx(float(any(neg)))
    (loss + cosine).sum().backward()
    assert torch.isfinite(key.grad).all() and torch.isfinite(ref.grad).all()


def test_no_keys_give_zero_with_grad():
    key = torch.zeros(0, 3, requires_grad=True)
    ref = torch.randn(4, 3, requires_grad=True)
    none = torch.zeros(0, 4, dtype=torch.bool)
    for criterion in (ContrastiveReIDLoss(), CosineReIDLoss()):
        loss = criterion(key, ref, none, none)
        assert loss.item() == 0
        (grad,) = torch.autograd.grad(loss, ref)
        assert torch.all(grad == 0)


def test_number_of_sampled_negatives():
    pos = torch.zeros(4, 60, dtype=torch.bool)
    neg = torch.zeros_like(pos)
    neg[:, 5:] = True
    pos[1, :2] = True
    pos[2, :5] = True
    pos[2, 10] = True
    neg[3] = False
    neg[3, 7:10] = True
    # 10 without a positive; 10 * 2; 10 * 6 > 55: all; 10 > 3: all
    for ratio, counts in ((10, [10, 20, 55, 3]), (1, [1, 2, 6, 1])):
        sampled = sample_negatives(pos, neg, ratio)
        assert sampled.sum(1).tolist() == counts
        assert not (sampled & ~neg).any()


def test_sampling_follows_the_seed_and_is_even():
    pos = torch.zeros(2000, 12, dtype=torch.bool)
    neg = torch.ones_like(pos)
    neg[:, 3] = False
    torch.manual_seed(3)
    first = sample_negatives(pos, neg, 4)
    second = sample_negatives(pos, neg, 4)
    torch.manual_seed(3)
    assert torch.equal(first, sample_negatives(pos, neg, 4))
    assert not torch.equal(first, second)
    # Each of 11 negatives with probability 4 / 11 (sd 0.011 of 2000).
    share = first.float().mean(0)[neg[0]]
    assert torch.all((share - 4 / 11).abs() < 0.05)


def test_sum_over_keys_and_avg_factor():
    torch.manual_seed(0)
    key, ref = torch.randn(3, 4), torch.randn(8, 4)
    pos = torch.rand(3, 8) < 0.5
    criterion = ContrastiveReIDLoss()
    rows = contrastive_reid_loss(key, ref, pos, ~pos)
    assert criterion(key, ref, pos, ~pos).item() == pytest.approx(
        rows.sum().item()
    )
    divided = criterion(key, ref, pos, ~pos, torch.tensor(6.0))
    assert divided.item() == pytest.approx(rows.sum().item() / 6)
    # Ratio 10 samples all negatives here.
    rows = cosine_reid_loss(key, ref, pos, ~pos)
    divided = CosineReIDLoss()(key, ref, pos, ~pos, 6)
    assert divided.item() == pytest.approx(rows.sum().item() / 6)


def test_builds_from_configs():
    loss = MODELS.build(dict(type='ContrastiveReIDLoss', loss_weight=2.0))
    assert repr(loss) == 'ContrastiveReIDLoss(loss_weight=2.0)'
    loss = MODELS.build(dict(type='CosineReIDLoss', neg_pos_ratio=3))
    assert 'neg_pos_ratio=3' in repr(loss)
    with pytest.raises(ConfigError, match='neg_pos_ratio=0.*at least 1'):
        CosineReIDLoss(neg_pos_ratio=0)
