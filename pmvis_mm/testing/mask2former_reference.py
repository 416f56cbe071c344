"""Mask2Former for video from detectron2's weights, in plain torch.

An independent and slow formulation of what
github.com/facebookresearch/Mask2Former computes with its weights, to compare
converted models with. Weights are read by detectron2's names.
"""

import math
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

Weights = Mapping[str, Tensor]

_GROUPS = 32
_LEVELS = 3


def mask2former_predictions(
    weights: Weights,
    features: List[Tensor],
    num_frames: int,
    num_heads: int = 8,
) -> Tuple[List[Tensor], List[Tensor]]:
    """Predict classes and masks of clips.

    Args:
        weights (Mapping[str, Tensor]): ``sem_seg_head.*``.
        features (list[Tensor]): Outputs of the backbone at strides 4, 8, 16
            and 32, float (B * T, C_i, h_i, w_i).
        num_frames (int): T, frames of a clip.
        num_heads (int): Heads of all attentions. Defaults to 8.

    Returns:
        tuple: Of the learned queries, then of every layer,

        - list[Tensor]: Class logits, (B, Q, num_classes + 1).
        - list[Tensor]: Mask logits, (B, Q, T, h_0, w_0).
    """
    pixels = _below(weights, 'sem_seg_head.pixel_decoder.')
    head = _below(weights, 'sem_seg_head.predictor.')
    mask_features, memories = _pixel_decoder(pixels, features, num_heads)
    clips = len(features[0]) // num_frames
    mask_features = mask_features.unflatten(0, (clips, num_frames))
    keys, places = _memory_tokens(head, memories, clips)
    queries = head['query_feat.weight'].expand(clips, -1, -1)
    where = head['query_embed.weight']
    classes, masks = [], []
    count = sum('cross_attention_layers' in name for name in head) // 6
    for i in range(count + 1):
        cls_logits, mask_logits = _predict(head, queries, mask_features)
        classes.append(cls_logits)
        masks.append(mask_logits)
        if i == count:
            break
        level = i % _LEVELS
        hidden = _hidden(mask_logits, memories[level].shape[-2:])
        queries = _layer(
            head,
            i,
            (queries, where),
            (keys[level], places[level], hidden),
            num_heads,
        )
    return classes, masks


def _layer(
    head: Weights,
    i: int,
    asking: Tuple[Tensor, Tensor],
    memory: Tuple[Tensor, Tensor, Tensor],
    num_heads: int,
) -> Tensor:
    """Cross attention, self attention, feed-forward; norms after each.

    ``asking`` are queries and their positions, ``memory`` is one level:
    tokens, their positions and what queries must not look at.
    """
    queries, where = asking
    tokens, place, hidden = memory
    layer = _below(head, f'transformer_cross_attention_layers.{i}.')
    inputs = (queries + where, tokens + place, tokens)
    attention = _below(layer, 'multihead_attn.')
    change = _attention(attention, inputs, num_heads, hidden)
    queries = _norm(layer, 'norm', queries + change)
    layer = _below(head, f'transformer_self_attention_layers.{i}.')
    inputs = (queries + where, queries + where, queries)
    attention = _below(layer, 'self_attn.')
    change = _attention(attention, inputs, num_heads)
    queries = _norm(layer, 'norm', queries + change)
    layer = _below(head, f'transformer_ffn_layers.{i}.')
    return _norm(layer, 'norm', queries + _ffn(layer, queries))


def _predict(
    head: Weights, queries: Tensor, mask_features: Tensor
) -> Tuple[Tensor, Tensor]:
    queries = _norm(head, 'decoder_norm', queries)
    x = queries
    for j in range(3):
        x = _linear(head, f'mask_embed.layers.{j}', x)
        x = x.relu() if j < 2 else x
    masks = (x[:, :, None, :, None, None] * mask_features[:, None]).sum(3)
    return _linear(head, 'class_embed', queries), masks


def _hidden(masks: Tensor, size: Sequence[int]) -> Tensor:
    """What queries must not look at: (B, Q, T * h * w), True for hidden."""
    small = F.interpolate(
        masks.flatten(1, 2), list(size), mode='bilinear', align_corners=False
    )
    hidden = small.unflatten(1, masks.shape[1:3]).flatten(2) < 0
    return hidden & ~hidden.all(-1, keepdim=True)


def _memory_tokens(
    head: Weights, memories: List[Tensor], clips: int
) -> Tuple[List[Tensor], List[Tensor]]:
    """Tokens of all frames of a clip and their positions, level by level."""
    tokens, places = [], []
    for level, memory in enumerate(memories):
        x = memory.unflatten(0, (clips, -1)).movedim(2, -1)
        x = x + head['level_embed.weight'][level]
        tokens.append(x.flatten(1, 3))
        _, frames, height, width, channels = x.shape
        plane = _sine_2d(height, width, channels)
        time = _sine(frames, channels)[:, None, None]
        places.append((plane + time).flatten(0, 2))
    return tokens, places


def _attention(
    weights: Weights,
    inputs: Tuple[Tensor, Tensor, Tensor],
    num_heads: int,
    hidden: Optional[Tensor] = None,
) -> Tensor:
    """Multi-head attention of queries, keys and values (B, N, C)."""
    matrices = weights['in_proj_weight'].chunk(3)
    biases = weights['in_proj_bias'].chunk(3)
    q, k, v = (
        (x @ matrix.T + bias).unflatten(-1, (num_heads, -1)).transpose(1, 2)
        for x, matrix, bias in zip(inputs, matrices, biases)
    )
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if hidden is not None:
        scores = scores.masked_fill(hidden[:, None], -math.inf)
    mixed = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
    return _linear(weights, 'out_proj', mixed)


# -------------------------------------------------------------- pixel decoder
def _pixel_decoder(
    weights: Weights, features: List[Tensor], num_heads: int
) -> Tuple[Tensor, List[Tensor]]:
    """Features of the masks and the three levels, lowest resolution first."""
    maps, places = [], []
    for i, x in enumerate(features[:0:-1]):
        x = _conv(weights, f'input_proj.{i}.0', x)
        maps.append(_group_norm(weights, f'input_proj.{i}.1', x))
        place = _sine_2d(x.shape[2], x.shape[3], maps[-1].shape[1])
        level = weights['transformer.level_embed'][i]
        places.append((place + level).flatten(0, 1))
    sizes = [x.shape[-2:] for x in maps]
    lengths = [height * width for height, width in sizes]
    tokens = torch.cat([x.flatten(2).transpose(1, 2) for x in maps], 1)
    place = torch.cat(places)
    centers = torch.cat([_centers(*size) for size in sizes])
    layers = sum('encoder.layers' in name for name in weights) // 16
    for i in range(layers):
        layer = _below(weights, f'transformer.encoder.layers.{i}.')
        change = _deformable(layer, tokens, place, centers, sizes, num_heads)
        tokens = _norm(layer, 'norm1', tokens + change)
        tokens = _norm(layer, 'norm2', tokens + _ffn(layer, tokens))
    memories = [
        part.transpose(1, 2).unflatten(-1, size)
        for part, size in zip(tokens.split(lengths, 1), sizes)
    ]
    x = F.conv2d(features[0], weights['adapter_1.weight'])
    x = _group_norm(weights, 'adapter_1.norm', x)
    x = x + F.interpolate(
        memories[-1], x.shape[-2:], mode='bilinear', align_corners=False
    )
    x = F.conv2d(x, weights['layer_1.weight'], padding=1)
    x = _group_norm(weights, 'layer_1.norm', x).relu()
    return _conv(weights, 'mask_features', x), memories


def _deformable(
    weights: Weights,
    tokens: Tensor,
    place: Tensor,
    centers: Tensor,
    sizes: Sequence[Sequence[int]],
    num_heads: int,
) -> Tensor:
    """Multi-scale deformable self-attention of tokens (B, N, C)."""
    asking = tokens + place
    values = _linear(weights, 'self_attn.value_proj', tokens)
    offsets = _linear(weights, 'self_attn.sampling_offsets', asking)
    offsets = offsets.unflatten(-1, (num_heads, len(sizes), -1, 2))
    shares = _linear(weights, 'self_attn.attention_weights', asking)
    shares = shares.unflatten(-1, (num_heads, -1)).softmax(-1)
    shares = shares.unflatten(-1, (len(sizes), -1))
    parts = values.split([height * width for height, width in sizes], 1)
    heads = []
    for head, channels in enumerate(
        torch.arange(tokens.shape[-1]).chunk(num_heads)
    ):
        mixed: Tensor = torch.zeros(())
        for level, (height, width) in enumerate(sizes):
            plane = parts[level][..., channels].transpose(1, 2)
            steps = offsets[:, :, head, level]
            steps = steps / torch.tensor([width, height])
            grid = 2 * (centers[:, None] + steps) - 1
            found = F.grid_sample(
                plane.unflatten(-1, (height, width)),
                grid,
                mode='bilinear',
                padding_mode='zeros',
                align_corners=False,
            )
            mixed = mixed + (found * shares[:, None, :, head, level]).sum(-1)
        heads.append(mixed)
    joined = torch.cat(heads, 1).transpose(1, 2)
    return _linear(weights, 'self_attn.output_proj', joined)


def _centers(height: int, width: int) -> Tensor:
    """Centres of pixels as parts of the size, (h * w, 2), x first."""
    y = (torch.arange(height) + 0.5) / height
    x = (torch.arange(width) + 0.5) / width
    return torch.stack([x.repeat(height), y.repeat_interleave(width)], -1)


# -------------------------------------------------------------------- helpers
def _sine(count: int, channels: int) -> Tensor:
    """Sines and cosines of 1..count, spread over one turn: (count, C)."""
    turn = torch.arange(1, count + 1) / (count + 1e-6) * 2 * math.pi
    pairs = torch.arange(channels // 2)
    angles = turn[:, None] / 10000 ** (2 * pairs / channels)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


def _sine_2d(height: int, width: int, channels: int) -> Tensor:
    """Positions in a plane, (h, w, C): rows first, then columns."""
    rows = _sine(height, channels // 2)[:, None].expand(-1, width, -1)
    columns = _sine(width, channels // 2).expand(height, -1, -1)
    return torch.cat([rows, columns], -1)


def _ffn(weights: Weights, x: Tensor) -> Tensor:
    return _linear(weights, 'linear2', _linear(weights, 'linear1', x).relu())


def _linear(weights: Weights, name: str, x: Tensor) -> Tensor:
    return F.linear(x, weights[f'{name}.weight'], weights[f'{name}.bias'])


def _conv(weights: Weights, name: str, x: Tensor) -> Tensor:
    return F.conv2d(x, weights[f'{name}.weight'], weights[f'{name}.bias'])


def _norm(weights: Weights, name: str, x: Tensor) -> Tensor:
    pair = (weights[f'{name}.weight'], weights[f'{name}.bias'])
    return F.layer_norm(x, x.shape[-1:], *pair)


def _group_norm(weights: Weights, name: str, x: Tensor) -> Tensor:
    pair = (weights[f'{name}.weight'], weights[f'{name}.bias'])
    return F.group_norm(x, _GROUPS, *pair)


def _below(weights: Weights, prefix: str) -> Dict[str, Tensor]:
    return {
        name[len(prefix) :]: value
        for name, value in weights.items()
        if name.startswith(prefix)
    }
