"""Names of DeAOT's weights: those of the public code and ours.

The public code (github.com/yoxu515/aot-benchmark) and its forks use the same
names. The patch merging of its Swin orders channels in another way.
"""

import re
from typing import Any, Dict, Mapping, Optional, Tuple

from torch import Tensor

from .errors import CheckpointError
from .vnext_names import ConversionReport, listing, to_mm_merging
from .vnext_rules import to_mm_backbone_name

_ENCODER = 'encoder.'
_SWIN = ('patch_embed.', 'layers.', 'norm')
# Longest first: they begin alike.
_PREFIXES = (
    ('encoder_projector.', 'projector.'),
    ('patch_wise_id_bank.', 'id_bank.conv.'),
    ('id_norm.', 'id_bank.norm.'),
    ('LSTT.decoder_norms.0.gn.', 'gpm.out_norm.'),
    ('LSTT.layers.', 'gpm.layers.'),
    ('decoder.', 'mask_head.'),
)
_LINEAR = re.compile(r'linear_\w+')


def is_official(state_dict: Mapping[str, Tensor]) -> bool:
    """Tell the weights of the public code from ours.

    Args:
        state_dict (Mapping[str, Tensor]): Weights by name.

    Returns:
        bool: Whether they have the names of the public code.
    """
    return any(name.startswith('LSTT.') for name in state_dict)


def to_our_name(name: str) -> Optional[str]:
    """Give a weight of the public code the name that it has here.

    Args:
        name (str): Name without ``module.``.

    Returns:
        str | None: Name in our ``DeAOT``; None if there is no such weight.
    """
    if name.startswith(_ENCODER):
        return _encoder_name(name[len(_ENCODER) :])
    for theirs, ours in _PREFIXES:
        if name.startswith(theirs):
            rest = name[len(theirs) :].replace('.dw_conv.conv.', '.dw_conv.')
            return ours + _LINEAR.sub(lambda m: m.group().lower(), rest)
    return None


def _encoder_name(name: str) -> Optional[str]:
    if not name.startswith(_SWIN):
        return f'backbone.{name}'
    # VNext's Swin is the same one.
    ours = to_mm_backbone_name(name)
    return ours and f'backbone.{ours}'


def official_to_mm(
    state_dict: Mapping[str, Tensor], file: Any = None
) -> Tuple[Dict[str, Tensor], ConversionReport]:
    """Rename the weights of the public DeAOT to ours.

    Args:
        state_dict (Mapping[str, Tensor]): By official names.
        file (object, optional): Names the file in messages.

    Returns:
        tuple:

        - dict[str, Tensor]: By the names of our ``DeAOT``.
        - ConversionReport: What was used and dropped.

    Raises:
        CheckpointError: If these are no weights of DeAOT.
    """
    if not is_official(state_dict):
        raise CheckpointError(
            'these are no weights of the public DeAOT; they begin with '
            f'{listing(list(state_dict)[:3])}',
            file=file,
            fix='give a .pth file of its model zoo',
        )
    out: Dict[str, Tensor] = {}
    dropped = []
    for name, value in state_dict.items():
        ours = to_our_name(name)
        if ours is None:
            dropped.append(name)
        else:
            out[ours] = to_mm_merging(name, value)
    report = ConversionReport(
        num_total=len(state_dict),
        num_used=len(out),
        dropped=tuple(dropped),
    )
    return out, report
