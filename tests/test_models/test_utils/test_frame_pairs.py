import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from pmvis_mm.models.utils.frame_pairs import make_pair, pair_boxes


def frame(ids, boxes):
    sample = DetDataSample(metainfo=dict(img_shape=(20, 40)))
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor(boxes).float().reshape(-1, 4),
        labels=torch.tensor(ids, dtype=torch.long) % 3,
        instances_ids=torch.tensor(ids, dtype=torch.long),
    )
    return sample


KEY = frame([5, 0, 7], [[0, 0, 4, 4], [8, 2, 12, 10], [1, 1, 2, 2]])
REF = frame([9, 7, 5], [[3, 3, 6, 6], [2, 2, 4, 4], [1, 0, 5, 4]])


def test_boxes_of_both_frames_in_pixels():
    assert pair_boxes(KEY, REF).tolist() == [
        [[0, 0, 4, 4], [1, 0, 5, 4]],
        [[8, 2, 12, 10], [0, 0, 0, 0]],
        [[1, 1, 2, 2], [2, 2, 4, 4]],
    ]


def test_pair_of_the_same_frames():
    pair = make_pair(KEY, REF)
    assert pair.ref_rows.tolist() == [0, 2]
    assert pair.ref.labels.tolist() == [2, 1]
    # Centre and size over 40 x 20 pixels.
    torch.testing.assert_close(
        pair.ref.bboxes,
        torch.tensor([[0.075, 0.1, 0.1, 0.2], [0.075, 0.15, 0.05, 0.1]]),
    )


def test_no_instances():
    none = frame([], [])
    assert pair_boxes(none, REF).shape == (0, 2, 4)
    assert pair_boxes(REF, none)[:, 1].tolist() == [[0.0] * 4] * 3
