import numpy as np
import pytest
import torch
import torch.nn.functional as F

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData

from pmvis_mm.models.utils.color import lab_features
from pmvis_mm.registry import TASK_UTILS
from pmvis_mm.structures.mask_targets import MaskTargets
from pmvis_mm.testing.tiny_idol import join, random_clip
from pmvis_mm.testing.tiny_maskfree import MASK_ASSIGNER, tiny_maskfree
from pmvis_mm.utils.errors import ConfigError, PMVISError

JOINT = dict(track_head=dict(train_cfg=dict(mask_assigner=MASK_ASSIGNER)))
BOX_TERMS = {'loss_cls', 'loss_proj', 'loss_pairwise', 'loss_tk'}
MASK_TERMS = {'loss_mask', 'loss_dice'}


@pytest.fixture(scope='module')
def config(config_root):
    return config_root / 'maskfreevis/maskfreevis_r18_1xb4-1k_own-box.py'


@pytest.fixture(scope='module')
def model(config):
    return tiny_maskfree(config)


@pytest.fixture(scope='module')
def joint_model(config):
    return tiny_maskfree(config, JOINT)


def boxes(*ids, seed=0, **kwargs):
    return random_clip(ids=ids, seed=seed, with_masks=False, **kwargs)


def losses_of(model, batch):
    return model(**model.data_preprocessor(batch, True), mode='loss')


def scalar(losses):
    return {name: float(value.detach()) for name, value in losses.items()}


# ------------------------------------------------------------------ matching
def g7():
    """Predictions and instances of the golden case G7."""
    logits = torch.full((4, 2, 16, 16), -4.0)
    logits[0, :, 2:4, 3:9] = logits[0, :, 2:8, 3:5] = 4
    logits[1, 0, 8:12, 8:12] = 4
    logits[3, 0, 4:10, 4:10] = logits[3, 1, 2:8, 3:9] = 4
    scores = torch.tensor([[1, 0, 0], [0, 1, 0], [2, 0, 0], [0.5, 0, 1]])
    gt = InstanceData(
        labels=torch.tensor([0, 1]),
        bboxes=torch.tensor(
            [[[12, 8, 36, 32]] * 2, [[32, 32, 64, 48]] * 2]
        ).float(),
    )
    return scores, logits, gt


def grid_points(shape, device=None):
    assert shape[-1] == 2
    line = (torch.arange(20) + 0.5) / 20
    y, x = torch.meshgrid(line, line, indexing='ij')
    return torch.stack((x, y), -1).view(-1, 2)


class Noting:
    """Assigner that keeps what it is asked."""

    def __init__(self, assigner):
        self.assigner = assigner

    def assign(self, pred_instances, gt_instances, img_meta):
        self.pred, self.gt = pred_instances, gt_instances
        return self.assigner.assign(pred_instances, gt_instances, img_meta)


def test_g7_cost_matrix_and_assignment(model, monkeypatch):
    head = model.track_head
    noting = Noting(head.assigner)
    monkeypatch.setattr(head, 'assigner', noting)
    monkeypatch.setattr(torch, 'rand', grid_points)
    result = head.assign_boxes(*g7(), (64, 64))
    assert result.gt_inds.tolist() == [1, 2, 0, 0]
    costs = [
        cost(noting.pred, noting.gt) for cost in noting.assigner.match_costs
    ]
    expected = torch.tensor(
        [
            [-0.72496, 4.54077],
            [4.53032, 1.94142],
            [3.37886, 4.73748],
            [0.71172, 4.30623],
        ]
    )
    torch.testing.assert_close(sum(costs), expected, atol=2e-5, rtol=0)


def test_points_are_shared_by_all_masks_and_frames_and_drawn_anew(
    model, monkeypatch
):
    head = model.track_head
    noting = Noting(head.assigner)
    monkeypatch.setattr(head, 'assigner', noting)
    scores, _, gt = g7()
    # Both predictions are the instance, so their samples are its samples.
    filled = torch.full((4, 2, 64, 64), -1.0)
    filled[:2, :, 8:32, 12:36] = 1
    seen = []
    for _ in range(2):
        head.assign_boxes(scores, filled, gt, (64, 64))
        found, wanted = noting.pred.masks, noting.gt.masks
        assert found.shape == (4, 2 * head.num_points)
        assert torch.equal(found[0], wanted[0])
        assert torch.equal(found[1], found[0]) and not found[2].any()
        frames = wanted[0].view(2, -1)
        assert torch.equal(frames[0], frames[1])
        seen.append(wanted[0].clone())
    assert not torch.equal(*seen)


FRAME_WISE = [
    dict(type='ClassificationCost', weight=2.0),
    dict(type='TubeBoxDistanceCost', p=2, weight=5.0),
    dict(type='TubeGIoUCost', weight=2.0),
]
WITH_CE = [
    dict(type='ClassificationCost', weight=2.0),
    dict(type='BoxMaskCrossEntropyCost', weight=5.0),
    dict(type='DiceCost', weight=5.0, pred_act=False, eps=1.0),
]


@pytest.mark.parametrize('costs', [FRAME_WISE, WITH_CE])
def test_other_matchings_of_table_9_assign(model, monkeypatch, costs):
    assigner = dict(type='HungarianAssigner', match_costs=costs)
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope('pmvis_mm'):
        built = TASK_UTILS.build(assigner)
    monkeypatch.setattr(model.track_head, 'assigner', built)
    result = model.track_head.assign_boxes(*g7(), (64, 64))
    assert result.gt_inds.tolist() == [1, 2, 0, 0]


def test_matching_is_the_same_in_half_precision(model):
    scores, logits, gt = g7()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = model.track_head.assign_boxes(
            scores.bfloat16(), logits.bfloat16(), gt, (64, 64)
        )
    assert half.gt_inds.tolist() == [1, 2, 0, 0]


# -------------------------------------------------------------------- losses
def test_all_predictions_have_all_losses(model):
    batch = join(boxes((1, 2), (2,), (2, 3)), boxes((0,), (), (0,), seed=1))
    losses = losses_of(model, batch)
    prefixes = ('', 'd0.')
    assert set(losses) == {p + t for p in prefixes for t in BOX_TERMS}
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    model.zero_grad()


def test_losses_of_boxes_are_those_of_the_assigned_rows(model, monkeypatch):
    """One instance, one query: every term against its own computation."""
    head = model.track_head
    batch = boxes((5,), (), (5,), smooth=True)
    prepared = model.data_preprocessor(batch, True)
    masks = torch.randn(1, 6, 3, 16, 24) * 3
    scores = torch.randn(1, 6, 5)
    monkeypatch.setattr(head, 'forward', lambda *args: ([scores], [masks]))
    losses = model(**prepared, mode='loss')
    gt = [frame.gt_instances for frame in batch['data_samples'][0]]
    tube = InstanceData(
        labels=gt[0].labels,
        bboxes=torch.stack([gt[0].bboxes[0], torch.zeros(4), gt[2].bboxes[0]])[
            None
        ],
    )
    chosen = head.assign_boxes(scores[0], masks[0], tube, (64, 96)).gt_inds > 0
    full = torch.zeros(3, 64, 96)
    for t in (0, 2):
        x1, y1, x2, y2 = gt[t].bboxes[0].tolist()
        x, y = int(np.floor(x1)), int(np.floor(y1))
        full[t, y : int(np.ceil(y2)), x : int(np.ceil(x2))] = 1
    small = F.interpolate(full[None], (16, 24), mode='bilinear')
    targets = MaskTargets(
        small,
        similarity=prepared['similarity'],
        lab=prepared['lab'],
    )
    for name, loss in head.mask_losses.items():
        prepare = getattr(loss, 'prepare', lambda rows: rows)
        expected = loss(masks[0, chosen], prepare(targets))
        torch.testing.assert_close(losses[f'loss_{name}'], expected)
        assert expected > 0
    labels = torch.full((6,), 4)
    labels[chosen] = gt[0].labels[0]
    weight = torch.tensor([1.0, 1, 1, 1, 0.1])
    expected = 2 * F.cross_entropy(scores[0], labels, weight)
    torch.testing.assert_close(losses['loss_cls'], expected)


def test_clip_length_is_that_of_the_batch(model):
    for frames in (1, 4):
        losses = scalar(losses_of(model, boxes(*[(1, 2)] * frames)))
        assert all(np.isfinite(list(losses.values())))
        assert model.track_head.num_frames == frames
    one = scalar(losses_of(model, boxes((1, 2))))
    assert one['loss_tk'] == 0 and one['loss_proj'] > 0


def test_order_of_clips_and_ids_does_not_matter(model):
    # Statistics of batch norm depend on the batch.
    model.backbone.eval()
    first = boxes((1, 2), (2, 1), seed=0)
    second = boxes((7,), (3, 7), seed=1)
    torch.manual_seed(0)
    one = scalar(losses_of(model, join(first, second)))
    for frame in first['data_samples'][0]:
        gt = frame.gt_instances
        frame.gt_instances = gt[torch.arange(len(gt) - 1, -1, -1)]
        frame.gt_instances.instances_ids *= -1
    torch.manual_seed(0)
    two = scalar(losses_of(model, join(second, first)))
    model.train()
    assert one == pytest.approx(two, rel=1e-3)


@pytest.mark.parametrize('kind', ['clip', 'batch'])
def test_no_instances(model, kind):
    empty = boxes((), (), ())
    batch = empty
    if kind == 'clip':
        batch = join(empty, boxes((1,), (1,), (), seed=1))
    losses = losses_of(model, batch)
    values = scalar(losses)
    assert all(np.isfinite(list(values.values())))
    assert values['loss_cls'] > 0
    if kind == 'batch':
        assert {k for k, v in values.items() if v != 0} == {
            'loss_cls',
            'd0.loss_cls',
        }
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
    model.zero_grad()


def test_more_instances_than_queries(model):
    ids = tuple(range(1, 10))
    values = scalar(losses_of(model, boxes(ids, ids)))
    assert all(np.isfinite(list(values.values())))


def test_clips_of_different_length(model):
    batch = join(boxes((1,), (1,)), boxes((1,), (1,), (1,)))
    with pytest.raises(ConfigError, match=r'clips of one batch have \[2, 3\]'):
        losses_of(model, batch)


# ------------------------------------------------------------ joint training
def test_both_kinds_of_batches_have_the_same_losses(joint_model):
    ids = ((1, 2), (1, 2), (2,))
    by_boxes = losses_of(joint_model, boxes(*ids))
    by_masks = losses_of(joint_model, random_clip(ids=ids))
    terms = BOX_TERMS | MASK_TERMS
    assert set(by_boxes) == {p + t for p in ('', 'd0.') for t in terms}
    assert list(by_boxes) == list(by_masks)
    for prefix in ('', 'd0.'):
        for term in terms - {'loss_cls'}:
            name = prefix + term
            off = by_masks if term in BOX_TERMS else by_boxes
            assert off[name] == 0 and off[name].requires_grad
        for term in MASK_TERMS:
            assert by_masks[prefix + term] > 0
    for losses in (by_boxes, by_masks):
        joint_model.zero_grad()
        sum(losses.values()).backward()
        for name, parameter in joint_model.named_parameters():
            assert parameter.grad is not None, name


def test_masks_need_an_assigner(model):
    message = 'have masks, but this head learns from boxes.*mask_assigner'
    with pytest.raises(ConfigError, match=message):
        losses_of(model, random_clip(ids=((1,), (1,))))


def test_a_head_without_losses_of_boxes_needs_masks(
    model, joint_model, config
):
    assert not model.track_head.needs_masks
    assert not joint_model.track_head.needs_masks
    alone = dict(JOINT['track_head'], mask_losses=None)
    assert tiny_maskfree(config, dict(track_head=alone)).track_head.needs_masks


def test_batches_of_both_kinds_are_refused(joint_model):
    ids = ((1,), (1,))
    batch = join(boxes(*ids), random_clip(ids=ids, seed=1))
    with pytest.raises(ConfigError, match='some clips of a batch have masks'):
        losses_of(joint_model, batch)


def test_instances_without_mask_are_refused(joint_model):
    clip = random_clip(ids=((1, 2), (1, 2)))
    clip['data_samples'][0][1].gt_instances.masks_valid = torch.tensor(
        [True, False]
    )
    with pytest.raises(PMVISError, match=r'no mask, but its.*\[video 1\]'):
        losses_of(joint_model, clip)


def test_losses_of_masks_may_stand_beside_those_of_boxes(config):
    """Pseudo masks: rows without one count for the losses of boxes."""
    terms = dict(dice=dict(type='MaskDiceLoss', loss_weight=2.0))
    model = tiny_maskfree(config, dict(track_head=dict(mask_losses=terms)))
    clip = random_clip(ids=((1,), (1,)))
    with_mask = scalar(losses_of(model, clip))
    assert set(with_mask) == {
        p + t for p in ('', 'd0.') for t in BOX_TERMS | {'loss_dice'}
    }
    assert with_mask['loss_dice'] > 0
    for frame in clip['data_samples'][0]:
        masks = frame.gt_instances.masks
        frame.gt_instances.masks = BitmapMasks(masks.masks * 0, 64, 96)
        frame.gt_instances.masks_valid = torch.tensor([False])
    without = scalar(losses_of(model, clip))
    assert without['loss_dice'] == 0 and without['loss_proj'] > 0


# -------------------------------------------------------------- shared parts
def test_what_losses_need(model):
    head = model.track_head
    assert head.needs('similarity') and head.needs('lab')
    assert not head.needs('masks') and not head.needs('images')


def test_matches_are_found_once_per_step(model, monkeypatch):
    loss = model.track_head.mask_losses['tk']
    calls = []
    prepare = loss.prepare
    monkeypatch.setattr(
        loss, 'prepare', lambda targets: calls.append(0) or prepare(targets)
    )
    losses_of(model, boxes((1,), (1,)))
    assert len(calls) == 1


def test_weights_are_those_of_mask2former(model, config_root):
    """Checkpoints of mmdet's own model fit."""
    path = config_root / 'mask2former_video'
    path = path / 'mask2former-video_r18_1xb4-1k_own-pseudo.py'
    plain = tiny_maskfree(path, seed=1)
    shapes = [
        {name: value.shape for name, value in found.state_dict().items()}
        for found in (plain, model)
    ]
    assert shapes[0] == shapes[1]


def test_features_of_the_preprocessor_are_those_of_all_frames(model):
    clip = boxes((1,), (1,), (1,))
    raw = clip['inputs'][0].flip(1)
    data = model.data_preprocessor(clip, True)
    assert torch.equal(data['lab'][0], lab_features(raw))
    assert data['similarity'].shape == (1, 3, 8, 16, 24)
