"""Equality with the package segment-anything-hq, where it is installed."""

import importlib
import warnings

import numpy as np
import pytest
import torch

pytest.importorskip('mmdet')

from pmvis_mm.models import HQSAMSegmenter, SAMMaskDecoder
from pmvis_mm.models.sam import load_sam_weights
from pmvis_mm.registry import MODELS
from pmvis_mm.testing.closed_form import SAM_BOXES, fill, sam_image

# sin and cos beside each other: no box, no size is special.
IMAGE = np.ascontiguousarray(sam_image()[..., ::-1])
ATOL = 1e-5


@pytest.fixture(scope='module')
def package():
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            return importlib.import_module('segment_anything_hq')
        except Exception as reason:  # absent, or its dependencies are broken
            pytest.skip(f'segment-anything-hq cannot be imported: {reason!r}')


def random_weights(arch):
    """All weights drawn, those that start as zeros or ones as well."""
    torch.manual_seed(0)
    state = HQSAMSegmenter(arch).state_dict()
    for name, value in state.items():
        if name.endswith('running_var'):
            value.uniform_(0.5, 1.5)
        elif not value.is_floating_point():
            continue
        elif name.endswith('attention_biases'):
            value.normal_()
        elif 'rel_pos' in name or 'pos_embed' in name:
            value.normal_(std=0.02)
        elif value.ndim == 1:
            value += 0.1 * torch.randn_like(value)
    return state


@pytest.fixture(scope='module', params=['vit_tiny', 'vit_b'])
def both(package, request):
    """Our model and a predictor of the package, the same weights."""
    weights = random_weights(request.param)
    ours = HQSAMSegmenter(request.param)
    load_sam_weights(ours, weights)
    sam = package.sam_model_registry[request.param](checkpoint=None)
    sam.load_state_dict(weights, strict=True)
    sam.train().eval()
    predictor = package.SamPredictor(sam)
    predictor.set_image(np.ascontiguousarray(IMAGE[..., ::-1]))
    (frame,) = ours.encode([IMAGE])
    return ours, frame, predictor


def test_embeddings(both):
    _, frame, predictor = both
    torch.testing.assert_close(
        frame.embedding, predictor.features, atol=5e-5, rtol=1e-5
    )


@torch.no_grad()
@pytest.mark.parametrize('multi', [False, True])
@pytest.mark.parametrize('only', [False, True])
def test_logits_of_boxes(both, multi, only):
    ours, frame, predictor = both
    ours.mask_decoder.multimask_output = multi
    ours.mask_decoder.hq_token_only = only
    boxes = predictor.transform.apply_boxes_torch(
        torch.tensor(SAM_BOXES, dtype=torch.float32), IMAGE.shape[:2]
    )
    # The decoders on the same embedding: that is tested above.
    large, ious, low = predictor.predict_torch(
        None,
        None,
        boxes,
        multimask_output=multi,
        return_logits=True,
        hq_token_only=only,
    )
    found = ours.decode(frame, SAM_BOXES)
    found.logits = ours.enlarge(found.low_res_logits, frame)
    close = dict(atol=ATOL, rtol=0)
    torch.testing.assert_close(found.low_res_logits, low[:, 0], **close)
    torch.testing.assert_close(found.logits, large[:, 0], **close)
    torch.testing.assert_close(found.ious, ious[:, 0], **close)
    assert ((found.logits > 0) != (large[:, 0] > 0)).sum() <= 2
    # Neither all nor nothing, or equal masks would say little.
    assert 0.02 < (found.logits > 0).float().mean() < 0.98


def test_predictor_as_it_is_commonly_used(both):
    ours, frame, predictor = both
    ours.mask_decoder.multimask_output = False
    ours.mask_decoder.hq_token_only = False
    masks, scores = ours.segment(frame, SAM_BOXES)
    for box, mask, score in zip(SAM_BOXES, masks, scores):
        theirs, iou, _ = predictor.predict(
            box=np.array(box), multimask_output=False
        )
        assert (theirs[0] != mask).sum() <= 1
        assert score == pytest.approx(min(max(iou[0], 0), 1), abs=ATOL)


def test_sources_make_the_same_masks(package, tmp_path):
    """From one checkpoint; the package alone would not read its biases."""
    path = tmp_path / 'sam_hq_vit_tiny.pth'
    torch.save(random_weights('vit_tiny'), path)
    options = dict(arch='vit_tiny', checkpoint=str(path))
    native, adapter = (
        MODELS.build(dict(type=name, **options))
        for name in ('HQSAMSource', 'SegmentAnythingHQSource')
    )
    boxes = [*SAM_BOXES, (-20.0, -5.0, 50.0, 300.0)]
    found = native.segment(IMAGE, boxes), adapter.segment(IMAGE, boxes)
    for (mask, score), (other, other_score) in zip(*found):
        assert 0 < mask.mean() < 1
        assert (mask != other).sum() <= 1
        assert score == pytest.approx(other_score, abs=ATOL)


@torch.no_grad()
@pytest.mark.parametrize('multi', [False, True])
def test_plain_sam(package, multi):
    """The baseline has the package's decoder without HQ-SAM's token."""
    parts = package.modeling
    theirs = parts.MaskDecoder(
        transformer_dim=256,
        transformer=parts.TwoWayTransformer(
            depth=2, embedding_dim=256, mlp_dim=2048, num_heads=8
        ),
    ).eval()
    weights = fill({k: v.shape for k, v in theirs.state_dict().items()})
    theirs.load_state_dict(weights)
    ours = SAMMaskDecoder(multimask_output=multi).eval()
    ours.load_state_dict(weights, strict=True)
    torch.manual_seed(0)
    embedding, position = torch.randn(2, 1, 256, 64, 64)
    prompts, dense = torch.randn(3, 2, 256), torch.randn(1, 256, 1, 1)
    masks, ious = ours(embedding, None, position, prompts, dense)
    expected, qualities = theirs(
        image_embeddings=embedding,
        image_pe=position,
        sparse_prompt_embeddings=prompts,
        dense_prompt_embeddings=dense.expand(3, -1, 64, 64),
        multimask_output=multi,
        hq_token_only=False,
        interm_embeddings=None,
    )
    best = qualities.argmax(1)
    assert qualities.shape[1] == (3 if multi else 1)
    rows = torch.arange(3)
    close = dict(atol=ATOL, rtol=1e-6)
    torch.testing.assert_close(masks, expected[rows, best], **close)
    torch.testing.assert_close(ious, qualities[rows, best], **close)
