import math

import pytest
import torch
import torch.nn.functional as F

from pmvis_mm.models.losses import (
    PairwiseAffinityLoss,
    pairwise_affinity_loss,
)
from pmvis_mm.registry import MODELS
from pmvis_mm.structures.mask_targets import MaskTargets
from pmvis_mm.testing.sample_s import sample_s
from pmvis_mm.utils.errors import ConfigError


def _neighbors(maps: torch.Tensor, size: int, dilation: int) -> torch.Tensor:
    """Unfold (n, h, w) into (n, K, h, w), zero outside."""
    columns = F.unfold(
        maps[:, None], size, dilation=dilation, padding=size // 2 * dilation
    )
    columns = columns.view(len(maps), size * size, *maps.shape[-2:])
    middle = size * size // 2
    return torch.cat([columns[:, :middle], columns[:, middle + 1 :]], 1)


def _directed_edges(logits: torch.Tensor, size=3, dilation=2):
    """The plain formulation: every directed edge, in log space."""
    maps = logits.flatten(0, 1)
    inside, outside = F.logsigmoid(maps), F.logsigmoid(-maps)
    both_in = inside[:, None] + _neighbors(inside, size, dilation)
    both_out = outside[:, None] + _neighbors(outside, size, dilation)
    edges = -torch.logaddexp(both_in, both_out)
    exists = _neighbors(torch.ones_like(maps), size, dilation)
    return (edges * exists).view(*logits.shape[:2], -1, *logits.shape[2:])


def _directed_loss(logits, targets, tau, size=3, dilation=2, edges_in=False):
    similar = (targets.similarity >= tau)[targets.clip_index]
    weight = similar * targets.box_masks[:, :, None]
    edges = _directed_edges(logits, size, dilation)
    count = weight.sum()
    if edges_in:
        count = targets.box_masks.sum() * (size * size - 1)
    return (edges * weight).sum() / count.clamp(min=1)


def _random_targets(num_clips=2, frames=3, size=3, dilation=2, box='hard'):
    generator = torch.Generator().manual_seed(7)

    def rand(*shape):
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    boxes = rand(5, frames, 9, 11)
    if box == 'hard':
        boxes = (boxes > 0.5).double()
    similarity = rand(num_clips, frames, size * size - 1, 9, 11)
    clip_index = torch.tensor([0, 0, 1, 1, 1]) % num_clips
    logits = (rand(5, frames, 9, 11) - 0.5) * 12
    targets = MaskTargets(boxes, clip_index, similarity, dilation)
    return logits, targets


@pytest.mark.parametrize('size, dilation', [(3, 2), (3, 1), (5, 1), (3, 10)])
@pytest.mark.parametrize('normalizer', ['similar_edges', 'edges_in'])
@pytest.mark.parametrize('box', ['hard', 'fractional'])
def test_equals_the_directed_unfold_formulation(
    size, dilation, normalizer, box
):
    # Random similarities are not symmetric: the hardest case.
    logits, targets = _random_targets(size=size, dilation=dilation, box=box)
    ours, plain = (logits.clone().requires_grad_() for _ in range(2))
    loss = PairwiseAffinityLoss(
        color_thresh=0.4, size=size, dilation=dilation, normalizer=normalizer
    )(ours, targets)
    expected = _directed_loss(
        plain, targets, 0.4, size, dilation, normalizer == 'edges_in'
    )
    loss.backward()
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)
    assert torch.allclose(ours.grad, plain.grad, atol=1e-6)
    assert plain.grad.abs().max() > 1e-4


def test_equals_the_directed_unfold_formulation_on_sample_s():
    sample = sample_s()
    ours, plain = (sample.logits.clone().requires_grad_() for _ in range(2))
    loss = PairwiseAffinityLoss()(ours, sample.targets())
    expected = _directed_loss(plain, sample.targets(), 0.3)
    loss.backward()
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)
    assert torch.allclose(ours.grad, plain.grad, atol=1e-6)


def assert_golden(targets, tau, num_edges, value):
    similar = (targets.similarity >= tau)[targets.clip_index]
    assert (similar * targets.box_masks[:, :, None]).sum() == num_edges
    loss = PairwiseAffinityLoss(color_thresh=tau)(sample_s().logits, targets)
    assert loss.item() == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize(
    'tau, num_edges, value',
    [(0.3, 121, 0.676587), (0.2, 415, 0.778994), (0.1, 483, 0.739745)],
)
def test_b4_rgb(tau, num_edges, value):
    assert_golden(sample_s().targets(), tau, num_edges, value)


@pytest.mark.parametrize(
    'tau, num_edges, value', [(0.3, 114, 0.684427), (0.2, 397, 0.780933)]
)
def test_b5_mmdet_bottom_rule(tau, num_edges, value):
    # mmdet divides by the padded height of the batch, 64: 8 rows.
    targets = sample_s().targets(ori_height=64)
    assert_golden(targets, tau, num_edges, value)


@pytest.mark.parametrize(
    'tau, num_edges, value',
    [(0.3, 208, 1.029247), (0.2, 332, 0.900287), (0.1, 415, 0.778994)],
)
def test_b6_swapped_channels(tau, num_edges, value):
    targets = sample_s().targets(swap_rb=True)
    assert_golden(targets, tau, num_edges, value)


def test_b8_paper_normaliser():
    sample = sample_s()
    loss = PairwiseAffinityLoss(normalizer='edges_in')
    value = loss(sample.logits, sample.targets()).item()
    assert value == pytest.approx(0.112455, abs=1e-5)


def _edge(p: float, q: float) -> float:
    """Loss of the one edge between two pixels of a 1x2 map."""
    logits = torch.tensor([p, q], dtype=torch.float64).logit()
    similarity = torch.ones(1, 1, 8, 1, 2)
    box = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    targets = MaskTargets(box, similarity=similarity, similarity_dilation=1)
    loss = PairwiseAffinityLoss(dilation=1)(logits.view(1, 1, 1, 2), targets)
    return loss.item() * 8  # 7 of the 8 neighbours are outside: 0


@pytest.mark.parametrize(
    'p, q, value',
    [(0.5, 0.5, 0.693147), (0.9, 0.9, 0.198451), (0.9, 0.1, 1.714798)],
)
def test_b9_single_edges(p, q, value):
    assert _edge(p, q) == pytest.approx(value, abs=1e-6)
    direct = -math.log(p * q + (1 - p) * (1 - q))
    assert _edge(p, q) == pytest.approx(direct, abs=1e-12)


def test_b9_outside_neighbours_cost_nothing():
    # A single pixel has no neighbour inside, whatever is similar.
    targets = MaskTargets(
        torch.ones(1, 1, 1, 1), similarity=torch.ones(1, 1, 8, 1, 1)
    )
    logits = torch.zeros(1, 1, 1, 1, requires_grad=True)
    loss = PairwiseAffinityLoss()(logits, targets)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.item() == 0


def test_warm_up_factor_scales_the_loss_and_is_no_state():
    sample = sample_s()
    loss = PairwiseAffinityLoss(loss_weight=2.0)
    assert loss.warmup_factor == 1.0
    full = loss(sample.logits, sample.targets()).item()
    loss.warmup_factor = 0.25
    assert loss(sample.logits, sample.targets()).item() == full / 4
    assert not loss.state_dict()


def test_p17_joint_normaliser_of_two_clips():
    sample = sample_s()
    clips = [
        sample.targets().gather(torch.tensor([0, 1])),
        sample.targets(swap_rb=True).gather(torch.tensor([2])),
    ]
    logits = [sample.logits[:2], sample.logits[2:]]
    sums, weights = [], []
    for clip, maps in zip(clips, logits):
        similar = (clip.similarity >= 0.3)[clip.clip_index]
        weight = similar * clip.box_masks[:, :, None]
        weights.append(weight.sum().item())
        sums.append((_directed_edges(maps) * weight).sum().item())
    loss = PairwiseAffinityLoss()(sample.logits, MaskTargets.cat(clips))
    joint = sum(sums) / sum(weights)
    assert loss.item() == pytest.approx(joint, abs=1e-5)
    separate = sum(s / w for s, w in zip(sums, weights)) / 2
    assert abs(joint - separate) > 1e-2


def test_without_similar_edges_the_loss_is_zero():
    logits, targets = _random_targets()
    targets.similarity.zero_()
    assert pairwise_affinity_loss(logits, targets).item() == 0


@pytest.mark.parametrize('scale', [30.0, 1e2, 1e4])
def test_large_logits_stay_exact(scale):
    logits, targets = _random_targets()
    sign = logits.sign() * scale
    ours = sign.float().requires_grad_()
    loss = pairwise_affinity_loss(ours, targets)
    loss.backward()
    expected = _directed_loss(sign, targets, 0.3)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert torch.isfinite(ours.grad).all()


def test_order_of_rows_does_not_matter():
    logits, targets = _random_targets()
    order = torch.tensor([4, 1, 3, 0, 2])
    forward = pairwise_affinity_loss(logits, targets)
    shuffled = pairwise_affinity_loss(logits[order], targets.gather(order))
    assert shuffled.item() == pytest.approx(forward.item(), abs=1e-12)


def test_builds_from_a_config():
    loss = MODELS.build(dict(type='PairwiseAffinityLoss', color_thresh=0.2))
    assert isinstance(loss, PairwiseAffinityLoss)
    assert 'color_thresh=0.2' in repr(loss)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(normalizer='mean'), "'mean' is unknown.*similar_edges"),
        (dict(color_thresh=30), 'color_thresh=30 is no similarity'),
        (dict(color_thresh=0), 'color_thresh=0 is no similarity'),
        (dict(size=4), 'size=4'),
        (dict(dilation=0), 'dilation=0'),
        (dict(warmup_iters=-1), 'warmup_iters=-1 is negative'),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        PairwiseAffinityLoss(**options)


def test_other_similarities_are_refused():
    logits, targets = _random_targets(dilation=1)
    with pytest.raises(ConfigError, match='8 neighbours at dilation 1'):
        PairwiseAffinityLoss()(logits, targets)
    with pytest.raises(ConfigError, match='expects 24 at 1'):
        PairwiseAffinityLoss(size=5, dilation=1)(logits, targets)
    targets.similarity = None
    with pytest.raises(ConfigError, match='needs the colour similarity'):
        PairwiseAffinityLoss(dilation=1)(logits, targets)
