import torch
from mmdet.models.task_modules import AssignResult

from pmvis_mm.models.dense_heads.reference_frames import ReferenceFrames


def assigned(num_gts, gt_inds, best=()):
    gt_inds = torch.tensor(gt_inds)
    result = AssignResult(num_gts, gt_inds, torch.zeros(len(gt_inds)), gt_inds)
    result.set_extra_property(
        'matched_query', torch.tensor(best, dtype=torch.long)
    )
    return result


def frames(rows, assignments=()):
    rows = [torch.tensor(row, dtype=torch.long) for row in rows]
    return ReferenceFrames(None, assignments, rows, None, None)


def test_partners_are_counted_over_all_clips():
    key = [
        assigned(3, [0, 1, 3, 0, 2, 1]),  # instances 0, 2, 1, 0
        assigned(0, [0, 0]),
        assigned(2, [2, 0, 1]),  # instances 1, 0
    ]
    # Clip 0 shows instances 2 and 0 again, clip 2 only instance 1.
    found = frames([[2, 0], [], [1]]).partners(key)
    assert found.tolist() == [1, 0, -1, 1, 2, -1]


def test_nothing_is_shown_and_nothing_is_assigned():
    assert frames([[]]).partners([assigned(2, [1, 0, 2])]).tolist() == [-1, -1]
    assert frames([[]]).partners([assigned(0, [0])]).tolist() == []


def test_queries_are_the_best_of_the_layer():
    layers = [
        [assigned(2, [1, 1, 2], best=[1, 2]), assigned(0, [0])],
        [assigned(2, [1, 2, 2], best=[0, 2]), assigned(0, [0])],
    ]
    reference = frames([[0, 1], []], layers)
    assert [q.tolist() for q in reference.queries(0)] == [[1, 2], []]
    assert [q.tolist() for q in reference.queries(1)] == [[0, 2], []]
