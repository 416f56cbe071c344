"""Training steps of IDOL and its relatives on tiny models."""

from pathlib import Path

import pytest
import torch

from pmvis_mm.testing.tiny_idol import join, random_clip, tiny_idol
from pmvis_mm.utils.errors import ConfigError, PMVISError

CONFIGS = Path(__file__).resolve().parents[3] / 'configs'
IDOL = CONFIGS / 'idol/idol_r18_1xb4-2k_own.py'
BOXINST = CONFIGS / 'idol_boxinst/idol-boxinst_r18_1xb4-2k_own-box.py'
PM_VIS = CONFIGS / 'pm_vis/pm-vis_r18_1xb4-2k_own-pseudo.py'


def losses_of(model, batch):
    data = model.data_preprocessor(batch, True)
    return model(**data, mode='loss')


def total(losses):
    return sum(value for value in losses.values())


@pytest.mark.parametrize(
    ('config', 'names'),
    [
        (IDOL, {'focal', 'dice'}),
        (BOXINST, {'proj', 'pairwise'}),
        (PM_VIS, {'proj', 'pairwise', 'focal', 'dice'}),
    ],
)
def test_methods_differ_by_their_mask_losses(config, names):
    model = tiny_idol(config)
    losses = losses_of(model, random_clip())
    common = {'cls', 'bbox', 'iou'}
    expected = {f'loss_{name}' for name in names | common}
    expected |= {f'd0.{name}' for name in expected}
    assert set(losses) == expected | {'loss_reid', 'loss_reid_aux'}
    assert all(value.isfinite() for value in losses.values())
    total(losses).backward()
    for name, value in model.named_parameters():
        assert value.grad is not None and value.grad.isfinite().all(), name


def test_pmvis_is_another_name_of_the_model():
    model = tiny_idol(PM_VIS, dict(type='PMVIS'))
    assert total(losses_of(model, random_clip())).isfinite()


def test_effective_weights_p10():
    weights = {
        name: loss.loss_weight
        for name, loss in tiny_idol(PM_VIS).mask_head.mask_losses.items()
    }
    assert weights == dict(proj=2.0, pairwise=2.0, focal=1.0, dice=2.5)
    weights = {
        name: loss.loss_weight
        for name, loss in tiny_idol(IDOL).mask_head.mask_losses.items()
    }
    assert weights == dict(focal=2.0, dice=5.0)


@pytest.mark.parametrize('config', [IDOL, BOXINST, PM_VIS])
@pytest.mark.parametrize('ids', [((), ()), ((), (1,)), ((1,), ())])
def test_clips_without_instances_train_every_weight(config, ids):
    """P16; and no process of several waits for a gradient."""
    model = tiny_idol(config)
    losses = losses_of(model, random_clip(ids=ids))
    masks = [name for name in losses if 'focal' in name or 'proj' in name]
    assert masks
    if not ids[0]:
        for name, value in losses.items():
            if 'cls' not in name:
                assert value.item() == 0 and value.requires_grad, name
    assert losses['loss_reid'].item() == 0
    total(losses).backward()
    assert all(p.grad is not None for p in model.parameters())


def test_an_empty_clip_does_not_rob_the_others():
    """Defect D-b of the public code; clips are independent."""
    model = tiny_idol(BOXINST).eval()
    full, empty = random_clip(seed=1), random_clip(seed=2, ids=((), ()))
    alone = losses_of(model, full)
    both = losses_of(model, join(empty, full))
    for name in alone:
        if 'cls' not in name and 'aux' not in name:
            torch.testing.assert_close(
                both[name], alone[name], rtol=1e-4, atol=1e-6
            )


def test_order_of_instances_does_not_matter():
    """P9: an instance of the reference frame alone shifts no index."""
    model = tiny_idol(PM_VIS).eval()
    plain = losses_of(model, random_clip(ids=((1, 2), (1, 2))))
    mixed = losses_of(model, random_clip(ids=((1, 2), (3, 2, 1))))
    for name, value in plain.items():
        if 'reid' not in name:
            torch.testing.assert_close(mixed[name], value)


def test_box_supervision_does_not_look_at_masks():
    model = tiny_idol(BOXINST).eval()
    with_masks = losses_of(model, random_clip())
    without = losses_of(model, random_clip(with_masks=False))
    for name, value in with_masks.items():
        if 'aux' not in name:
            assert torch.equal(without[name], value), name


def test_a_missing_pseudo_mask_loses_its_mask_losses_only():
    model = tiny_idol(PM_VIS).eval()
    losses = []
    for valid in ([True, True], [True, False]):
        batch = random_clip()
        gt = batch['data_samples'][0][0].gt_instances
        gt.masks_valid = torch.tensor(valid)
        losses.append(losses_of(model, batch))
    for name, value in losses[0].items():
        same = torch.equal(losses[1][name], value)
        assert same == ('focal' not in name and 'dice' not in name) or (
            'aux' in name
        ), name


def test_frames_of_different_size():
    model = tiny_idol(PM_VIS)
    batch = join(random_clip((64, 96)), random_clip((70, 50), seed=3))
    assert all(v.isfinite() for v in losses_of(model, batch).values())


@pytest.mark.parametrize(
    'backbone',
    [
        dict(
            _delete_=True,
            type='MobileNetV2',
            out_indices=(2, 4, 6),
            widen_factor=0.25,
        ),
        dict(
            _delete_=True,
            type='SwinTransformer',
            embed_dims=8,
            depths=[1, 1, 1, 1],
            num_heads=[1, 1, 2, 2],
            out_indices=(1, 2, 3),
        ),
    ],
    ids=['MobileNetV2', 'Swin'],
)
def test_other_backbones(backbone):
    channels = dict(MobileNetV2=[8, 24, 80], SwinTransformer=[16, 32, 64])
    neck = dict(in_channels=channels[backbone['type']])
    model = tiny_idol(
        PM_VIS, dict(detector=dict(backbone=backbone, neck=neck))
    )
    assert total(losses_of(model, random_clip())).isfinite()


def test_masks_are_missing():
    model = tiny_idol(IDOL)
    with pytest.raises(PMVISError, match='boxes only.*pseudo or real masks'):
        losses_of(model, random_clip(with_masks=False))


def test_similarity_is_not_configured():
    with pytest.raises(ConfigError, match='colour similarity.*similarity='):
        tiny_idol(BOXINST, dict(data_preprocessor=dict(similarity=None)))


def test_clip_of_three_frames():
    model = tiny_idol(IDOL)
    with pytest.raises(ConfigError, match='3 frames, not 2'):
        losses_of(model, random_clip(ids=((1,), (1,), (1,))))


def test_unknown_test_option():
    with pytest.raises(ConfigError, match=r"\['thr'\].*chunk_size"):
        tiny_idol(IDOL, dict(test_cfg=dict(thr=0.5)))


def test_half_precision_trains():
    """bfloat16 on the CPU; masks and losses stay in float32."""
    model = tiny_idol(PM_VIS)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = losses_of(model, random_clip())
    assert all(value.dtype == torch.float32 for value in losses.values())
    total(losses).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_another_dilation_must_be_that_of_the_loss():
    colours = dict(data_preprocessor=dict(similarity=dict(dilation=1)))
    with pytest.raises(ConfigError, match='at dilation 1.*expects 8 at 2'):
        losses_of(tiny_idol(BOXINST, colours), random_clip())
    losses = dict(mask_losses=dict(pairwise=dict(dilation=1)))
    model = tiny_idol(BOXINST, dict(colours, mask_head=losses))
    assert losses_of(model, random_clip())['loss_pairwise'].isfinite()


def test_diverged_weights_are_reported_with_video_and_frame():
    model = tiny_idol(IDOL)
    torch.nn.init.constant_(
        model.detector.bbox_head.cls_branches[0].weight, float('nan')
    )
    batch = random_clip(video_id=7, first_frame=3, video_length=9)
    with pytest.raises(PMVISError, match=r'NaN.*video 7, frame 3.*diverged'):
        losses_of(model, batch)
