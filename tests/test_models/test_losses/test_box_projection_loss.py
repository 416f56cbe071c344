import pytest
import torch

from pmvis_mm.models.losses import BoxProjectionLoss, box_projection_loss
from pmvis_mm.models.losses.box_projection_loss import projection_dice
from pmvis_mm.registry import MODELS
from pmvis_mm.structures.mask_targets import MaskTargets
from pmvis_mm.testing.sample_s import sample_s
from pmvis_mm.utils.errors import PMVISError


def _logit(prob: torch.Tensor) -> torch.Tensor:
    return prob.double().logit()


def test_b2_projection():
    sample = sample_s()
    targets = sample.targets()
    loss = BoxProjectionLoss()(sample.logits, targets)
    assert loss.item() == pytest.approx(0.973114, abs=1e-5)
    each = [
        box_projection_loss(
            sample.logits[n : n + 1], targets.box_masks[n : n + 1]
        ).item()
        for n in range(3)
    ]
    assert each == pytest.approx([0.766213, 0.967010, 1.186119], abs=1e-5)


def test_b10_dice_vectors():
    # One row: its projection onto x is the row itself, onto y its maximum.
    for x, t, along_x in (
        ([0, 0.8, 0.8, 0.8], [0, 1, 1, 0], 0.183676),
        ([0, 0.5, 0.5, 0], [0, 1, 1, 1], 0.428571),
    ):
        u, v = torch.tensor([x]), torch.tensor([t]).float()
        top = max(x)
        along_y = 1 - 2 * top / (top**2 + 1 + 1e-5)
        both = projection_dice(u, v, eps=1e-5).item()
        assert both - along_y == pytest.approx(along_x, abs=1e-5)


def test_b10_mmdet_dice_gives_the_same():
    pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')
    from mmdet.models.losses import DiceLoss

    sample = sample_s()
    boxes = sample.targets().box_masks[:, 0]
    scores = sample.logits[:, 0].sigmoid()
    dice = DiceLoss(eps=5e-6, activate=False, use_sigmoid=True)
    expected = dice(scores.amax(1), boxes.amax(1))
    expected = expected + dice(scores.amax(2), boxes.amax(2))
    ours = BoxProjectionLoss()(sample.logits, sample.targets())
    assert ours.item() == pytest.approx(expected.item(), abs=1e-6)


def test_g5_hand_value():
    prob = torch.zeros(1, 1, 4, 4)
    prob[..., 1:3, 1:4] = 0.8
    box = torch.zeros(1, 1, 4, 4)
    box[..., 0:3, 1:3] = 1
    loss = box_projection_loss(_logit(prob), box)
    assert loss.item() == pytest.approx(0.183676 + 0.252338, abs=1e-5)


def test_full_box_prediction_costs_nothing():
    box = torch.zeros(1, 2, 8, 8)
    box[0, 0, 2:5, 1:7] = 1
    box[0, 1, 0:3, 3:4] = 1
    loss = box_projection_loss(40 * box - 20, box)
    assert loss.item() == pytest.approx(0, abs=1e-5)


def test_absent_frame_costs_two_without_gradient():
    logits = torch.randn(1, 1, 4, 4, requires_grad=True)
    loss = box_projection_loss(logits, torch.zeros(1, 1, 4, 4))
    loss.backward()
    assert loss.item() == 2
    assert torch.all(logits.grad == 0)


def test_gradient_reaches_one_pixel_of_each_line():
    logits = torch.zeros(1, 1, 4, 6, requires_grad=True)  # all tie
    box_projection_loss(logits, torch.ones(1, 1, 4, 6)).backward()
    assert (logits.grad != 0).sum() <= 4 + 6
    assert (logits.grad != 0).any(-1).all()


def test_order_of_rows_does_not_matter():
    sample = sample_s()
    order = torch.tensor([2, 0, 1])
    forward = BoxProjectionLoss(2.0)(sample.logits, sample.targets())
    shuffled = BoxProjectionLoss(2.0)(
        sample.logits[order], sample.targets().gather(order)
    )
    assert shuffled.item() == pytest.approx(forward.item(), abs=1e-6)


def test_half_precision_is_computed_in_float32():
    sample = sample_s()
    loss = BoxProjectionLoss()(sample.logits.half(), sample.targets())
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(0.973114, abs=1e-3)


def test_builds_from_a_config():
    loss = MODELS.build(dict(type='BoxProjectionLoss', loss_weight=2.0))
    assert isinstance(loss, BoxProjectionLoss)
    assert 'loss_weight=2.0' in repr(loss)
    assert not loss.state_dict()


def test_other_shapes_are_refused():
    targets = MaskTargets(torch.zeros(2, 1, 4, 4))
    with pytest.raises(PMVISError, match=r'\(3, 1, 4, 4\).*gather'):
        BoxProjectionLoss()(torch.zeros(3, 1, 4, 4), targets)
