"""Training of DeAOT: what is remembered, what it costs, what learns."""

import math

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement, PixelData

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from pmvis_mm.models.losses import bootstrapped_cross_entropy_loss
from pmvis_mm.models.vos import DeAOTPropagator, DeAOTSegmentor
from pmvis_mm.models.vos.clip_labels import clip_labels
from pmvis_mm.registry import MODELS
from pmvis_mm.testing.golden_deaot import golden_propagator
from pmvis_mm.utils.errors import (
    CheckpointError,
    ConfigError,
    FrameError,
    PMVISError,
)

SIZE = (65, 81)


def make_clip(num_frames=3, seed=0, size=SIZE):
    """Two squares that move over noise; uint8 BGR frames and labels."""
    generator = torch.Generator().manual_seed(seed)
    shape = (num_frames, 3, *size)
    frames = torch.randint(80, 120, shape, generator=generator).byte()
    maps = torch.zeros(num_frames, *size, dtype=torch.uint8)
    for t in range(num_frames):
        maps[t, 10:30, 5 + 4 * t : 25 + 4 * t] = 1
        maps[t, 35:60, 50 - 4 * t : 75 - 4 * t] = 2
    frames[:, 0][maps == 1] = 220
    frames[:, 2][maps == 2] = 230
    return frames, maps


def make_sample(maps, **metainfo):
    metainfo = dict(dict(num_objects=2, video_id=7), **metainfo)
    metainfo.setdefault('frame_ids', list(range(40, 40 + len(maps))))
    sample = BaseDataElement(metainfo=metainfo)
    sample.gt_label_maps = PixelData(data=maps)
    return sample


def make_batch(model, num_clips=1, num_frames=3):
    clips = [make_clip(num_frames, seed) for seed in range(num_clips)]
    data = dict(
        inputs=[frames for frames, _ in clips],
        data_samples=[make_sample(maps) for _, maps in clips],
    )
    return model.data_preprocessor(data, training=True)


def build(arch='deaott', network=None, golden=False, **options):
    """A segmentor of known weights, without dropout."""
    network = dict(dict(drop_path=0.0, dropout=0.0), **(network or {}))
    model = DeAOTSegmentor(dict(type='DeAOT', arch=arch, **network), **options)
    if golden:
        weights = golden_propagator(arch).network.state_dict()
        model.network.load_state_dict(weights)
    return model


# ------------------------------------------------------------------ tracking
@torch.no_grad()
@pytest.mark.parametrize('arch', ['deaott', 'deaotl'])
def test_tracks_as_the_propagator_does(default_scope, arch):
    model = build(arch, golden=True).eval()
    batch = make_batch(model, 2, 5)
    logits = model(**batch)
    assert logits.shape == (2, 5, 11, *SIZE)
    predicted = model(**batch, mode='predict')
    for clip in range(2):
        frames, maps = make_clip(5, clip)
        propagator = golden_propagator(arch, long_term_gap=None)
        propagator.long_term_gap = model.long_term_gap
        images = frames.permute(0, 2, 3, 1).numpy()
        features = propagator.encode(images[0])
        state = propagator.start(features, maps[0], 2)
        for t in range(1, 5):
            features = propagator.encode(images[t])
            expected, state = propagator.step(state, features)
            torch.testing.assert_close(
                logits[clip, t].softmax(0),
                expected.softmax(0),
                atol=2e-5,
                rtol=0,
            )
            labels = predicted[clip].pred_label_maps.data[t]
            assert (labels == expected.argmax(0)).float().mean() > 0.999
        assert torch.equal(
            predicted[clip].pred_label_maps.data[0].byte(), maps[0]
        )


@torch.no_grad()
def test_true_labels_are_remembered_before_predicted_ones(default_scope):
    model = build('deaotl', golden=True, shuffle_ids=False).eval()
    batch = make_batch(model, 1, 4)
    frames, maps = make_clip(4)
    propagator = golden_propagator('deaotl')
    propagator.long_term_gap = 2
    images = frames.permute(0, 2, 3, 1).numpy()
    for progress, given in ((0.0, True), (0.49, True), (0.5, False)):
        model.progress = progress
        found = model(**batch, mode='loss')
        state = propagator.start(propagator.encode(images[0]), maps[0], 2)
        terms = []
        for t in range(1, 4):
            features = propagator.encode(images[t])
            logits, seen = propagator.predict(state, features)
            labels = maps[t] if given else logits.argmax(0)
            state = propagator.commit(state, seen, labels)
            terms.append(
                bootstrapped_cross_entropy_loss(
                    logits[None],
                    maps[t][None].long(),
                    model.loss_ce.share(progress),
                )
            )
        expected = 0.5 * torch.stack(terms).mean()
        torch.testing.assert_close(
            found['loss_ce'], expected, atol=1e-5, rtol=1e-4
        )


def test_gap_of_the_long_term_memory(default_scope):
    assert build('deaott').long_term_gap == 9999
    assert build('deaotl').long_term_gap == 2
    assert build('deaotl', long_term_gap=3).long_term_gap == 3


@torch.no_grad()
def test_loss_of_a_batch_is_the_mean_of_its_clips(default_scope):
    model = build(golden=True).eval()
    both = make_batch(model, 2)
    together = model(**both, mode='loss')
    alone = [
        model(
            both['inputs'][i : i + 1], both['data_samples'][i : i + 1], 'loss'
        )
        for i in range(2)
    ]
    for name, value in together.items():
        expected = sum(each[name] for each in alone) / 2
        torch.testing.assert_close(value, expected, atol=1e-5, rtol=1e-4)


# ---------------------------------------------------------------- identities
@torch.no_grad()
@pytest.mark.parametrize('progress', [0.0, 0.6])
def test_other_names_on_the_same_channels_cost_the_same(
    default_scope, monkeypatch, progress
):
    model = build(golden=True)
    model.progress = progress
    batch = make_batch(model)
    channels = torch.tensor([[0, 4, 7, 1, 2, 3, 5, 6, 8, 9, 10]])
    monkeypatch.setattr(model, '_channels', lambda *_: channels)
    first = model(**batch, mode='loss')
    maps = make_clip()[1]
    swapped = maps.where(maps == 0, 3 - maps)
    sample = make_sample(swapped)
    channels = channels.clone()
    channels[0, 1:3] = torch.tensor([7, 4])
    second = model(batch['inputs'], [sample], 'loss')
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, atol=1e-6, rtol=1e-5)
    channels[0, 1:3] = torch.tensor([4, 7])
    other = model(batch['inputs'], [sample], 'loss')
    assert abs(other['loss_ce'] - first['loss_ce']) > 1e-5


def test_identities_are_shuffled_in_training_only(default_scope):
    model = build()
    torch.manual_seed(0)
    drawn = model._channels(50, torch.device('cpu'))
    assert drawn[:, 0].eq(0).all()
    assert torch.equal(drawn.sort(1).values[7], torch.arange(11))
    assert all(len(set(column)) > 5 for column in drawn[:, 1:].T.tolist())
    plain = torch.arange(11).expand(2, -1)
    assert torch.equal(model.eval()._channels(2, 'cpu'), plain)
    other = build(shuffle_ids=False)
    assert torch.equal(other._channels(2, 'cpu'), plain)


def test_objects_that_come_later_are_background(default_scope):
    network = build().network
    maps = torch.zeros(3, *SIZE, dtype=torch.uint8)
    maps[:, :10] = 2
    maps[1:, 20:30] = 1  # not in the first frame
    maps[2, 40:] = 255
    labels = clip_labels(
        torch.zeros(1, 3, 3, *SIZE), [make_sample(maps)], network
    )
    assert labels.maps.dtype == torch.int64
    assert labels.valid.tolist() == [[True] * 3 + [False] * 8]
    assert labels.maps[0, :, 5, 0].tolist() == [2, 2, 2]
    assert labels.maps[0, :, 25, 0].tolist() == [0, 0, 0]
    assert labels.maps[0, :, 45, 0].tolist() == [0, 0, 255]


@torch.no_grad()
def test_channels_without_object_are_never_predicted(default_scope):
    model = build(golden=True).eval()
    batch = make_batch(model)
    probabilities = model(**batch).softmax(2)
    assert probabilities[:, :, 3:].max() == 0
    batch['data_samples'][0].set_metainfo(dict(num_objects=4))
    more = model(**batch).softmax(2)
    assert more[:, :, 3:5].min() > 0 and more[:, :, 5:].max() == 0


def test_ignored_pixels_do_not_matter_for_the_loss(default_scope):
    model = build(golden=True).eval()
    _, maps = make_clip()
    maps[1:, :, 70:] = 255
    model.progress = 0.5  # else true labels go into memory
    inputs = make_batch(model)['inputs']
    first = model(inputs, [make_sample(maps)], 'loss')
    free = maps.clone()
    free[2] = 255
    second = model(inputs, [make_sample(free)], 'loss')
    # Frame 2 costs nothing: frame 1 is half of the mean.
    assert 0 < second['loss_jaccard'] < first['loss_jaccard']
    free[1:] = 255
    none = model(inputs, [make_sample(free)], 'loss')
    assert none['loss_ce'] == 0 and none['loss_jaccard'] == 0
    torch.testing.assert_close(none['loss_aux'], first['loss_aux'])


# ------------------------------------------------------------------ gradients
def without_gradient(model):
    return {
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.grad is None
    }


def test_bank_learns_in_the_first_half_only(default_scope):
    model = build('deaots')
    model.init_weights()
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], weight_decay=0.1
    )
    bank = {f'network.id_bank.{k}' for k in model.network.id_bank.state_dict()}
    assert len(bank) == 4
    for progress, missing in ((0.0, set()), (0.5, bank), (1.0, bank)):
        model.progress = progress
        before = model.network.id_bank.conv.weight.clone()
        losses = model(**make_batch(model, 1, 2), mode='loss')
        optimizer.zero_grad()
        sum(losses.values()).backward()
        # All others: nothing else is unused in distributed training.
        assert without_gradient(model) == missing
        optimizer.step()
        after = model.network.id_bank.conv.weight
        assert torch.equal(before, after) == bool(missing)


def test_weight_of_the_first_frame_falls(default_scope):
    model = build(golden=True, aux_weight=2.0).eval()
    model.loss_ce.ramp = 0  # the same pixels whenever
    batch = make_batch(model)
    with torch.no_grad():
        whole = model(**batch, mode='loss')['loss_aux']
        for progress, left in ((0.25, 0.75), (1.0, 0.0)):
            model.progress = progress
            found = model(**batch, mode='loss')['loss_aux']
            torch.testing.assert_close(found, left * whole)
        frame = model(**batch)[:, 0]
        truth = batch['data_samples'][0].gt_label_maps.data[:1].long()
        ce = model.loss_ce(frame, truth)
        jaccard = model.loss_jaccard(frame, truth)
    torch.testing.assert_close(whole, 2 * (ce + jaccard))


def test_learns_one_clip(default_scope):
    torch.manual_seed(0)
    backbone = dict(
        type='ResNet',
        depth=18,
        base_channels=16,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(0, 1, 2),
    )
    network = dict(backbone=backbone, in_channels=(16, 32, 64, 64))
    model = build(network=network)
    model.init_weights()
    model.train()
    batch = make_batch(model, 1, 2)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=1e-3)
    seen = []
    for _ in range(30):
        losses = model(**batch, mode='loss')
        total = losses['loss_ce'] + losses['loss_jaccard']
        optimizer.zero_grad()
        (total + losses['loss_aux']).backward()
        optimizer.step()
        seen.append(total.item())
    assert math.isfinite(seen[-1])
    assert min(seen[-3:]) < 0.5 * seen[0]


# -------------------------------------------------------------------- network
def test_training_adds_dropout_and_keeps_batch_norms(default_scope):
    config = dict(type='DeAOT', arch='deaott', backbone=dict(frozen_stages=1))
    network = DeAOTSegmentor(config).train().network
    layer = network.gpm.layers[0]
    assert layer.training and layer.drop_path.drop_prob == 0.1
    for attention in (
        layer.long_term_attn,
        layer.short_term_attn,
        layer.self_attn,
    ):
        assert attention.dropout.p == 0.1 and attention.dropout.training
    norms = network._batch_norms()
    assert len(norms) == 52
    assert not any(norm.training for norm in norms)
    learning = {
        name.split('.')[1]
        for name, p in network.backbone.named_parameters()
        if p.requires_grad
    }
    # Up to stride 4 the backbone is frozen; the rest learns but its norms.
    assert learning == {str(i) for i in range(4, 19)}
    assert all(
        p.ndim == 4 for p in network.backbone.parameters() if p.requires_grad
    )


def test_frozen_stages_out_of_range(default_scope):
    with pytest.raises(ConfigError, match=r'frozen_stages=4 .*from -1.* to 3'):
        MODELS.build(dict(type='DilatedMobileNetV2', frozen_stages=4))


def test_weights_of_another_backbone_are_refused(default_scope, tmp_path):
    file = tmp_path / 'imagenet.pth'
    torch.save({'features.0.0.weight': torch.zeros(32, 3, 3, 3)}, file)
    init_cfg = dict(type='Pretrained', checkpoint=str(file))
    model = build(network=dict(backbone=dict(init_cfg=init_cfg)))
    with pytest.raises(CheckpointError, match=r'lacks.*features.0.1.weight'):
        model.init_weights()
    file.unlink()
    with pytest.raises(CheckpointError, match='does not exist'):
        build(network=dict(backbone=dict(init_cfg=init_cfg))).init_weights()


def test_initial_weights_of_the_public_code(default_scope):
    torch.manual_seed(0)
    network = build('deaott').network
    network.init_weights()
    layer = network.gpm.layers[0]
    for weight, fan_in, fan_out in (
        (layer.linear_qv.weight, 256, 640),
        (layer.self_attn.dw_conv.weight, 25, 1024 * 25),
        (network.mask_head.conv_4x.conv.weight, 128 * 9, 128 * 9),
        (network.projector.weight, 1280, 256),
    ):
        limit = (6 / (fan_in + fan_out)) ** 0.5
        assert 0.98 * limit < weight.abs().max() <= limit
    bank = network.id_bank.conv.weight.flatten(1) * 17**2
    torch.testing.assert_close(
        bank @ bank.T, torch.eye(256), atol=1e-4, rtol=0
    )


# --------------------------------------------------------------- preprocessor
def test_frames_become_those_of_inference(default_scope):
    model = build()
    frames, _ = make_clip()
    batch = make_batch(model, 2)
    assert batch['inputs'].shape == (2, 3, 3, *SIZE)
    propagator = DeAOTPropagator(dict(type='DeAOT', arch='deaott'))
    seen = []
    propagator.network.extract_feat = lambda x, shape: seen.append(x)
    propagator.encode(np.ascontiguousarray(frames[1].permute(1, 2, 0)))
    torch.testing.assert_close(batch['inputs'][0, 1], seen[0][0])
    assert 'data_preprocessor.mean' not in model.state_dict()


def test_clips_that_do_not_fit_are_refused(default_scope):
    model = build()
    for first, second, message in (
        (make_clip(3), make_clip(4), r'shapes \[\(3, 3, 65, 81\), \(4,'),
        (make_clip(3), make_clip(3, size=(81, 65)), r'65, 81\), .*81, 65\)'),
    ):
        with pytest.raises(FrameError, match=message):
            model.data_preprocessor(dict(inputs=[first[0], second[0]]))
    with pytest.raises(FrameError, match=r'shape \(3, 1, 65, 81\).*Fix'):
        model.data_preprocessor(dict(inputs=[make_clip()[0][:, :1]]))


# ------------------------------------------------------------------ bad input
@pytest.fixture(scope='module')
def any_model():
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope('pmvis_mm'):
        return build()


def refuse(model, error, message, maps=None, inputs=None, **metainfo):
    maps = make_clip()[1] if maps is None else maps
    inputs = torch.zeros(1, 3, 3, *SIZE) if inputs is None else inputs
    with pytest.raises(error, match=message):
        model(inputs, [make_sample(maps, **metainfo)], 'loss')


def test_clip_of_one_frame(any_model):
    refuse(
        any_model,
        FrameError,
        r'\(1, 1, 3, 65, 81\).*at least 2 frames',
        inputs=torch.zeros(1, 1, 3, *SIZE),
    )


def test_sides_that_do_not_fit_the_grid(any_model):
    refuse(
        any_model,
        FrameError,
        r'64 x 81 pixels.*16k \+ 1 pixels, such as 465',
        inputs=torch.zeros(1, 3, 3, 64, 81),
    )


def test_too_many_objects(any_model):
    maps = make_clip()[1]
    maps[1, 0, 0] = 11
    message = r'a clip of 11 objects \[video 7\]. Fix: .*at most 10'
    refuse(any_model, PMVISError, message, maps, num_objects=11)
    refuse(any_model, PMVISError, message, maps, num_objects=None)
    message = r'labels 0 to 11 in a clip of 2 objects \[video 7, frame 41\]'
    refuse(any_model, PMVISError, message, maps)


def test_label_maps_of_another_size(any_model):
    maps = make_clip()[1][:, :64]
    message = r'\(3, 64, 81\) for frames of \(3, 65, 81\).*\[video 7\]'
    refuse(any_model, PMVISError, message, maps)


def test_samples_that_are_missing(any_model):
    inputs = torch.zeros(1, 3, 3, *SIZE)
    with pytest.raises(PMVISError, match='0 data samples for 1 clips'):
        any_model(inputs, mode='loss')
    sample = BaseDataElement(metainfo=dict(video_id=7))
    with pytest.raises(PMVISError, match=r'no gt_label_maps \[video 7\]'):
        any_model(inputs, [sample], 'loss')


def test_unknown_mode_and_options(any_model, default_scope):
    with pytest.raises(ConfigError, match="mode='train' is unknown"):
        any_model(torch.zeros(1, 3, 3, *SIZE), mode='train')
    for options in (
        dict(aux_weight=-1),
        dict(predicted_from=-0.5),
        dict(long_term_gap=0),
    ):
        name, value = next(iter(options.items()))
        with pytest.raises(ConfigError, match=f'{name}={value} of DeAOTSegm'):
            build(**options)
