import pytest
import torch

pytest.importorskip('mmdet')

from pmvis_mm.models import HQSAMSegmenter, SAMViT
from pmvis_mm.models.sam.vit import _Attention
from pmvis_mm.utils.errors import ConfigError

MINI = dict(embed_dims=8, depth=3, num_heads=2, global_blocks=(1,))


def randomize(module):
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module.eval()


def attend_pair_by_pair(attention, x, side):
    """The definition, with loops: no bias matrix, no fused attention."""
    heads = attention.heads
    size = x.size(-1) // heads
    q, k, v = attention.qkv(x.reshape(side * side, -1)).chunk(3, dim=-1)
    out = torch.zeros_like(q)
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        for i in range(side * side):
            yi, xi = divmod(i, side)
            scores = []
            for j in range(side * side):
                yj, xj = divmod(j, side)
                score = q[i, part] @ k[j, part] / size**0.5
                score = (
                    score
                    + q[i, part] @ attention.rel_pos_h[yi - yj + side - 1]
                )
                score = (
                    score
                    + q[i, part] @ attention.rel_pos_w[xi - xj + side - 1]
                )
                scores.append(score)
            out[i, part] = torch.stack(scores).softmax(0) @ v[:, part]
    return attention.proj(out).reshape(side, side, -1)


@torch.no_grad()
def test_attention_with_relative_positions():
    attention = randomize(_Attention(8, 2, side=3))
    x = torch.randn(2, 3, 3, 8)
    got = attention(x)
    for frame, expected in zip(x, got):
        torch.testing.assert_close(
            attend_pair_by_pair(attention, frame, 3), expected
        )


@torch.no_grad()
def test_windows_see_only_themselves_and_global_blocks_everything():
    arch = dict(embed_dims=8, depth=2, num_heads=2, global_blocks=(1,))
    model = randomize(SAMViT(arch, img_size=128, window_size=4))
    x = torch.randn(1, 3, 128, 128)
    changed = x.clone()
    changed[..., :16, :16] += 1
    tokens = model.patch_embed(x) + model.pos_embed
    other = model.patch_embed(changed) + model.pos_embed
    differs = (model.blocks[0](tokens) != model.blocks[0](other)).any(-1)
    assert differs[0, :4, :4].all() and differs.sum() == 16
    assert (model.blocks[1](tokens) != model.blocks[1](other)).any(-1).all()


@torch.no_grad()
def test_early_features_leave_the_first_global_block():
    model = randomize(SAMViT(MINI, img_size=64, window_size=3, out_channels=6))
    x = torch.randn(2, 3, 64, 64)
    embedding, early = model(x)
    assert embedding.shape == (2, 6, 4, 4) and early.shape == (2, 8, 4, 4)
    assert model.early_channels == 8 and model.out_channels == 6
    tokens = model.patch_embed(x) + model.pos_embed
    tokens = model.blocks[1](model.blocks[0](tokens))
    torch.testing.assert_close(early, tokens.permute(0, 3, 1, 2))
    tokens = model.blocks[2](tokens).permute(0, 3, 1, 2)
    torch.testing.assert_close(embedding, model.neck(tokens))


@torch.no_grad()
def test_batch_equals_single_frames():
    model = randomize(SAMViT(MINI, img_size=96, window_size=4))
    x = torch.randn(3, 3, 96, 96)
    for together, *alone in zip(model(x), *(model(one) for one in x.split(1))):
        torch.testing.assert_close(together, torch.cat(alone))


@pytest.mark.parametrize(
    'arch, keys, millions',
    [('b', 339, 94.81), ('l', 507, 313.68), ('h', 619, 642.69)],
)
def test_case_15_sizes(arch, keys, millions):
    with torch.device('meta'):
        model = HQSAMSegmenter(f'vit_{arch}')
    state = model.state_dict()
    assert len(state) == keys
    total = sum(p.numel() for p in model.parameters())
    assert round(total / 1e6, 2) == millions
    width = dict(b=768, l=1024, h=1280)[arch]
    early = dict(b=2, l=5, h=7)[arch]
    assert model.image_encoder.early_block == early
    for name, shape in {
        'image_encoder.pos_embed': (1, 64, 64, width),
        'image_encoder.patch_embed.proj.weight': (width, 3, 16, 16),
        f'image_encoder.blocks.{early}.attn.rel_pos_h': (127, None),
        'image_encoder.blocks.0.attn.rel_pos_w': (27, None),
        'image_encoder.blocks.0.mlp.lin1.weight': (4 * width, width),
        'image_encoder.neck.0.weight': (256, width, 1, 1),
        'mask_decoder.compress_vit_feat.0.weight': (width, 256, 2, 2),
    }.items():
        got = state[name].shape
        assert all(b is None or a == b for a, b in zip(got, shape)), name


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(arch='x'), "arch='x' of SAMViT is unknown"),
        (dict(arch=dict(depth=3)), r"has \['depth'\]. Fix: give"),
        (dict(arch=dict(MINI, global_blocks=(3,))), r'\(3,\) of 3 blocks'),
        (dict(arch=dict(MINI, global_blocks=())), 'at least one block'),
        (dict(arch=dict(MINI, num_heads=3)), '8 channels for 3 heads'),
        (dict(arch=MINI, img_size=100), 'img_size=100 is no multiple'),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ConfigError, match=message):
        SAMViT(**options)
