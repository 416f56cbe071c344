"""What the converters of checkpoints of whole models share."""

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from mmengine.registry import DefaultScope
from torch import Tensor

from ..datasets.metainfo import DATASET_CLASSES, class_palette
from ..models.vis.inference import read_model_config, scope_of
from ..registry import MODELS
from ..utils.checkpoint import compare_weights
from ..utils.converted_files import PathLike
from ..utils.errors import ConfigError
from ..utils.num_classes import set_num_classes


def check_model(
    config: PathLike,
    weights: Mapping[str, Tensor],
    num_classes: int,
    src: PathLike,
    what: str,
    new_classes: bool = False,
) -> Dict[str, List[str]]:
    """Build the model of a config, which must take exactly these weights.

    Args:
        config (str | Path): Config of our model. If it counts its classes
            in the data, it gets those of the checkpoint.
        weights (Mapping[str, Tensor]): By our names.
        num_classes (int): Classes of the checkpoint.
        src (str | Path): Names the checkpoint in messages.
        what (str): Kind of model in messages, such as 'an IDOL'.
        new_classes (bool): Whether layers that depend on the classes may
            have another shape. Defaults to False.

    Returns:
        dict[str, list[str]]: See ``compare_weights``: empty unless there are
        new classes.

    Raises:
        ConfigError: If the config does not exist or has no model that can
            be built.
        CheckpointError: If the weights do not fit; lists which.
    """
    cfg = read_model_config(config)
    if cfg.get('model') is None:
        raise ConfigError(
            'no "model" in this config',
            file=config,
            fix=f'give the config of {what}',
        )
    if cfg.get('num_classes_from_data'):
        set_num_classes(cfg.model, num_classes)
    try:
        with DefaultScope.overwrite_default_scope(scope_of(cfg)):
            model = MODELS.build(cfg.model)
    except KeyError as reason:
        raise ConfigError(
            f'the model cannot be built: {reason.args[0]}',
            file=config,
            fix='give the config of a training, which has a default_scope, '
            'not a part of it',
        ) from reason
    return compare_weights(model, weights, src, new_classes=new_classes)


def dataset_meta(
    num_classes: int,
    classes: Optional[Sequence[str]],
    src: PathLike,
) -> Dict[str, Any]:
    """Name the classes of a checkpoint that only has their number.

    Args:
        num_classes (int): Classes of the checkpoint.
        classes (Sequence[str], optional): One name of a dataset, see
            ``metainfo.DATASET_CLASSES``, or the names of all classes in the
            order of their labels. By default the dataset that alone has as
            many.
        src (str | Path): Names the checkpoint in messages.

    Returns:
        dict: ``classes`` (tuple[str]) and ``palette`` (one RGB triple each).

    Raises:
        ConfigError: If the classes are needed, named twice or of another
            number.
    """
    names = _guessed(num_classes, src) if classes is None else _named(classes)
    if len(names) != num_classes:
        raise ConfigError(
            f'the checkpoint has {num_classes} classes, but {len(names)} are '
            f'given: {_shortened(names)}',
            file=src,
            fix='name the dataset that the model was trained on',
        )
    return dict(classes=names, palette=class_palette(num_classes))


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
