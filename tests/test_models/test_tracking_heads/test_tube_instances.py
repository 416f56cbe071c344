import numpy as np
import pytest
import torch

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData

from pmvis_mm.models.tracking_heads.tube_instances import (
    clips_have_masks,
    make_tubes,
)
from pmvis_mm.utils.errors import ConfigError


def frame(ids, valid=None, size=(8, 12)):
    """Instance i has the box (i, i, i + 4, i + 3) and the label i + 2."""
    gt = InstanceData(
        bboxes=torch.tensor([[i, i, i + 4, i + 3] for i in ids]).view(-1, 4),
        labels=torch.tensor([i + 2 for i in ids], dtype=torch.long),
        instances_ids=torch.tensor(ids, dtype=torch.long),
    )
    if valid is not None:
        masks = np.zeros((len(ids), *size), np.uint8)
        for mask, i in zip(masks, ids):
            mask[i : i + 3, i : i + 4] = 1
        gt.masks = BitmapMasks(masks, *size)
        if valid != 'all':
            gt.masks_valid = torch.tensor(valid, dtype=torch.bool)
    return DetDataSample(gt_instances=gt, metainfo=dict(video_id=7))


def test_ids_are_followed_over_frames():
    # Id 0 is an id like others; the order of the rows is free in a frame.
    clip = [frame([3, 0]), frame([]), frame([1, 3])]
    tubes = make_tubes(clip, (8, 16))
    assert tubes.labels.tolist() == [2, 3, 5]
    assert tubes.labels.dtype == torch.int64
    gone = [0, 0, 0, 0]
    box = {i: [i, i, i + 4, i + 3] for i in (0, 1, 3)}
    assert tubes.bboxes.tolist() == [
        [box[0], gone, gone],
        [gone, gone, box[1]],
        [box[3], gone, box[3]],
    ]
    assert tubes.bboxes.dtype == torch.float32
    assert 'masks' not in tubes


def test_masks_are_padded_and_absent_ones_are_empty():
    clip = [frame([1, 2], valid=[True, False]), frame([2], valid=[True])]
    tubes = make_tubes(clip, (16, 16), with_masks=True)
    assert tubes.masks.shape == (2, 2, 16, 16)
    assert tubes.masks.dtype == torch.uint8
    expected = torch.zeros(2, 2, 16, 16)
    expected[0, 0, 1:4, 1:5] = 1
    expected[1, :, 2:5, 2:6] = 1
    assert torch.equal(tubes.masks.float(), expected)
    # Frame 1 does not show the first: its empty mask is right.
    assert tubes.masks_valid.tolist() == [[True, True], [False, True]]


def test_masks_are_valid_unless_said_otherwise():
    tubes = make_tubes([frame([1], valid='all')], (8, 12), with_masks=True)
    assert tubes.masks_valid.tolist() == [[True]]


def test_one_frame_and_no_instances():
    tubes = make_tubes([frame([4])], (8, 16))
    assert tubes.bboxes.tolist() == [[[4, 4, 8, 7]]]
    for valid in (None, []):
        tubes = make_tubes(
            [frame([], valid)] * 2, (8, 16), with_masks=valid is not None
        )
        assert len(tubes) == 0 and tubes.bboxes.shape == (0, 2, 4)
    assert tubes.masks.shape == (0, 2, 8, 16)
    assert tubes.masks_valid.shape == (0, 2)


def test_whether_clips_have_masks():
    boxes, masks = frame([1]), frame([1], valid='all')
    assert clips_have_masks([[masks, masks], [masks, masks]]) is True
    assert clips_have_masks([[boxes], [boxes]]) is False
    assert clips_have_masks([]) is False
    message = r'some clips of a batch have masks.*video \[7, 7\].*one dataset'
    with pytest.raises(ConfigError, match=message):
        clips_have_masks([[masks], [boxes]])
