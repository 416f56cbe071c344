import math

import pytest
import torch

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from pmvis_mm.models.tracking_heads import IDOLTrackHead, idol_track_head
from pmvis_mm.registry import MODELS
from pmvis_mm.utils.errors import ConfigError, PMVISError


def _head(**options) -> IDOLTrackHead:
    return IDOLTrackHead(8, 6, 5, **options)


def _identity(channels: int) -> IDOLTrackHead:
    """A head that returns what it gets."""
    head = IDOLTrackHead(channels, channels, channels, num_layers=1)
    with torch.no_grad():
        head.embed.layers[0].weight.copy_(torch.eye(channels))
        head.embed.layers[0].bias.zero_()
    return head


def _batch(seed: int, sizes=(3, 0, 2), num_queries: int = 20):
    """Random input of ``loss``; few positives, some rows ignored."""
    torch.manual_seed(seed)
    states = torch.randn(2, len(sizes), num_queries, 8)
    matched = [torch.randint(num_queries, (size,)) for size in sizes]
    positives = [torch.rand(num_queries, size) < 0.15 for size in sizes]
    near = [torch.rand(num_queries, size) < 0.3 for size in sizes]
    return states[0], states[1], matched, positives, near


def _oracle(head, key, ref, matched, positives, near):
    """Both losses, item by item; every negative is sampled."""
    key, ref = head(key).double(), head(ref).double()
    contrastive, cosine = [], []
    for i, queries in enumerate(matched):
        for g, query in enumerate(queries.tolist()):
            v = key[i, query]
            pos = [r for r, p in zip(ref[i], positives[i][:, g]) if p]
            neg = [r for r, n in zip(ref[i], near[i][:, g]) if not n]
            total = 0.0
            for p in pos:
                for n in neg:
                    total += math.exp((v @ n - v @ p).item())
            contrastive.append(math.log(1 + total))
            error = 0.0
            for label, rows in ((1, pos), (0, neg)):
                for row in rows:
                    angle = v @ row / (v.norm() * row.norm())
                    error += (angle.item() - label) ** 2
            cosine.append(error / (len(pos) + len(neg)))
    return sum(contrastive) / len(cosine), sum(cosine) / len(cosine)


def test_values_of_the_reference():
    ref = torch.tensor(
        [[2.0, 0.0], [1.0, 0.0], [0.5, 0.0], [-1.0, 0.0], [0.0, 0.0]]
    )
    key = torch.tensor([[7.0, 7.0], [1.0, 0.0], [7.0, 7.0]])
    head = _identity(2)
    positives = torch.tensor([1, 1, 0, 0, 0]).bool()[:, None]
    losses = head.loss(
        torch.nn.functional.pad(key, (0, 0, 0, 2))[None],
        ref[None],
        [torch.tensor([1])],
        [positives],
        [positives],
    )
    assert losses['loss_reid'].item() == pytest.approx(2 * 0.923464, abs=1e-5)
    # Cosines 1, 1 | 1, -1, 0 (of the zero vector): errors 0, 0, 1, 1, 0
    assert losses['loss_reid_aux'].item() == pytest.approx(3 * 2 / 5)

    cosines = (0.9, 0.2, -0.1)
    ref = torch.tensor([[c, math.sqrt(1 - c * c)] for c in cosines])
    positives = torch.tensor([1, 0, 0]).bool()[:, None]
    losses = head.loss(
        key[None], ref[None], [torch.tensor([1])], [positives], [positives]
    )
    assert losses['loss_reid_aux'].item() == pytest.approx(3 * 0.02, abs=1e-6)


def test_equals_the_oracle():
    # Ratio 100: all negatives are sampled.
    head = _head(
        loss_reid=dict(type='ContrastiveReIDLoss'),
        loss_reid_aux=dict(type='CosineReIDLoss', neg_pos_ratio=100),
    )
    for seed in range(5):
        batch = _batch(seed)
        assert any((p & ~n).any() for p, n in zip(batch[3], batch[4])), (
            'no row is positive and negative at once'
        )
        losses = head.loss(*batch)
        contrastive, cosine = _oracle(head, *batch)
        assert losses['loss_reid'].item() == pytest.approx(contrastive, 1e-5)
        assert losses['loss_reid_aux'].item() == pytest.approx(cosine, 1e-5)


def test_order_of_the_pairs_does_not_matter():
    head = _head(loss_reid_aux=None)
    batch = _batch(1)
    expected = head.loss(*batch)
    order = [2, 0, 1]
    turned = head.loss(
        batch[0][order],
        batch[1][order],
        *([rows[i] for i in order] for rows in batch[2:]),
    )
    assert set(expected) == {'loss_reid'}
    torch.testing.assert_close(turned, expected)


def test_gradients_reach_both_frames():
    key, ref, matched, positives, near = _batch(0)
    matched = [torch.tensor(q) for q in ([4, 4, 9], [], [0, 19])]
    matched[1] = matched[1].long()
    key.requires_grad_()
    ref.requires_grad_()
    head = _head()
    losses = head.loss(key, ref, matched, positives, near)
    for loss in losses.values():
        grads = torch.autograd.grad(
            loss, [key, ref, *head.parameters()], retain_graph=True
        )
        reached = (grads[0] != 0).any(-1)
        assert reached[0].nonzero().flatten().tolist() == [4, 9]
        assert reached[2].nonzero().flatten().tolist() == [0, 19]
        assert not reached[1].any()
        assert (grads[1][0] != 0).any() and not (grads[1][1] != 0).any()
    # The last bias shifts both sides alike, but not the dot products.
    assert all((grad != 0).any() for grad in grads[2:])


def test_no_instances_give_zero_with_grad():
    key, ref, matched, positives, near = _batch(0, sizes=(0, 0))
    key.requires_grad_()
    ref.requires_grad_()
    head = _head()
    losses = head.loss(key, ref, matched, positives, near)
    for name in ('loss_reid', 'loss_reid_aux'):
        assert losses[name].item() == 0
        grads = torch.autograd.grad(
            losses[name], [key, ref, *head.parameters()], retain_graph=True
        )
        assert all(torch.all(grad == 0) for grad in grads)


def test_instances_are_counted_once_over_all_processes(monkeypatch):
    calls = []

    def two_processes(count, sync):
        calls.append((count.item(), sync))
        return (count + 3) / 2.0

    batch = _batch(0, sizes=(3, 2))
    head = _head(loss_reid_aux=None)
    alone = head.loss(*batch)['loss_reid'].item()
    monkeypatch.setattr(idol_track_head, 'sync_count', two_processes)
    shared = head.loss(*batch)['loss_reid'].item()
    assert shared == pytest.approx(alone * 5 / 4)
    head = _head(sync_avg_factor=False)
    head.loss(*_batch(0, sizes=(0, 0)))
    # Also without anything to count, or other processes would wait.
    assert calls == [(5, True), (0, False)]


def test_auxiliary_negatives_follow_the_seed():
    head = _head()
    batch = _batch(0, sizes=(4,), num_queries=200)
    batch[3][0][4:] = False  # few positives, so that not all are sampled
    values = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        values.append(head.loss(*batch)['loss_reid_aux'].item())
    assert values[0] == values[1] != values[2]


def test_autocast_keeps_the_loss_in_float32():
    head = _head(loss_reid_aux=None)
    batch = _batch(0)
    expected = head.loss(*batch)['loss_reid']
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = head.loss(*batch)['loss_reid']
    assert loss.dtype == torch.float32
    # Only the embeddings are rounded.
    assert loss.item() == pytest.approx(expected.item(), rel=0.05)


def test_network():
    head = IDOLTrackHead()
    names = {
        f'embed.layers.{i}.{name}'
        for i in range(3)
        for name in ('weight', 'bias')
    }
    assert set(head.state_dict()) == names
    # As the reference: 3 * (256 * 256 + 256)
    assert sum(p.numel() for p in head.parameters()) == 197376
    head = _head()
    states = torch.randn(2, 3, 8)
    weights = [(lay.weight, lay.bias) for lay in head.embed.layers]
    expected = states
    for i, (weight, bias) in enumerate(weights):
        expected = expected @ weight.T + bias
        expected = expected if i == 2 else expected.clamp(min=0)
    torch.testing.assert_close(head(states), expected)
    assert head(torch.zeros(0, 8)).shape == (0, 5)


def test_builds_from_a_config():
    head = MODELS.build(dict(type='IDOLTrackHead', in_channels=8))
    assert isinstance(head, IDOLTrackHead)
    weights = {name: loss.loss_weight for name, loss in head.losses.items()}
    assert weights == dict(loss_reid=2.0, loss_reid_aux=3.0)


def test_bad_input_is_refused():
    key, ref, matched, positives, near = _batch(0)
    head = _head()
    with pytest.raises(PMVISError, match=r'3 pairs.*\[2, 3, 3\].*Fix: pass'):
        head.loss(key, ref, matched[:2], positives, near)
    bad = [positives[0], positives[1], positives[2][:, :1]]
    message = r'positives of pair 2.*\(20, 1\), not \(20, 2\).*columns'
    with pytest.raises(PMVISError, match=message):
        head.loss(key, ref, matched, bad, near)
    with pytest.raises(PMVISError, match='not_negatives of pair 0'):
        head.loss(key, ref, matched, positives, [n.T for n in near])
    head = _head(loss_reid=None, loss_reid_aux=None)
    with pytest.raises(ConfigError, match='no losses.*loss_reid'):
        head.loss(key, ref, matched, positives, near)
