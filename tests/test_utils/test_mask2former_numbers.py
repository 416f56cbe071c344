"""A converted Mask2Former computes what detectron2's weights tell it to."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from pmvis_mm.registry import MODELS
from pmvis_mm.testing.mask2former_backbones import (
    resnet_features,
    swin_features,
)
from pmvis_mm.testing.mask2former_reference import mask2former_predictions
from pmvis_mm.testing.mask2former_weights import (
    Mask2FormerSize,
    head_shapes,
    mask2former_weights,
    resnet_shapes,
    swin_shapes,
)
from pmvis_mm.utils.checkpoint import load_weights
from pmvis_mm.utils.mask2former_names import mask2former_to_mm

# A head as small as 32 groups of a norm allow.
CHANNELS = [32, 64, 128, 256]
SMALL = Mask2FormerSize(
    in_channels=CHANNELS,
    channels=64,
    num_encoder_layers=2,
    num_decoder_layers=4,
    num_queries=10,
    num_classes=4,
    encoder_ffn=48,
    decoder_ffn=40,
)
SWIN = dict(width=32, depths=(2, 2, 4, 2), num_heads=(1, 2, 4, 8), window=4)
# Mask logits reach 10; of float32, that is five digits.
CLOSE = dict(rtol=1e-4, atol=5e-5)


@pytest.fixture(scope='module')
def small_model(config_root):
    """Builds mmdet's Mask2FormerVideo of these sizes."""

    def build(backbone, **changes):
        path = config_root / '_base_/models/mask2former-video_r18-small.py'
        cfg = Config.fromfile(path)
        head = 'model.track_head.'
        pixels = f'{head}pixel_decoder.'
        cfg.merge_from_dict(
            {
                f'{head}feat_channels': 64,
                f'{head}out_channels': 64,
                f'{head}positional_encoding.num_feats': 32,
                f'{pixels}positional_encoding.num_feats': 32,
                f'{pixels}norm_cfg.num_groups': 32,
                f'{head}transformer_decoder.num_layers': 4,
                **_layer(f'{pixels}encoder.', 48, 'self'),
                **_layer(f'{head}transformer_decoder.', 40, 'self', 'cross'),
                **changes,
            }
        )
        cfg.model.backbone = backbone
        with DefaultScope.overwrite_default_scope('pmvis_mm'):
            return MODELS.build(cfg.model).eval()

    return build


def _layer(owner, hidden, *attentions):
    layer = f'{owner}layer_cfg.'
    changes = {
        f'{layer}ffn_cfg.embed_dims': 64,
        f'{layer}ffn_cfg.feedforward_channels': hidden,
    }
    for kind in attentions:
        changes[f'{layer}{kind}_attn_cfg.embed_dims'] = 64
        changes[f'{layer}{kind}_attn_cfg.num_heads'] = 8
    return changes


def resnet(depth=50, base_channels=8):
    return dict(
        type='ResNet',
        depth=depth,
        base_channels=base_channels,
        out_indices=(0, 1, 2, 3),
        norm_cfg=dict(type='BN', requires_grad=False),
        style='pytorch',
    )


def swin():
    return dict(
        type='SwinTransformer',
        embed_dims=SWIN['width'],
        depths=SWIN['depths'],
        num_heads=SWIN['num_heads'],
        window_size=SWIN['window'],
        out_indices=(0, 1, 2, 3),
    )


BACKBONES = dict(
    r18=(resnet(18, 32), resnet_shapes((2, 2, 2, 2), 32, bottleneck=False)),
    r50=(resnet(), resnet_shapes((3, 4, 6, 3), 8)),
    swin=(swin(), swin_shapes(**SWIN)),
)


@pytest.fixture(params=BACKBONES)
def converted(request, small_model):
    """Weights by detectron2's names, our model with them, the report."""
    backbone, shapes = BACKBONES[request.param]
    weights = mask2former_weights({**shapes, **head_shapes(SMALL)})
    model = small_model(backbone)
    ours, report = mask2former_to_mm(weights)
    load_weights(model, ours, allow_unused=False)
    return weights, model, report


def reference_features(weights, images):
    resnet_there = 'backbone.stem.conv1.weight' in weights
    features = resnet_features if resnet_there else swin_features
    return features(weights, images)


def test_every_weight_is_used_and_every_weight_filled(converted):
    weights, model, report = converted
    assert (report.num_total, report.num_used) == (
        len(weights),
        len(weights) - 1,
    )
    assert report.dropped == ('criterion.empty_weight',)
    assert report.notes == report.duplicates == report.made_up == ()
    own = {
        name
        for name in model.state_dict()
        if not name.endswith('num_batches_tracked')
    }
    assert set(mask2former_to_mm(weights)[0]) == own


# ---------------------------------------------------------------- the numbers
@pytest.mark.parametrize('num_frames', [1, 3])
def test_predictions_of_all_layers_equal_the_reference(converted, num_frames):
    weights, model, _ = converted
    torch.manual_seed(0)
    images = torch.randn(num_frames, 3, 64, 96)
    with torch.no_grad():
        features = reference_features(weights, images)
        classes, masks = mask2former_predictions(weights, features, num_frames)
        ours = model.backbone(images)
        our_classes, our_masks = model.track_head(ours, None)
    assert len(classes) == len(our_classes) == 5
    assert masks[0].shape == (1, 10, num_frames, 16, 24)
    for theirs, found in zip(features, ours):
        assert theirs.abs().max() > 0.1
        torch.testing.assert_close(found, theirs, **CLOSE)
    # Each layer must matter, or the order of its parts would not be seen.
    for i in range(4):
        assert (classes[i] - classes[i + 1]).abs().max() > 0.01
        assert (masks[i] - masks[i + 1]).abs().max() > 0.01
        # Masks hide a part of the memory from the next layer.
        assert 0.1 < (masks[i] < 0).float().mean() < 0.95
    for theirs, found in zip(classes + masks, our_classes + our_masks):
        torch.testing.assert_close(found, theirs, **CLOSE)


def test_clips_of_a_batch_stay_apart(small_model):
    backbone, shapes = BACKBONES['r18']
    weights = mask2former_weights({**shapes, **head_shapes(SMALL)})
    model = small_model(backbone, **{'model.track_head.num_frames': 3})
    load_weights(model, mask2former_to_mm(weights)[0], allow_unused=False)
    model.track_head.train()  # where frames are counted by clip
    torch.manual_seed(1)
    features = [
        torch.randn(6, channels, 32 // 2**i, 16 // 2**i)
        for i, channels in enumerate(CHANNELS)
    ]
    with torch.no_grad():
        classes, masks = mask2former_predictions(weights, features, 3)
        our_classes, our_masks = model.track_head(features, None)
    assert classes[0].shape == (2, 10, 5)
    for theirs, found in zip(classes + masks, our_classes + our_masks):
        torch.testing.assert_close(found, theirs, **CLOSE)
    # One clip alone gives what it gives in a batch.
    second = [x[3:] for x in features]
    alone, _ = mask2former_predictions(weights, second, 3)
    torch.testing.assert_close(alone[-1][0], classes[-1][1])


def swapped(weights, first, second):
    """Exchange the weights of two modules of the same shapes."""
    places = {first: second, second: first}
    out = {}
    for name, value in weights.items():
        for old, new in places.items():
            if old in name:
                name = name.replace(old, new)
                break
        out[name] = value
    return out


@pytest.mark.parametrize(
    ('first', 'second'),
    [
        ('decoder.layers.0.norms.0', 'decoder.layers.0.norms.1'),
        ('decoder.layers.3.norms.1', 'decoder.layers.3.norms.2'),
        ('layers.1.self_attn.attn', 'layers.1.cross_attn.attn'),
        ('encoder.layers.1.norms.0', 'encoder.layers.1.norms.1'),
        ('input_convs.0.gn', 'input_convs.2.gn'),
        ('head.query_feat', 'head.query_embed'),
        ('mask_embed.0', 'mask_embed.2'),
    ],
)
def test_a_wrong_order_would_be_seen(small_model, first, second):
    backbone, shapes = BACKBONES['r18']
    weights = mask2former_weights({**shapes, **head_shapes(SMALL)})
    model = small_model(backbone)
    ours = mask2former_to_mm(weights)[0]
    wrong = swapped(ours, first, second)
    assert set(wrong) == set(ours)
    torch.manual_seed(0)
    features = [
        torch.randn(1, channels, 16 // 2**i, 16 // 2**i)
        for i, channels in enumerate(CHANNELS)
    ]
    with torch.no_grad():
        outputs = []
        for state in (ours, wrong):
            load_weights(model, state, allow_unused=False)
            outputs.append(model.track_head(features, None))
    (classes, masks), (other_classes, other_masks) = outputs
    change = max(
        (masks[-1] - other_masks[-1]).abs().max(),
        (classes[-1] - other_classes[-1]).abs().max(),
    )
    assert change > 1e-2  # the comparison above lets 1e-3 pass at most


# ----------------------------------------------------------------------- Swin
def test_swin_with_odd_sizes_and_padded_windows(small_model):
    # 13 x 11 pixels at stride 4: padded for windows and for merging.
    backbone, shapes = BACKBONES['swin']
    weights = mask2former_weights({**shapes, **head_shapes(SMALL)})
    model = small_model(backbone)
    load_weights(model, mask2former_to_mm(weights)[0], allow_unused=False)
    torch.manual_seed(2)
    images = torch.randn(2, 3, 52, 44)
    with torch.no_grad():
        theirs, found = swin_features(weights, images), model.backbone(images)
    sizes = [tuple(x.shape[-2:]) for x in theirs]
    assert sizes == [(13, 11), (7, 6), (4, 3), (2, 2)]
    for expected, features in zip(theirs, found):
        torch.testing.assert_close(features, expected, **CLOSE)


def test_swin_index_is_the_one_of_the_model(small_model):
    backbone, shapes = BACKBONES['swin']
    weights = mask2former_weights(shapes)
    name = 'layers.1.blocks.1.attn.relative_position_index'
    state = small_model(backbone).state_dict()
    ours = 'backbone.stages.1.blocks.1.attn.w_msa.relative_position_index'
    assert torch.equal(state[ours], weights[f'backbone.{name}'])
