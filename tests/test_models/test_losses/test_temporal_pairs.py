import math

import pytest
import torch

from pmvis_mm.models.losses import temporal_pairs
from pmvis_mm.models.losses.temporal_pairs import pair_sum, select_pairs
from pmvis_mm.structures.temporal_matches import TemporalMatches

SHAPE = (3, 4, 5)
CONNECTIONS = [(0, 1), (2, 0)]
SCALE = torch.tensor([0.5, 2.0], dtype=torch.float64)


def rand(*shape, seed=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=generator, dtype=torch.float64)


def make_matches(columns=1, weights=False):
    """Two clips with 30 and 12, 0 and 20 pairs."""
    generator = torch.Generator().manual_seed(columns)
    counts = torch.tensor([[30, 12], [0, 20]])
    centers, partners = [], []
    for row in counts.tolist():
        for (a, b), count in zip(CONNECTIONS, row):
            pixel = torch.randint(20, (count,), generator=generator)
            centers.append(pixel.sort().values + b * 20)
            other = torch.randint(
                -4, 20, (count, columns), generator=generator
            )
            partners.append(torch.where(other < 0, -1, other + a * 20))
    size = int(counts.sum())
    mix = None
    if columns > 1:
        mix = rand(size, columns).softmax(1)
    return TemporalMatches(
        SHAPE,
        CONNECTIONS,
        counts,
        torch.cat(centers),
        torch.cat(partners),
        rand(size, seed=9) if weights else None,
        mix,
    )


def make_boxes(num=3):
    boxes = (rand(num, *SHAPE, seed=8) > 0.4).double()
    boxes[:1, :, :, 4] = 0.5  # add up to 1
    boxes[:1, 1] = 0
    return boxes


def in_region(region, boxes, center, partners, mix):
    flat = boxes.flatten()
    size = SHAPE[1] * SHAPE[2]
    if region == 'all':
        return True
    if region == 'tube':
        return sum(flat[center % size :: size].tolist()) >= 1
    if region == 'center':
        return flat[center].item() == 1
    inside = [p >= 0 and flat[p].item() == 1 for p in partners]
    share = sum(m for m, flag in zip(mix, inside) if flag)
    return flat[center].item() == 1 and share >= 0.5


def one_by_one(logits, matches, boxes, clips, rows, region='tube'):
    """Sum of the probabilities' terms, and totals of each instance."""
    columns = matches.partners.size(1)
    bounds = [0, *matches.counts.flatten().cumsum(0).tolist()]
    scores = logits.double().sigmoid().flatten(1)
    total = logits.new_zeros((), dtype=torch.float64)
    totals = torch.zeros(len(boxes), 2)
    for position, instance in [(-1, i) for i in range(len(boxes))] + list(
        enumerate(rows)
    ):
        for c in range(2):
            link = int(clips[instance]) * 2 + c
            for pair in range(bounds[link], bounds[link + 1]):
                center = int(matches.centers[pair])
                partners = matches.partners[pair].tolist()
                mix = [1.0] * columns
                if matches.mix is not None:
                    mix = matches.mix[pair]
                if not in_region(
                    region, boxes[instance], center, partners, mix
                ):
                    continue
                weight = 1.0
                if matches.weights is not None:
                    weight = matches.weights[pair]
                if position < 0:
                    totals[instance, c] += torch.as_tensor(weight).item()
                    continue
                p = scores[position, center]
                agree = p * 0
                for q, share in zip(partners, mix):
                    same = 1.0
                    if q >= 0:
                        other = scores[position, q]
                        same = p * other + (1 - p) * (1 - other)
                    agree = agree + share * same
                total = total - torch.log(agree) * weight * SCALE[c]
    return total, totals


CLIPS = torch.tensor([0, 0, 1])
ROWS = [1, 2, 0, 1]


@pytest.mark.parametrize('region', ['tube', 'center', 'pair', 'all'])
@pytest.mark.parametrize('weights', [False, True])
@pytest.mark.parametrize('columns', [1, 3])
@pytest.mark.parametrize('like', ['cpu', 'gpu'])
def test_sum_gradient_and_totals(monkeypatch, region, weights, columns, like):
    if like == 'gpu':  # several rows at once, but not all
        monkeypatch.setattr(
            temporal_pairs, '_segments', temporal_pairs._chunks
        )
        monkeypatch.setattr(temporal_pairs, '_CHUNK', 30)
    matches, boxes = make_matches(columns, weights), make_boxes()
    pairs = select_pairs(matches, boxes, CLIPS, region)
    pairs = pairs.take(torch.tensor(ROWS))
    logits = ((rand(4, *SHAPE) - 0.5) * 8).requires_grad_()
    leaves = [logits]
    if weights:
        leaves.append(matches.weights.requires_grad_())
    if columns > 1:
        leaves.append(matches.mix.log().requires_grad_())
        matches.mix = leaves[-1].softmax(1)  # shares sum to 1
    value = pair_sum(logits, pairs, SCALE)
    grads = torch.autograd.grad(2 * value, leaves, retain_graph=True)
    expected, totals = one_by_one(logits, matches, boxes, CLIPS, ROWS, region)
    expected_grads = torch.autograd.grad(2 * expected, leaves)
    assert value.item() == pytest.approx(expected.item(), rel=1e-9)
    assert torch.allclose(pairs.totals, totals, atol=1e-5)
    assert totals.sum() > 5
    for grad, other in zip(grads, expected_grads):
        assert torch.allclose(grad, other, atol=1e-9)
        assert other.abs().max() > 0.1


@pytest.mark.parametrize('columns', [1, 3])
def test_gradients_by_finite_differences(columns):
    matches = make_matches(columns, weights=columns > 1)
    boxes = make_boxes()
    logits = ((rand(2, *SHAPE) - 0.5) * 8).requires_grad_()

    def run(z, weights=None, mix=None):
        matches.weights, matches.mix = weights, mix
        pairs = select_pairs(matches, boxes, CLIPS, 'tube')
        return pair_sum(z, pairs.take(torch.tensor([0, 2])), SCALE)

    leaves = [logits]
    if columns > 1:
        leaves += [matches.weights.clone(), matches.mix.clone()]
    assert torch.autograd.gradcheck(
        run, tuple(leaf.requires_grad_() for leaf in leaves)
    )


def test_pairs_with_partners_outside_are_counted_but_not_kept():
    matches, boxes = make_matches(), make_boxes()
    pairs = select_pairs(matches, boxes, CLIPS, 'all')
    assert pairs.totals.tolist() == [[30, 12], [30, 12], [0, 20]]
    outside = (matches.partners < 0).flatten()
    assert outside.sum() > 3
    kept = [int((~outside[:42]).sum())] * 2 + [int((~outside[42:]).sum())]
    assert [b[-1] - b[0] for b in pairs.bounds] == kept
    assert len(pairs.ids) == sum(kept)


def test_an_absent_instance_has_no_pairs():
    boxes = torch.zeros(1, *SHAPE, dtype=torch.float64)
    pairs = select_pairs(make_matches(), boxes, CLIPS[:1], 'tube')
    assert pairs.totals.tolist() == [[0, 0]]
    logits = rand(1, *SHAPE).requires_grad_()
    value = pair_sum(logits, pairs, SCALE)
    value.backward()
    assert value.item() == 0
    assert torch.all(logits.grad == 0)


def test_no_instances():
    pairs = select_pairs(make_matches(), make_boxes(0), CLIPS[:0], 'tube')
    assert len(pairs) == 0
    assert pairs.totals.shape == (0, 2)


def test_without_gradient_the_value_is_the_same():
    pairs = select_pairs(make_matches(), make_boxes(), CLIPS)
    logits = rand(3, *SHAPE)
    plain = pair_sum(logits, pairs, SCALE)
    assert not plain.requires_grad
    value = pair_sum(logits.requires_grad_(), pairs, SCALE)
    assert value.item() == plain.item()


def test_maps_need_not_be_contiguous():
    pairs = select_pairs(make_matches(), make_boxes(), CLIPS)
    logits = rand(3, *SHAPE)
    swapped = logits.transpose(1, 3).contiguous().requires_grad_()
    value = pair_sum(swapped.transpose(1, 3), pairs, SCALE)
    value.backward()
    logits.requires_grad_()
    expected = pair_sum(logits, pairs, SCALE)
    expected.backward()
    assert value.item() == expected.item()
    assert torch.equal(swapped.grad.transpose(1, 3), logits.grad)


def test_extreme_shares_and_logits_stay_finite():
    matches = make_matches(3)
    matches.mix = torch.zeros_like(matches.mix).float()
    matches.mix[:, 1] = 1.0
    matches.mix[::2, 0] = 1e-30
    matches.mix.requires_grad_()
    pairs = select_pairs(matches, make_boxes(), CLIPS, 'all')
    logits = ((rand(3, *SHAPE) > 0.5) * 200.0 - 100).float().requires_grad_()
    value = pair_sum(logits, pairs, SCALE)
    value.backward()
    assert math.isfinite(value.item())
    assert value.item() > 100
    assert torch.isfinite(logits.grad).all()
    assert torch.isfinite(matches.mix.grad).all()
