import math

import pytest
import torch

from pmvis_mm.models.losses import MaskFocalLoss
from pmvis_mm.registry import MODELS
from pmvis_mm.structures.mask_targets import MaskTargets
from pmvis_mm.utils.errors import PMVISError


def _targets(masks, valid=None) -> MaskTargets:
    masks = torch.as_tensor(masks, dtype=torch.float32)
    return MaskTargets(torch.zeros_like(masks), masks=masks, masks_valid=valid)


def test_hand_value():
    # p = .9 on the object, p = .5 beside it.
    logits = torch.tensor([math.log(9.0), 0.0]).view(1, 1, 1, 2)
    loss = MaskFocalLoss()(logits, _targets([[[[1.0, 0.0]]]]))
    on = 0.25 * 0.1**2 * -math.log(0.9)
    beside = 0.75 * 0.5**2 * -math.log(0.5)
    assert loss.item() == pytest.approx((on + beside) / 2, abs=1e-7)


def test_case_8_value_of_the_reference():
    logits = torch.tensor([0.0, 1.0, -1.0, 2.0]).view(1, 1, 1, 4)
    loss = MaskFocalLoss()(logits, _targets([[[[0.0, 1.0, 0.0, 1.0]]]]))
    assert loss.item() == pytest.approx(0.0382685, abs=1e-7)


def test_equals_mmdet_focal_loss():
    pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')
    from mmdet.models.losses.focal_loss import py_sigmoid_focal_loss

    torch.manual_seed(0)
    logits = 8 * torch.randn(4, 2, 5, 6)
    masks = (torch.rand(4, 2, 5, 6) > 0.5).float()
    expected = py_sigmoid_focal_loss(logits, masks, gamma=1.5, alpha=0.4)
    loss = MaskFocalLoss(3.0, alpha=0.4, gamma=1.5)(logits, _targets(masks))
    assert loss.item() == pytest.approx(3 * expected.item(), rel=1e-5)


def test_rows_without_a_mask_do_not_count():
    torch.manual_seed(0)
    logits = torch.randn(3, 2, 4, 4, requires_grad=True)
    masks = (torch.rand(3, 2, 4, 4) > 0.5).float()
    valid = torch.tensor([[True, True], [False, False], [False, True]])
    loss = MaskFocalLoss()(logits, _targets(masks, valid))
    loss.backward()
    assert torch.all(logits.grad[~valid] == 0)
    assert torch.all(logits.grad[valid] != 0)
    kept = MaskFocalLoss()(
        logits[valid][:, None], _targets(masks[valid][:, None])
    )
    assert loss.item() == pytest.approx(kept.item(), abs=1e-7)


def test_no_valid_mask_gives_zero_with_grad():
    logits = torch.randn(2, 1, 4, 4, requires_grad=True)
    valid = torch.zeros(2, 1, dtype=torch.bool)
    loss = MaskFocalLoss()(logits, _targets(torch.ones(2, 1, 4, 4), valid))
    loss.backward()
    assert loss.item() == 0
    assert torch.all(logits.grad == 0)


def test_builds_from_a_config():
    loss = MODELS.build(dict(type='MaskFocalLoss', gamma=0.0))
    assert isinstance(loss, MaskFocalLoss)
    assert 'gamma=0.0' in repr(loss)


def test_boxes_only_are_refused():
    targets = MaskTargets(torch.zeros(1, 1, 4, 4))
    with pytest.raises(PMVISError, match=r'holds? boxes only.*mask_losses'):
        MaskFocalLoss()(torch.zeros(1, 1, 4, 4), targets)
    with pytest.raises(PMVISError, match='differ in shape'):
        MaskFocalLoss()(torch.zeros(2, 1, 4, 4), targets)
