import pytest
import torch
import torch.nn.functional as F

from pmvis_mm.models.losses import pairwise_edges
from pmvis_mm.models.losses.pairwise_edges import edge_sum
from pmvis_mm.models.utils import neighbor_offsets

SIZE, DILATION = 3, 2
OFFSETS = neighbor_offsets(SIZE, DILATION)


def make(height=48, width=50, kind='hard'):
    """Four rows of two frames and two clips; boxes also at the border."""
    generator = torch.Generator().manual_seed(3)

    def rand(*shape):
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    logits = (rand(4, 2, height, width) - 0.5) * 20
    boxes = torch.zeros(4, 2, height, width, dtype=torch.float64)
    boxes[0, 0, :5, :7] = 1
    boxes[0, 1, 10:30, 20:41] = 1
    boxes[1, :, -3:, -4:] = 1
    boxes[2, 1] = 1  # absent in frame 0
    boxes[3, 0, height // 3, width // 3] = 1
    if kind == 'fractional':
        boxes *= rand(*boxes.shape)
    similar = rand(2, 2, len(OFFSETS), height, width) > 0.4
    return logits, boxes, similar, torch.tensor([0, 1, 1, 0])


def plain(logits, boxes, similar, clip_index):
    """Every directed edge, one neighbour after the other."""
    height, width = logits.shape[-2:]
    row = torch.arange(height)[:, None]
    col = torch.arange(width)
    total = logits.new_zeros(())
    for k, (dy, dx) in enumerate(OFFSETS):
        inside = (0 <= row + dy) & (row + dy < height)
        inside = inside & (0 <= col + dx) & (col + dx < width)
        other = torch.roll(logits, (-dy, -dx), (-2, -1))
        term = -torch.logaddexp(
            F.logsigmoid(logits) + F.logsigmoid(other),
            F.logsigmoid(-logits) + F.logsigmoid(-other),
        )
        weight = similar[clip_index][:, :, k] * boxes * inside
        total = total + (term * weight).sum()
    return total


def value_and_grad(function, logits, *rest):
    logits = logits.clone().requires_grad_()
    value = function(logits, *rest)
    (2 * value).backward()
    return value.detach(), logits.grad


def assert_equals_plain(data):
    value, grad = value_and_grad(edge_sum, *data, SIZE, DILATION)
    expected, expected_grad = value_and_grad(plain, *data)
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    assert torch.allclose(grad, expected_grad, atol=1e-12)
    assert expected_grad.abs().max() > 1


@pytest.mark.parametrize('kind', ['hard', 'fractional'])
@pytest.mark.parametrize('size', [(48, 50), (9, 50), (33, 64)])
def test_equals_the_sum_over_directed_edges(size, kind, monkeypatch):
    if size == (9, 50):  # too small for windows: whole maps
        assert size[0] * size[1] < pairwise_edges._LARGE_MAP
        data = make(*size)
        monkeypatch.setattr(pairwise_edges, '_CHUNK', 3 * 9 * 50)
    else:
        assert size[0] * size[1] >= pairwise_edges._LARGE_MAP
        data = make(*size, kind)
    assert_equals_plain(data)


def test_windows_and_whole_maps_agree(monkeypatch):
    data = make()
    windows = value_and_grad(edge_sum, *data, SIZE, DILATION)
    monkeypatch.setattr(pairwise_edges, '_LARGE_MAP', 1 << 40)
    whole = value_and_grad(edge_sum, *data, SIZE, DILATION)
    assert windows[0].item() == pytest.approx(whole[0].item(), rel=1e-12)
    assert torch.allclose(windows[1], whole[1], atol=1e-12)


def test_a_window_is_the_box_and_its_neighbours():
    _, boxes, _, _ = make()
    parts = list(pairwise_edges._parts(boxes.flatten(0, 1), reach=2))
    assert parts == [
        (slice(0, 1), slice(0, 7), slice(0, 9)),
        (slice(1, 2), slice(8, 32), slice(18, 43)),
        (slice(2, 3), slice(43, 48), slice(44, 50)),
        (slice(3, 4), slice(43, 48), slice(44, 50)),
        # The empty map 4 needs no work.
        (slice(5, 6), slice(0, 48), slice(0, 50)),
        (slice(6, 7), slice(14, 19), slice(14, 19)),
    ]


def test_gradient_by_finite_differences():
    logits, *rest = make(6, 7)
    assert torch.autograd.gradcheck(
        lambda z: edge_sum(z, *rest, SIZE, DILATION),
        (logits.requires_grad_(),),
    )


def test_no_similar_pixel_gives_zero():
    logits, boxes, similar, clip_index = make()
    logits.requires_grad_()
    none = torch.zeros_like(similar)
    total = edge_sum(logits, boxes, none, clip_index, SIZE, DILATION)
    total.backward()
    assert total.item() == 0
    assert torch.all(logits.grad == 0)


def test_without_gradient_the_value_is_the_same():
    data = make()
    assert not edge_sum(*data, SIZE, DILATION).requires_grad
    value, _ = value_and_grad(edge_sum, *data, SIZE, DILATION)
    assert edge_sum(*data, SIZE, DILATION).item() == value.item()


def test_transposed_maps():
    # Not contiguous, as a permuted output of a network.
    logits, boxes, similar, clip_index = make(50, 50)
    swapped = logits.transpose(-1, -2)
    value, grad = value_and_grad(
        lambda z: edge_sum(
            z.transpose(-1, -2), boxes, similar, clip_index, SIZE, DILATION
        ),
        swapped,
    )
    data = (logits, boxes, similar, clip_index)
    expected, expected_grad = value_and_grad(plain, *data)
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    assert torch.allclose(grad.transpose(-1, -2), expected_grad, atol=1e-12)
