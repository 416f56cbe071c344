import numpy as np
import pytest
import torch
import torch.nn.functional as F

pytest.importorskip('mmdet')

from pmvis_mm.models import HQSAMSegmenter
from pmvis_mm.models.sam.preprocessing import normalize_and_pad, resize_frame
from pmvis_mm.registry import MODELS
from pmvis_mm.testing.closed_form import SAM_BOXES, fill, sam_image
from pmvis_mm.utils.errors import AnnotationError, ConfigError, FrameError

ENCODER = dict(
    type='SAMViT',
    arch=dict(embed_dims=32, depth=3, num_heads=2, global_blocks=(1,)),
    img_size=256,
)
IMAGE = np.ascontiguousarray(sam_image()[..., ::-1])


def build(**options):
    options.setdefault('image_encoder', ENCODER)
    model = MODELS.build(dict(type='HQSAMSegmenter', **options))
    shapes = {k: v.shape for k, v in model.state_dict().items()}
    model.load_state_dict(fill(shapes))
    return model


@pytest.fixture(scope='module')
def model():
    return build()


@pytest.fixture(scope='module')
def frame(model):
    (frame,) = model.encode([IMAGE])
    return frame


def many_boxes(count):
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, (160, 96), (count, 2, 2))
    return np.concatenate([corners.min(1), corners.max(1)], axis=1)


# Logits go up to 16; the last bit depends on how many rows are multiplied.
CLOSE = dict(atol=1e-5, rtol=2e-6)


def assert_same(one, other):
    for key in ('low_res_logits', 'ious', 'logits'):
        first, second = getattr(one, key), getattr(other, key)
        assert (first is None) == (second is None)
        if first is not None:
            torch.testing.assert_close(first, second, **CLOSE)


def test_case_14_boxes_together_equal_single_calls(model, frame):
    together = model.decode(frame, SAM_BOXES)
    for i, box in enumerate(SAM_BOXES):
        alone = model.decode(frame, [box])
        for key in ('low_res_logits', 'ious'):
            torch.testing.assert_close(
                getattr(alone, key)[0],
                getattr(together, key)[i],
                **CLOSE,
            )


@pytest.mark.parametrize('size', [1, 3, 7])
def test_case_14_chunk_size_is_irrelevant(model, frame, monkeypatch, size):
    boxes = many_boxes(7)
    (expected,) = model([IMAGE], [boxes])
    masks, _ = model.segment(frame, boxes)
    monkeypatch.setattr(model, 'boxes_per_pass', size)
    passes = []
    hook = model.mask_decoder.register_forward_hook(
        lambda module, inputs, outputs: passes.append(len(outputs[1]))
    )
    (got,) = model([IMAGE], [boxes])
    hook.remove()
    assert max(passes) == size and sum(passes) == 7
    assert_same(got, expected)
    again, _ = model.segment(frame, boxes)
    assert (again != masks).sum() <= 2


def test_case_14_no_boxes():
    model = build(image_encoder=dict(ENCODER, img_size=1024))
    (found,) = model([IMAGE], [[]])
    assert found.logits.shape == (0, 96, 160)
    assert found.ious.shape == (0,)
    assert found.low_res_logits.shape == (0, 256, 256)
    (frame,) = model.encode([IMAGE])
    masks, scores = model.segment(frame, np.zeros((0, 4)))
    assert masks.shape == (0, 96, 160) and masks.dtype == bool
    assert scores.shape == (0,)


def test_case_14_frames_together_equal_single_frames(model):
    images = [IMAGE, IMAGE[::-1, :80], np.full((50, 30, 3), 90, np.uint8)]
    boxes = [SAM_BOXES, [(5, 5, 60, 60)], []]
    shapes = [(3, 96, 160), (1, 96, 80), (0, 50, 30)]
    for image, own, shape, got in zip(
        images, boxes, shapes, model(images, boxes)
    ):
        assert got.logits.shape == shape
        assert_same(model([image], [own])[0], got)


def test_case_14_boxes_outside_are_clipped_first(model, frame):
    outside = [(-50, -9, 90, 70), (100, 20, 400, 200)]
    clipped = [(0, 0, 90, 70), (100, 20, 160, 96)]
    one, other = model.decode(frame, outside), model.decode(frame, clipped)
    assert torch.equal(one.low_res_logits, other.low_res_logits)


def test_encoder_and_image_features_run_once_for_all_boxes(monkeypatch):
    model = build(boxes_per_pass=2)
    calls = []
    for name, part in (
        ('encoder', model.image_encoder),
        ('early', model.mask_decoder.compress_vit_feat),
        ('late', model.mask_decoder.embedding_encoder),
        ('decoder', model.mask_decoder),
    ):
        part.register_forward_hook(lambda *_, name=name: calls.append(name))
    model([IMAGE, IMAGE], [many_boxes(5), many_boxes(1)])
    assert sorted(calls) == ['decoder'] * 4 + ['early', 'encoder', 'late']


def test_masks_are_enlarged_over_the_frame(model, frame):
    found = model.decode(frame, SAM_BOXES)
    large = F.interpolate(
        found.low_res_logits[:, None],
        (256, 256),
        mode='bilinear',
        align_corners=False,
    )
    # 96 x 160 fills 154 of 256 rows.
    assert frame.input_shape == (154, 256) and frame.ori_shape == (96, 160)
    expected = F.interpolate(
        large[:, :, :154], (96, 160), mode='bilinear', align_corners=False
    )
    logits = model.enlarge(found.low_res_logits, frame)
    torch.testing.assert_close(logits, expected[:, 0])
    masks, scores = model.segment(frame, SAM_BOXES)
    np.testing.assert_array_equal(masks, logits.numpy() > 0)
    np.testing.assert_allclose(scores, found.ious.numpy().clip(0, 1))


def test_scores_of_masks_stay_in_0_to_1(frame):
    model = build()
    model.mask_decoder.iou_prediction_head.layers[2].bias += 5
    assert model.segment(frame, SAM_BOXES)[1].tolist() == [1, 1, 1]
    model.mask_decoder.iou_prediction_head.layers[2].bias -= 10
    assert model.segment(frame, SAM_BOXES)[1].tolist() == [0, 0, 0]


@torch.no_grad()
@pytest.mark.parametrize('kind', ['HQMaskDecoder', 'SAMMaskDecoder'])
def test_parts_are_put_together(kind):
    model = build(mask_decoder=dict(type=kind))
    (frame,) = model.encode([IMAGE])
    x = normalize_and_pad(torch.from_numpy(resize_frame(IMAGE, 256)), 256)
    embedding, early = model.image_encoder(x[None])
    decoder, prompts = model.mask_decoder, model.prompt_encoder
    features = decoder.image_features(embedding, early)
    torch.testing.assert_close(frame.embedding, embedding)
    if kind == 'SAMMaskDecoder':
        assert frame.features is None and features is None
    else:
        torch.testing.assert_close(frame.features, features)
    box = torch.tensor([[10.0, 8.0, 60.0, 70.0]])
    scale = torch.tensor([256 / 160, 154 / 96] * 2)
    logits, ious = decoder(
        embedding,
        features,
        prompts.image_position(16, 16),
        prompts(box * scale, 256),
        prompts.dense_prompt(),
    )
    found = model.decode(frame, box)
    torch.testing.assert_close(found.low_res_logits, logits)
    torch.testing.assert_close(found.ious, ious)


def test_half_precision_is_for_the_encoder_alone(model):
    half = build(encoder_dtype='bfloat16')
    seen = []
    half.image_encoder.blocks[0].mlp.register_forward_hook(
        lambda module, inputs, output: seen.append(output.dtype)
    )
    half.mask_decoder.iou_prediction_head.register_forward_hook(
        lambda module, inputs, output: seen.append(output.dtype)
    )
    (got,) = half([IMAGE], [SAM_BOXES])
    (expected,) = model([IMAGE], [SAM_BOXES])
    assert seen == [torch.bfloat16, torch.float32]
    assert got.logits.dtype == torch.float32
    error = (got.logits - expected.logits).abs().mean()
    assert 0 < error < 0.05 * expected.logits.abs().mean()
    # An autocast around it changes nothing in the decoder.
    with torch.autocast('cpu', dtype=torch.bfloat16):
        (inside,) = half([IMAGE], [SAM_BOXES])
    assert_same(inside, got)


def test_stays_in_eval_mode_without_gradients():
    model = build(image_encoder=dict(type='SAMTinyViT', img_size=64))
    model.train()
    assert not any(module.training for module in model.modules())
    assert not any(p.requires_grad for p in model.parameters())
    assert not model([IMAGE], [SAM_BOXES])[0].logits.requires_grad


def test_no_frames(model):
    assert model([], []) == [] and model.encode([]) == []


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(image_encoder='vit_g'), "image_encoder='vit_g' is unknown"),
        (dict(encoder_dtype='int8'), r"'int8' is unknown.*'bfloat16'"),
        (dict(boxes_per_pass=0), 'boxes_per_pass=0 is not positive'),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ConfigError, match=message):
        HQSAMSegmenter(**{'image_encoder': ENCODER, **options})


def test_bad_input(model, frame):
    with pytest.raises(ConfigError, match='2 frames, but boxes of 1. Fix'):
        model([IMAGE, IMAGE], [SAM_BOXES])
    with pytest.raises(FrameError, match=r'must be uint8 \(H, W, 3\)'):
        model([IMAGE / 255], [SAM_BOXES])
    with pytest.raises(AnnotationError, match=r'must be \(n, 4\)'):
        model.decode(frame, [1, 2, 3, 4])
