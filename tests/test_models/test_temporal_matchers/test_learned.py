import math

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call

from pmvis_mm.models.temporal_matchers import LearnedMatcher
from pmvis_mm.registry import MODELS
from pmvis_mm.utils.errors import ConfigError

LINKS = [(0, 1), (2, 0)]


def descriptors(matcher, frame, patch_size):
    """Fully connected layers on unfolded patches; (h * w, C)."""
    patches = F.unfold(frame[None], patch_size, padding=patch_size // 2)[0]
    values = patches.t() / 100
    layers = [m for m in matcher.layers if hasattr(m, 'weight')]
    for number, layer in enumerate(layers):
        values = values @ layer.weight.flatten(1).t() + layer.bias
        values = values.relu() if number < 2 else values
    return values


@pytest.mark.parametrize('patch_size', [1, 3])
def test_against_the_plain_formulation(patch_size):
    torch.manual_seed(1)
    matcher = LearnedMatcher(patch_size, channels=8).double()
    lab = torch.randn(2, 3, 3, 5, 4).double() * 60
    found = matcher(lab, LINKS)
    start = 0
    for clip in range(2):
        for a, b in LINKS:
            other = descriptors(matcher, lab[clip, a], patch_size)
            center = descriptors(matcher, lab[clip, b], patch_size)
            for y in range(5):
                for x in range(4):
                    partners = [
                        v * 4 + u
                        for v in (y - 3, y, y + 3)
                        for u in (x - 3, x, x + 3)
                        if 0 <= v < 5 and 0 <= u < 4
                    ]
                    part = slice(start, start + len(partners))
                    start = part.stop
                    scores = other[partners] @ center[y * 4 + x]
                    torch.testing.assert_close(
                        found.weights[part], (scores / math.sqrt(8)).softmax(0)
                    )
                    assert found.partners[part, 0].tolist() == [
                        a * 20 + p for p in partners
                    ]
                    own = set(found.centers[part].tolist())
                    assert own == {b * 20 + y * 4 + x}
    assert start == len(found) == found.counts.sum()
    assert found.weights.max() > 0.3  # not all the same


def test_weights_of_a_pixel_sum_to_one():
    torch.manual_seed(0)
    config = dict(type='LearnedMatcher', search=dict(radius=2), channels=4)
    matcher = MODELS.build(config)
    found = matcher(torch.rand(1, 2, 3, 6, 7) * 100, [(1, 0)])
    total = torch.zeros(42).index_add(0, found.centers, found.weights)
    torch.testing.assert_close(total, torch.ones(42))


@pytest.mark.parametrize('patch_size', [1, 3])
def test_gradient_by_finite_differences(patch_size):
    torch.manual_seed(0)
    matcher = LearnedMatcher(patch_size, channels=3).double()
    lab = torch.randn(1, 2, 3, 4, 4).double() * 50
    names = [name for name, _ in matcher.named_parameters()]
    values = [p.detach().requires_grad_() for p in matcher.parameters()]

    def weights(*parameters):
        state = dict(zip(names, parameters))
        return functional_call(matcher, state, (lab, [(0, 1)])).weights

    assert torch.autograd.gradcheck(weights, values)


def test_no_connection():
    matcher = LearnedMatcher(channels=4)
    found = matcher(torch.zeros(2, 1, 3, 2, 2), [])
    assert len(found) == 0 and found.counts.shape == (2, 0)
    assert found.weights.shape == (0,)


def test_frames_of_8_by_8():
    matcher = LearnedMatcher(3, channels=4)
    found = matcher(torch.rand(1, 2, 3, 2, 2), [(0, 1)])
    # One candidate each: the search leaves the map everywhere else.
    assert found.partners.tolist() == [[0], [1], [2], [3]]
    assert found.weights.tolist() == [1, 1, 1, 1]


def test_extreme_colors_stay_finite():
    matcher = LearnedMatcher(3)
    lab = torch.tensor([0.0, 1e4]).view(1, 2, 1, 1, 1).expand(1, 2, 3, 6, 6)
    found = matcher(lab, [(0, 1)])
    assert found.weights.isfinite().all()
    found.weights.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in matcher.parameters())


def test_autocast_keeps_float32_weights():
    matcher = LearnedMatcher(3, channels=8)
    lab = torch.rand(1, 2, 3, 6, 6) * 100
    with torch.autocast('cpu', torch.bfloat16):
        found = matcher(lab, [(0, 1)])
    assert found.weights.dtype == torch.float32


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(patch_size=2), 'patch_size=2 and channels=256.*use an odd'),
        (dict(channels=0), 'patch_size=1 and channels=0'),
        (dict(search=dict(kernel=2, dilation=1)), "'kernel': 2"),
        (dict(search=dict(disc=2)), "'disc': 2"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        LearnedMatcher(**options)
