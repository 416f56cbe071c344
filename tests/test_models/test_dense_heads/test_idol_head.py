"""Losses of IDOL's head on one frame, against numbers of the reference."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from mmdet.models.task_modules import AssignResult
from mmengine.structures import InstanceData

from pmvis_mm.models.dense_heads.idol_head import as_prediction, gt_rows
from pmvis_mm.registry import MODELS

CONFIG = (
    Path(__file__).resolve().parents[3]
    / 'configs/idol/idol_r50_8xb4-12k_youtubevis2019.py'
)


@pytest.fixture(scope='module')
def head():
    """The head of the config for three classes and one decoder layer."""
    detector = Config.fromfile(CONFIG).model.detector
    cfg = dict(
        detector.bbox_head,
        num_classes=3,
        num_pred_layer=1,
        train_cfg=detector.train_cfg,
    )
    with DefaultScope.overwrite_default_scope('pmvis_mm'):
        return MODELS.build(cfg)


def _assigned(gt_inds, labels):
    return AssignResult(
        num_gts=max(gt_inds),
        gt_inds=torch.tensor(gt_inds),
        max_overlaps=None,
        labels=torch.tensor(labels),
    )


def _losses(head, logits, boxes, gt, gt_inds, labels):
    """Losses of frames, one decoder layer."""
    return head.loss_by_feat(
        torch.tensor(logits)[None],
        torch.tensor(boxes)[None],
        gt,
        [[_assigned(*frame) for frame in zip(gt_inds, labels)]],
    )


def _gt(boxes, labels):
    return InstanceData(
        bboxes=torch.tensor(boxes).reshape(-1, 4),
        labels=torch.tensor(labels, dtype=torch.long),
    )


LOGITS = [[0.0, 1.0, -1.0], [2.0, -2.0, 0.5]]
BOXES = [[0.45, 0.55, 0.3, 0.3], [0.1, 0.1, 0.2, 0.2]]
TRUTH = [0.5, 0.5, 0.2, 0.4]


def test_case_6_class_loss(head):
    """Query 0 is of class 1, query 1 background; weight 2."""
    losses = _losses(
        head, [LOGITS], [BOXES], [_gt(TRUTH, [1])], [[1, 0]], [[1, -1]]
    )
    assert losses['loss_cls'].item() == pytest.approx(2 * 1.674593, abs=2e-6)


def test_case_6_from_the_formula():
    logits = torch.tensor(LOGITS)
    truth = torch.zeros(2, 3)
    truth[0, 1] = 1
    prob = logits.sigmoid()
    right = torch.where(truth > 0, prob, 1 - prob)
    alpha = torch.where(truth > 0, 0.25, 0.75)
    total = (-alpha * (1 - right) ** 2 * right.log()).sum()
    assert total.item() == pytest.approx(1.674593, abs=1e-6)


def test_case_7_box_losses(head):
    """L1 0.3 of weight 5, GIoU 0.537879 of weight 2."""
    losses = _losses(
        head, [LOGITS], [BOXES], [_gt(TRUTH, [1])], [[1, 0]], [[1, -1]]
    )
    assert losses['loss_bbox'].item() == pytest.approx(5 * 0.3, abs=1e-6)
    assert losses['loss_iou'].item() == pytest.approx(2 * 0.537879, abs=2e-6)


def test_losses_are_divided_by_the_assigned_queries_of_the_batch(head):
    # The same frame twice, and once with both queries on the instance.
    once = _losses(
        head, [LOGITS], [BOXES], [_gt(TRUTH, [1])], [[1, 0]], [[1, -1]]
    )
    twice = _losses(
        head,
        [LOGITS] * 2,
        [BOXES] * 2,
        [_gt(TRUTH, [1])] * 2,
        [[1, 0]] * 2,
        [[1, -1]] * 2,
    )
    for name, value in once.items():
        assert twice[name].item() == pytest.approx(value.item(), rel=1e-6)
    both = _losses(
        head, [LOGITS], [BOXES], [_gt(TRUTH, [1])], [[1, 1]], [[1, 1]]
    )
    # |0.1 - 0.5| * 2 + 0 + 0.2 of the second query: (0.3 + 1) / 2.
    assert both['loss_bbox'].item() == pytest.approx(5 * 0.65, abs=1e-6)


def test_frame_without_instances(head):
    losses = _losses(
        head, [LOGITS], [BOXES], [_gt([], [])], [[0, 0]], [[-1, -1]]
    )
    assert losses['loss_bbox'].item() == losses['loss_iou'].item() == 0
    prob = torch.tensor(LOGITS).sigmoid()
    negative = (-0.75 * prob**2 * (1 - prob).log()).sum().item()
    # Nothing assigned: divided by one.
    assert losses['loss_cls'].item() == pytest.approx(2 * negative, abs=1e-5)


def test_layers_before_the_last_are_named(head):
    result = [_assigned([1, 0], [1, -1])]
    losses = head.loss_by_feat(
        torch.tensor(LOGITS).expand(3, 1, 2, 3),
        torch.tensor(BOXES).expand(3, 1, 2, 4),
        [_gt(TRUTH, [1])],
        [result] * 3,
    )
    names = ('loss_cls', 'loss_bbox', 'loss_iou')
    expected = {f'{p}{name}' for p in ('d0.', 'd1.', '') for name in names}
    assert set(losses) == expected
    assert losses['d0.loss_cls'] == losses['loss_cls']


def test_helpers():
    result = _assigned([2, 0, 1, 2], [5, -1, 4, 5])
    assert gt_rows(result).tolist() == [1, 0, 1]
    logits = torch.zeros(2, 3, dtype=torch.bfloat16, requires_grad=True)
    found = as_prediction(logits, torch.ones(2, 4))
    assert found.scores.dtype == torch.float32
    assert torch.all(found.scores == 0.5) and not found.scores.requires_grad
