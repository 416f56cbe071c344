"""Padding masks of the levels (case 16) and the encoder's output."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmdet.models.detectors import DeformableDETR
from mmdet.structures import DetDataSample

from pmvis_mm.testing.tiny_idol import tiny_idol

CONFIG = (
    Path(__file__).resolve().parents[3]
    / 'configs/idol/idol_r18_1xb4-2k_own.py'
)
FOUR_LEVELS = dict(
    detector=dict(
        num_feature_levels=4,
        neck=dict(num_outs=4),
        encoder=dict(layer_cfg=dict(self_attn_cfg=dict(num_levels=4))),
        decoder=dict(layer_cfg=dict(cross_attn_cfg=dict(num_levels=4))),
    )
)


@pytest.fixture(scope='module')
def detector():
    return tiny_idol(CONFIG, FOUR_LEVELS).detector.eval()


def samples_of(img_shapes, canvas):
    return [
        DetDataSample(metainfo=dict(img_shape=s, batch_input_shape=canvas))
        for s in img_shapes
    ]


def feats_of(number, canvas):
    torch.manual_seed(0)
    height, width = canvas
    sizes = [(height // s, width // s) for s in (8, 16, 32)]
    # A convolution of stride 2 and padding 1 rounds up.
    sizes.append(tuple((side + 1) // 2 for side in sizes[-1]))
    return tuple(torch.randn(number, 32, *size) for size in sizes)


def test_case_16_mask_of_the_added_level_comes_from_the_finest(detector):
    canvas = (480, 352)
    samples = samples_of([(480, 352), (418, 300)], canvas)
    feats = feats_of(2, canvas)
    inputs, decoder_in = detector.pre_transformer(feats, samples)
    stock, _ = DeformableDETR.pre_transformer(detector, feats, samples)
    lengths = [f.shape[-2] * f.shape[-1] for f in feats]
    masks = inputs['feat_mask'].split(lengths, 1)
    stock_masks = stock['feat_mask'].split(lengths, 1)
    for ours, theirs in zip(masks[:3], stock_masks[:3]):
        assert torch.equal(ours, theirs)
    finest = masks[0].view(2, 1, *feats[0].shape[-2:]).float()
    expected = F.interpolate(finest, feats[3].shape[-2:]).bool().flatten(1)
    assert torch.equal(masks[3], expected)
    assert not torch.equal(masks[3], stock_masks[3])
    assert decoder_in['memory_mask'] is inputs['feat_mask']
    width = feats[3].shape[-1]
    ratio = (~expected[1].view(-1, width)[0]).sum() / width
    assert inputs['valid_ratios'][1, 3, 0] == pytest.approx(ratio.item())
    assert torch.equal(
        inputs['valid_ratios'][:, :3], stock['valid_ratios'][:, :3]
    )


@pytest.mark.parametrize(
    'shapes',
    [
        [(192, 320), (192, 320)],
        [(190, 300), (190, 300)],
        [(192, 320), (150, 250)],
    ],
)
def test_other_batches_equal_the_stock_model(detector, shapes):
    canvas = (192, 320)
    samples, feats = samples_of(shapes, canvas), feats_of(2, canvas)
    ours, _ = detector.pre_transformer(feats, samples)
    stock, _ = DeformableDETR.pre_transformer(detector, feats, samples)
    for name, value in stock.items():
        if value is None:
            assert ours[name] is None
        else:
            assert torch.equal(ours[name], value), name


def test_frames_equal_the_stock_transformer(detector):
    canvas = (64, 96)
    samples = samples_of([(64, 96), (64, 96)], canvas)
    feats = feats_of(2, canvas)
    with torch.no_grad():
        ours = detector.forward_frames(feats, samples)
        stock = detector.forward_transformer(feats, samples)
    assert torch.equal(ours.hidden_states, stock['hidden_states'])
    assert torch.equal(ours.references[-1], stock['references'][-1])
    assert [tuple(m.shape) for m in ours.memory] == [
        tuple(f.shape) for f in feats
    ]


def test_last_layer_alone_equals_the_whole_head(detector):
    """The box that the decoder has refined is the head's box, bit by bit."""
    canvas = (64, 96)
    feats = feats_of(1, canvas)
    with torch.no_grad():
        out = detector.forward_frames(feats, samples_of([canvas], canvas))
        head = detector.bbox_head
        cls_scores, bbox_preds = head(out.hidden_states, out.references)
        logits, boxes = head.predict_raw(out.hidden_states, out.references)
    assert torch.equal(logits, cls_scores[-1])
    assert torch.equal(boxes, bbox_preds[-1])
