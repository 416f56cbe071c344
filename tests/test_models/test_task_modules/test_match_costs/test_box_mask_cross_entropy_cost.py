import math

import pytest
import torch
import torch.nn.functional as F

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from mmengine.structures import InstanceData

from pmvis_mm.models.task_modules import BoxMaskCrossEntropyCost
from pmvis_mm.registry import TASK_UTILS


def masks(values):
    return InstanceData(masks=torch.as_tensor(values, dtype=torch.float32))


def test_by_hand():
    cost = TASK_UTILS.build(dict(type='BoxMaskCrossEntropyCost', weight=5.0))
    found = masks([[1, 0.5, 0, 0.25], [0, 0, 0, 0]])
    wanted = masks([[1, 1, 0, 0.5]])
    values = cost(found, wanted)[:, 0].tolist()
    mixed = (math.log(0.25) + math.log(0.75)) / 2
    assert values[0] == pytest.approx(5 * (-math.log(0.5) - mixed) / 4)
    # Two and a half points of four are 1 there and 0 here.
    assert values[1] == pytest.approx(5 * 100 * 2.5 / 4)


def test_all_pairs_against_the_loss_of_torch():
    generator = torch.Generator().manual_seed(0)
    found = torch.rand(5, 60, generator=generator)
    wanted = torch.rand(3, 60, generator=generator)
    found[found < 0.4] = 0
    wanted[wanted > 0.7] = 1
    values = BoxMaskCrossEntropyCost()(masks(found), masks(wanted))
    assert values.shape == (5, 3)
    for q in range(5):
        for g in range(3):
            expected = F.binary_cross_entropy(found[q], wanted[g])
            torch.testing.assert_close(values[q, g], expected)


def test_equal_rectangles_are_the_best_and_nothing_is_nan():
    boxes = torch.zeros(3, 2, 4, 4)
    boxes[0, :, 1:3, 1:3] = 1
    boxes[1, 0] = 1
    values = BoxMaskCrossEntropyCost()(masks(boxes), masks(boxes))
    assert values.isfinite().all()
    assert values.diagonal().tolist() == [0, 0, 0]
    assert (values + torch.eye(3) > 0).all()


def test_nothing():
    cost = BoxMaskCrossEntropyCost()
    assert cost(masks(torch.zeros(0, 6)), masks(torch.ones(2, 6))).shape == (
        0,
        2,
    )
    assert cost(masks(torch.ones(2, 0)), masks(torch.ones(1, 0))).tolist() == [
        [0],
        [0],
    ]
