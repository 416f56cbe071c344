"""Checkpoint files of IDOL: VNext's and ours, both ways."""

from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Union

import torch
from mmengine.registry import DefaultScope
from torch import Tensor

from ..datasets.metainfo import DATASET_CLASSES, class_palette
from ..models.vis.inference import read_model_config, scope_of
from ..registry import MODELS
from ..utils.checkpoint import load_weights, read_checkpoint
from ..utils.errors import CheckpointError, ConfigError
from ..utils.fileio import atomic_write
from ..utils.num_classes import set_num_classes
from ..utils.vnext_names import (
    ConversionReport,
    mm_to_vnext_with_report,
    vnext_to_mm,
)

PathLike = Union[str, Path]

_CLASS_HEAD = 'detector.bbox_head.cls_branches.0.bias'


def convert_idol_checkpoint(
    src: PathLike,
    dst: Optional[PathLike] = None,
    config: Optional[PathLike] = None,
    classes: Optional[Sequence[str]] = None,
    reverse: bool = False,
) -> ConversionReport:
    """Convert a checkpoint of VNext's IDOL to ours, or ours to VNext's.

    Args:
        src (str | Path): File to read; nothing in it is run.
        dst (str | Path, optional): File to write. None only checks.
        config (str | Path, optional): Config of our model. If given, the
            model is built and must take exactly these weights.
        classes (Sequence[str], optional): One name of a dataset, see
            ``metainfo.DATASET_CLASSES``, or the names of all classes in the
            order of their labels. By default the dataset that alone has as
            many. Only for VNext's files, which do not name them.
        reverse (bool): Whether ``src`` is ours. Defaults to False.

    Returns:
        ConversionReport: What was used, dropped and made up.

    Raises:
        CheckpointError: If ``src`` is missing, broken or of another model.
        ConfigError: If the config does not exist or has no model, or the
            classes are needed, unknown or of another number.
        OutputError: If ``dst`` cannot be written.
    """
    if dst is not None and Path(dst).resolve() == Path(src).resolve():
        raise ConfigError(
            'source and target are the same file',
            file=dst,
            fix='name another file to write',
        )
    if reverse and classes is not None:
        raise ConfigError(
            f"VNext's files do not name classes, got {list(classes)}",
            fix='leave out the classes',
        )
    weights = read_checkpoint(src)['state_dict']
    data: Dict[str, Any]
    if reverse:
        theirs, report = mm_to_vnext_with_report(weights, file=src)
        ours, data = weights, dict(model=theirs)
    else:
        ours, report = vnext_to_mm(weights, file=src)
        data = dict(
            state_dict=ours,
            meta=dict(
                dataset_meta=_dataset_meta(ours, classes, src),
                source=f'{Path(src).name} of VNext',
            ),
        )
    if config is not None:
        _check_model(config, ours, src)
    if dst is not None:
        with atomic_write(dst, binary=True) as file:
            torch.save(data, file)
    return report


def _dataset_meta(
    weights: Mapping[str, Tensor],
    classes: Optional[Sequence[str]],
    src: PathLike,
) -> Dict[str, Any]:
    num_classes = _num_classes(weights, src)
    names = _guessed(num_classes, src) if classes is None else _named(classes)
    if len(names) != num_classes:
        raise ConfigError(
            f'the checkpoint has {num_classes} classes, but {len(names)} are '
            f'given: {_shortened(names)}',
            file=src,
            fix='name the dataset that the model was trained on',
        )
    return dict(classes=names, palette=class_palette(num_classes))


def _num_classes(weights: Mapping[str, Tensor], src: PathLike) -> int:
    if _CLASS_HEAD not in weights:
        raise CheckpointError(
            'no class_embed among the weights',
            file=src,
            fix="give a checkpoint of VNext's whole IDOL",
        )
    return len(weights[_CLASS_HEAD])


def _named(classes: Sequence[str]) -> Tuple[str, ...]:
    if len(classes) == 1 and classes[0] in DATASET_CLASSES:
        return DATASET_CLASSES[classes[0]]
    if len(set(classes)) != len(classes):
        raise ConfigError(
            f'a class is named twice: {list(classes)}',
            fix='give every class once',
        )
    return tuple(classes)


def _guessed(num_classes: int, src: PathLike) -> Tuple[str, ...]:
    fits = {
        name: names
        for name, names in DATASET_CLASSES.items()
        if len(names) == num_classes
    }
    if len(set(fits.values())) == 1:
        return next(iter(fits.values()))
    known = f'as have {sorted(fits)}' if fits else 'as no dataset known here'
    raise ConfigError(
        f'the checkpoint has {num_classes} classes, {known}',
        file=src,
        fix='choose with --classes DATASET'
        if fits
        else 'name all of them with --classes NAME NAME ...',
    )


def _shortened(names: Sequence[str]) -> str:
    return ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')


def _check_model(
    config: PathLike, weights: Mapping[str, Tensor], src: PathLike
) -> None:
    cfg = read_model_config(config)
    if cfg.get('model') is None:
        raise ConfigError(
            'no "model" in this config',
            file=config,
            fix='give the config of an IDOL',
        )
    if cfg.get('num_classes_from_data'):
        set_num_classes(cfg.model, _num_classes(weights, src))
    with DefaultScope.overwrite_default_scope(scope_of(cfg)):
        model = MODELS.build(cfg.model)
    load_weights(model, weights, src, allow_unused=False)
