"""Names of Mask2Former's weights: detectron2's and ours.

`Mask2Former <https://arxiv.org/abs/2112.01527>`_ for images and for video
(https://github.com/facebookresearch/Mask2Former) and MaskFreeVIS
(https://github.com/SysCV/MaskFreeVIS) share one set of names. All released
models take RGB images, so no channel has to be turned.
"""

from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

import torch
from torch import Tensor

from .errors import CheckpointError
from .vnext_names import (
    ConversionReport,
    listing,
    refuse_unknown,
    to_mm_merging,
)
from .vnext_rules import Rule, compile_rules, rename, to_mm_backbone_name

CLASS_HEAD = 'track_head.cls_embed.bias'

_BACKBONE = 'backbone.'
_HEAD = 'sem_seg_head.'
_PREDICTOR = f'{_HEAD}predictor.'
_PIXELS = f'{_HEAD}pixel_decoder.'
# Counts calls of the mask losses in MaskFreeVIS.
_COUNTER = 'criterion._iter'
_CALLS_PER_ITERATION = 10
_PIXEL_VALUES = ('pixel_mean', 'pixel_std')
# Nothing that a model computes with.
_UNUSED = ('criterion.empty_weight', _COUNTER, *_PIXEL_VALUES)
# Mean of ImageNet, red first.
_RGB_MEAN = (123.675, 116.28, 103.53)
_FIX = (
    "give a checkpoint of detectron2's Mask2Former or MaskFreeVIS with a "
    'ResNet or Swin backbone and the MSDeformAttn pixel decoder'
)


def mask2former_to_mm(
    state_dict: Mapping[str, Tensor], file: Any = None
) -> Tuple[Dict[str, Tensor], ConversionReport]:
    """Rename the weights of detectron2's Mask2Former to ours.

    Image and video models have the same names; ours are those of
    ``Mask2FormerVideo`` and ``MaskFreeVIS``. Names of older versions are
    known: ``static_query``, and a pixel decoder right below
    ``sem_seg_head``.

    Args:
        state_dict (Mapping[str, Tensor]): By detectron2's names.
        file (object, optional): Names the file in messages.

    Returns:
        tuple:

        - dict[str, Tensor]: By the names of our model.
        - ConversionReport: What was used and dropped. Its notes tell the
          warm-up counter of MaskFreeVIS, and pixel means other than those
          of ImageNet in RGB.

    Raises:
        CheckpointError: If names are unknown, or two stand for the same
            weight. Lists them.
    """
    out: Dict[str, Tensor] = {}
    unknown, dropped, twice = [], [], []
    for name, value in state_dict.items():
        new = to_mm_name(name)
        if name in _UNUSED:
            dropped.append(name)
        elif new is None:
            unknown.append(name)
        elif new in out:
            twice.append(name)
        else:
            out[new] = to_mm_merging(name, value)
    if unknown and not any(name.startswith(_HEAD) for name in state_dict):
        raise CheckpointError(
            'no weights of Mask2Former (none begins with "sem_seg_head."), '
            f'but {listing(unknown)}',
            file=file,
            fix=_FIX,
        )
    refuse_unknown(unknown, "detectron2's Mask2Former", file, _FIX)
    if twice:
        raise CheckpointError(
            f'weights under an old and a new name: {listing(twice)}',
            file=file,
            fix='remove one of the two',
        )
    return out, ConversionReport(
        num_total=len(state_dict),
        num_used=len(out),
        dropped=tuple(dropped),
        notes=tuple(_notes(state_dict)),
    )


def warmup_counter(state_dict: Mapping[str, Tensor]) -> Optional[int]:
    """Find how often the mask losses of MaskFreeVIS were computed.

    They were 10 times per iteration, and the TK-loss has its whole weight
    from 2000 on.

    Args:
        state_dict (Mapping[str, Tensor]): By detectron2's names.

    Returns:
        int | None: The count; None if the file has no counter, as those of
        Mask2Former.
    """
    counter = state_dict.get(_COUNTER)
    return None if counter is None else int(counter.flatten()[0])


def to_mm_name(name: str) -> Optional[str]:
    """Give a weight of detectron2's Mask2Former the name that it has here.

    Args:
        name (str): Name in detectron2's model.

    Returns:
        str | None: Name in our model; None if there is no such weight.
    """
    if name.startswith(_BACKBONE):
        ours = to_mm_backbone_name(name[len(_BACKBONE) :])
        return ours and _BACKBONE + ours
    if name.startswith(_HEAD) and not name.startswith((_PREDICTOR, _PIXELS)):
        name = _PIXELS + name[len(_HEAD) :]
    return rename(name, _RULES)


def _notes(state_dict: Mapping[str, Tensor]) -> Iterator[str]:
    count = warmup_counter(state_dict)
    if count is not None:
        yield (
            f'{_COUNTER} is {count}: the losses of MaskFreeVIS warmed up for '
            f'{count // _CALLS_PER_ITERATION} iterations and would not do so '
            'again; ours do, unless their warmup_iters is 0'
        )
    mean = state_dict.get(_PIXEL_VALUES[0])
    if mean is not None and not torch.allclose(
        mean.flatten().float(), torch.tensor(_RGB_MEAN), atol=0.01
    ):
        values = [round(float(value), 3) for value in mean.flatten()]
        yield (
            f'pixel_mean is {values}, that of RGB images is '
            f'{list(_RGB_MEAN)}: set mean, std and bgr_to_rgb of the '
            'data_preprocessor accordingly'
        )


# ---------------------------------------------------------------------- rules
def _rules() -> Iterator[Rule]:
    for theirs, ours in _pixel_decoder_rules():
        yield _PIXELS + theirs, f'track_head.pixel_decoder.{ours}'
    for theirs, ours in _predictor_rules():
        yield _PREDICTOR + theirs, f'track_head.{ours}'


def _pixel_decoder_rules() -> Iterator[Rule]:
    # Both number levels from the lowest resolution on.
    yield 'input_proj.{i}.0.{leaf}', 'input_convs.{i}.conv.{leaf}'
    yield 'input_proj.{i}.1.{leaf}', 'input_convs.{i}.gn.{leaf}'
    yield 'transformer.level_embed', 'level_encoding.weight'
    layer = 'encoder.layers.{i}.'
    for name in (
        'sampling_offsets',
        'attention_weights',
        'value_proj',
        'output_proj',
    ):
        same = f'{layer}self_attn.{name}.{{leaf}}'
        yield f'transformer.{same}', same
    for theirs, ours in (
        ('norm1', 'norms.0'),
        ('linear1', 'ffn.layers.0.0'),
        ('linear2', 'ffn.layers.1'),
        ('norm2', 'norms.1'),
    ):
        yield (
            f'transformer.{layer}{theirs}.{{leaf}}',
            f'{layer}{ours}.{{leaf}}',
        )
    # The one level beyond those of the encoder, of stride 4.
    for theirs, ours in (
        ('adapter_1', 'lateral_convs.0'),
        ('layer_1', 'output_convs.0'),
    ):
        yield f'{theirs}.{{leaf}}', f'{ours}.conv.{{leaf}}'
        yield f'{theirs}.norm.{{leaf}}', f'{ours}.gn.{{leaf}}'
    yield 'mask_features.{leaf}', 'mask_feature.{leaf}'


def _predictor_rules() -> Iterator[Rule]:
    # Ours number norms in the order they are applied in: cross attention,
    # self attention, feed-forward.
    decoder = 'transformer_decoder.layers.{i}.'
    for theirs, ours, norm in (
        ('cross_attention_layers.{i}.multihead_attn', 'cross_attn', 0),
        ('self_attention_layers.{i}.self_attn', 'self_attn', 1),
    ):
        for name in ('{leaf}', 'out_proj.{leaf}'):
            yield (
                f'transformer_{theirs}.{name}',
                f'{decoder}{ours}.attn.{name}',
            )
        owner = theirs.rpartition('.')[0]
        yield (
            f'transformer_{owner}.norm.{{leaf}}',
            f'{decoder}norms.{norm}.{{leaf}}',
        )
    for theirs, ours in (
        ('linear1', 'ffn.layers.0.0'),
        ('linear2', 'ffn.layers.1'),
        ('norm', 'norms.2'),
    ):
        yield (
            f'transformer_ffn_layers.{{i}}.{theirs}.{{leaf}}',
            f'{decoder}{ours}.{{leaf}}',
        )
    yield 'decoder_norm.{leaf}', 'transformer_decoder.post_norm.{leaf}'
    for name in ('query_feat', 'query_embed', 'level_embed'):
        yield f'{name}.weight', f'{name}.weight'
    yield 'static_query.weight', 'query_feat.weight'
    yield 'input_proj.{i}.{leaf}', 'decoder_input_projs.{i}.{leaf}'
    yield 'class_embed.{leaf}', 'cls_embed.{leaf}'
    for j in range(3):  # layers of the MLP; ReLUs are in between
        yield f'mask_embed.layers.{j}.{{leaf}}', f'mask_embed.{2 * j}.{{leaf}}'


_RULES: List[Tuple[Any, str]] = compile_rules(_rules())
