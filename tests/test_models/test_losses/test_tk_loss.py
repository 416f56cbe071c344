import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from pmvis_mm.models.losses import (
    BoxProjectionLoss,
    PairwiseAffinityLoss,
    TKLoss,
    prepare_targets,
    temporal_connections,
)
from pmvis_mm.models.temporal_matchers import PatchMatcher, TemporalMatcher
from pmvis_mm.models.temporal_matchers.patch import search_offsets
from pmvis_mm.models.utils import (
    box_bitmasks,
    lab_features,
    pairwise_similarity,
)
from pmvis_mm.registry import MODELS
from pmvis_mm.structures.mask_targets import MaskTargets
from pmvis_mm.structures.temporal_matches import TemporalMatches
from pmvis_mm.utils.errors import ConfigError, PMVISError
from pmvis_mm.utils.warmup import linear_warmup


def golden_tube(swap_rb=False, frames=5):
    """Two clips of the specification (G6): targets and matched logits."""
    b, t, i, j = torch.meshgrid(
        *(torch.arange(n) for n in (2, 5, 64, 64)), indexing='ij'
    )
    inside = (16 + 2 * t <= i) & (i <= 35 + 2 * t)
    inside &= (12 + 4 * t <= j) & (j <= 35 + 4 * t)
    channels = (
        100 + i // 8 + t + 9 * inside,
        90 + j // 8 + b - 3 * inside,
        60 + 2 * (i // 8) + j // 8 - t + 4 * inside,
    )
    images = torch.stack(channels, 2).byte()[:, :frames]
    moving = [
        [12 + 4 * t, 16 + 2 * t, 36 + 4 * t, 36 + 2 * t] for t in range(5)
    ]
    still = [[40, 4, 58, 19] if t != 3 else [0] * 4 for t in range(5)]
    boxes = torch.tensor([moving, still, moving]).float()[:, :frames]
    lab = lab_features(images, swap_rb=swap_rb)
    targets = MaskTargets(
        box_bitmasks(boxes, (64, 64), 4, 'exact', 'bilinear'),
        torch.tensor([0, 0, 1]),
        pairwise_similarity(lab),
        lab=lab,
    )
    t, q, i, j = (
        x.float()
        for x in torch.meshgrid(
            *(torch.arange(n) for n in (5, 4, 16, 16)), indexing='ij'
        )
    )
    z = [
        3 * torch.sin(0.7 * i + 0.65 * j + 2.1 * t + 0.9 * q + 0.4 * clip)
        for clip in range(2)
    ]
    logits = torch.stack(z).transpose(1, 2)[:, :, :frames]
    # Queries 0 and 2 of clip 0 and 3 of clip 1, in this order.
    rows = torch.stack([logits[0, 0], logits[0, 2], logits[1, 3]])
    return rows, targets, [torch.tensor([1, 0]), torch.tensor([0])]


@pytest.mark.parametrize(
    'swap_rb, projection, pairwise, temporal',
    [
        (True, 1.066950, 0.773856, 0.478672),
        (False, 1.066950, 0.761530, 0.418853),
    ],
)
def test_g6_tube_losses(swap_rb, projection, pairwise, temporal):
    logits, targets, index = golden_tube(swap_rb)
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
    logits, targets, index = golden_tube(swap_rb=True, frames=3)
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
    _, targets, _ = golden_tube(swap_rb)
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
    logits, targets, index = golden_tube(swap_rb=True)
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


def test_connections():
    cyclic = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]
    assert temporal_connections(5, 'cyclic') == cyclic
    assert temporal_connections(5, 'sequential') == cyclic[:4]
    dense = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert temporal_connections(4, 'dense') == dense
    assert len(temporal_connections(5, 'dense')) == 10
    assert temporal_connections(3, 'release3') == [(0, 1), (0, 2), (1, 2)]
    assert temporal_connections(2, 'cyclic') == [(0, 1), (1, 0)]
    assert temporal_connections(3, [[2, 0], (1, 0)]) == [(2, 0), (1, 0)]
    for connection in ('cyclic', 'sequential', 'dense', 'release3', [(0, 4)]):
        assert temporal_connections(1, connection) == []


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


def random_targets(frames, seed=0):
    """Two clips with two and three instances, some of them absent."""
    generator = torch.Generator().manual_seed(seed)
    lab = torch.rand(2, frames, 3, 6, 7, generator=generator) * 1.5 + 1
    boxes = torch.rand(5, frames, 6, 7, generator=generator)
    boxes = (boxes * 5).floor().clamp(max=4) / 4
    boxes[0, 0] = 0
    boxes[3] = 0
    targets = MaskTargets(boxes, torch.tensor([0, 0, 1, 1, 1]), lab=lab)
    logits = torch.rand(5, frames, 6, 7, generator=generator) - 0.5
    return logits.double() * 12, targets


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
    logits, targets = random_targets(frames, seed)
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
    logits, targets = random_targets(3)
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


class CountingMatcher(PatchMatcher):
    """Counts how often it is asked."""

    calls = 0

    def forward(self, lab, connections, images=None):
        self.calls += 1
        return super().forward(lab, connections, images)


def test_matches_are_found_once_per_step():
    logits, targets = random_targets(3)
    loss = TKLoss(matcher=CountingMatcher())
    targets = prepare_targets([BoxProjectionLoss(), loss], targets)
    for _ in range(10):
        loss(logits, targets)
    assert loss.matcher.calls == 1
    with pytest.raises(ConfigError, match='already.*once per step'):
        loss.prepare(targets)
    with pytest.raises(PMVISError, match='pairs .*already'):
        MaskTargets.cat([targets])


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16', 'float16'])
def test_2000_steps_stay_finite(dtype):
    generator = torch.Generator().manual_seed(1)
    _, targets = random_targets(3)
    loss = TKLoss()
    prepared = loss.prepare(targets).gather(torch.tensor([0, 1, 2]))
    shape = (2000, 3, 3, 6, 7)
    logits = torch.rand(shape, generator=generator) * 60 - 30
    logits = logits.to(getattr(torch, dtype)).requires_grad_()
    values = []
    for z in logits.unbind():
        values.append(loss(z, prepared))
        assert values[-1].dtype == torch.float32
    values = torch.stack(values)
    values.sum().backward()
    assert torch.isfinite(values).all()
    assert values.min() > 0
    assert logits.grad.dtype == logits.dtype
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad.flatten(1).abs().amax(1) > 0).all()


def test_half_precision_is_left():
    logits, targets = random_targets(3)
    loss = TKLoss()
    targets = loss.prepare(targets)
    half = logits.bfloat16().requires_grad_()
    value = loss(half, targets)
    value.backward()
    full = logits.bfloat16().float().requires_grad_()
    expected = loss(full, targets)
    expected.backward()
    assert value.item() == expected.item()
    assert torch.equal(half.grad, full.grad.bfloat16())
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert loss(half, targets).item() == expected.item()


def assert_zero_with_gradient(loss, logits, targets):
    logits = logits.clone().requires_grad_()
    value = loss(logits, targets)
    value.backward()
    assert value.item() == 0
    assert torch.all(logits.grad == 0)
    assert logits.grad.shape == logits.shape


@pytest.mark.parametrize('connection', ['cyclic', 'dense', [(0, 4)]])
def test_a_single_frame_gives_zero(connection):
    logits, targets = random_targets(1)
    loss = TKLoss(connection=connection)
    for lab in (targets.lab, None):
        rows = MaskTargets(targets.box_masks, targets.clip_index, lab=lab)
        assert_zero_with_gradient(loss, logits, loss.prepare(rows))


def test_no_rows_give_zero():
    logits, targets = random_targets(3)
    loss = TKLoss()
    prepared = loss.prepare(targets)
    none = torch.zeros(0, dtype=torch.long)
    assert_zero_with_gradient(loss, logits[:0], prepared.gather(none))
    empty = targets.gather(none)
    assert_zero_with_gradient(loss, logits[:0], loss.prepare(empty))
    pixels = TKLoss(normalizer='pixels')
    assert_zero_with_gradient(pixels, logits[:0], pixels.prepare(empty))


def test_absent_instances_cost_nothing():
    logits, targets = random_targets(3)
    loss = TKLoss(matcher=PatchMatcher(threshold=0.01))
    prepared = loss.prepare(targets)
    absent = prepared.gather(torch.tensor([3]))
    assert_zero_with_gradient(loss, logits[3:4], absent)
    # Beside others it changes nothing.
    both = loss(logits[2:4], prepared.gather(torch.tensor([2, 3])))
    one = loss(logits[2:3], prepared.gather(torch.tensor([2])))
    assert both.item() == one.item() > 0


def test_nothing_similar_gives_zero():
    logits, targets = random_targets(3)
    lab = targets.lab + torch.arange(3.0).view(1, 3, 1, 1, 1) * 30
    rows = MaskTargets(targets.box_masks, targets.clip_index, lab=lab + 50)
    loss = TKLoss()
    assert_zero_with_gradient(loss, logits, loss.prepare(rows))


def test_frames_of_8_pixels():
    lab = lab_features(torch.full((1, 5, 3, 8, 8), 90, dtype=torch.uint8))
    boxes = torch.tensor([0.0, 0, 8, 8]).expand(2, 5, 4)
    targets = MaskTargets(
        box_bitmasks(boxes, (8, 8), 4, 'exact', 'bilinear'), lab=lab
    )
    for search in (dict(kernel=3, dilation=3), dict(radius=7)):
        loss = TKLoss(matcher=PatchMatcher(search=search), loss_weight=1.0)
        prepared = loss.prepare(targets)
        # Only the pixel itself and, in the disc, those beside it are inside.
        value = loss(torch.zeros(2, 5, 2, 2), prepared)
        assert value.item() == pytest.approx(5 * math.log(2), rel=1e-6)


class LearnedWeights(TemporalMatcher):
    """Every pixel with the one at its place, weighted by a parameter."""

    def __init__(self, images=False, shape=None):
        super().__init__()
        self.logit = torch.nn.Parameter(torch.tensor(1.0))
        self.needs_images = images
        self.shape = shape

    def forward(self, lab, connections, images=None):
        clips, frames, _, height, width = lab.shape
        size = height * width
        pixel = torch.arange(size)
        centers = torch.cat([pixel + b * size for _, b in connections] * clips)
        partners = torch.cat(
            [pixel + a * size for a, _ in connections] * clips
        )
        return TemporalMatches(
            self.shape or (frames, height, width),
            connections,
            torch.full((clips, len(connections)), size),
            centers,
            partners[:, None],
            weights=self.logit.sigmoid() * torch.ones(len(centers)),
        )


@pytest.mark.parametrize('rows', [[0, 2, 4], [], 'one frame'])
def test_a_matcher_that_learns_gets_a_gradient(rows):
    frames = 1 if rows == 'one frame' else 3
    logits, targets = random_targets(frames)
    index = torch.tensor([] if frames == 1 else rows, dtype=torch.long)
    loss = TKLoss(matcher=LearnedWeights(), normalizer='pixels')
    rows = loss.prepare(targets).gather(index)
    loss(logits[index], rows).backward()
    # The sum of costs times weights, so that less weight is less loss.
    grad = loss.matcher.logit.grad
    assert grad is not None
    assert (grad.item() > 0) == bool(len(index))


def test_weights_are_normalised():
    logits, targets = random_targets(3)
    loss = TKLoss(matcher=LearnedWeights())
    rows = loss.prepare(targets).gather(torch.tensor([0, 1, 2, 4]))
    value = loss(logits[:4], rows).item()
    loss.matcher.logit.data.fill_(-2.0)
    rows = loss.prepare(targets).gather(torch.tensor([0, 1, 2, 4]))
    assert loss(logits[:4], rows).item() == pytest.approx(value, rel=1e-5)


def test_it_is_built_from_a_config(default_scope):
    config = dict(
        type='TKLoss',
        loss_weight=0.5,
        matcher=dict(
            type='PatchMatcher',
            patch_size=3,
            search=dict(kernel=3, dilation=3),
            num_neighbors=5,
            metric='l2',
            threshold=0.05,
        ),
        connection='cyclic',
        region='tube',
        normalizer='pairs',
        sync_avg_factor=True,
        warmup_iters=200,
    )
    loss = MODELS.build(config)
    assert repr(loss) == repr(TKLoss())
    assert "connection='cyclic', region='tube'" in repr(loss)
    assert loss.needs_lab and loss.needs_tube
    assert not (loss.needs_masks or loss.needs_similarity or loss.needs_images)
    assert TKLoss(matcher=LearnedWeights(images=True)).needs_images


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(connection='circle'), "connection='circle'.*'cyclic'"),
        (dict(connection=[]), 'connection=.. is unknown'),
        (dict(connection=[(0, 1), (0, 1)]), 'each pair once'),
        (dict(connection=[(1, 1)]), 'two different frames'),
        (dict(connection=[(0, -1)]), 'is unknown'),
        (dict(connection=[(0, 1, 2)]), 'is unknown'),
        (dict(region='box'), "region='box' is unknown.*'tube'"),
        (dict(normalizer='mean'), "normalizer='mean' is unknown.*'pixels'"),
        (dict(warmup_iters=-1), 'warmup_iters=-1 is negative'),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        TKLoss(**options)


def test_clips_too_short_for_the_connection_are_refused():
    _, targets = random_targets(4)
    with pytest.raises(ConfigError, match='release3.* 3 frames, not 4.*dense'):
        TKLoss(connection='release3').prepare(targets)
    with pytest.raises(ConfigError, match=r'\(4, 0\) needs 5 frames.*have 4'):
        TKLoss(connection=[(0, 1), (4, 0)]).prepare(targets)


def test_missing_colours_and_images_are_named():
    _, targets = random_targets(3)
    bare = MaskTargets(targets.box_masks, targets.clip_index)
    with pytest.raises(ConfigError, match=r'the lab.*temporal=dict\(\)'):
        TKLoss().prepare(bare)
    loss = TKLoss(matcher=LearnedWeights(images=True))
    with pytest.raises(ConfigError, match=r'the images.*images=True'):
        loss.prepare(targets)


def test_what_does_not_belong_together_is_refused():
    logits, targets = random_targets(3)
    loss = TKLoss()
    with pytest.raises(PMVISError, match=r'Fix: call targets = loss\.prepare'):
        loss(logits, targets)
    prepared = loss.prepare(targets)
    with pytest.raises(PMVISError, match='differ in shape'):
        loss(logits[:, :2], prepared)
    one = MaskTargets(
        targets.box_masks, targets.clip_index, lab=targets.lab[:1]
    )
    with pytest.raises(PMVISError, match='rows of clip 1, but lab of 1 clip'):
        loss.prepare(one)
    wrong = TKLoss(matcher=LearnedWeights(shape=(3, 7, 6)))
    with pytest.raises(PMVISError, match=r'\(3, 7, 6\) along .* of \(3, 6, 7'):
        wrong.prepare(targets)


def test_offsets_of_the_oracle_are_ours():
    # A guard of this file: the oracle reads the offsets of the matcher.
    maps = torch.arange(42.0).view(6, 7)
    offsets = search_offsets(dict(kernel=3, dilation=3))
    ours = torch.stack([shifted(maps, offset) for offset in offsets])
    expected = F.unfold(maps[None, None], 3, dilation=3, padding=3)
    assert torch.equal(ours.flatten(1), expected[0])
