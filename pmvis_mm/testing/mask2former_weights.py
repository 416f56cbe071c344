"""Names, shapes and values of a Mask2Former as detectron2 saves it.

Facts about github.com/facebookresearch/Mask2Former, to test the converter
without a checkpoint file.
"""

from dataclasses import dataclass
from typing import Dict, Iterator, Mapping, Sequence, Tuple

import torch
from torch import Tensor

from .vnext_weights import closed_form_state_dict

Shape = Tuple[int, ...]
Named = Tuple[str, Shape]

_NORM = ('weight', 'bias')
_FROZEN_BN = (*_NORM, 'running_mean', 'running_var')
_LEVELS = 3


@dataclass(frozen=True)
class Mask2FormerSize:
    """Sizes of a head; the defaults are those of the COCO models.

    Args:
        in_channels (Sequence[int]): Channels of the four feature maps of
            strides 4, 8, 16 and 32.
        channels (int): Width of both decoders.
        num_encoder_layers (int): Layers of the pixel decoder's encoder.
        num_decoder_layers (int): Layers of the transformer decoder.
        num_queries (int): Learned queries.
        num_classes (int): Classes, without "no object".
        encoder_ffn (int): Hidden width in the encoder.
        decoder_ffn (int): Hidden width in the decoder.
        num_heads (int): Heads of all attentions.
        num_points (int): Sampling points by head and level.
    """

    in_channels: Sequence[int] = (256, 512, 1024, 2048)
    channels: int = 256
    num_encoder_layers: int = 6
    num_decoder_layers: int = 9
    num_queries: int = 100
    num_classes: int = 80
    encoder_ffn: int = 1024
    decoder_ffn: int = 2048
    num_heads: int = 8
    num_points: int = 4


def mask2former_weights(
    shapes: Mapping[str, Sequence[int]],
) -> Dict[str, Tensor]:
    """Fill weights from their names, see :func:`closed_form_state_dict`.

    Args:
        shapes (Mapping[str, Sequence[int]]): Shape by detectron2's name.

    Returns:
        dict[str, Tensor]: float32, but int64 for Swin's position indices.
    """
    weights = closed_form_state_dict(shapes)
    for name, value in weights.items():
        if name.endswith('relative_position_index'):
            weights[name] = _position_index(value.shape[0])
        elif '.input_proj.' in name and name.endswith('.1.weight'):
            weights[name] = 1 + value  # a norm without "norm" in its name
    return weights


def _position_index(area: int) -> Tensor:
    """Row of the bias table for each pair of pixels of a window."""
    side = round(area**0.5)
    places = torch.arange(area)
    rows = places[:, None] // side - places // side + side - 1
    columns = places[:, None] % side - places % side + side - 1
    return rows * (2 * side - 1) + columns


# ----------------------------------------------------------------------- head
def head_shapes(size: Mask2FormerSize) -> Dict[str, Shape]:
    """List the weights of pixel decoder and predictor.

    Args:
        size (Mask2FormerSize): Sizes.

    Returns:
        dict[str, tuple[int]]: Shape by name, ``sem_seg_head.*`` and the
        class weights of the criterion.
    """
    shapes = {
        f'sem_seg_head.pixel_decoder.{name}': shape
        for name, shape in _pixel_decoder(size)
    }
    for name, shape in _predictor(size):
        shapes[f'sem_seg_head.predictor.{name}'] = shape
    shapes['criterion.empty_weight'] = (size.num_classes + 1,)
    return shapes


def _pixel_decoder(size: Mask2FormerSize) -> Iterator[Named]:
    width = size.channels
    for i, channels in enumerate(reversed(size.in_channels[1:])):
        yield from _affine(f'input_proj.{i}.0', (width, channels, 1, 1))
        yield from _affine(f'input_proj.{i}.1', (width,))
    yield 'transformer.level_embed', (_LEVELS, width)
    samples = size.num_heads * _LEVELS * size.num_points
    for i in range(size.num_encoder_layers):
        layer = f'transformer.encoder.layers.{i}.'
        for name, shape in (
            ('self_attn.sampling_offsets', (2 * samples, width)),
            ('self_attn.attention_weights', (samples, width)),
            ('self_attn.value_proj', (width, width)),
            ('self_attn.output_proj', (width, width)),
            ('norm1', (width,)),
            ('linear1', (size.encoder_ffn, width)),
            ('linear2', (width, size.encoder_ffn)),
            ('norm2', (width,)),
        ):
            yield from _affine(layer + name, shape)
    yield from _affine('mask_features', (width, width, 1, 1))
    yield 'adapter_1.weight', (width, size.in_channels[0], 1, 1)
    yield 'layer_1.weight', (width, width, 3, 3)
    for name in ('adapter_1', 'layer_1'):
        yield from _affine(f'{name}.norm', (width,))


def _predictor(size: Mask2FormerSize) -> Iterator[Named]:
    width = size.channels
    for i in range(size.num_decoder_layers):
        for kind, attention in (
            ('self', 'self_attn'),
            ('cross', 'multihead_attn'),
        ):
            layer = f'transformer_{kind}_attention_layers.{i}.'
            yield f'{layer}{attention}.in_proj_weight', (3 * width, width)
            yield f'{layer}{attention}.in_proj_bias', (3 * width,)
            yield from _affine(f'{layer}{attention}.out_proj', (width, width))
            yield from _affine(f'{layer}norm', (width,))
        layer = f'transformer_ffn_layers.{i}.'
        yield from _affine(f'{layer}linear1', (size.decoder_ffn, width))
        yield from _affine(f'{layer}linear2', (width, size.decoder_ffn))
        yield from _affine(f'{layer}norm', (width,))
    yield from _affine('decoder_norm', (width,))
    yield 'query_feat.weight', (size.num_queries, width)
    yield 'query_embed.weight', (size.num_queries, width)
    yield 'level_embed.weight', (_LEVELS, width)
    yield from _affine('class_embed', (size.num_classes + 1, width))
    for j in range(3):
        yield from _affine(f'mask_embed.layers.{j}', (width, width))


def _affine(name: str, shape: Shape) -> Iterator[Named]:
    yield f'{name}.weight', shape
    yield f'{name}.bias', shape[:1]


# ------------------------------------------------------------------ backbones
def resnet_shapes(
    depths: Sequence[int], width: int = 64, bottleneck: bool = True
) -> Dict[str, Shape]:
    """List the weights of detectron2's ResNet with frozen norms.

    Args:
        depths (Sequence[int]): Blocks of ``res2`` to ``res5``; (3, 4, 6, 3)
            in ResNet-50.
        width (int): Channels of the stem. Defaults to 64.
        bottleneck (bool): Three convolutions a block, not two. Defaults to
            True.

    Returns:
        dict[str, tuple[int]]: Shape by name, ``backbone.*``.
    """
    shapes: Dict[str, Shape] = {}

    def add(name: str, out: int, channels: int, kernel: int) -> None:
        unit = f'backbone.{name}'
        shapes[f'{unit}.weight'] = (out, channels, kernel, kernel)
        for leaf in _FROZEN_BN:
            shapes[f'{unit}.norm.{leaf}'] = (out,)

    add('stem.conv1', width, 3, 7)
    before = width
    for stage, depth in enumerate(depths):
        inner = width * 2**stage
        out = 4 * inner if bottleneck else inner
        for i in range(depth):
            block = f'res{stage + 2}.{i}.'
            if before != out:
                add(f'{block}shortcut', out, before, 1)
            kernels = (1, 3, 1) if bottleneck else (3, 3)
            sizes = (before, *[inner] * (len(kernels) - 1), out)
            for c, kernel in enumerate(kernels):
                add(f'{block}conv{c + 1}', sizes[c + 1], sizes[c], kernel)
            before = out
    return shapes


def swin_shapes(
    width: int,
    depths: Sequence[int],
    num_heads: Sequence[int],
    window: int,
) -> Dict[str, Shape]:
    """List the weights of the public Swin with four outputs.

    Args:
        width (int): Channels of the first stage; 192 in Swin-L.
        depths (Sequence[int]): Blocks of the four stages.
        num_heads (Sequence[int]): Heads of the four stages.
        window (int): Side of the windows; 12 in Swin-L.

    Returns:
        dict[str, tuple[int]]: Shape by name, ``backbone.*``.
    """
    named = [*_affine('patch_embed.proj', (width, 3, 4, 4))]
    named += _affine('patch_embed.norm', (width,))
    for i, (depth, heads) in enumerate(zip(depths, num_heads)):
        channels = width * 2**i
        for j in range(depth):
            named += _swin_block(f'layers.{i}.blocks.{j}', channels)
            attention = f'layers.{i}.blocks.{j}.attn.relative_position_'
            table = ((2 * window - 1) ** 2, heads)
            named.append((f'{attention}bias_table', table))
            named.append((f'{attention}index', (window**2, window**2)))
        named += _affine(f'norm{i}', (channels,))
        if i + 1 < len(depths):
            merging = f'layers.{i}.downsample'
            shape = (2 * channels, 4 * channels)
            named.append((f'{merging}.reduction.weight', shape))
            named += _affine(f'{merging}.norm', (4 * channels,))
    return {f'backbone.{name}': shape for name, shape in named}


def _swin_block(block: str, channels: int) -> Iterator[Named]:
    for name, shape in (
        ('norm1', (channels,)),
        ('attn.qkv', (3 * channels, channels)),
        ('attn.proj', (channels, channels)),
        ('norm2', (channels,)),
        ('mlp.fc1', (4 * channels, channels)),
        ('mlp.fc2', (channels, 4 * channels)),
    ):
        yield from _affine(f'{block}.{name}', shape)
