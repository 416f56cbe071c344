import pytest
import torch

pytest.importorskip('mmdet')

from pmvis_mm.models import HQMaskDecoder, SAMMaskDecoder
from pmvis_mm.models.sam import mask_decoder

DIMS, SIDE, EARLY = 16, 3, 5


def randomize(module):
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return module.eval()


@pytest.fixture
def inputs():
    torch.manual_seed(1)
    return dict(
        embedding=torch.randn(1, DIMS, SIDE, SIDE),
        position=torch.randn(1, DIMS, SIDE, SIDE),
        prompts=torch.randn(4, 2, DIMS),
        dense_prompt=torch.randn(1, DIMS, 1, 1),
    )


@pytest.fixture
def early():
    return torch.randn(1, EARLY, SIDE, SIDE)


def run(decoder, inputs, early):
    features = decoder.image_features(inputs['embedding'], early)
    return decoder(features=features, **inputs)


def all_masks(decoder, inputs):
    """All masks of SAM and their qualities, by the definition."""
    own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    if isinstance(decoder, HQMaskDecoder):
        own = torch.cat([own, decoder.hf_token.weight])
    tokens = torch.stack([torch.cat([own, p]) for p in inputs['prompts']])
    image = inputs['embedding'] + inputs['dense_prompt']
    tokens, image = decoder.transformer(
        image.flatten(2).mT, inputs['position'].flatten(2).mT, tokens
    )
    pixels = decoder.output_upscaling(image.mT.reshape(-1, DIMS, SIDE, SIDE))
    mlps = decoder.output_hypernetworks_mlps
    masks = torch.stack(
        [
            (mlp(tokens[:, 1 + i])[..., None, None] * pixels).sum(1)
            for i, mlp in enumerate(mlps)
        ],
        dim=1,
    )
    return masks, decoder.iou_prediction_head(tokens[:, 0]), tokens, pixels


@torch.no_grad()
def test_sam_takes_the_mask_for_clear_prompts(inputs, early):
    decoder = randomize(SAMMaskDecoder(DIMS))
    assert decoder.image_features(inputs['embedding'], early) is None
    masks, ious = run(decoder, inputs, early)
    expected, qualities, _, _ = all_masks(decoder, inputs)
    assert masks.shape == (4, 4 * SIDE, 4 * SIDE) and ious.shape == (4,)
    torch.testing.assert_close(masks, expected[:, 0])
    torch.testing.assert_close(ious, qualities[:, 0])


@torch.no_grad()
def test_sam_takes_the_best_of_three(inputs, early):
    decoder = randomize(SAMMaskDecoder(DIMS, multimask_output=True))
    # Token 0 must not win, however good it is believed to be.
    decoder.iou_prediction_head.layers[2].bias[0] += 100
    masks, ious = run(decoder, inputs, early)
    expected, qualities, _, _ = all_masks(decoder, inputs)
    assert qualities.argmax(1).tolist() == [0] * 4
    for i in range(4):
        k = max((1, 2, 3), key=lambda k: qualities[i, k].item())
        torch.testing.assert_close(masks[i], expected[i, k])
        torch.testing.assert_close(ious[i], qualities[i, k])


@torch.no_grad()
@pytest.mark.parametrize('multi', [False, True])
def test_hq_adds_its_own_mask(inputs, early, multi):
    decoder = randomize(HQMaskDecoder(EARLY, DIMS, multimask_output=multi))
    masks, ious = run(decoder, inputs, early)
    sam, qualities, tokens, pixels = all_masks(decoder, inputs)
    fused = decoder.embedding_maskfeature(pixels)
    fused = fused + decoder.embedding_encoder(inputs['embedding'])
    fused = fused + decoder.compress_vit_feat(early)
    own = (decoder.hf_mlp(tokens[:, 5])[..., None, None] * fused).sum(1)
    best = qualities[:, 1:].argmax(1) + 1 if multi else [0] * 4
    rows = [sam[i, k] for i, k in enumerate(best)]
    torch.testing.assert_close(masks, torch.stack(rows) + own)
    torch.testing.assert_close(
        ious, torch.stack([qualities[i, k] for i, k in enumerate(best)])
    )
    decoder.hq_token_only = True
    torch.testing.assert_close(run(decoder, inputs, early)[0], own)


@torch.no_grad()
@pytest.mark.parametrize('kind', [SAMMaskDecoder, HQMaskDecoder])
def test_prompts_do_not_see_each_other(inputs, early, kind):
    decoder = randomize(kind(embed_dims=DIMS, early_channels=EARLY))
    masks, ious = run(decoder, inputs, early)
    for i in range(4):
        one = dict(inputs, prompts=inputs['prompts'][i : i + 1])
        mask, iou = run(decoder, one, early)
        torch.testing.assert_close(mask[0], masks[i])
        torch.testing.assert_close(iou[0], ious[i])


@torch.no_grad()
@pytest.mark.parametrize('kind', [SAMMaskDecoder, HQMaskDecoder])
@pytest.mark.parametrize('size', [1, 3, 4])
def test_prompts_go_through_in_groups(inputs, early, kind, size, monkeypatch):
    decoder = randomize(
        kind(embed_dims=DIMS, early_channels=EARLY, multimask_output=True)
    )
    expected = run(decoder, inputs, early)
    groups = []
    decoder.output_upscaling.register_forward_hook(
        lambda module, args, output: groups.append(len(output))
    )
    monkeypatch.setattr(mask_decoder, '_group_size', lambda tokens: size)
    got = run(decoder, inputs, early)
    assert groups == {1: [1] * 4, 3: [3, 1], 4: [4]}[size]
    for one, other in zip(got, expected):
        torch.testing.assert_close(one, other)


def test_hq_has_25_weights_more_than_sam():
    hq = HQMaskDecoder(768).state_dict()
    sam = SAMMaskDecoder().state_dict()
    assert len(set(hq) - set(sam)) == 25 and not set(sam) - set(hq)
    assert hq['hf_token.weight'].shape == (1, 256)
    assert hq['embedding_encoder.0.weight'].shape == (256, 64, 2, 2)
    assert hq['embedding_maskfeature.0.weight'].shape == (64, 32, 3, 3)
    assert hq['compress_vit_feat.3.weight'].shape == (256, 32, 2, 2)
    assert sam['output_hypernetworks_mlps.3.layers.2.weight'].shape == (
        32,
        256,
    )
