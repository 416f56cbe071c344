import pytest
import torch

from pmvis_mm.models.losses import MaskDiceLoss
from pmvis_mm.registry import MODELS
from pmvis_mm.structures.mask_targets import MaskTargets
from pmvis_mm.utils.errors import PMVISError


def _targets(masks, valid=None) -> MaskTargets:
    masks = torch.as_tensor(masks, dtype=torch.float32)
    return MaskTargets(torch.zeros_like(masks), masks=masks, masks_valid=valid)


def test_hand_value():
    # p = .5 everywhere on 2x2, 3 pixels of object: 1 - (3 + 1) / (2 + 3 + 1)
    masks = [[[[1.0, 1.0], [1.0, 0.0]]]]
    loss = MaskDiceLoss(loss_weight=3.0)(
        torch.zeros(1, 1, 2, 2), _targets(masks)
    )
    assert loss.item() == pytest.approx(3 * (1 - 4 / 6), abs=1e-6)


def test_case_8_value_of_the_reference():
    logits = torch.tensor([0.0, 1.0, -1.0, 2.0]).view(1, 1, 1, 4)
    loss = MaskDiceLoss()(logits, _targets([[[[0.0, 1.0, 0.0, 1.0]]]]))
    assert loss.item() == pytest.approx(0.2150398, abs=1e-6)


def test_equals_mmdet_naive_dice_loss():
    pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')
    from mmdet.models.losses import DiceLoss

    torch.manual_seed(0)
    logits = 4 * torch.randn(5, 1, 6, 7)
    masks = (torch.rand(5, 1, 6, 7) > 0.5).float()
    reference = DiceLoss(naive_dice=True, eps=1.0)(logits[:, 0], masks[:, 0])
    loss = MaskDiceLoss()(logits, _targets(masks))
    assert loss.item() == pytest.approx(reference.item(), abs=1e-6)


def test_rows_without_a_mask_do_not_count():
    torch.manual_seed(0)
    logits = torch.randn(3, 2, 4, 4, requires_grad=True)
    masks = (torch.rand(3, 2, 4, 4) > 0.5).float()
    valid = torch.tensor([[True, True], [False, False], [False, True]])
    loss = MaskDiceLoss()(logits, _targets(masks, valid))
    loss.backward()
    assert torch.all(logits.grad[~valid] == 0)
    assert torch.all(logits.grad[valid] != 0)
    kept = MaskDiceLoss()(
        logits[valid][:, None], _targets(masks[valid][:, None])
    )
    assert loss.item() == pytest.approx(kept.item(), abs=1e-6)


def test_no_valid_mask_gives_zero_with_grad():
    logits = torch.randn(2, 1, 4, 4, requires_grad=True)
    valid = torch.zeros(2, 1, dtype=torch.bool)
    loss = MaskDiceLoss()(logits, _targets(torch.ones(2, 1, 4, 4), valid))
    loss.backward()
    assert loss.item() == 0
    assert torch.all(logits.grad == 0)


def test_half_precision_does_not_overflow():
    # 1000x1000 pixels add up beyond the range of float16.
    logits = torch.full((1, 1, 1000, 1000), 10.0, dtype=torch.float16)
    loss = MaskDiceLoss()(logits, _targets(torch.ones(1, 1, 1000, 1000)))
    assert loss.item() == pytest.approx(0, abs=1e-3)


def test_builds_from_a_config():
    loss = MODELS.build(dict(type='MaskDiceLoss', loss_weight=2.5))
    assert isinstance(loss, MaskDiceLoss)
    assert 'loss_weight=2.5' in repr(loss)


def test_boxes_only_are_refused():
    targets = MaskTargets(torch.zeros(1, 1, 4, 4))
    with pytest.raises(PMVISError, match=r'hold boxes only.*mask_losses'):
        MaskDiceLoss()(torch.zeros(1, 1, 4, 4), targets)
    with pytest.raises(PMVISError, match='differ in shape'):
        MaskDiceLoss()(torch.zeros(2, 1, 4, 4), targets)
