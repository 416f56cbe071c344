"""TKLoss between the key and the reference frame of IDOL."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import bbox_xyxy_to_cxcywh

from pmvis_mm.models.dense_heads.dynamic_mask_head import to_pixels
from pmvis_mm.models.dense_heads.idol_head import as_prediction
from pmvis_mm.models.utils import box_bitmasks, lab_features
from pmvis_mm.structures.mask_targets import MaskTargets
from pmvis_mm.testing.tiny_idol import join, random_clip, tiny_idol
from pmvis_mm.utils.errors import ConfigError

CONFIGS = Path(__file__).resolve().parents[3] / 'configs'
IDOL = CONFIGS / 'idol/idol_r18_1xb4-2k_own.py'
PM_VIS = CONFIGS / 'pm_vis/pm-vis_r18_1xb4-2k_own-pseudo.py'
PM_VIS_TK = CONFIGS / 'pm_vis/pm-vis-tk_r18_1xb4-2k_own-pseudo.py'
BOXINST_TK = CONFIGS / 'idol_boxinst/idol-boxinst-tk_r18_1xb4-2k_own-box.py'
BOTH = ((1, 2), (1, 2))


def clip(ids=BOTH, seed=0, **options):
    return random_clip(ids=ids, seed=seed, smooth=True, **options)


def losses_of(model, batch):
    torch.manual_seed(0)  # negatives of the contrastive loss
    return model(**model.data_preprocessor(batch, True), mode='loss')


def see(model, inputs, sample):
    """What the model makes of one frame alone."""
    detector = model.detector
    out = detector.forward_frames(detector.extract_feat(inputs), [sample])
    scores, boxes = detector.bbox_head(out.hidden_states, out.references)
    return out, scores, boxes, model.mask_head(out.memory)[0]


def rows_by_hand(model, data, layer):
    """Logits (2, h, w), boxes (2, 4) and clip of every pair of masks.

    One query at a time, clip by clip in the order of the key's queries.
    """
    head, rows = model.detector.bbox_head, []
    for index, sample in enumerate(data['data_samples']):
        key, ref = (
            see(model, data['inputs'][index, t : t + 1], sample[t])
            for t in (0, 1)
        )
        key_gt, ref_gt = (sample[t].gt_instances for t in (0, 1))
        ids = key_gt.instances_ids.tolist()
        ref_ids = ref_gt.instances_ids.tolist()
        kept = [i for i in ids if i in ref_ids]
        rows_there = [ref_ids.index(i) for i in kept]
        there = ref_gt[torch.tensor(rows_there, dtype=torch.long)]
        result = assign(head, key, layer, sample[0], key_gt)
        best = assign(head, ref, layer, sample[1], there)
        best = best.get_extra_property('matched_query').tolist()
        for query, instance in enumerate(result.gt_inds.tolist()):
            if instance == 0 or ids[instance - 1] not in kept:
                continue
            other = kept.index(ids[instance - 1])
            masks = [
                mask(model, key, layer, query, sample[0]),
                mask(model, ref, layer, best[other], sample[1]),
            ]
            boxes = [key_gt.bboxes[instance - 1], there.bboxes[other]]
            rows.append((torch.stack(masks), torch.stack(boxes), index))
    return rows


def assign(head, frame, layer, sample, gt):
    """Assign the queries of one frame and layer."""
    _, scores, boxes, _ = frame
    height, width = sample.img_shape
    gt = gt.clone()
    gt.bboxes = bbox_xyxy_to_cxcywh(gt.bboxes) / gt.bboxes.new_tensor(
        [width, height, width, height]
    )
    prediction = as_prediction(scores[layer, 0], boxes[layer, 0])
    return head.assigner.assign(prediction, gt)


def mask(model, frame, layer, query, sample):
    """Predict the mask of one query."""
    out, _, _, features = frame
    point = out.references[layer][0, query : query + 1, :2]
    return model.mask_head.predict_masks(
        features,
        out.hidden_states[layer, 0, query : query + 1],
        to_pixels(point, sample.img_shape),
    )[0]


def value_by_hand(model, batch, layer):
    """TKLoss itself, on masks that were predicted one by one."""
    data = model.data_preprocessor(batch, True)
    logits, boxes, clips = zip(*rows_by_hand(model, data, layer))
    size = tuple(data['inputs'].shape[-2:])
    rgb = torch.zeros((len(data['inputs']), 2, 3, *size), dtype=torch.uint8)
    for target, frames in zip(rgb, batch['inputs']):
        # Loaded as BGR.
        target[..., : frames.size(2), : frames.size(3)] = frames.flip(1)
    targets = MaskTargets(
        box_bitmasks(torch.stack(boxes), size),
        torch.tensor(clips),
        lab=lab_features(rgb),
    )
    loss = model.mask_head.mask_losses['tk']
    return loss(torch.stack(logits), loss.prepare(targets))


# ------------------------------------------------------------------- values
@pytest.mark.parametrize('config', [PM_VIS_TK, BOXINST_TK])
def test_other_losses_are_those_without_it(config):
    name = config.name.replace('-tk', '')
    plain = tiny_idol(config.parent / name)
    batch = join(clip(), clip(((1, 3), (3,)), seed=1))
    without = losses_of(plain, batch)
    found = losses_of(tiny_idol(config), batch)
    assert set(found) - set(without) == {'loss_tk', 'd0.loss_tk'}
    for key, value in without.items():
        assert torch.equal(found[key], value), key


@pytest.mark.parametrize(
    'ids',
    [
        (BOTH,),
        (((1, 2), (2, 1)),),
        (((1, 2), (1,)),),
        (((1, 2), (3, 2)),),
        (BOTH, ((), ()), ((4, 2, 3), (3, 4))),
        (((1,), ()), BOTH),
    ],
)
def test_value_is_that_of_masks_predicted_by_hand(ids):
    model = tiny_idol(PM_VIS_TK).eval()
    batch = join(*(clip(seen, seed=n) for n, seen in enumerate(ids)))
    found = losses_of(model, batch)
    for layer, name in enumerate(['d0.loss_tk', 'loss_tk']):
        expected = value_by_hand(model, batch, layer)
        assert expected > 1e-3
        torch.testing.assert_close(found[name], expected, rtol=1e-4, atol=1e-6)


def test_clips_of_different_size():
    model = tiny_idol(PM_VIS_TK).eval()
    batch = join(clip(size=(64, 96)), clip(size=(70, 50), seed=3))
    found = losses_of(model, batch)
    assert found['loss_tk'] > 1e-3


@pytest.mark.parametrize(
    'ids', [((1,), ()), ((), ()), ((), (1,)), ((1, 2), (3,))]
)
def test_nothing_in_common_is_zero_with_a_gradient_path(ids):
    model = tiny_idol(PM_VIS_TK)
    losses = losses_of(model, clip(ids))
    for name in ('loss_tk', 'd0.loss_tk'):
        assert losses[name].item() == 0 and losses[name].requires_grad
    sum(losses.values()).backward()
    for name, value in model.named_parameters():
        assert value.grad is not None and value.grad.isfinite().all(), name


def test_instances_that_only_the_reference_shows_change_nothing():
    model = tiny_idol(PM_VIS_TK).eval()
    plain = losses_of(model, clip(((1, 2), (1, 2))))
    more = losses_of(model, clip(((1, 2), (3, 2, 1))))
    torch.testing.assert_close(more['loss_tk'], plain['loss_tk'])


def test_only_the_last_layer():
    head = dict(mask_head=dict(deep_supervision=False))
    every = losses_of(tiny_idol(PM_VIS_TK), clip())
    last = losses_of(tiny_idol(PM_VIS_TK, head), clip())
    assert 'd0.loss_tk' not in last
    assert torch.equal(last['loss_tk'], every['loss_tk'])


def test_weight_and_ramp():
    model = tiny_idol(PM_VIS_TK).eval()
    full = losses_of(model, clip())['loss_tk']
    model.mask_head.mask_losses['tk'].warmup_factor = 0.25
    quarter = losses_of(model, clip())
    torch.testing.assert_close(quarter['loss_tk'], full / 4)


# ---------------------------------------------------------------- gradients
def gradients(name):
    """Largest gradient at the pixels of key and reference frame."""
    model = tiny_idol(PM_VIS_TK).eval()
    data = model.data_preprocessor(clip(), True)
    data['inputs'].requires_grad_()
    model(**data, mode='loss')[name].backward()
    return data['inputs'].grad[0].abs().amax((1, 2, 3))


def test_both_frames_get_a_gradient():
    for name in ('loss_tk', 'd0.loss_tk'):
        key, reference = gradients(name)
        assert key > 1e-8 and reference > 1e-8
    key, reference = gradients('loss_pairwise')
    assert key > 1e-8 and reference == 0


def test_half_precision_trains():
    """Weights that both frames use get the gradient of both."""
    model = tiny_idol(PM_VIS_TK)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = losses_of(model, clip())
    assert all(value.dtype == torch.float32 for value in losses.values())
    assert losses['loss_tk'] > 1e-3
    sum(losses.values()).backward()
    for name, value in model.named_parameters():
        assert value.grad is not None and value.grad.isfinite().all(), name
    for branch in model.detector.bbox_head.cls_branches:
        assert branch.weight.grad.abs().max() > 0


# ---------------------------------------------------------------- bad input
def test_colours_are_not_configured():
    with pytest.raises(ConfigError, match=r'lab.*temporal=dict\(\)'):
        tiny_idol(PM_VIS_TK, dict(data_preprocessor=dict(temporal=None)))


def test_frames_of_different_size():
    model = tiny_idol(PM_VIS_TK)
    batch = clip(video_id=7, first_frame=3, video_length=9)
    batch['data_samples'][0][1].set_metainfo(dict(img_shape=(60, 96)))
    message = (
        r'\(64, 96\) and \(60, 96\) \[video 7, frame 3\].*'
        'share_random_params.*pseudo_tube'
    )
    with pytest.raises(ConfigError, match=message):
        losses_of(model, batch)
    # Nothing else minds.
    losses = losses_of(tiny_idol(PM_VIS), batch)
    assert all(value.isfinite() for value in losses.values())


def test_inference_does_not_need_it():
    model = tiny_idol(PM_VIS_TK).eval()
    batch = random_clip(ids=((), ()))
    with torch.no_grad():
        out = model(**model.data_preprocessor(batch), mode='predict')
    assert all(
        np.isfinite(f.pred_track_instances.scores).all() for f in out[0]
    )
