"""Backbones of detectron2's Mask2Former, in plain torch.

Independent formulations of detectron2's ResNet and of the public Swin, to
compare converted models with. Weights are read by detectron2's names.
"""

import math
from typing import List, Mapping, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

Weights = Mapping[str, Tensor]

_BACKBONE = 'backbone.'
_PATCH = 4


# --------------------------------------------------------------------- ResNet
def resnet_features(weights: Weights, images: Tensor) -> List[Tensor]:
    """Compute the feature maps of a ResNet with frozen norms.

    Args:
        weights (Mapping[str, Tensor]): ``backbone.*`` of detectron2, with
            the stride in the 3x3 convolutions.
        images (Tensor): Normalised, float (N, 3, H, W), RGB.

    Returns:
        list[Tensor]: At strides 4, 8, 16 and 32, (N, C_i, h_i, w_i).
    """
    x = _unit(weights, 'stem.conv1', images, 2).relu()
    x = F.max_pool2d(x, 3, 2, 1)
    maps = []
    for stage in range(2, 6):
        i = 0
        while f'{_BACKBONE}res{stage}.{i}.conv1.weight' in weights:
            stride = 2 if stage > 2 and i == 0 else 1
            x = _block(weights, f'res{stage}.{i}.', x, stride)
            i += 1
        maps.append(x)
    return maps


def _block(weights: Weights, block: str, x: Tensor, stride: int) -> Tensor:
    straight = x
    if f'{_BACKBONE}{block}shortcut.weight' in weights:
        straight = _unit(weights, f'{block}shortcut', x, stride)
    deep = f'{_BACKBONE}{block}conv3.weight' in weights
    # The first 3x3 convolution has the stride.
    strides = (1, stride, 1) if deep else (stride, 1)
    for c, step in enumerate(strides, 1):
        x = _unit(weights, f'{block}conv{c}', x, step)
        x = x.relu() if c < len(strides) else x
    return (x + straight).relu()


def _unit(weights: Weights, name: str, x: Tensor, stride: int) -> Tensor:
    kernel = weights[f'{_BACKBONE}{name}.weight']
    x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
    scale, bias, mean, var = (
        weights[f'{_BACKBONE}{name}.norm.{leaf}'][:, None, None]
        for leaf in ('weight', 'bias', 'running_mean', 'running_var')
    )
    return (x - mean) / (var + 1e-5).sqrt() * scale + bias


# ----------------------------------------------------------------------- Swin
def swin_features(weights: Weights, images: Tensor) -> List[Tensor]:
    """Compute the feature maps of a Swin.

    Every pixel looks at all pixels at once, those of other windows masked:
    much work, and no order of windows that could go wrong.

    Args:
        weights (Mapping[str, Tensor]): ``backbone.*`` of the public Swin.
        images (Tensor): Normalised, float (N, 3, H, W), RGB; sides are
            multiples of 4.

    Returns:
        list[Tensor]: At strides 4, 8, 16 and 32, (N, C_i, h_i, w_i).
    """
    x = F.conv2d(images, *_pair(weights, 'patch_embed.proj'), stride=_PATCH)
    x = x.movedim(1, -1)
    x = _norm(weights, 'patch_embed.norm', x)
    maps: List[Tensor] = []
    while f'{_BACKBONE}norm{len(maps)}.weight' in weights:
        stage = f'layers.{len(maps)}.'
        j = 0
        while f'{_BACKBONE}{stage}blocks.{j}.norm1.weight' in weights:
            block = f'{stage}blocks.{j}.'
            x = x + _windows(weights, block, x, shifted=j % 2 == 1)
            hidden = _norm(weights, f'{block}norm2', x)
            hidden = F.gelu(_linear(weights, f'{block}mlp.fc1', hidden))
            x = x + _linear(weights, f'{block}mlp.fc2', hidden)
            j += 1
        maps.append(_norm(weights, f'norm{len(maps)}', x).movedim(-1, 1))
        if f'{_BACKBONE}{stage}downsample.norm.weight' in weights:
            x = _merged(weights, f'{stage}downsample.', x)
    return maps


def _merged(weights: Weights, name: str, x: Tensor) -> Tensor:
    """Join 2x2 pixels, column by column: (N, h, w, C) -> (N, h/2, w/2, 2C)."""
    x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
    pixels = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
    x = _norm(weights, f'{name}norm', torch.cat(pixels, -1))
    return x @ weights[f'{_BACKBONE}{name}reduction.weight'].T


def _windows(weights: Weights, block: str, x: Tensor, shifted: bool) -> Tensor:
    """Attention within windows, before the residual sum."""
    table = weights[f'{_BACKBONE}{block}attn.relative_position_bias_table']
    window = (math.isqrt(len(table)) + 1) // 2
    height, width = x.shape[1:3]
    x = _norm(weights, f'{block}norm1', x)
    x = F.pad(x, (0, 0, 0, -width % window, 0, -height % window))
    size = x.shape[1:3]
    qkv = _linear(weights, f'{block}attn.qkv', x.flatten(1, 2))
    q, k, v = qkv.unflatten(-1, (3, table.shape[1], -1)).permute(2, 0, 3, 1, 4)
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    rows, columns = _places(size, window, window // 2 if shifted else 0)
    together = (rows[0][:, None] == rows[0]) & (
        columns[0][:, None] == columns[0]
    )
    down = (rows[1][:, None] - rows[1]).clamp(1 - window, window - 1)
    right = (columns[1][:, None] - columns[1]).clamp(1 - window, window - 1)
    index = (down + window - 1) * (2 * window - 1) + right + window - 1
    scores = scores + table[index].permute(2, 0, 1)
    scores = scores.masked_fill(~together, -math.inf)
    mixed = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
    mixed = _linear(weights, f'{block}attn.proj', mixed)
    return mixed.unflatten(1, size)[:, :height, :width]


def _places(size: torch.Size, window: int, shift: int) -> List[Tensor]:
    """Window and place in it along both axes, for every pixel: (2, h * w).

    Shifted windows begin ``shift`` pixels further down and right; what they
    leave at the top is a window of its own, and so at the left.
    """
    axes = []
    for length in size:
        position = torch.arange(length) - shift
        inside = position % window
        axes.append(torch.stack([(position - inside) // window, inside]))
    rows = axes[0].repeat_interleave(size[1], 1)
    return [rows, axes[1].repeat(1, size[0])]


def _pair(weights: Weights, name: str) -> Tuple[Tensor, Tensor]:
    both = (f'{_BACKBONE}{name}.weight', f'{_BACKBONE}{name}.bias')
    return weights[both[0]], weights[both[1]]


def _linear(weights: Weights, name: str, x: Tensor) -> Tensor:
    return F.linear(x, *_pair(weights, name))


def _norm(weights: Weights, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], *_pair(weights, name))
