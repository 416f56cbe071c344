import pytest
import torch
import torch.nn.functional as F

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from mmdet.models.losses import CrossEntropyLoss, DiceLoss
from mmdet.registry import TASK_UTILS
from mmengine.structures import InstanceData

from pmvis_mm.models.tracking_heads.mask_point_losses import (
    PointSampling,
    assign_masks,
    mask_point_losses,
)
from pmvis_mm.testing.tiny_maskfree import MASK_ASSIGNER

LOSSES = (
    CrossEntropyLoss(use_sigmoid=True, loss_weight=5.0),
    DiceLoss(use_sigmoid=True, activate=True, naive_dice=True, eps=1.0),
)
SAMPLING = PointSampling(50, 3.0, 0.75)


def test_frames_are_added_up_not_squared():
    """As in the public code; mmdet's own head gives T * T times the mean."""
    uniform = PointSampling(3000, 1.0, 0.0)
    values = {}
    for frames in (1, 3):
        logits = torch.full((2, frames, 64, 64), 1.5)
        masks = torch.ones(2, frames, 64, 64, dtype=torch.uint8)
        found = mask_point_losses(logits, masks, *LOSSES, uniform)
        values[frames] = float(found['loss_mask'])
    # Where points are at the border, zeros from outside mix in.
    each = float(F.softplus(torch.tensor(-1.5)))
    assert values[1] == pytest.approx(5 * each, rel=0.1)
    assert values[3] == pytest.approx(3 * values[1], rel=0.05)


def test_dice_and_cross_entropy_against_sums_by_hand(monkeypatch):
    """With the points of a regular grid: plain means over pixels."""
    y, x = torch.meshgrid(torch.arange(8), torch.arange(8), indexing='ij')
    grid = torch.stack(((x + 0.5) / 8, (y + 0.5) / 8), -1).view(1, 64, 2)
    monkeypatch.setattr(
        'pmvis_mm.models.tracking_heads.mask_point_losses.'
        'get_uncertain_point_coords_with_randomness',
        lambda maps, *args: grid.expand(len(maps), -1, -1),
    )
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 2, 8, 8, generator=generator)
    masks = (torch.rand(3, 2, 8, 8, generator=generator) > 0.5).byte()
    losses = mask_point_losses(
        logits, masks, *LOSSES, PointSampling(64, 3.0, 0.75)
    )
    entropy = F.binary_cross_entropy_with_logits(logits, masks.float())
    # Mean over 3 instances, sum over 2 frames.
    torch.testing.assert_close(losses['loss_mask'], 5 * 2 * entropy)
    p, g = logits.sigmoid().flatten(2), masks.float().flatten(2)
    dice = 1 - (2 * (p * g).sum(-1) + 1) / (p.sum(-1) + g.sum(-1) + 1)
    torch.testing.assert_close(losses['loss_dice'], dice.sum() / 3)


def test_no_instances():
    logits = torch.zeros(0, 3, 8, 8, requires_grad=True)
    masks = torch.zeros(0, 3, 32, 32, dtype=torch.uint8)
    losses = mask_point_losses(logits, masks, *LOSSES, SAMPLING)
    assert set(losses) == {'loss_mask', 'loss_dice'}
    assert all(v == 0 and v.requires_grad for v in losses.values())


def test_half_precision_counts_in_float32():
    logits = torch.zeros(1, 2, 8, 8, dtype=torch.bfloat16)
    masks = torch.ones(1, 2, 32, 32, dtype=torch.uint8)
    losses = mask_point_losses(logits, masks, *LOSSES, SAMPLING)
    assert all(v.dtype == torch.float32 for v in losses.values())


def test_masks_decide_the_assignment():
    assigner = TASK_UTILS.build(MASK_ASSIGNER)
    masks = torch.zeros(2, 2, 32, 32, dtype=torch.uint8)
    masks[0, :, :16] = 1
    masks[1, :, :, 20:] = 1
    logits = torch.full((3, 2, 8, 8), -8.0)
    logits[2, :, :4] = 8
    logits[0, :, :, 5:] = 8
    gt = InstanceData(labels=torch.tensor([1, 0]), masks=masks)
    found = assign_masks(assigner, torch.zeros(3, 3), logits, gt, 200)
    assert found.gt_inds.tolist() == [2, 0, 1]
    none = assign_masks(assigner, torch.zeros(3, 3), logits, gt[:0], 200)
    assert none.gt_inds.tolist() == [0, 0, 0]
