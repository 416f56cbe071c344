import math

import pytest
import torch

from pmvis_mm.models.losses import (
    BoxProjectionLoss,
    TKLoss,
    prepare_targets,
    temporal_connections,
)
from pmvis_mm.models.temporal_matchers import PatchMatcher, TemporalMatcher
from pmvis_mm.models.utils import box_bitmasks, lab_features
from pmvis_mm.registry import MODELS
from pmvis_mm.structures.mask_targets import MaskTargets
from pmvis_mm.structures.temporal_matches import TemporalMatches
from pmvis_mm.testing.sample_tubes import random_tubes
from pmvis_mm.utils.errors import ConfigError, PMVISError


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


class CountingMatcher(PatchMatcher):
    """Counts how often it is asked."""

    calls = 0

    def forward(self, lab, connections, images=None):
        self.calls += 1
        return super().forward(lab, connections, images)


def test_matches_are_found_once_per_step():
    logits, targets = random_tubes(3)
    loss = TKLoss(matcher=CountingMatcher())
    targets = prepare_targets([BoxProjectionLoss(), loss], targets)
    for _ in range(10):
        loss(logits, targets)
    assert loss.matcher.calls == 1
    with pytest.raises(ConfigError, match='already.*once per step'):
        loss.prepare(targets)
    one = TKLoss().prepare(MaskTargets(targets.box_masks, lab=targets.lab[:1]))
    with pytest.raises(PMVISError, match='clip 0 has pairs .*already'):
        MaskTargets.cat([one])


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16', 'float16'])
def test_2000_steps_stay_finite(dtype):
    generator = torch.Generator().manual_seed(1)
    _, targets = random_tubes(2)
    loss = TKLoss(connection='sequential')
    prepared = loss.prepare(targets).gather(torch.tensor([1, 2]))
    shape = (2000, 2, 2, 6, 7)
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
    logits, targets = random_tubes(3)
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
    logits, targets = random_tubes(1)
    loss = TKLoss(connection=connection)
    for lab in (targets.lab, None):
        rows = MaskTargets(targets.box_masks, targets.clip_index, lab=lab)
        assert_zero_with_gradient(loss, logits, loss.prepare(rows))


def test_no_rows_give_zero():
    logits, targets = random_tubes(3)
    loss = TKLoss()
    prepared = loss.prepare(targets)
    none = torch.zeros(0, dtype=torch.long)
    assert_zero_with_gradient(loss, logits[:0], prepared.gather(none))
    empty = targets.gather(none)
    assert_zero_with_gradient(loss, logits[:0], loss.prepare(empty))
    pixels = TKLoss(normalizer='pixels')
    assert_zero_with_gradient(pixels, logits[:0], pixels.prepare(empty))


def test_absent_instances_cost_nothing():
    logits, targets = random_tubes(3)
    loss = TKLoss(matcher=PatchMatcher(threshold=0.01))
    prepared = loss.prepare(targets)
    absent = prepared.gather(torch.tensor([3]))
    assert_zero_with_gradient(loss, logits[3:4], absent)
    # Beside others it changes nothing.
    both = loss(logits[2:4], prepared.gather(torch.tensor([2, 3])))
    one = loss(logits[2:3], prepared.gather(torch.tensor([2])))
    assert both.item() == one.item() > 0


def test_nothing_similar_gives_zero():
    logits, targets = random_tubes(3)
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
    logits, targets = random_tubes(frames)
    index = torch.tensor([] if frames == 1 else rows, dtype=torch.long)
    loss = TKLoss(matcher=LearnedWeights(), normalizer='pixels')
    rows = loss.prepare(targets).gather(index)
    loss(logits[index], rows).backward()
    # The sum of costs times weights, so that less weight is less loss.
    grad = loss.matcher.logit.grad
    assert grad is not None
    assert (grad.item() > 0) == bool(len(index))


def test_weights_are_normalised():
    logits, targets = random_tubes(3)
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
    _, targets = random_tubes(4)
    with pytest.raises(ConfigError, match='release3.* 3 frames, not 4.*dense'):
        TKLoss(connection='release3').prepare(targets)
    with pytest.raises(ConfigError, match=r'\(4, 0\) needs 5 frames.*have 4'):
        TKLoss(connection=[(0, 1), (4, 0)]).prepare(targets)


def test_without_rows_clips_may_have_any_length():
    """Joint training: some batches are longer clips with masks."""
    logits, targets = random_tubes(4)
    empty = MaskTargets(
        targets.box_masks[:0], targets.clip_index[:0], lab=targets.lab
    )
    logits = logits[:0].requires_grad_()
    for connection in ('release3', [(0, 1), (4, 0)]):
        loss = TKLoss(connection=connection)
        value = loss(logits, loss.prepare(empty))
        value.backward()
        assert value == 0 and logits.grad.shape == logits.shape


def test_missing_colours_and_images_are_named():
    _, targets = random_tubes(3)
    bare = MaskTargets(targets.box_masks, targets.clip_index)
    with pytest.raises(ConfigError, match=r'the lab.*temporal=dict\(\)'):
        TKLoss().prepare(bare)
    loss = TKLoss(matcher=LearnedWeights(images=True))
    with pytest.raises(ConfigError, match=r'the images.*images=True'):
        loss.prepare(targets)


def test_what_does_not_belong_together_is_refused():
    logits, targets = random_tubes(3)
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
