"""Reading checkpoints without running what is in them."""

import io
import pickle
import types
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Tuple, Union

import numpy as np
import torch
from mmengine.logging import print_log
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from .errors import CheckpointError

_SHOWN = 8
# Where heads keep losses that may learn (matchers of TKLoss): of no use in
# testing, and anew where training starts from another model.
_LOSSES = '.mask_losses.'

# What plain tensors, arrays and containers are rebuilt with. Anything else
# in a pickle may run code.
_SAFE = {
    'builtins': ('set', 'frozenset', 'slice', 'complex', 'bytearray'),
    'collections': ('OrderedDict', 'defaultdict', 'Counter', 'deque'),
    '_codecs': ('encode',),
    'numpy': ('ndarray', 'dtype'),
    'numpy.core.multiarray': ('_reconstruct', 'scalar'),
    'numpy._core.multiarray': ('_reconstruct', 'scalar'),
    'torch': ('Size', 'device'),
    'torch._utils': (
        '_rebuild_tensor',
        '_rebuild_tensor_v2',
        '_rebuild_parameter',
    ),
    'torch.nn.parameter': ('Parameter',),
    'torch.storage': ('UntypedStorage',),
}


class _Skipped(dict):
    """Stands for an object of a class that is not loaded."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __setstate__(self, state: Any) -> None:
        """Drop the attributes."""

    def append(self, item: Any) -> None:
        """Take the items of a pickled list and drop them."""

    def extend(self, items: Any) -> None:
        """Take the items of a pickled list and drop them."""


class _PlainUnpickler(pickle.Unpickler):
    """Rebuilds tensors, arrays and containers; skips all other classes."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ('torch.storage', '_load_from_bytes'):
            return _load_storage
        value = getattr(torch, name, None) if module == 'torch' else None
        plain = isinstance(value, torch.dtype) or name.endswith('Storage')
        if name in _SAFE.get(module, ()) or (module == 'torch' and plain):
            return super().find_class(module, name)
        return _Skipped


def _load_storage(data: bytes) -> Any:
    """Rebuild the storage of a tensor that pickle alone has written."""
    file = io.BytesIO(data)
    return torch.load(file, map_location='cpu', weights_only=True)


def _load_plain(file: Any, **kwargs: Any) -> Any:
    return _PlainUnpickler(file, **kwargs).load()


_PLAIN_PICKLE = types.SimpleNamespace(
    __name__='pmvis_mm.plain_pickle',
    Unpickler=_PlainUnpickler,
    load=_load_plain,
)


def read_checkpoint(path: Union[str, Path]) -> Dict[str, Any]:
    """Read a checkpoint file on the CPU.

    Training checkpoints of mmengine hold its own objects beside the weights
    (the log history), which ``torch.load(weights_only=True)`` refuses in
    some versions. They are then skipped: nothing in a file is ever run.

    Weights lie under ``state_dict``, as mmengine writes them, under
    ``model``, as detectron2 does, or fill the file alone. They may be numpy
    arrays, as in the ``.pkl`` files of detectron2's model zoo.

    Args:
        path (str | Path): File of ``torch.save`` or of ``pickle.dump``, or
            an address with ``://`` that is downloaded as mmengine does.

    Returns:
        dict: ``state_dict`` (name -> Tensor) and ``meta`` (dict, may be
        empty).

    Raises:
        CheckpointError: If the file is missing or holds no weights.
    """
    path = str(path)
    if '://' in path:
        data = _read_remote(path)
    else:
        if not Path(path).is_file():
            raise CheckpointError(
                'checkpoint does not exist',
                file=path,
                fix='give the .pth file that training wrote',
            )
        data = _read_local(path)
    weights = _as_tensors(_find_weights(data))
    if not isinstance(weights, Mapping) or not _are_weights(weights):
        raise CheckpointError(
            'no weights of a model in this file',
            file=path,
            fix='give the .pth file that training wrote',
        )
    meta = data.get('meta')
    return dict(
        state_dict={_bare(name): value for name, value in weights.items()},
        meta=meta if isinstance(meta, dict) else {},
    )


def _find_weights(data: Any) -> Any:
    """Open the container of mmengine, of detectron2, or none."""
    if not isinstance(data, dict):
        return None
    for key in ('state_dict', 'model'):
        if isinstance(data.get(key), Mapping):
            return data[key]
    return data


def _as_tensors(weights: Any) -> Any:
    """Turn numpy arrays of numbers into tensors, leave the rest alone."""
    if not isinstance(weights, Mapping):
        return weights
    return {
        name: torch.from_numpy(np.array(value, value.dtype.newbyteorder('=')))
        if isinstance(value, (np.ndarray, np.generic))
        and value.dtype.kind in 'fiub'
        else value
        for name, value in weights.items()
    }


def _read_pickle(path: str) -> Any:
    """Read a file that pickle alone has written, maybe of Python 2."""
    with open(path, 'rb') as file:
        return _load_plain(file, encoding='latin1')


def _read_local(path: str) -> Any:
    readers: List[Callable[[], Any]] = [
        lambda: torch.load(path, map_location='cpu', weights_only=True),
        lambda: torch.load(
            path,
            map_location='cpu',
            weights_only=False,
            pickle_module=_PLAIN_PICKLE,
        ),
        lambda: _read_pickle(path),
    ]
    for reader in readers:
        try:
            return reader()
        except Exception as error:
            # What a broken file raises depends on where it is broken.
            reason = error
    raise CheckpointError(
        f'not a checkpoint, or cut off ({type(reason).__name__})',
        file=path,
        fix='copy or download it again',
    ) from reason


def _read_remote(path: str) -> Any:
    try:
        return CheckpointLoader.load_checkpoint(path, map_location='cpu')
    except Exception as reason:
        raise CheckpointError(
            f'cannot be downloaded ({reason})',
            file=path,
            fix='check address and connection, or give a local file',
        ) from reason


def _are_weights(weights: Mapping) -> bool:
    return bool(weights) and all(
        isinstance(name, str) and isinstance(value, Tensor)
        for name, value in weights.items()
    )


def _bare(name: str) -> str:
    """Drop what DataParallel puts in front."""
    return name[len('module.') :] if name.startswith('module.') else name


def load_weights(
    model: nn.Module,
    state_dict: Mapping[str, Tensor],
    file: Any = None,
    allow_unused: bool = True,
) -> None:
    """Load all weights of a model, or fail.

    Weights of losses may be missing and unused; they are logged.

    Args:
        model (nn.Module): Changed in place.
        state_dict (Mapping[str, Tensor]): By name of the parameter or
            buffer.
        file (object, optional): Names the file in messages.
        allow_unused (bool): Whether names that the model does not have
            are logged only. Defaults to True.

    Raises:
        CheckpointError: If a weight is missing, has another shape or,
            unless allowed, is unused; lists which.
    """
    missing, misfits, unused = _compare(model, state_dict)
    _refuse(
        _without_losses(missing),
        list(misfits.values()),
        [] if allow_unused else _without_losses(unused),
        file,
    )
    for what, names in (
        ('the model has no use for', unused),
        ('not in the file, not trained', missing),
    ):
        if names:
            print_log(f'{file}: {what}: {_listing(names)}', 'current')
    model.load_state_dict(state_dict, strict=False)


def check_weights(
    model: nn.Module,
    file: Union[str, Path],
    new_classes: bool = False,
    allow_missing: bool = False,
    resume: bool = False,
) -> None:
    """Find out before a run that a checkpoint is not of this model.

    mmengine logs such weights and goes on without them.

    Args:
        model (nn.Module): Not changed.
        file (str | Path): Checkpoint; addresses with ``://`` pass.
        new_classes (bool): Whether layers that depend on the classes (with
            'cls' or 'class' in their name) may have another shape, as when
            a model of COCO is trained on videos; they are logged. Defaults
            to False.
        allow_missing (bool): Whether weights of the model that the file
            lacks are logged only. Defaults to False.
        resume (bool): Whether the weights of losses must be the same as
            well: with them, the state of the optimizer fits. Otherwise those
            that are missing, or too many, are logged only. Defaults to
            False.

    Raises:
        CheckpointError: If the file is missing or broken, or its weights
            do not fit; lists names and shapes.
    """
    if '://' in str(file):
        return
    state_dict = read_checkpoint(file)['state_dict']
    for what, names in compare_weights(
        model, state_dict, file, new_classes, allow_missing, resume
    ).items():
        print_log(f'{file}: {what}: {_listing(names)}', 'current')


def compare_weights(
    model: nn.Module,
    state_dict: Mapping[str, Tensor],
    file: Any = None,
    new_classes: bool = False,
    allow_missing: bool = False,
    resume: bool = False,
) -> Dict[str, List[str]]:
    """Compare names and shapes as :func:`check_weights` does.

    Args:
        model (nn.Module): Not changed.
        state_dict (Mapping[str, Tensor]): By name of the parameter or
            buffer.
        file (object, optional): Names the file in messages.
        new_classes (bool): See :func:`check_weights`.
        allow_missing (bool): See :func:`check_weights`.
        resume (bool): See :func:`check_weights`.

    Returns:
        dict[str, list[str]]: Reason to the weights that start anew, or are
        not used, for it; empty if the model takes all.

    Raises:
        CheckpointError: If the weights do not fit; lists which.
    """
    missing, misfits, unused = _compare(model, state_dict)
    fresh = [
        text
        for name, text in misfits.items()
        if new_classes and ('cls' in name or 'class' in name)
    ]
    _refuse(
        [] if allow_missing else _without_losses(missing, resume),
        [text for text in misfits.values() if text not in fresh],
        _without_losses(unused, resume),
        file,
    )
    reasons = {
        'other classes, these start anew': fresh,
        'not in the file, these start anew': missing,
        'of losses that the model does not have': unused,
    }
    return {what: names for what, names in reasons.items() if names}


def _compare(
    model: nn.Module, state_dict: Mapping[str, Tensor]
) -> Tuple[List[str], Dict[str, str], List[str]]:
    """List weights that are missing, of another shape, and unused."""
    own = model.state_dict()
    missing = [
        f'{name} {tuple(value.shape)}'
        for name, value in own.items()
        # Counters that checkpoints of old versions lack.
        if name not in state_dict and not name.endswith('num_batches_tracked')
    ]
    misfits = {
        name: f'{name} {tuple(state_dict[name].shape)}, the model has '
        f'{tuple(value.shape)}'
        for name, value in own.items()
        if name in state_dict and state_dict[name].shape != value.shape
    }
    unused = [
        f'{name} {tuple(value.shape)}'
        for name, value in state_dict.items()
        if name not in own
    ]
    return missing, misfits, unused


def _without_losses(names: List[str], keep: bool = False) -> List[str]:
    """Leave out the weights of losses, unless they are to be kept."""
    return [name for name in names if keep or _LOSSES not in name]


def _refuse(
    missing: List[str], misfits: List[str], unused: List[str], file: Any
) -> None:
    for problem, names in (
        ('lacks weights of the model', missing),
        ('has weights of another shape', misfits),
        ('has weights beyond the model', unused),
    ):
        if names:
            raise CheckpointError(
                f'checkpoint {problem}: {_listing(names)}',
                file=file,
                fix='give config and checkpoint of the same model, with as '
                'many classes',
            )


def _listing(names: List[str]) -> str:
    text = '; '.join(names[:_SHOWN])
    rest = len(names) - _SHOWN
    return f'{text} and {rest} more' if rest > 0 else text
