import pytest
import torch

from pmvis_mm.models.utils import box_bitmasks
from pmvis_mm.structures.mask_targets import MaskTargets
from pmvis_mm.testing.sample_s import sample_s
from pmvis_mm.utils.errors import PMVISError


def _clip(*values: float, masks: bool = False, similar: float = 0.0):
    """One clip of 1 frame; row n is filled with values[n]."""
    maps = torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 1, 2, 2).clone()
    return MaskTargets(
        maps,
        similarity=torch.full((1, 1, 8, 2, 2), similar),
        masks=maps if masks else None,
    )


def _rows(targets):
    return targets.box_masks[:, 0, 0, 0].tolist()


def test_p9_index_alignment():
    boxes = torch.stack([torch.zeros(4), sample_s().boxes[1]])[:, None]
    targets = MaskTargets(box_bitmasks(boxes, (64, 64)))
    present = targets.gather(torch.tensor([False, True]))
    matched = present.gather(torch.tensor([0]))
    assert matched.box_masks.sum() == 28
    # What the released code does instead: index the unfiltered rows.
    assert targets.gather(torch.tensor([0])).box_masks.sum() == 0


def test_gather_takes_all_fields_of_a_row_together():
    targets = MaskTargets(
        torch.arange(3.0).view(3, 1, 1, 1),
        clip_index=torch.tensor([0, 0, 1]),
        similarity=torch.rand(2, 1, 8, 1, 1),
        masks=torch.arange(3.0).view(3, 1, 1, 1) + 10,
        masks_valid=torch.tensor([[True], [False], [True]]),
    )
    rows = targets.gather(torch.tensor([2, 1, 1]))
    assert rows.box_masks.flatten().tolist() == [2, 1, 1]
    assert rows.masks.flatten().tolist() == [12, 11, 11]
    assert rows.masks_valid.flatten().tolist() == [True, False, False]
    assert rows.clip_index.tolist() == [1, 0, 0]
    assert rows.similarity is targets.similarity


def test_gather_per_clip_counts_from_each_clip():
    targets = MaskTargets.cat([_clip(1.0, 2.0), _clip(), _clip(3.0, 4.0)])
    none = torch.zeros(0, dtype=torch.long)
    rows = targets.gather([torch.tensor([1, 1]), none, torch.tensor([0])])
    assert _rows(rows) == [2, 2, 3]
    assert rows.clip_index.tolist() == [0, 0, 2]
    assert _rows(targets.gather([none, none, torch.tensor([1])])) == [4]
    keep = [torch.tensor([False, True]), none.bool(), torch.tensor([True] * 2)]
    assert _rows(targets.gather(keep)) == [2, 3, 4]


def test_gather_of_nothing_keeps_shapes():
    targets = MaskTargets.cat([_clip(1.0, masks=True)])
    rows = targets.gather(torch.zeros(0, dtype=torch.long))
    assert len(rows) == 0
    assert rows.masks.shape == rows.box_masks.shape == (0, 1, 2, 2)
    assert len(targets.gather([torch.zeros(0, dtype=torch.long)])) == 0


def test_cat_joins_similarity_and_marks_missing_masks():
    targets = MaskTargets.cat(
        [_clip(1.0, masks=True, similar=0.25), _clip(2.0, 3.0, similar=0.5)]
    )
    assert targets.clip_index.tolist() == [0, 1, 1]
    assert targets.similarity[:, 0, 0, 0, 0].tolist() == [0.25, 0.5]
    assert targets.masks_valid.flatten().tolist() == [True, False, False]
    assert targets.masks[1:].sum() == 0
    assert MaskTargets.cat([_clip(1.0), _clip(2.0)]).masks is None


def test_cat_of_clips_without_rows():
    targets = MaskTargets.cat([_clip(), _clip()])
    assert len(targets) == 0
    assert targets.similarity.shape[0] == 2


@pytest.mark.parametrize('index', [3, -1])
def test_gather_refuses_indices_outside(index):
    targets = _clip(1.0, 2.0, 3.0)
    with pytest.raises(PMVISError, match=f'{index} .*3 rows.*Fix: build'):
        targets.gather(torch.tensor([0, index]))


def test_gather_refuses_an_index_that_reaches_into_the_next_clip():
    targets = MaskTargets.cat([_clip(1.0), _clip(2.0)])
    with pytest.raises(PMVISError, match='1 rows of clip 0'):
        targets.gather([torch.tensor([1]), torch.tensor([0])])
    with pytest.raises(PMVISError, match='1 index tensors for 2 clips'):
        targets.gather([torch.tensor([0])])
    swapped = targets.gather(torch.tensor([1, 0]))
    with pytest.raises(PMVISError, match='not sorted by clip'):
        swapped.gather([torch.tensor([0]), torch.tensor([0])])


def test_gather_refuses_flags_of_another_length():
    with pytest.raises(PMVISError, match='one flag per row'):
        _clip(1.0).gather(torch.tensor([True, False]))


@pytest.mark.parametrize(
    'fields, message',
    [
        (dict(box_masks=torch.zeros(2, 4, 4)), 'add the frame axis'),
        (dict(clip_index=torch.zeros(3).long()), r'clip_index .*\(2,\)'),
        (dict(masks=torch.zeros(2, 1, 8, 8)), r'masks .*\(2, 1, 4, 4\)'),
        (
            dict(similarity=torch.zeros(1, 2, 8, 4, 4)),
            r'similarity .*\(1, 1, 8, 4, 4\).*Fix',
        ),
        (dict(similarity=torch.zeros(8, 4, 4)), 'similarity has shape'),
        (
            dict(masks_valid=torch.ones(2, 1, dtype=torch.bool)),
            'without masks',
        ),
        (
            dict(
                masks=torch.zeros(2, 1, 4, 4),
                masks_valid=torch.ones(2, dtype=torch.bool),
            ),
            r'masks_valid .*\(2, 1\)',
        ),
    ],
)
def test_shapes_that_do_not_fit_are_refused(fields, message):
    fields = dict(dict(box_masks=torch.zeros(2, 1, 4, 4)), **fields)
    with pytest.raises(PMVISError, match=message):
        MaskTargets(**fields)


def test_cat_refuses_clips_that_differ():
    with pytest.raises(PMVISError, match='no clips'):
        MaskTargets.cat([])
    other = MaskTargets(torch.zeros(1, 1, 2, 2))
    with pytest.raises(PMVISError, match=r'clip 1 differs.*Fix: pad'):
        MaskTargets.cat([_clip(1.0), other])
    with pytest.raises(PMVISError, match='element 0 holds 2 clips'):
        MaskTargets.cat([MaskTargets.cat([_clip(1.0), _clip(2.0)])])


def _frames(value: int, rows: int = 1, **fields):
    """A clip of 2 frames with colours and images."""
    fields = dict(
        dict(
            lab=torch.full((1, 2, 3, 2, 2), float(value)),
            images=torch.full((1, 2, 3, 8, 8), value, dtype=torch.uint8),
        ),
        **fields,
    )
    return MaskTargets(torch.ones(rows, 2, 2, 2), **fields)


def test_cat_joins_colours_and_images_and_gather_shares_them():
    targets = MaskTargets.cat([_frames(1), _frames(2, rows=0), _frames(3)])
    assert targets.lab[:, 0, 0, 0, 0].tolist() == [1, 2, 3]
    assert targets.images[:, 1, 2, 7, 7].tolist() == [1, 2, 3]
    assert targets.clip_index.tolist() == [0, 2]
    rows = targets.gather(torch.tensor([1, 1, 0]))
    assert rows.lab is targets.lab
    assert rows.images is targets.images


def test_cat_refuses_clips_with_and_without_colours():
    for name in ('lab', 'images'):
        other = _frames(2, **{name: None})
        with pytest.raises(PMVISError, match='clip 1 differs'):
            MaskTargets.cat([_frames(1), other])
    two = MaskTargets.cat([_frames(1), _frames(2)])
    with pytest.raises(PMVISError, match='element 1 holds 2 clips'):
        MaskTargets.cat([_frames(1), two])


@pytest.mark.parametrize(
    'fields, message',
    [
        (dict(lab=torch.zeros(1, 3, 3, 2, 2)), r'lab .*\(1, 2, 3, 2, 2\)'),
        (dict(lab=torch.zeros(1, 2, 3, 4, 4)), r'lab has shape .*Fix'),
        (dict(lab=torch.zeros(2, 3, 2, 2)), 'lab has shape'),
        (dict(images=torch.zeros(1, 2, 1, 8, 8)), r'images .*\(1, 2, 3, 8, 8'),
        (dict(images=torch.zeros(2, 3, 8, 8)), 'images has shape'),
    ],
)
def test_frames_that_do_not_fit_are_refused(fields, message):
    with pytest.raises(PMVISError, match=message):
        _frames(0, **fields)
