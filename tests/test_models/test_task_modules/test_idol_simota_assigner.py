import numpy as np
import pytest
import torch

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from mmengine.structures import InstanceData

from pmvis_mm.models.task_modules import IDOLSimOTAAssigner
from pmvis_mm.models.task_modules.assigners import dynamic_k_matching
from pmvis_mm.registry import TASK_UTILS
from pmvis_mm.utils.errors import ConfigError, PMVISError

KINDS = ('random', 'duplicated', 'clustered', 'far')


def _pred(scores, bboxes) -> InstanceData:
    return InstanceData(
        scores=torch.as_tensor(scores, dtype=torch.float32),
        bboxes=torch.as_tensor(bboxes, dtype=torch.float32),
    )


def _gt(bboxes, labels) -> InstanceData:
    return InstanceData(
        bboxes=torch.as_tensor(bboxes, dtype=torch.float32).reshape(-1, 4),
        labels=torch.as_tensor(labels, dtype=torch.int64),
    )


def _case(seed: int, num_queries: int = 120):
    """Make a frame; the seed decides on the kind of its instances."""
    rng = np.random.RandomState(seed)
    kind, num_gts = KINDS[seed % 4], rng.randint(1, 31)
    low, high = (0.05, 0.05, 0.03, 0.03), (0.95, 0.95, 0.5, 0.5)
    boxes = rng.uniform(low, high, (num_queries, 4))
    gts = rng.uniform(low, high, (num_gts, 4))
    labels = rng.randint(0, 5, num_gts)
    if kind == 'duplicated':
        copies = rng.randint(0, max(num_gts // 3, 1), num_gts)
        gts, labels = gts[copies], labels[copies]
    elif kind == 'clustered':
        gts = gts[:1] + rng.normal(0, 0.01, (num_gts, 4))
        gts[:, 2:] = np.maximum(gts[:, 2:], 0.02)
    elif kind == 'far':
        boxes[:, :2] = boxes[:, :2] * 0.4
        gts[:, :2] = 0.6 + gts[:, :2] * 0.4
        gts[:, 2:] *= 0.2
    if seed % 3 == 0:
        # As after some training: many queries around each instance.
        near = rng.randint(0, num_gts, num_queries // 2)
        boxes[: len(near)] = gts[near] * rng.uniform(0.9, 1.1, (len(near), 4))
    scores = 1 / (1 + np.exp(-rng.normal(-1, 2, (num_queries, 5))))
    return _pred(scores, boxes), _gt(gts, labels)


# ------------------------------------------------------------------ oracle
def _corners(boxes):
    cx, cy, w, h = boxes.T
    half = np.float32(0.5)
    return cx - half * w, cy - half * h, cx + half * w, cy + half * h


def _overlaps(box, gts):
    """IoU and GIoU of one box with all instances, in float32."""
    a, b = _corners(box[None]), _corners(gts)
    width = np.minimum(a[2], b[2]) - np.maximum(a[0], b[0])
    height = np.minimum(a[3], b[3]) - np.maximum(a[1], b[1])
    inter = np.where((width > 0) & (height > 0), width * height, 0)
    area = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    union = area[0] + area[1] - inter
    width = np.maximum(a[2], b[2]) - np.minimum(a[0], b[0])
    height = np.maximum(a[3], b[3]) - np.minimum(a[1], b[1])
    hull = width * height
    iou = inter / union
    return iou, iou - (hull - union) / (hull + np.float32(1e-7))


def _oracle_cost(pred, gt):
    """Cost and IoU, query by query."""
    f = np.float32
    gts, labels = gt.bboxes.numpy(), gt.labels.numpy()
    x1, y1, x2, y2 = _corners(gts)
    costs, ious = [], []
    for scores, box in zip(pred.scores.numpy(), pred.bboxes.numpy()):
        iou, giou = _overlaps(box, gts)
        p = scores[labels]
        cost = f(0.25) * (1 - p) ** 2 * -np.log(p + f(1e-8))
        cost -= f(0.75) * p**2 * -np.log(1 - p + f(1e-8))
        x, y = box[:2]
        in_box = (x > x1) & (x < x2) & (y > y1) & (y < y2)
        in_window = (abs(x - gts[:, 0]) < 0.078125) & (
            abs(y - gts[:, 1]) < 0.078125
        )
        cost = cost - f(3) * giou + f(100) * ~(in_box & in_window)
        if not in_box.any() and not in_window.any():
            cost += f(10000)
        costs.append(cost)
        ious.append(iou)
    return np.stack(costs), np.stack(ious)


def _oracle_match(cost, iou, topk):
    """Dynamic-k matching with plain loops; changes the cost."""
    num_queries, num_gts = cost.shape
    matched = [[0] * num_gts for _ in range(num_queries)]
    for g in range(num_gts):
        best = sorted(iou[:, g], reverse=True)[:topk]
        k = max(1, int(np.sum(best, dtype=np.float32)))
        for q in sorted(range(num_queries), key=lambda i: cost[i, g])[:k]:
            matched[q][g] = 1
    conflicts = [q for q in range(num_queries) if sum(matched[q]) > 1]

    def keep_cheapest():
        for q in conflicts:
            cheapest = min(range(num_gts), key=lambda i: cost[q, i])
            matched[q] = [int(g == cheapest) for g in range(num_gts)]

    def without_query():
        return [g for g in range(num_gts) if not any(m[g] for m in matched)]

    keep_cheapest()
    rounds = 0
    while without_query():
        rounds += 1
        assert rounds < 100, 'the oracle hangs'
        for q in range(num_queries):
            if any(matched[q]):
                cost[q] += np.float32(1e5)
        for g in without_query():
            cheapest = min(range(num_queries), key=lambda i: cost[i, g])
            matched[cheapest][g] = 1
        if any(sum(row) > 1 for row in matched):
            keep_cheapest()
    return np.array(matched, dtype=bool), rounds


def _oracle_query(matched, cost):
    """Cheapest of each instance's queries."""
    return [
        min(np.flatnonzero(matched[:, g]), key=lambda q: cost[q, g])
        for g in range(matched.shape[1])
    ]


# ------------------------------------------------------------------- tests
def test_case_9_of_the_reference():
    boxes = torch.zeros(12, 4)
    boxes[:, 0] = torch.linspace(0.05, 0.95, 12)
    boxes[:, 1:] = torch.tensor([0.5, 0.2, 0.4])
    logits = torch.linspace(-3, 3, 12)
    scores = torch.stack((logits, -logits), 1).sigmoid()
    gt = _gt([[0.3, 0.5, 0.25, 0.4], [0.75, 0.5, 0.2, 0.4]], [0, 1])
    result = IDOLSimOTAAssigner().assign(_pred(scores, boxes), gt)
    gt_inds = [0, 0, 0, 1, 1, 0, 0, 0, 0, 2, 0, 0]
    assert result.gt_inds.tolist() == gt_inds
    assert result.labels.tolist() == [g - 1 for g in gt_inds]
    assert result.get_extra_property('matched_query').tolist() == [3, 9]
    assert result.num_gts == 2
    # Box 3 is x 0.1955..0.3955, the instance 0.175..0.425, same y.
    overlaps = result.max_overlaps
    assert overlaps[3].item() == pytest.approx(0.8, abs=1e-6)
    assert torch.all(overlaps[result.gt_inds == 0] == 0)


def test_case_10_and_11_equal_the_oracle():
    assigner = IDOLSimOTAAssigner()
    recovered = 0
    for seed in range(320):
        pred, gt = _case(seed)
        cost, iou = _oracle_cost(pred, gt)
        matched, rounds = _oracle_match(cost, iou, 10)
        recovered += rounds > 0
        result = assigner.assign(pred, gt)
        expected = np.where(matched.any(1), matched.argmax(1) + 1, 0)
        assert result.gt_inds.tolist() == expected.tolist(), seed
        assert result.get_extra_property(
            'matched_query'
        ).tolist() == _oracle_query(matched, cost), seed
        chosen = result.gt_inds > 0
        labels = gt.labels[result.gt_inds[chosen] - 1]
        assert result.labels[chosen].tolist() == labels.tolist()
        assert torch.all(result.labels[~chosen] == -1)

        positives, not_negatives = assigner.candidates(pred, gt)
        assert positives.numpy().tolist() == matched.tolist(), seed
        second, _ = _oracle_match(cost, iou, 100)
        assert not_negatives.numpy().tolist() == second.tolist(), seed
    # Otherwise the cases are too easy.
    assert recovered > 80


def test_costs_equal_the_oracle():
    for seed in range(8):
        pred, gt = _case(seed, num_queries=40)
        expected, expected_iou = _oracle_cost(pred, gt)
        cost, iou = IDOLSimOTAAssigner()._cost_and_iou(pred, gt)
        np.testing.assert_allclose(cost.numpy(), expected, atol=2e-3)
        np.testing.assert_allclose(iou.numpy(), expected_iou, atol=1e-6)
        small = expected < 50
        np.testing.assert_allclose(cost[small], expected[small], atol=1e-5)


def test_second_choice_starts_from_changed_costs():
    # Both instances want query 0 only; the second one must take query 1,
    # which makes query 0 dearer by 1e5 for the next matching.
    cost = torch.tensor([[0.0, 1.0], [2.0, 3.0], [9.0, 9.0]])
    iou = torch.full((3, 2), 0.1)
    first = dynamic_k_matching(cost, iou, 10)
    assert first.int().tolist() == [[1, 0], [0, 1], [0, 0]]
    assert cost[:, 0].tolist() == [1e5, 2, 9]
    second = dynamic_k_matching(cost, iou, 100)
    # Now both want query 1; the second instance takes the free query 2.
    assert second.int().tolist() == [[0, 0], [1, 0], [0, 1]]


def test_shared_in_recovery_stays_shared():
    # Three copies: the first keeps query 0, both others grab query 1.
    cost = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [2.0, 2.0, 2.0]])
    matched = dynamic_k_matching(cost, torch.zeros(3, 3), 10)
    assert matched.int().tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 0]]


@pytest.mark.parametrize('num_queries', [1, 2, 5, 9])
@pytest.mark.parametrize('kind', range(4))
def test_more_instances_than_queries_ends(num_queries, kind):
    for seed in range(kind, 40, 4):
        pred, gt = _case(seed, num_queries)
        result = IDOLSimOTAAssigner().assign(pred, gt)
        query = result.get_extra_property('matched_query')
        assert query.shape == gt.labels.shape
        assert torch.all(result.gt_inds[query] > 0)
        for masks in IDOLSimOTAAssigner().candidates(pred, gt):
            assert masks.any(0).all()


def test_no_free_query_is_shared():
    # k = 2 for both; both queries want instance 0, and none is free.
    cost = torch.tensor([[0.0, 1.0], [0.0, 2.0]])
    matched = dynamic_k_matching(cost, torch.ones(2, 2), 10)
    assert matched.int().tolist() == [[1, 1], [1, 0]]


def test_one_query_for_one_instance():
    pred, gt = _case(0, num_queries=1)
    result = IDOLSimOTAAssigner().assign(
        pred, _gt(gt.bboxes[:1], gt.labels[:1])
    )
    assert result.gt_inds.tolist() == [1]


@pytest.mark.parametrize('num_queries', [0, 7])
def test_no_instances(num_queries):
    pred = _pred(torch.rand(num_queries, 3), torch.rand(num_queries, 4))
    result = IDOLSimOTAAssigner().assign(pred, _gt([], []))
    assert result.num_gts == 0
    assert result.gt_inds.tolist() == [0] * num_queries
    assert result.labels.tolist() == [-1] * num_queries
    assert result.max_overlaps.tolist() == [0] * num_queries
    query = result.get_extra_property('matched_query')
    assert query.shape == (0,)
    for index in (result.gt_inds, result.labels, query):
        assert index.dtype == torch.int64
    assert result.max_overlaps.dtype == torch.float32
    for masks in IDOLSimOTAAssigner().candidates(pred, _gt([], [])):
        assert masks.shape == (num_queries, 0)
        assert masks.dtype == torch.bool


def test_inputs_stay_and_get_no_gradient():
    pred, gt = _case(1)
    before = pred.scores.clone(), pred.bboxes.clone(), gt.bboxes.clone()
    pred.bboxes.requires_grad_()
    result = IDOLSimOTAAssigner().assign(pred, gt)
    assert not result.max_overlaps.requires_grad
    after = pred.scores, pred.bboxes.detach(), gt.bboxes
    for old, new in zip(before, after):
        assert torch.equal(old, new)


def test_autocast_changes_nothing():
    pred, gt = _case(4)
    expected = IDOLSimOTAAssigner().assign(pred, gt).gt_inds
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = IDOLSimOTAAssigner().assign(pred, gt).gt_inds
    assert torch.equal(found, expected)


def test_half_precision_input():
    pred, gt = _case(4)
    half = InstanceData(scores=pred.scores.half(), bboxes=pred.bboxes.half())
    result = IDOLSimOTAAssigner().assign(half, gt)
    rounded = _pred(half.scores.float(), half.bboxes.float())
    expected = IDOLSimOTAAssigner().assign(rounded, gt)
    assert torch.equal(result.gt_inds, expected.gt_inds)
    assert result.max_overlaps.dtype == torch.float32


@pytest.mark.parametrize(
    'field, value, message',
    [
        ('scores', float('nan'), r'scores are NaN.*lower the learning rate'),
        ('scores', 1.5, r'not in \[0, 1\].*probabilities, not logits'),
        ('bboxes', float('nan'), r'predicted boxes are NaN.*diverged'),
        ('bboxes', float('inf'), r'predicted boxes are NaN or infinite'),
    ],
)
def test_unusable_predictions_are_refused(field, value, message):
    pred, gt = _case(0)
    pred[field][3, 1] = value
    for method in ('assign', 'candidates'):
        with pytest.raises(PMVISError, match=message):
            getattr(IDOLSimOTAAssigner(), method)(pred, gt)


def test_unusable_instances_are_refused():
    pred, gt = _case(0)
    assigner = IDOLSimOTAAssigner()
    bad = _gt(gt.bboxes * float('nan'), gt.labels)
    with pytest.raises(PMVISError, match=r'ground truth boxes.*annotations'):
        assigner.assign(pred, bad)
    bad = _gt(gt.bboxes, gt.labels + 5)
    with pytest.raises(PMVISError, match=r'not in \[0, 5\).*num_classes'):
        assigner.assign(pred, bad)
    with pytest.raises(PMVISError, match='no query.*at least one'):
        assigner.assign(_pred(torch.zeros(0, 5), torch.zeros(0, 4)), gt)
    point = _gt([[0.5, 0.5, 0, 0]], [0])
    pred.bboxes[0] = point.bboxes[0]
    with pytest.raises(PMVISError, match='not finite.*without width'):
        assigner.assign(pred, point)


def test_builds_from_a_config():
    assigner = TASK_UTILS.build(
        dict(type='IDOLSimOTAAssigner', candidate_topk=5)
    )
    assert isinstance(assigner, IDOLSimOTAAssigner)
    assert assigner.candidate_topk == 5
    with pytest.raises(ConfigError, match='candidate_topk=0.*at least 1'):
        IDOLSimOTAAssigner(candidate_topk=0)
    with pytest.raises(ConfigError, match='rematch_cost=100.*raise'):
        IDOLSimOTAAssigner(rematch_cost=100)
