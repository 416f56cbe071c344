"""Loading the official checkpoints of SAM and HQ-SAM."""

from pathlib import Path
from typing import Any, Dict, Mapping

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from ...utils.checkpoint import load_weights, read_checkpoint
from ...utils.errors import CheckpointError

_HQ_PARTS = tuple(
    f'mask_decoder.{part}.'
    for part in (
        'hf_token',
        'hf_mlp',
        'compress_vit_feat',
        'embedding_encoder',
        'embedding_maskfeature',
    )
)
# What follows from the architecture; some files have it nevertheless.
_DERIVED = ('attention_bias_idxs', '.attn.ab', 'pixel_mean', 'pixel_std')


def read_sam_checkpoint(path: str) -> Dict[str, Tensor]:
    """Read an official checkpoint on the CPU.

    Args:
        path (str): File, or an address with ``://``.

    Returns:
        dict[str, Tensor]: Weights by official name.

    Raises:
        CheckpointError: If the file is missing or holds no weights.
    """
    if '://' not in path and not Path(path).is_file():
        raise CheckpointError(
            'checkpoint does not exist',
            file=path,
            fix='download sam_hq_vit_h.pth, or that of the chosen size, from '
            'https://huggingface.co/lkeab/hq-sam',
        )
    return read_checkpoint(path)['state_dict']


def load_sam_weights(
    model: nn.Module, state_dict: Mapping[str, Tensor], file: Any = None
) -> None:
    """Load an official state dict, completely or not at all.

    A model without HQ-SAM's additional parts takes a checkpoint of HQ-SAM
    as well: the rest of it is SAM.

    Args:
        model (nn.Module): Changed in place; its parts are named
            ``image_encoder``, ``prompt_encoder`` and ``mask_decoder``.
        state_dict (Mapping[str, Tensor]): By official name.
        file (object, optional): Names the file in messages.

    Raises:
        CheckpointError: If a weight is missing, superfluous or of another
            shape, or if it is a checkpoint of plain SAM but the model is
            HQ-SAM; lists which.
    """
    own = model.state_dict()
    weights: Dict[str, Tensor] = {
        name: value
        for name, value in state_dict.items()
        if not name.endswith(_DERIVED)
    }
    hq = [name for name in own if name.startswith(_HQ_PARTS)]
    if hq and not any(name in weights for name in hq):
        raise CheckpointError(
            f'a checkpoint of plain SAM: it lacks the {len(hq)} weights of '
            f'HQ-SAM, {", ".join(hq)}',
            file=file,
            fix='give a sam_hq_*.pth file, or use '
            "mask_decoder=dict(type='SAMMaskDecoder')",
        )
    if not hq:
        extra = [name for name in weights if name.startswith(_HQ_PARTS)]
        for name in extra:
            del weights[name]
        if extra:
            print_log(
                f'{file}: the {len(extra)} weights of HQ-SAM are not used',
                'current',
            )
    for name, value in own.items():
        if name.endswith('num_batches_tracked'):
            weights.setdefault(name, torch.zeros((), dtype=value.dtype))
        elif name.endswith(_DERIVED):
            weights[name] = value
    load_weights(model, weights, file, allow_unused=False)
