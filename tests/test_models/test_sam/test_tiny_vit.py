import pytest
import torch
import torch.nn.functional as F

pytest.importorskip('mmdet')

from pmvis_mm.models import HQSAMSegmenter, SAMTinyViT
from pmvis_mm.models.sam.tiny_vit import (
    _Attention,
    _Block,
    _Bottleneck,
    _ConvBN,
    _MBConv,
)
from pmvis_mm.utils.errors import ConfigError

SMALL = dict(
    embed_dims=(4, 8, 12, 8),
    depths=(1, 1, 1, 1),
    num_heads=(1, 2, 3, 2),
    window_sizes=(7, 3, 2, 3),
    out_channels=6,
    num_classes=5,
)


def randomize(module):
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    for name, buffer in module.named_buffers():
        if name.endswith('running_var'):
            torch.nn.init.uniform_(buffer, 0.5, 1.5)
        elif name.endswith('running_mean'):
            torch.nn.init.normal_(buffer, std=0.1)
    return module.eval()


def attend_pair_by_pair(attention, x, side):
    """The definition, with loops."""
    tokens = attention.norm(x.reshape(side * side, -1))
    size = tokens.size(-1) // attention.heads
    heads = attention.qkv(tokens).split(3 * size, dim=-1)
    out = []
    for head, qkv in enumerate(heads):
        q, k, v = qkv.split(size, dim=-1)
        rows = []
        for i in range(side * side):
            scores = []
            for j in range(side * side):
                dy = abs(i // side - j // side)
                dx = abs(i % side - j % side)
                bias = attention.attention_biases[head, dy * side + dx]
                scores.append(q[i] @ k[j] / size**0.5 + bias)
            rows.append(torch.stack(scores).softmax(0) @ v)
        out.append(torch.stack(rows))
    return attention.proj(torch.cat(out, -1)).reshape(side, side, -1)


@torch.no_grad()
def test_attention_with_biases_of_distances():
    attention = randomize(_Attention(8, 2, window=3))
    x = torch.randn(2, 3, 3, 8)
    for frame, got in zip(x, attention(x)):
        torch.testing.assert_close(
            attend_pair_by_pair(attention, frame, 3), got
        )


@torch.no_grad()
def test_biases_count_as_soon_as_they_are_loaded():
    """The public code caches them in eval mode and ignores new ones."""
    attention = randomize(_Attention(8, 2, window=3))
    x = torch.randn(1, 3, 3, 8)
    before = attention(x)
    state = attention.state_dict()
    state['attention_biases'] = torch.randn(2, 9)
    attention.load_state_dict(state)
    after = attention(x)
    assert (before - after).abs().max() > 0.01
    assert torch.equal(attention.eval()(x), after)
    assert torch.equal(attention.train().eval()(x), after)


@torch.no_grad()
def test_zeros_that_fill_windows_are_attended_to():
    block = randomize(_Block(4, 1, window=3))
    x = torch.randn(1, 4, 2, 2)
    padded = torch.zeros(1, 3, 3, 4)
    padded[:, :2, :2] = x.permute(0, 2, 3, 1)
    y = block.attn(padded)[:, :2, :2].permute(0, 3, 1, 2)
    expected = block.local_conv(x + y)
    tokens = expected.permute(0, 2, 3, 1)
    expected = expected + block.mlp(tokens).permute(0, 3, 1, 2)
    torch.testing.assert_close(block(x), expected)


@torch.no_grad()
@pytest.mark.parametrize(
    'options',
    [(6, 8), (6, 8, 3, 2), (6, 6, 3, 1, 6)],
    ids=['1x1', 'stride', 'depthwise'],
)
@pytest.mark.parametrize('last', [False, True])
def test_batch_norm_goes_into_the_convolution(options, last):
    layer = randomize(_ConvBN(*options))
    x = torch.randn(2, 6, 5, 7)
    if last:
        x = x.contiguous(memory_format=torch.channels_last)
    expected = layer.bn(layer.c(x))
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)
    # What is loaded later counts at once.
    layer.bn.running_mean += 1
    expected = layer.bn(layer.c(x))
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize('height', [1, 31, 32, 33, 34, 65])
def test_strips_make_the_whole_map(height):
    block = randomize(_MBConv(3))
    x = torch.randn(2, 3, height, 5)
    whole = F.gelu(x + _Bottleneck.forward(block, x))
    torch.testing.assert_close(block(x), whole, atol=1e-5, rtol=1e-5)
    last = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(block(last), whole, atol=1e-5, rtol=1e-5)


def test_batch_norm_learns_in_training():
    layer = randomize(_ConvBN(6, 8)).train()
    before = layer.bn.running_mean.clone()
    y = layer(torch.randn(4, 6, 5, 7))
    assert not torch.equal(layer.bn.running_mean, before)
    # Normalised by the batch: mean is the bias, whatever came in.
    torch.testing.assert_close(
        y.mean((0, 2, 3)), layer.bn.bias, atol=1e-5, rtol=1e-5
    )


@torch.no_grad()
@pytest.mark.parametrize('img_size', [64, 96])
def test_shapes_and_batches(img_size):
    model = randomize(SAMTinyViT(img_size, **SMALL))
    x = torch.randn(2, 3, img_size, img_size)
    embedding, early = model(x)
    side = img_size // 16
    assert embedding.shape == (2, 6, side, side)
    assert early.shape == (2, 12, side, side)
    assert (model.early_channels, model.out_channels) == (12, 6)
    for i in range(2):
        for one, both in zip(model(x[i : i + 1]), (embedding, early)):
            torch.testing.assert_close(one[0], both[i], atol=1e-4, rtol=1e-4)


def test_case_15_sizes():
    with torch.device('meta'):
        model = HQSAMSegmenter('vit_tiny')
    state = model.state_dict()
    assert len(state) == 464
    total = sum(p.numel() for p in model.parameters())
    assert round(total / 1e6, 2) == 10.58
    for name, shape in {
        'image_encoder.patch_embed.seq.2.bn.running_var': (64,),
        'image_encoder.layers.0.blocks.1.conv2.c.weight': (256, 1, 3, 3),
        'image_encoder.layers.1.downsample.conv1.c.weight': (160, 128, 1, 1),
        'image_encoder.layers.2.blocks.5.attn.attention_biases': (5, 196),
        'image_encoder.layers.3.blocks.1.local_conv.c.weight': (320, 1, 3, 3),
        'image_encoder.layers.3.blocks.0.mlp.fc2.weight': (320, 1280),
        'image_encoder.norm_head.weight': (320,),
        'image_encoder.head.weight': (1000, 320),
        'mask_decoder.compress_vit_feat.0.weight': (160, 256, 2, 2),
    }.items():
        assert state[name].shape == shape, name
    assert not [name for name in state if 'idxs' in name]


def test_bad_options():
    with pytest.raises(ConfigError, match='img_size=1000 is no multiple'):
        SAMTinyViT(1000)
    with pytest.raises(ConfigError, match='four stages, got .*give four'):
        SAMTinyViT(depths=(2, 2, 6))
