"""Names of IDOL's weights: VNext's and ours, both ways.

VNext (https://github.com/wjf5203/VNext) is the public implementation of
`IDOL <https://arxiv.org/abs/2207.10661>`_. Its weights differ from ours in
name and, in the patch merging of Swin, in the order of the channels.
"""

import re
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

import torch
from torch import Tensor

from .errors import CheckpointError
from .vnext_rules import BACKBONE, to_mm_name, to_vnext_name

_SHOWN = 8
# The detector and its sisters, below the outer module.
_OUTER = tuple(
    f'detr.{child}.'
    for child in ('detr', 'controller', 'mask_head', 'reid_embed_head')
)
_DUPLICATE = 'detr.transformer.decoder.bbox_embed.'
_PARTNER = 'detr.bbox_embed.'
# Fed by the output of stride 4, which IDOL never reads.
_UNUSED_NORM = f'{BACKBONE}norm0.'
# Warm-up counters of the box-supervised variants.
_COUNTER = '_iter'
_FIX = (
    'give a checkpoint of IDOL with a ResNet or Swin backbone, and the right '
    'direction (--reverse turns ours into theirs)'
)
_MERGING = re.compile(r'\.downsample\.(reduction\.weight|norm\.\w+)$')
# Their order: the four pixels of a patch column by column; ours: row by row.
_PIXELS = [0, 2, 1, 3]


@dataclass(frozen=True)
class ConversionReport:
    """What became of the names of a checkpoint.

    Args:
        num_total (int): Names in the source.
        num_used (int): Names whose tensor is in the result.
        duplicates (tuple[str]): Names left out because another name holds
            the same tensor.
        dropped (tuple[str]): Names left out because the target has no use
            for them.
        made_up (tuple[str]): Names of the result that the source lacks.
        prefix (str): What stands before VNext's names: 'detr.' in official
            files, or nothing.
        notes (tuple[str]): What else a user should know, one line each.
    """

    num_total: int
    num_used: int
    duplicates: Tuple[str, ...] = ()
    dropped: Tuple[str, ...] = ()
    made_up: Tuple[str, ...] = ()
    prefix: str = ''
    notes: Tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f'{self.num_used} of {self.num_total} keys used'
        if self.duplicates:
            text += f'; {len(self.duplicates)} duplicates dropped'
        for names, what in (
            (self.dropped, 'without use dropped'),
            (self.made_up, 'made up'),
        ):
            if names:
                text += f'; {len(names)} {what}: {listing(names)}'
        return '\n'.join((text, *self.notes))


def listing(names: Sequence[str]) -> str:
    """Join the first few names.

    Args:
        names (Sequence[str]): Any number of them.

    Returns:
        str: The first 8, then how many there are beyond them.
    """
    text = ', '.join(names[:_SHOWN])
    rest = len(names) - _SHOWN
    return f'{text} and {rest} more' if rest > 0 else text


# ----------------------------------------------------------------- converters
def vnext_to_mm(
    state_dict: Mapping[str, Tensor], file: Any = None
) -> Tuple[Dict[str, Tensor], ConversionReport]:
    """Rename the weights of VNext's IDOL to ours.

    Works for ResNet and Swin backbones. Box heads that the decoder lists
    once more are dropped, and so is Swin's ``norm0``, whose output nobody
    reads. Gradients and other tensors by parameter can be renamed too.

    Args:
        state_dict (Mapping[str, Tensor]): By VNext's names, as in official
            files (all begin with ``detr.``, the detector's with
            ``detr.detr.``) or without the outer ``detr.``.
        file (object, optional): Names the file in messages.

    Returns:
        tuple:

        - dict[str, Tensor]: By the names of our ``IDOL``.
        - ConversionReport: What was used and dropped.

    Raises:
        CheckpointError: If names are unknown, or the decoder's copy of a
            box head differs from the box head. Lists them.
    """
    prefix = _find_prefix(state_dict)
    out: Dict[str, Tensor] = {}
    unknown, duplicates, dropped = [], [], []
    for full, value in state_dict.items():
        name = full[len(prefix) :] if full.startswith(prefix) else ''
        new = to_mm_name(name)
        if name.startswith(_DUPLICATE):
            duplicates.append(full)
        elif name.startswith(_UNUSED_NORM) or _is_counter(full):
            dropped.append(full)
        elif new is None:
            unknown.append(full)
        else:
            out[new] = to_mm_merging(full, value)
    refuse_unknown(unknown, "VNext's IDOL", file, _FIX)
    _check_duplicates(state_dict, duplicates, file)
    return out, ConversionReport(
        num_total=len(state_dict),
        num_used=len(out),
        duplicates=tuple(duplicates),
        dropped=tuple(dropped),
        prefix=prefix,
    )


def mm_to_vnext(
    state_dict: Mapping[str, Tensor], prefix: str = 'detr.'
) -> Dict[str, Tensor]:
    """Rename the weights of our IDOL to VNext's.

    Args:
        state_dict (Mapping[str, Tensor]): By the names of our ``IDOL``.
        prefix (str): Put before all names. Defaults to 'detr.', as in
            official files.

    Returns:
        dict[str, Tensor]: By VNext's names, with the decoder's copies of
        the box heads (the same tensors) and Swin's ``norm0``.

    Raises:
        CheckpointError: If names are unknown. Lists them.
    """
    return mm_to_vnext_with_report(state_dict, prefix)[0]


def mm_to_vnext_with_report(
    state_dict: Mapping[str, Tensor],
    prefix: str = 'detr.',
    file: Any = None,
) -> Tuple[Dict[str, Tensor], ConversionReport]:
    """Rename as :func:`mm_to_vnext` and tell what was dropped or made up.

    Args:
        state_dict (Mapping[str, Tensor]): See :func:`mm_to_vnext`.
        prefix (str): See :func:`mm_to_vnext`.
        file (object, optional): Names the file in messages.

    Returns:
        tuple: dict[str, Tensor] and ConversionReport. Copies of the box
        heads do not count as made up.

    Raises:
        CheckpointError: If names are unknown. Lists them.
    """
    out: Dict[str, Tensor] = {}
    unknown, dropped = [], []
    for full, value in state_dict.items():
        name = to_vnext_name(full)
        if full.endswith('.num_batches_tracked'):
            dropped.append(full)  # frozen norms count nothing
        elif name is None:
            unknown.append(full)
        else:
            out[prefix + name] = _reordered(full, value, _columns_first)
    refuse_unknown(unknown, 'our IDOL', file, _FIX)
    num_used = len(out)
    for name, value in list(out.items()):
        if name.startswith(prefix + _PARTNER):
            copy = _DUPLICATE + name[len(prefix + _PARTNER) :]
            out[prefix + copy] = value
    made_up = _neutral_norm(out, prefix)
    out.update(made_up)
    return out, ConversionReport(
        num_total=len(state_dict),
        num_used=num_used,
        dropped=tuple(dropped),
        made_up=tuple(made_up),
        prefix=prefix,
    )


def _find_prefix(names: Mapping[str, Tensor]) -> str:
    outer = any(name.startswith(_OUTER) for name in names)
    return 'detr.' if outer else ''


def _is_counter(name: str) -> bool:
    return name.split('.')[-1] == _COUNTER


def refuse_unknown(
    names: Sequence[str], model: str, file: Any, fix: str
) -> None:
    """Refuse names that no rule knows.

    Args:
        names (Sequence[str]): The unknown ones; none is fine.
        model (str): What the checkpoint should be of.
        file (object): Names the file in the message, if not None.
        fix (str): What the user can do.

    Raises:
        CheckpointError: If there are any. Lists them.
    """
    if names:
        raise CheckpointError(
            f'{len(names)} weights that {model} does not have: '
            f'{listing(names)}',
            file=file,
            fix=fix,
        )


def _check_duplicates(
    state_dict: Mapping[str, Tensor], duplicates: List[str], file: Any
) -> None:
    different = []
    for name in duplicates:
        partner = state_dict.get(name.replace(_DUPLICATE, _PARTNER))
        if partner is None or not torch.equal(partner, state_dict[name]):
            different.append(name)
    if different:
        raise CheckpointError(
            "the decoder's copies of box heads differ from the box heads: "
            f'{listing(different)}',
            file=file,
            fix='give a checkpoint of IDOL, where both are the same weights',
        )


def _neutral_norm(
    state_dict: Mapping[str, Tensor], prefix: str
) -> Dict[str, Tensor]:
    """Make the norm that VNext's Swin has, and we have not."""
    like = state_dict.get(f'{prefix}{BACKBONE}patch_embed.proj.bias')
    name = prefix + _UNUSED_NORM
    if like is None or f'{name}weight' in state_dict:
        return {}
    return {
        f'{name}weight': torch.ones_like(like),
        f'{name}bias': torch.zeros_like(like),
    }


# -------------------------------------------------------------- patch merging
def to_mm_merging(name: str, value: Tensor) -> Tensor:
    """Give patch merging of the public Swin the channel order of mmdet's.

    Args:
        name (str): The public name, with any prefix.
        value (Tensor): Any weight; (..., 4C) in patch merging.

    Returns:
        Tensor: Same shape; the very tensor if it is no patch merging.

    Raises:
        CheckpointError: If the last size is no multiple of four.
    """
    return _reordered(name, value, _rows_first)


def _reordered(
    name: str, value: Tensor, order: Callable[[Tensor], Tensor]
) -> Tensor:
    """Reorder the 4C inputs of patch merging, leave all others alone."""
    if not _MERGING.search(name):
        return value
    if value.ndim == 0 or value.shape[-1] % 4:
        raise CheckpointError(
            f'{name} of shape {tuple(value.shape)} cannot merge four pixels',
            fix='give a checkpoint with the public Swin as backbone',
        )
    return order(value)


def _rows_first(value: Tensor) -> Tensor:
    """(..., 4C) from pixel by pixel to channel by channel."""
    pixels = value.unflatten(-1, (4, -1))[..., _PIXELS, :]
    return pixels.transpose(-1, -2).flatten(-2)


def _columns_first(value: Tensor) -> Tensor:
    """Undo :func:`_rows_first`; swapping two pixels twice changes nothing."""
    pixels = value.unflatten(-1, (-1, 4)).transpose(-1, -2)
    return pixels[..., _PIXELS, :].flatten(-2)
