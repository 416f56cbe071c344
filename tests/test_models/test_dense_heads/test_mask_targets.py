import numpy as np
import pytest
import torch

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData

from pmvis_mm.models.dense_heads.mask_targets import build_mask_targets
from pmvis_mm.models.utils import box_bitmasks, downsample_masks
from pmvis_mm.utils.errors import PMVISError

SIZE = (16, 24)
BOXES = torch.tensor(
    [
        [[2.0, 1, 13, 9], [0, 0, 0, 0], [4, 4, 20, 16]],
        [[0, 0, 0, 0], [0, 0, 8, 8], [0, 0, 24, 16]],
    ]
)


@pytest.mark.parametrize('downsample', ['sample2', 'bilinear'])
def test_tubes_are_their_frames(downsample):
    tubes = build_mask_targets(
        [InstanceData(bboxes=BOXES), InstanceData(bboxes=BOXES[1:])],
        SIZE,
        box_rule='exact',
        downsample=downsample,
    )
    assert tubes.box_masks.shape == (3, 3, 4, 6)
    assert tubes.clip_index.tolist() == [0, 0, 1]
    for t in range(3):
        frame = build_mask_targets(
            [InstanceData(bboxes=BOXES[:, t])],
            SIZE,
            box_rule='exact',
            downsample=downsample,
        )
        assert torch.equal(tubes.box_masks[:2, t], frame.box_masks[:, 0])
    expected = box_bitmasks(BOXES, SIZE, 4, 'exact', downsample)
    assert torch.equal(tubes.box_masks[:2], expected)
    assert not tubes.box_masks[0, 1].any()


def test_masks_of_tubes_and_of_frames():
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 2, (2, 3, 10, 24), dtype=np.uint8)
    valid = torch.tensor([[True, False, True], [True, True, False]])
    tube = InstanceData(
        bboxes=BOXES, masks=torch.from_numpy(raw), masks_valid=valid
    )
    found = build_mask_targets([tube], SIZE, with_masks=True)
    padded = torch.zeros(2, 3, 16, 24)
    padded[:, :, :10] = torch.from_numpy(raw)
    assert torch.equal(found.masks, downsample_masks(padded))
    assert torch.equal(found.masks_valid, valid)
    frame = InstanceData(
        bboxes=BOXES[:, 0],
        masks=BitmapMasks(raw[:, 0], 10, 24),
        masks_valid=valid[:, 0],
    )
    single = build_mask_targets([frame], SIZE, with_masks=True)
    assert torch.equal(single.masks, found.masks[:, :1])
    assert single.masks_valid.tolist() == [[True], [True]]


def test_what_belongs_to_clips_is_passed_on():
    lab = torch.rand(2, 3, 3, 4, 6)
    images = torch.zeros(2, 3, 3, *SIZE, dtype=torch.uint8)
    similarity = torch.rand(2, 3, 8, 4, 6)
    found = build_mask_targets(
        [InstanceData(bboxes=BOXES[:0]), InstanceData(bboxes=BOXES)],
        SIZE,
        similarity=similarity,
        similarity_dilation=3,
        lab=lab,
        images=images,
    )
    assert found.lab is lab and found.images is images
    assert torch.equal(found.similarity, similarity)
    assert found.similarity_dilation == 3
    assert found.clip_index.tolist() == [1, 1]
    assert found.gather([torch.tensor([]), torch.tensor([1])]).lab is lab


def test_no_instances_at_all():
    none = InstanceData(bboxes=BOXES[:0])
    found = build_mask_targets([none, none], SIZE)
    assert found.box_masks.shape == (0, 3, 4, 6) and len(found) == 0


def test_masks_that_are_not_there():
    with pytest.raises(PMVISError, match='the batch holds boxes only'):
        build_mask_targets([InstanceData(bboxes=BOXES)], SIZE, with_masks=True)
