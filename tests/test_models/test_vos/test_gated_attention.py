"""Gated attention against closed-form numbers and plain formulas."""

import pytest
import torch
import torch.nn.functional as F

from pmvis_mm.models.vos import gated_attention as module
from pmvis_mm.models.vos.gated_attention import (
    GatedAttention,
    LocalGatedAttention,
    SelfGatedAttention,
    attend,
)
from pmvis_mm.testing.closed_form import det


def filled(layer):
    """Closed-form weights by their official names."""
    weights = {
        name: det(name.replace('dw_conv.', 'dw_conv.conv.'), x.shape, 0.1)
        for name, x in layer.state_dict().items()
    }
    layer.load_state_dict(weights)
    return layer.eval()


def five(y):
    values = y.mean(), y.std(), y[0, 0, 0], y[0, 230, 100], y[0, 459, 511]
    return [value.item() for value in values]


@torch.no_grad()
def test_case_6_local_attention():
    q = det('q', (1, 460, 128), 1.0)
    v, u = (det(name, (1, 460, 1024), 1.0) for name in 'vu')
    y = filled(LocalGatedAttention())(q, q, v, u, (20, 23))
    expected = [0.002214, 0.071502, 0.070136, -0.009043, -0.010774]
    assert five(y) == pytest.approx(expected, abs=1e-5)


@torch.no_grad()
def test_case_6_global_attention():
    q = det('q', (1, 460, 128), 1.0)
    u = det('u', (1, 460, 1024), 1.0)
    k = det('k2', (1, 1380, 128), 1.0)
    v = det('v2', (1, 1380, 1024), 1.0)
    y = filled(GatedAttention())(q, k, v, u, (20, 23))
    expected = [0.002210, 0.058360, 0.018531, 0.019133, 0.005073]
    assert five(y) == pytest.approx(expected, abs=1e-5)


def plain_local(layer, q, k, v, height, width):
    """One query at a time, over the keys of its window."""
    side = 2 * layer.radius + 1
    bias = layer.relative_emb_k(q.transpose(1, 2)[..., None])[0, ..., 0]
    rows = []
    for n in range(height * width):
        scores, values = [], []
        for m in range(height * width):
            dy, dx = m // width - n // width, m % width - n % width
            if max(abs(dy), abs(dx)) > layer.radius:
                continue
            place = (dy + layer.radius) * side + dx + layer.radius
            product = (q[0, n] * k[0, m]).sum() / q.size(2) ** 0.5
            scores.append(product + bias[place, n])
            values.append(v[0, m])
        weights = torch.stack(scores).softmax(0)
        rows.append((weights[:, None] * torch.stack(values)).sum(0))
    return torch.stack(rows)[None]


@torch.no_grad()
@pytest.mark.parametrize('rows_at_once', [1, 2, 100])
@pytest.mark.parametrize('grid', [(1, 1), (5, 7), (7, 2)])
def test_local_attention_looks_at_its_window(grid, rows_at_once):
    torch.manual_seed(0)
    layer = LocalGatedAttention(
        6, radius=2, rows_at_once=rows_at_once, value_channels=4
    ).double()
    n = grid[0] * grid[1]
    q, k = (torch.randn(1, n, 6).double() for _ in range(2))
    v, u = (torch.randn(1, n, 4).double() for _ in range(2))
    y = layer(q, k, v, u, grid)
    attended = plain_local(layer, q, k, v, *grid)
    torch.testing.assert_close(y, layer.finish(attended, u, grid))


@torch.no_grad()
def test_attend_is_the_common_attention():
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, n, c) for n, c in ((5, 8), (9, 8), (9, 3)))
    bias = torch.randn(2, 5, 9)
    expected = F.scaled_dot_product_attention(q, k, v, bias)
    torch.testing.assert_close(attend(q, k, v, bias), expected)


@torch.no_grad()
def test_attend_shares_and_splits(monkeypatch):
    torch.manual_seed(0)
    q, k, v = (torch.randn(b, 7, 4) for b in (1, 1, 3))
    bias = torch.randn(1, 7, 7)
    whole = attend(q, k, v, bias)
    assert whole.shape == (3, 7, 4)
    for one in range(3):
        torch.testing.assert_close(
            whole[one : one + 1], attend(q, k, v[one : one + 1], bias)
        )
    monkeypatch.setattr(module, '_MAX_WEIGHTS', 15)  # two queries at a time
    torch.testing.assert_close(attend(q, k, v, bias), whole)


@torch.no_grad()
def test_self_attention_gates_both_halves():
    torch.manual_seed(0)
    layer = SelfGatedAttention(3, 4, value_channels=10, out_channels=6)
    x, y = torch.randn(2, 6, 3), torch.randn(2, 6, 3)
    q = layer.linear_qk(torch.cat((x, y), -1))
    v = F.silu(torch.cat((layer.linear_v1(x), layer.linear_v2(y)), -1))
    u = F.silu(torch.cat((layer.linear_u1(x), layer.linear_u2(y)), -1))
    weights = (q @ q.transpose(1, 2) / 2).softmax(-1)
    expected = layer.finish(weights @ v, u, (2, 3))
    torch.testing.assert_close(layer(x, y, (2, 3)), expected)
