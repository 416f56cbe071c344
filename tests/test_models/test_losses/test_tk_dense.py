"""The temporal loss against its plain formulation on noise."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from pmvis_mm.models.losses import TKLoss, temporal_connections
from pmvis_mm.models.temporal_matchers import PatchMatcher, search_offsets
from pmvis_mm.testing.sample_tubes import random_tubes

# The plain formulation: descriptors and log probabilities of all candidates.


def shifted(maps, offset):
    """maps[..., p + offset] at p, zero outside."""
    height, width = maps.shape[-2:]
    reach = max(map(abs, offset))
    padded = F.pad(maps, (reach,) * 4)
    top, left = reach + offset[0], reach + offset[1]
    return padded[..., top : top + height, left : left + width]


def similarities(lab_a, lab_b, offsets, size, metric):
    """(N, 3, h, w) twice to (N, offsets, h, w), of descriptors."""

    def describe(lab):
        patches = F.unfold(lab, size, padding=size // 2)
        return patches.view(len(lab), 3, -1, *lab.shape[-2:])

    center, partner = describe(lab_b), describe(lab_a)
    found = []
    for offset in offsets:
        other = shifted(partner, offset)
        if metric == 'ncc':
            x = center - center.mean(2, keepdim=True)
            y = other - other.mean(2, keepdim=True)
            norm = ((x * x).sum((1, 2)) * (y * y).sum((1, 2))).sqrt()
            found.append((x * y).sum((1, 2)) / norm.clamp(min=1e-9))
        else:
            difference = (center - other).abs()
            if metric == 'l2':
                distance = difference.square().sum((1, 2)).sqrt()
            else:
                distance = difference.sum((1, 2)) / (3 * size * size) ** 0.5
            found.append((-0.5 * distance).exp())
    return torch.stack(found, 1)


def regions(boxes, a, b, offsets, region):
    """Float (M, offsets, h, w)."""
    ones = torch.ones_like(boxes[:, :1]).expand(-1, len(offsets), -1, -1)
    if region == 'all':
        return ones
    if region == 'tube':
        return ones * (boxes.sum(1, keepdim=True) >= 1)
    center = ones * (boxes[:, b, None] == 1)
    if region == 'center':
        return center
    partner = (boxes[:, a] == 1).double()
    return center * torch.stack([shifted(partner, o) for o in offsets], 1)


def dense_loss(logits, targets, matcher, connections, region, normalizer):
    lab, boxes = targets.lab.double(), targets.box_masks.double()
    log_in, log_out = F.logsigmoid(logits), F.logsigmoid(-logits)
    total = logits.new_zeros(())
    for a, b in connections:
        similarity = similarities(
            lab[:, a],
            lab[:, b],
            matcher.offsets,
            matcher.patch_size,
            matcher.metric,
        )
        rank = similarity.argsort(1, descending=True).argsort(1)
        keep = rank < matcher.num_neighbors
        keep &= similarity >= matcher.threshold
        weight = keep[targets.clip_index] * regions(
            boxes, a, b, matcher.offsets, region
        )
        cost = torch.stack(
            [
                -torch.logaddexp(
                    log_in[:, b] + shifted(log_in[:, a], offset),
                    log_out[:, b] + shifted(log_out[:, a], offset),
                )
                for offset in matcher.offsets
            ],
            1,
        )
        count = weight.sum().clamp(min=1)
        if normalizer == 'pixels':
            count = len(logits) * logits.size(-1) * logits.size(-2)
        total = total + (cost * weight).sum() / count
    return total


CASES = list(
    zip(
        itertools.cycle([2, 3, 4, 5]),
        itertools.cycle(['cyclic', 'dense', 'sequential', [(1, 0)]]),
        itertools.cycle([1, 3, 5, None]),
        itertools.cycle(
            [
                dict(kernel=3, dilation=3),
                dict(radius=1),
                dict(radius=3),
                dict(kernel=3, dilation=1),
                dict(radius=8),  # larger than the frame
            ]
        ),
        itertools.cycle(['l2', 'l1', 'ncc']),
        itertools.cycle(['tube', 'center', 'pair', 'all']),
        itertools.cycle(['pairs', 'pixels', 'pairs']),
        itertools.cycle([1, 3, 5, 3, 3]),
        range(24),
    )
)


@pytest.mark.parametrize(
    'frames, connection, K, search, metric, region, normalizer, size, seed',
    CASES,
)
def test_equals_the_dense_formulation(
    frames, connection, K, search, metric, region, normalizer, size, seed
):
    if metric == 'ncc':
        size = max(size, 3)
    logits, targets = random_tubes(frames, seed)
    matcher = PatchMatcher(size, search, K, metric, 0.05)
    loss = TKLoss(2.0, matcher, connection, region, normalizer)
    z = logits.clone().requires_grad_()
    value = loss(z, loss.prepare(targets))
    value.backward()
    x = logits.clone().requires_grad_()
    expected = 2 * dense_loss(
        x,
        targets,
        matcher,
        temporal_connections(frames, connection),
        region,
        normalizer,
    )
    expected.backward()
    assert expected.item() > 0.1
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)
    largest = x.grad.abs().max()
    assert (z.grad - x.grad).abs().max() < 1e-5 * largest


def test_layers_gather_their_own_rows():
    logits, targets = random_tubes(3)
    loss = TKLoss()
    prepared = loss.prepare(targets)
    index = torch.tensor([4, 0, 4, 1])
    rows = prepared.gather(index)
    value = loss(logits[:4], rows)
    alone = targets.gather(index)
    assert value.item() == loss(logits[:4], loss.prepare(alone)).item()
    expected = 0.5 * dense_loss(
        logits[:4],
        alone,
        loss.matcher,
        temporal_connections(3, 'cyclic'),
        'tube',
        'pairs',
    )
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)


def test_offsets_of_the_oracle_are_ours():
    # A guard of this file: the oracle reads the offsets of the matcher.
    maps = torch.arange(42.0).view(6, 7)
    offsets = search_offsets(dict(kernel=3, dilation=3))
    ours = torch.stack([shifted(maps, offset) for offset in offsets])
    expected = F.unfold(maps[None, None], 3, dilation=3, padding=3)
    assert torch.equal(ours.flatten(1), expected[0])
