import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call

from pmvis_mm.models.temporal_matchers import DeformableMatcher
from pmvis_mm.models.temporal_matchers.deformable import bilinear_partners
from pmvis_mm.registry import MODELS
from pmvis_mm.utils.errors import ConfigError


def read(values, offsets):
    """Read (h, w) maps at the ends of offsets, by partners and mix."""
    partners, mix = bilinear_partners(offsets)
    return (values.flatten()[partners] * mix).sum(-1)


def test_bilinear_by_hand():
    values = torch.tensor([[0.0, 10, 20], [30, 40, 50]])
    offsets = torch.zeros(1, 2, 2, 3)
    offsets[0, :, 0, 0] = torch.tensor([0.25, 0.5])  # 0.75 * 5 + 0.25 * 35
    offsets[0, :, 0, 2] = torch.tensor([-1.0, 0.5])  # back to the border
    offsets[0, :, 1, 1] = torch.tensor([-1.0, -1.0])
    offsets[0, :, 1, 2] = torch.tensor([9.0, -0.1])
    found = read(values, offsets)[0]
    expected = torch.tensor([12.5, 10, 20, 30, 0, 49])
    torch.testing.assert_close(found, expected)


def test_bilinear_is_grid_sample():
    torch.manual_seed(0)
    values = torch.randn(5, 7).double()
    offsets = torch.randn(3, 2, 5, 7).double() * 3
    place = torch.stack(
        torch.meshgrid(torch.arange(5), torch.arange(7), indexing='ij')
    )
    y, x = (place + offsets).unbind(1)
    grid = torch.stack([x / 6 * 2 - 1, y / 4 * 2 - 1], -1)
    expected = F.grid_sample(
        values.expand(3, 1, 5, 7),
        grid,
        padding_mode='border',
        align_corners=True,
    )
    torch.testing.assert_close(read(values, offsets), expected.flatten(1))
    partners, mix = bilinear_partners(offsets)
    assert partners.min() >= 0 and partners.max() < 35
    assert mix.min() >= 0
    torch.testing.assert_close(mix.sum(-1), torch.ones(3, 35).double())


def test_gradient_of_the_offsets():
    torch.manual_seed(0)
    offsets = torch.rand(1, 2, 3, 3).double() * 0.8 + 0.1
    offsets.requires_grad_()
    values = torch.randn(3, 3).double()
    assert torch.autograd.gradcheck(lambda o: read(values, o), offsets)
    # Back from outside: the way across the border is closed.
    outside = torch.full((1, 2, 3, 3), 9.0, requires_grad=True)
    read(values.float(), outside).sum().backward()
    assert not outside.grad.any()


@pytest.mark.parametrize('size', [(1, 1), (1, 3), (3, 1)])
def test_bilinear_on_maps_of_one_row(size):
    values = torch.arange(size[0] * size[1]).float().view(size)
    found = read(values, torch.zeros(1, 2, *size))
    assert found.flatten().tolist() == values.flatten().tolist()


def test_starts_at_the_same_place():
    torch.manual_seed(0)
    matcher = MODELS.build(dict(type='DeformableMatcher', channels=4))
    lab = torch.rand(2, 3, 3, 4, 5) * 100
    found = matcher(lab, [(0, 1), (2, 0)])
    assert found.counts.tolist() == [[20, 20]] * 2
    nearest = found.partners.gather(1, found.mix.argmax(1, keepdim=True))
    pixels = torch.arange(20)
    clip = torch.cat([pixels + 20, pixels])
    assert found.centers.tolist() == torch.cat([clip, clip]).tolist()
    clip = torch.cat([pixels, pixels + 40])
    assert nearest[:, 0].tolist() == torch.cat([clip, clip]).tolist()
    assert torch.equal(found.mix.max(1).values, torch.ones(80))


def test_sees_the_right_frames():
    torch.manual_seed(0)
    matcher = DeformableMatcher(4).double()
    torch.nn.init.normal_(matcher.layers[-1].weight)
    lab = torch.rand(2, 3, 3, 4, 5).double() * 100
    found = matcher(lab, [(0, 1), (2, 0)])
    for number, (clip, a, b) in enumerate(
        [(0, 0, 1), (0, 2, 0), (1, 0, 1), (1, 2, 0)]
    ):
        both = torch.cat([lab[clip, a], lab[clip, b]])[None] / 100
        partners, mix = bilinear_partners(matcher.layers(both))
        part = slice(20 * number, 20 * (number + 1))
        assert torch.equal(found.partners[part], partners[0] + 20 * a)
        torch.testing.assert_close(found.mix[part], mix[0])
    assert (found.mix.max(1).values < 1).any()


def test_gradient_by_finite_differences():
    torch.manual_seed(0)
    matcher = DeformableMatcher(3).double()
    torch.nn.init.normal_(matcher.layers[-1].weight, std=0.1)
    torch.nn.init.constant_(matcher.layers[-1].bias, 0.4)
    lab = torch.rand(1, 2, 3, 3, 3).double() * 100
    names = [name for name, _ in matcher.named_parameters()]
    values = [p.detach().requires_grad_() for p in matcher.parameters()]

    def mix(*parameters):
        state = dict(zip(names, parameters))
        return functional_call(matcher, state, (lab, [(0, 1)])).mix

    assert torch.autograd.gradcheck(mix, values)
    assert mix(*values).abs().sum().item() == pytest.approx(9)


def test_no_connection():
    found = DeformableMatcher(4)(torch.zeros(2, 1, 3, 2, 2), [])
    assert len(found) == 0 and found.counts.shape == (2, 0)
    assert found.partners.shape == found.mix.shape == (0, 4)


def test_diverged_offsets_stay_in_the_map_and_show():
    offsets = torch.zeros(1, 2, 2, 2)
    offsets[0, 0, 0, 0] = float('nan')
    offsets[0, 1, 0, 1] = float('inf')
    partners, mix = bilinear_partners(offsets)
    assert partners.min() >= 0 and partners.max() <= 3
    assert mix[0, 0].isnan().any() and mix[0, 1:].isfinite().all()


def test_bad_options_are_refused():
    with pytest.raises(ConfigError, match='channels is 0. Fix: use 1 or more'):
        DeformableMatcher(0)
