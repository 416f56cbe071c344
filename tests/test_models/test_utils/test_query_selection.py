import pytest
import torch

from pmvis_mm.models.utils import select_queries
from pmvis_mm.utils.errors import ConfigError, PMVISError


def _boxes(*shifts: float) -> torch.Tensor:
    """Boxes of 0.4 x 0.4, shifted to the right."""
    return torch.tensor([[0.4 + s, 0.5, 0.4, 0.4] for s in shifts])


def _scores(rows: list) -> torch.Tensor:
    return torch.tensor(rows).reshape(-1, 2)


# Shifted by 0.0188 the IoU is .3812 / .4188 = .910, by 0.022 it is .896.
@pytest.mark.parametrize(
    'shift, labels, expected',
    [
        (0.0188, (0, 0), [1]),
        (0.022, (0, 0), [1, 0]),
        (0.0188, (0, 1), [1, 0]),
    ],
)
def test_case_22_nms_within_a_class(shift, labels, expected):
    scores = torch.zeros(2, 2)
    scores[0, labels[0]] = 0.5
    scores[1, labels[1]] = 0.6
    assert select_queries(scores, _boxes(0, shift)).tolist() == expected


def test_case_22_none_above_the_threshold():
    scores = _scores([[0.01, 0.05], [0.08, 0.02], [0.1, 0.0], [0.1, 0.09]])
    # 0.1 is not above 0.1; the first of the best two, without NMS.
    assert select_queries(scores, _boxes(0, 0, 0, 0)).tolist() == [2]


def test_sorted_by_score():
    scores = _scores([[0.2, 0.0], [0.0, 0.9], [0.05, 0.0], [0.5, 0.1]])
    index = select_queries(scores, _boxes(0, 0.1, 0.2, 0.3))
    assert index.tolist() == [1, 3, 0]
    assert index.dtype == torch.int64


def test_the_better_of_two_is_kept():
    scores = _scores([[0.4, 0.0], [0.7, 0.0], [0.6, 0.0]])
    assert select_queries(scores, _boxes(0, 0, 0.2)).tolist() == [1, 2]


def test_thresholds_are_options():
    scores = _scores([[0.4, 0.0], [0.7, 0.0], [0.6, 0.0]])
    boxes = _boxes(0, 0.2, 0.01)
    assert select_queries(scores, boxes).tolist() == [1, 2]
    assert select_queries(scores, boxes, score_thr=0.65).tolist() == [1]
    index = select_queries(scores, boxes, nms_iou=0.98)
    assert index.tolist() == [1, 2, 0]


def test_no_queries():
    assert select_queries(torch.zeros(0, 2), torch.zeros(0, 4)).shape == (0,)


def test_half_precision():
    scores = _scores([[0.4, 0.0], [0.7, 0.0]]).bfloat16()
    index = select_queries(scores, _boxes(0, 0).bfloat16())
    assert index.tolist() == [1]


@pytest.mark.parametrize('count', [5, 60, 300])
def test_equals_torchvision(count):
    ops = pytest.importorskip('torchvision.ops', exc_type=Exception)
    removed = 0
    for seed in range(30):
        generator = torch.Generator().manual_seed(seed)
        base = torch.rand(max(count // 6, 1), 4, generator=generator)
        base = base * 0.5 + 0.2
        pick = torch.randint(len(base), (count,), generator=generator)
        noise = torch.randn(count, 4, generator=generator)
        boxes = base[pick] + 0.008 * noise
        boxes[count // 2] = boxes[0]
        scores = torch.rand(count, 3, generator=generator) * 0.9
        scores[count // 2] = scores[0]
        best, labels = scores.max(1)
        kept = (best > 0.1).nonzero().flatten()
        corners = ops.box_convert(boxes, 'cxcywh', 'xyxy')[kept]
        expected = kept[
            ops.batched_nms(corners, best[kept], labels[kept], 0.9)
        ]
        assert torch.equal(select_queries(scores, boxes), expected)
        removed += len(kept) - len(expected)
    assert removed >= count // 2


def test_bad_input():
    with pytest.raises(ConfigError, match=r'score_thr=1\.1 is out of range'):
        select_queries(torch.rand(2, 3), torch.rand(2, 4), score_thr=1.1)
    with pytest.raises(ConfigError, match='nms_iou=-1 is out of range'):
        select_queries(torch.rand(2, 3), torch.rand(2, 4), nms_iou=-1)
    with pytest.raises(PMVISError, match=r'boxes \(3, 4\) do not fit'):
        select_queries(torch.rand(2, 3), torch.rand(3, 4))
    with pytest.raises(PMVISError, match=r'scores \(1, 2, 3\) and'):
        select_queries(torch.rand(1, 2, 3), torch.rand(1, 2, 4))
