import pytest
import torch

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from mmengine.structures import InstanceData

from pmvis_mm.models.task_modules import TubeBoxDistanceCost, TubeGIoUCost
from pmvis_mm.models.utils.box_points import inclusive_boxes
from pmvis_mm.registry import TASK_UTILS
from pmvis_mm.utils.errors import ConfigError


def tubes(boxes):
    return InstanceData(bboxes=torch.as_tensor(boxes, dtype=torch.float32))


def random_tubes(number, frames, seed):
    generator = torch.Generator().manual_seed(seed)
    low = torch.rand(number, frames, 2, generator=generator) / 2
    size = torch.rand(number, frames, 2, generator=generator) / 2
    boxes = torch.cat((low, low + size), -1)
    absent = torch.rand(number, frames, generator=generator) < 0.3
    boxes[absent] = 0
    return boxes


def giou_by_hand(a, b):
    """Plain Python, one pair."""
    inter = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
    inter *= max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    hull = max(a[2], b[2]) - min(a[0], b[0])
    hull *= max(a[3], b[3]) - min(a[1], b[1])
    iou = inter / (area - inter) if area > inter else 0
    return iou - ((hull - area + inter) / hull if hull else 0)


def test_g9_cost_matrix_of_the_coco_pre_training():
    # Frame 0 of the masks of G7; q2 is empty.
    preds = torch.tensor(
        [[3, 2, 9, 8], [8, 8, 12, 12], [0] * 4, [4, 4, 10, 10]]
    )
    gts = torch.tensor([[12, 8, 36, 32], [32, 32, 64, 48]])
    logits = torch.tensor([[1, 0, 0], [0, 1, 0], [2, 0, 0], [0.5, 0, 1]])
    pred = InstanceData(
        scores=logits, bboxes=inclusive_boxes(preds[:, None], (16, 16))
    )
    gt = InstanceData(
        labels=torch.tensor([0, 1]),
        bboxes=inclusive_boxes(gts[:, None], (64, 64)),
    )
    costs = [
        dict(type='ClassificationCost', weight=2.0),
        dict(type='TubeBoxDistanceCost', p=2, weight=5.0),
        dict(type='TubeGIoUCost', weight=2.0),
    ]
    total = sum(TASK_UTILS.build(cost)(pred, gt) for cost in costs)
    expected = torch.tensor(
        [
            [-2.33306, 4.45145],
            [3.14320, -0.26882],
            [3.27345, 8.55863],
            [-0.61180, 3.30748],
        ]
    )
    torch.testing.assert_close(total, expected, atol=2e-5, rtol=0)
    # The sum of the sides is another distance.
    other = TubeBoxDistanceCost(p=1, weight=5.0)(pred, gt)
    assert (other > TubeBoxDistanceCost(p=2, weight=5.0)(pred, gt)).all()


@pytest.mark.parametrize('frames', [1, 3])
@pytest.mark.parametrize('p', [1, 2])
def test_distance_is_the_mean_over_frames(p, frames):
    found, wanted = random_tubes(7, frames, 0), random_tubes(4, frames, 1)
    cost = TubeBoxDistanceCost(p=p, weight=3.0)(tubes(found), tubes(wanted))
    expected = sum(
        torch.cdist(found[:, t].double(), wanted[:, t].double(), p=p)
        for t in range(frames)
    )
    torch.testing.assert_close(cost, (3 * expected / frames).float())


def test_overlap_is_the_mean_over_frames():
    found, wanted = random_tubes(7, 3, 2), random_tubes(4, 3, 3)
    cost = TubeGIoUCost(weight=2.0)(tubes(found), tubes(wanted))
    for q in range(7):
        for g in range(4):
            mean = sum(
                giou_by_hand(found[q, t].tolist(), wanted[g, t].tolist())
                for t in range(3)
            )
            expected = pytest.approx(-2 * mean / 3, abs=1e-4)
            assert float(cost[q, g]) == expected


def test_absent_on_both_sides_is_finite_and_best():
    wanted = tubes([[[0.2, 0.2, 0.6, 0.6], [0.0, 0.0, 0.0, 0.0]]])
    box = [0.2, 0.2, 0.6, 0.6]
    found = tubes([[box, [0.0] * 4], [box, box], [[0.0] * 4, [0.0] * 4]])
    for cost in (TubeGIoUCost(), TubeBoxDistanceCost()):
        values = cost(found, wanted)[:, 0]
        assert values.isfinite().all() and values.argmin() == 0
    # IoU 1 in one frame, 0 for two boxes without area in the other.
    assert float(TubeGIoUCost()(found, wanted)[0]) == pytest.approx(-0.5)
    assert float(TubeBoxDistanceCost()(found, wanted)[0]) == 0


@pytest.mark.parametrize('cost', [TubeGIoUCost(), TubeBoxDistanceCost()])
def test_half_precision_and_nothing(cost):
    boxes = torch.tensor([[[0.25, 0.25, 0.5, 0.75]]])
    single, half = tubes(boxes), InstanceData(bboxes=boxes.half())
    assert torch.equal(cost(half, half), cost(single, single))
    none = tubes(torch.zeros(0, 1, 4))
    assert cost(none, single).shape == (0, 1)
    assert cost(single, none).shape == (1, 0)


def test_other_distances():
    with pytest.raises(ConfigError, match='p=3 of TubeBoxDistanceCost is unk'):
        TubeBoxDistanceCost(p=3)
