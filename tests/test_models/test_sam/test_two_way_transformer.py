import pytest
import torch

pytest.importorskip('mmdet')

from pmvis_mm.models.sam.two_way_transformer import (
    TwoWayTransformer,
    _Attention,
)


def randomize(module):
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return module.eval()


def attend(attention, q, k, v):
    """Attention by its definition, without sharing."""
    split = [
        x.unflatten(-1, (attention.heads, -1)).transpose(1, 2)
        for x in (
            attention.q_proj(q),
            attention.k_proj(k),
            attention.v_proj(v),
        )
    ]
    q, k, v = split
    weights = (q @ k.transpose(2, 3) / q.size(-1) ** 0.5).softmax(-1)
    return attention.out_proj((weights @ v).transpose(1, 2).flatten(2))


@torch.no_grad()
def test_attention_serves_many_with_one():
    attention = randomize(_Attention(8, 4, heads=2))
    q, k = torch.randn(3, 2, 8), torch.randn(1, 5, 8)
    v = torch.randn(1, 5, 8)
    torch.testing.assert_close(
        attention(q, k, v),
        attend(attention, q, k.expand(3, -1, -1), v.expand(3, -1, -1)),
    )
    torch.testing.assert_close(
        attention(k, q, q), attend(attention, k.expand(3, -1, -1), q, q)
    )


@torch.no_grad()
def test_two_layers_step_by_step():
    model = randomize(TwoWayTransformer(8, 2, 2, feedforward_channels=12))
    image, position = torch.randn(1, 6, 8), torch.randn(1, 6, 8)
    code = torch.randn(3, 4, 8)
    keys, place = (x.expand(3, -1, -1) for x in (image, position))
    tokens = code
    for index, layer in enumerate(model.layers):
        if index == 0:
            tokens = attend(layer.self_attn, tokens, tokens, tokens)
        else:
            q = tokens + code
            tokens = tokens + attend(layer.self_attn, q, q, tokens)
        tokens = layer.norm1(tokens)
        tokens = layer.norm2(
            tokens
            + attend(
                layer.cross_attn_token_to_image,
                tokens + code,
                keys + place,
                keys,
            )
        )
        hidden = layer.mlp.lin1(tokens).clamp(min=0)
        tokens = layer.norm3(tokens + layer.mlp.lin2(hidden))
        keys = layer.norm4(
            keys
            + attend(
                layer.cross_attn_image_to_token,
                keys + place,
                tokens + code,
                tokens,
            )
        )
    last = attend(
        model.final_attn_token_to_image, tokens + code, keys + place, keys
    )
    got_tokens, got_image = model(image, position, code)
    torch.testing.assert_close(
        got_tokens, model.norm_final_attn(tokens + last)
    )
    torch.testing.assert_close(got_image, keys)


@torch.no_grad()
def test_image_is_projected_once_for_several_calls():
    model = randomize(TwoWayTransformer(8, 2, 2, feedforward_channels=12))
    image, position = torch.randn(1, 6, 8), torch.randn(1, 6, 8)
    tokens = torch.randn(3, 4, 8)
    expected = model(image, position, tokens)
    calls = []
    model.layers[0].cross_attn_token_to_image.k_proj.register_forward_hook(
        lambda *_: calls.append('key')
    )
    shared = model.share(image, position)
    parts = [model(image, position, t, shared) for t in tokens.split(1)]
    assert calls == ['key']
    for i, whole in enumerate(expected):
        torch.testing.assert_close(torch.cat([p[i] for p in parts]), whole)


def test_widths_of_the_checkpoints():
    state = TwoWayTransformer().state_dict()
    assert state['layers.0.self_attn.q_proj.weight'].shape == (256, 256)
    for name in (
        'layers.1.cross_attn_token_to_image.k_proj.weight',
        'layers.0.cross_attn_image_to_token.v_proj.weight',
        'final_attn_token_to_image.q_proj.weight',
    ):
        assert state[name].shape == (128, 256)
    assert state['layers.1.mlp.lin1.weight'].shape == (2048, 256)
