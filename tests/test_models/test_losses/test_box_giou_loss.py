import pytest
import torch
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy

from pmvis_mm.models.losses import BoxGIoULoss
from pmvis_mm.registry import MODELS
from pmvis_mm.utils.errors import PMVISError


def _boxes(*rows) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def test_case_7_value_of_the_reference():
    pred = bbox_cxcywh_to_xyxy(_boxes((0.45, 0.55, 0.3, 0.3)))
    target = bbox_cxcywh_to_xyxy(_boxes((0.5, 0.5, 0.2, 0.4)))
    loss = BoxGIoULoss()(pred, target)
    assert loss.item() == pytest.approx(0.537879, abs=1e-6)


def test_hand_values():
    pred = _boxes((0, 0, 2, 2), (0, 0, 1, 1), (1, 1, 3, 4))
    target = _boxes((1, 0, 3, 2), (3, 0, 4, 1), (1, 1, 3, 4))
    # iou 2 / 6, nothing else enclosed: 1 - 1/3. Disjoint: 1 + (4 - 2) / 4.
    rows = [2 / 3, 1.5, 0.0]
    loss = BoxGIoULoss(loss_weight=2.0)
    assert loss(pred, target).item() == pytest.approx(2 * sum(rows) / 3)
    scaled = loss(pred, target, avg_factor=7)
    assert scaled.item() == pytest.approx(2 * sum(rows) / 7)
    scaled = loss(pred, target, avg_factor=torch.tensor(0.5))
    assert scaled.item() == pytest.approx(2 * sum(rows) / 0.5)


def test_weights_of_rows():
    pred = _boxes((0, 0, 2, 2), (0, 0, 1, 1))
    target = _boxes((1, 0, 3, 2), (3, 0, 4, 1))
    weight = torch.tensor([0.5, 2.0])
    expected = 0.5 * 2 / 3 + 2 * 1.5
    loss = BoxGIoULoss()(pred, target, weight, avg_factor=1)
    assert loss.item() == pytest.approx(expected)
    wide = weight[:, None].expand(2, 4)
    loss = BoxGIoULoss()(pred, target, wide, avg_factor=1)
    assert loss.item() == pytest.approx(expected)


def test_eps_stands_in_union_and_enclosing_area():
    pred, target = _boxes((0, 0, 1, 1)), _boxes((0, 0, 2, 1))
    loss = BoxGIoULoss(eps=0.5)(pred, target)
    # inter 1, union 2, enclosing 2
    assert loss.item() == pytest.approx(1 - 1 / 2.5 + 0 / 2.5)
    # Two points: neither area exists.
    point = _boxes((1, 1, 1, 1))
    assert BoxGIoULoss()(point, point).item() == 1


def test_equals_mmdet_on_ordinary_boxes():
    pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')
    from mmdet.models.losses import GIoULoss

    torch.manual_seed(0)
    pred = bbox_cxcywh_to_xyxy(torch.rand(50, 4) + 0.1).requires_grad_()
    target = bbox_cxcywh_to_xyxy(torch.rand(50, 4) + 0.1)
    ours = BoxGIoULoss()(pred, target)
    reference = GIoULoss(eps=1e-7)(pred, target)
    assert ours.item() == pytest.approx(reference.item(), abs=1e-6)
    grad, expected = (
        torch.autograd.grad(loss, pred)[0] for loss in (ours, reference)
    )
    torch.testing.assert_close(grad, expected)


def test_no_boxes_give_zero_with_grad():
    pred = torch.zeros(0, 4, requires_grad=True)
    for avg_factor in (None, 1, torch.tensor(3.0)):
        loss = BoxGIoULoss()(pred, torch.zeros(0, 4), avg_factor=avg_factor)
        loss.backward()
        assert loss.item() == 0


def test_half_precision_is_left():
    pred = _boxes((0, 0, 300, 300)).half()
    loss = BoxGIoULoss()(pred, _boxes((0, 0, 300, 600)))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(0.5)


def test_builds_from_a_config():
    loss = MODELS.build(dict(type='BoxGIoULoss', loss_weight=2.0))
    assert isinstance(loss, BoxGIoULoss)
    assert repr(loss) == 'BoxGIoULoss(loss_weight=2.0, eps=1e-07)'


@pytest.mark.parametrize('shape', [(3, 4), (2, 5), (4,)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(PMVISError, match=r'not both \(n, 4\).*Fix: gather'):
        BoxGIoULoss()(torch.zeros(shape), torch.zeros(2, 4))
    if shape == (2, 5):
        with pytest.raises(PMVISError, match='not both'):
            BoxGIoULoss()(torch.zeros(shape), torch.zeros(shape))
