import pytest
import torch
from torch.nn import functional as F

pytest.importorskip('mmdet')

from pmvis_mm.models.sam.layers import (
    MLP,
    Doubling,
    LayerNorm2d,
    build_neck,
    join_windows,
    split_windows,
)


def test_layer_norm_is_over_channels():
    torch.manual_seed(0)
    x = torch.randn(2, 5, 3, 4)
    norm = LayerNorm2d(5)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    centred = x - x.mean(1, keepdim=True)
    scaled = centred / (x.var(1, unbiased=False, keepdim=True) + 1e-6).sqrt()
    expected = scaled * norm.weight[:, None, None]
    expected = expected + norm.bias[:, None, None]
    torch.testing.assert_close(norm(x), expected)


def test_mlp_by_hand():
    mlp = MLP(1, 2, 1)
    for layer, weight, bias in zip(
        mlp.layers,
        ([[1.0], [-1.0]], [[1.0, 0.0], [0.0, 2.0]], [[1.0, 1.0]]),
        ([0.0, 0.0], [-1.0, 0.0], [-10.0]),
    ):
        layer.weight.data = torch.tensor(weight)
        layer.bias.data = torch.tensor(bias)
    # 3 -> (3, 0) -> (2, 0) -> -8; -3 -> (0, 3) -> (0, 6) -> -4
    assert mlp(torch.tensor([[3.0], [-3.0]])).tolist() == [[-8.0], [-4.0]]


def test_neck_keeps_the_size():
    neck = build_neck(6, 4)
    assert [k for k in neck.state_dict() if 'bias' in k] == [
        '1.bias',
        '3.bias',
    ]
    assert neck(torch.randn(2, 6, 5, 7)).shape == (2, 4, 5, 7)


@pytest.mark.parametrize('shape', [(6, 9), (7, 4), (3, 3), (2, 1)])
def test_windows(shape):
    torch.manual_seed(0)
    x = torch.randn(2, *shape, 5)
    windows = split_windows(x, 3)
    rows, columns = -(-shape[0] // 3), -(-shape[1] // 3)
    assert windows.shape == (2 * rows * columns, 3, 3, 5)
    padded = F.pad(x, (0, 0, 0, columns * 3 - shape[1]))
    padded = F.pad(padded, (0, 0, 0, 0, 0, rows * 3 - shape[0]))
    for i, window in enumerate(windows):
        frame, rest = divmod(i, rows * columns)
        row, column = divmod(rest, columns)
        expected = padded[frame, 3 * row :, 3 * column :][:3, :3]
        assert torch.equal(window, expected)
    assert torch.equal(join_windows(windows, shape), x)


@torch.no_grad()
def test_doubling_is_the_transposed_convolution():
    torch.manual_seed(0)
    layer = Doubling(3, 5)
    x = torch.randn(2, 3, 4, 6)
    expected = torch.nn.functional.conv_transpose2d(
        x, layer.weight, layer.bias, stride=2
    )
    torch.testing.assert_close(layer(x), expected)
    last = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(layer(last), expected)
    # One pixel becomes the four values of the kernel, plus the bias.
    layer.weight.copy_(torch.arange(60.0).view(3, 5, 2, 2))
    layer.bias.copy_(torch.arange(5.0))
    one = torch.tensor([1.0, 10.0, 100.0]).view(1, 3, 1, 1)
    # Channel 2, lower left: 10 + 30 * 10 + 50 * 100 + 2.
    assert layer(one)[0, 2, 1, 0] == 5312
    assert list(layer.state_dict()) == ['weight', 'bias']
