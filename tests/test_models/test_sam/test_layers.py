import pytest
import torch
from torch.nn import functional as F

pytest.importorskip('mmdet')

from pmvis_mm.models.sam.layers import (
    MLP,
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
