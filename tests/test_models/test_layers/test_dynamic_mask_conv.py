"""Golden cases 1 to 4 of IDOL's mask head."""

import pytest
import torch
import torch.nn.functional as F
from mmdet.models.utils import aligned_bilinear

from pmvis_mm.models.layers import dynamic_mask_conv, num_dynamic_params
from pmvis_mm.models.layers.dynamic_mask_conv import _offsets, _split


def test_case_1_upsampling():
    image = torch.tensor([[0.0, 1], [2, 3]])[None, None]
    expected = [
        [0, 0, 0.5, 1],
        [0, 0, 0.5, 1],
        [1, 1, 1.5, 2],
        [2, 2, 2.5, 3],
    ]
    assert aligned_bilinear(image, 2)[0, 0].tolist() == expected


def test_case_2_relative_coordinates():
    dx, dy = _offsets(torch.tensor([[10.0, 20.0]]), 2, 2, 8)
    assert dx.tolist() == [[6, -2]] and dy.tolist() == [[16, 8]]


def test_case_3_layout_of_the_parameters():
    assert num_dynamic_params() == 169
    weights, biases = _split(torch.arange(169.0)[None] / 169 - 0.5, 8, 3)
    assert [tuple(w.shape) for w in weights] == [
        (1, 8, 10),
        (1, 8, 8),
        (1, 1, 8),
    ]
    assert biases[2].item() == pytest.approx(0.494083, abs=1e-6)
    assert weights[2][0, 0, 0].item() == pytest.approx(0.352071, abs=1e-6)


def test_case_4_masks():
    first = 0.5 * torch.sin(torch.arange(169.0))
    params = torch.stack([first, -first])
    features = torch.cos(torch.arange(48.0)).view(8, 2, 3)
    points = torch.tensor([[10.0, 6], [20, 3]])
    logits = dynamic_mask_conv(features, params, points)
    expected = torch.tensor(
        [
            [
                [-1.40458, -1.40458, -1.22930, -1.05402, -0.94960, -0.84518],
                [-1.40458, -1.40458, -1.22930, -1.05402, -0.94960, -0.84518],
                [-1.23274, -1.23274, -1.19137, -1.15001, -1.13982, -1.12964],
                [-1.06090, -1.06090, -1.15345, -1.24599, -1.33005, -1.41410],
            ],
            [
                [-0.07464, -0.07464, -0.08954, -0.10444, -0.06574, -0.02705],
                [-0.07464, -0.07464, -0.08954, -0.10444, -0.06574, -0.02705],
                [0.03732, 0.03732, 0.13397, 0.23062, 0.19426, 0.15790],
                [0.14928, 0.14928, 0.35748, 0.56568, 0.45426, 0.34284],
            ],
        ]
    )
    masks = aligned_bilinear(logits[None], 2)[0]
    torch.testing.assert_close(masks, expected, atol=1e-5, rtol=0)


def _grouped(features, params, points, stride):
    """The same as convolutions of (instances x channels) groups."""
    number, (_, height, width) = len(params), features.shape
    ys, xs = torch.meshgrid(
        torch.arange(height) * stride + stride // 2,
        torch.arange(width) * stride + stride // 2,
        indexing='ij',
    )
    offsets = points[:, :, None, None] - torch.stack([xs, ys])
    value = torch.cat(
        [offsets, features.expand(number, -1, -1, -1)], dim=1
    ).reshape(1, -1, height, width)
    weights, biases = _split(params, len(features), 3)
    for layer, (weight, bias) in enumerate(zip(weights, biases)):
        value = F.conv2d(
            value.relu() if layer else value,
            weight.flatten(0, 1)[:, :, None, None],
            bias.flatten(),
            groups=number,
        )
    return value[0]


def test_equals_grouped_convolutions_with_gradients():
    torch.manual_seed(0)
    features = torch.randn(8, 5, 7, dtype=torch.double, requires_grad=True)
    params = torch.randn(4, 169, dtype=torch.double, requires_grad=True)
    points = torch.rand(4, 2, dtype=torch.double) * 50
    inputs = (features, params)
    ours = dynamic_mask_conv(features, params, points)
    theirs = _grouped(features, params, points, 8)
    torch.testing.assert_close(ours, theirs)
    weight = torch.randn_like(ours)
    for one, two in zip(
        torch.autograd.grad((ours * weight).sum(), inputs),
        torch.autograd.grad((theirs * weight).sum(), inputs),
    ):
        torch.testing.assert_close(one, two)


def test_no_instance():
    logits = dynamic_mask_conv(
        torch.ones(8, 3, 4), torch.zeros(0, 169), torch.zeros(0, 2)
    )
    assert logits.shape == (0, 3, 4)
