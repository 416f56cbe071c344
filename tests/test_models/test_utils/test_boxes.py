import pytest
import torch
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy

from pmvis_mm.models.utils import giou_loss, pairwise_iou_giou


def test_pairwise_hand_values():
    a = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 1.0, 1.0]])
    b = torch.tensor([[1.0, 0.0, 3.0, 2.0], [3.0, 0.0, 4.0, 1.0]])
    iou, giou = pairwise_iou_giou(a, b)
    expected_iou = torch.tensor([[1 / 3, 0.0], [0.0, 0.0]])
    # enclosing: 6, 8; 6, 4; unions: 6, 5; 5, 2
    expected_giou = torch.tensor([[1 / 3, -3 / 8], [-1 / 6, -2 / 4]])
    torch.testing.assert_close(iou, expected_iou)
    torch.testing.assert_close(giou, expected_giou)


def test_pairwise_of_nothing():
    iou, giou = pairwise_iou_giou(torch.zeros(0, 4), torch.zeros(3, 4))
    assert iou.shape == giou.shape == (0, 3)


def test_pairwise_agrees_with_rows():
    torch.manual_seed(0)
    a, b = (bbox_cxcywh_to_xyxy(torch.rand(20, 4) + 0.05) for _ in range(2))
    _, giou = pairwise_iou_giou(a, b)
    torch.testing.assert_close(1 - giou.diag(), giou_loss(a, b))


def test_eps_only_in_the_last_division():
    a = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    b = torch.tensor([[2.0, 0.0, 4.0, 1.0]])
    iou, giou = pairwise_iou_giou(a, b, eps=1.0)
    # enclosing 4, union 3
    assert iou.item() == 0
    assert giou.item() == pytest.approx(-1 / 5)
    iou, _ = pairwise_iou_giou(a, a, eps=1.0)
    assert iou.item() == 1
