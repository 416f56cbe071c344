"""Names of MobileNetV2's weights: torchvision's, mmdet's and ours."""

import re
from typing import Any, Dict, Iterator, List, Mapping, Tuple

from torch import Tensor

from .errors import CheckpointError
from .vnext_names import listing

# Blocks of mmdet's layer1 ... layer7; torchvision counts them through.
_BLOCKS = (1, 2, 3, 4, 3, 3, 1)
_LAST = 1 + sum(_BLOCKS)
_NORM = ('weight', 'bias', 'running_mean', 'running_var')
# Files older than PyTorch 0.4.1 lack it; no normalisation needs it.
_COUNTER = 'num_batches_tracked'
_CLASSIFIER = 'classifier.'
_NESTED = re.compile(r'features\.\d+\.conv\.\d+\.\d+\.')


def mobilenet_v2_to_mm(
    state_dict: Mapping[str, Tensor], file: Any = None
) -> Dict[str, Tensor]:
    """Rename the weights of a MobileNetV2 for mmdet's backbone.

    Source: `MobileNetV2 <https://arxiv.org/abs/1801.04381>`_, Table 2. In
    each of its 17 blocks the convolutions are either numbered alone, each
    with its normalisation (``features.2.conv.0.1.weight``, torchvision), or
    together with normalisations and activations
    (``features.2.conv.1.weight``, as in the files that most ImageNet
    weights come from). Both are read. The weights expect what torchvision
    feeds them: RGB, mean (123.675, 116.28, 103.53) and standard deviation
    (58.395, 57.12, 57.375).

    Args:
        state_dict (Mapping[str, Tensor]): By torchvision's names; the
            classifier may be among them and is left out. Not changed.
        file (object, optional): Names the file in messages.

    Returns:
        dict[str, Tensor]: The same tensors by the names of mmdet's
        ``MobileNetV2``, any ``widen_factor``: ``conv1``, ``layer1`` ...
        ``layer7``, ``conv2``.

    Raises:
        CheckpointError: If a name is missing or unknown.
    """
    nested = any(_NESTED.match(name) for name in state_dict)
    names = {
        f'{theirs}.{leaf}': f'{ours}.{leaf}'
        for theirs, ours, leaves in _modules(nested)
        for leaf in leaves
    }
    for problem, found in (
        ('lacks weights of MobileNetV2', _missing(names, state_dict)),
        ('has weights beyond MobileNetV2', _unknown(names, state_dict)),
    ):
        if found:
            raise CheckpointError(
                f'checkpoint {problem}: {listing(found)}',
                file=file,
                fix='give the weights of a MobileNetV2 by the names of '
                'torchvision (features.0.0.weight, ...)',
            )
    return {
        ours: state_dict[theirs]
        for theirs, ours in names.items()
        if theirs in state_dict
    }


def mobilenet_v2_to_dilated(
    state_dict: Mapping[str, Tensor], file: Any = None
) -> Dict[str, Tensor]:
    """Rename the weights of a MobileNetV2 for DeAOT's backbone.

    Args:
        state_dict (Mapping[str, Tensor]): See :func:`mobilenet_v2_to_mm`.
        file (object, optional): Names the file in messages.

    Returns:
        dict[str, Tensor]: The same tensors by the names of our
        ``DilatedMobileNetV2``, which are those of torchvision with each
        convolution and its normalisation numbered together.

    Raises:
        CheckpointError: If a name is missing or unknown.
    """
    names = {
        f'{mm}.{leaf}': f'{own}.{leaf}'
        for own, mm, leaves in _modules(nested=True)
        for leaf in leaves
    }
    renamed = mobilenet_v2_to_mm(state_dict, file)
    return {names[name]: value for name, value in renamed.items()}


def _missing(names: Mapping[str, str], given: Mapping[str, Any]) -> List[str]:
    return [
        name
        for name in names
        if name not in given and not name.endswith(_COUNTER)
    ]


def _unknown(names: Mapping[str, str], given: Mapping[str, Any]) -> List[str]:
    return [
        name
        for name in given
        if name not in names and not name.startswith(_CLASSIFIER)
    ]


def _modules(nested: bool) -> Iterator[Tuple[str, str, Tuple[str, ...]]]:
    """Yield their name, our name and the tensors of every module."""
    for conv, norm, ours in _convolutions(nested):
        yield conv, f'{ours}.conv', ('weight',)
        yield norm, f'{ours}.bn', (*_NORM, _COUNTER)


def _convolutions(nested: bool) -> Iterator[Tuple[str, str, str]]:
    """Yield names of convolution, normalisation, and mmdet's pair of both."""
    yield 'features.0.0', 'features.0.1', 'conv1'
    index = 1
    for layer, num_blocks in enumerate(_BLOCKS, 1):
        for block in range(num_blocks):
            kinds = ['expand_conv', 'depthwise_conv', 'linear_conv']
            if layer == 1:  # nothing to expand
                kinds = kinds[1:]
            for number, kind in enumerate(kinds):
                conv, norm = _numbers(number, len(kinds), nested)
                prefix = f'features.{index}.conv'
                ours = f'layer{layer}.{block}.{kind}'
                yield f'{prefix}.{conv}', f'{prefix}.{norm}', ours
            index += 1
    yield f'features.{_LAST}.0', f'features.{_LAST}.1', 'conv2'


def _numbers(number: int, count: int, nested: bool) -> Tuple[str, str]:
    """Where a convolution of a block and its normalisation stand."""
    if not nested:  # convolution, normalisation, activation
        return str(3 * number), str(3 * number + 1)
    if number == count - 1:  # the linear one stands bare
        return str(number), str(number + 1)
    return f'{number}.0', f'{number}.1'
