"""Refuse a model that its training data cannot teach."""

from typing import Any, Iterator, Tuple

from mmengine.hooks import Hook
from torch import nn

from ...registry import HOOKS
from ...utils.errors import ConfigError


@HOOKS.register_module()
class CheckSupervisionHook(Hook):
    """Compares model and training data before the first iteration.

    - Losses with ``needs_masks = True`` need masks: no dataset of
      ``supervision='box'`` may be among the training data.
    - ``num_classes`` of every head must be the number of classes of the
      training data. Region proposal heads and class-agnostic ones have
      their own.

    Raises:
        ConfigError: Before training; names both sides and the fix.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Any) -> None:
        """Check model and data."""
        for dataset in dataset_leaves(runner.train_dataloader.dataset):
            _check_masks(runner.model, dataset)
            _check_classes(runner.model, dataset)


def dataset_leaves(dataset: Any) -> Iterator[Any]:
    """Unwrap repeated, balanced and joined datasets.

    Args:
        dataset (Any): Of a data loader.

    Yields:
        Any: The datasets that read files.
    """
    if hasattr(dataset, 'datasets'):
        for child in dataset.datasets:
            yield from dataset_leaves(child)
    elif hasattr(dataset, 'dataset'):
        yield from dataset_leaves(dataset.dataset)
    else:
        yield dataset


def _check_masks(model: nn.Module, dataset: Any) -> None:
    if getattr(dataset, 'supervision', None) != 'box':
        return
    names = [
        type(module).__name__
        for module in model.modules()
        if getattr(module, 'needs_masks', False)
    ]
    if names:
        raise ConfigError(
            f'{", ".join(dict.fromkeys(names))} need masks, but the training '
            'data have supervision="box"',
            file=getattr(dataset, 'ann_file', None),
            fix='take them out of mask_losses, or train on masks: '
            'supervision="pseudo" with pseudo_ann_file, or "full"',
        )


def _check_classes(model: nn.Module, dataset: Any) -> None:
    classes = (getattr(dataset, 'metainfo', None) or {}).get('classes')
    if classes is None or isinstance(classes, str):
        return
    for name, number in _heads(model):
        if number != len(classes):
            raise ConfigError(
                f'{name} of the model has num_classes={number}, but the '
                f'training data have {len(classes)} classes: '
                f'{list(classes)[:5]}',
                file=getattr(dataset, 'ann_file', None),
                fix=f'set num_classes={len(classes)} in the model, or '
                'num_classes_from_data=True at the top of the config',
            )


def _heads(model: nn.Module) -> Iterator[Tuple[str, int]]:
    """Find heads that tell classes apart, with their number of classes."""
    for name, module in model.named_modules():
        number = getattr(module, 'num_classes', None)
        if not isinstance(number, int):
            continue
        is_head = any(
            c.__name__.endswith('Head') for c in type(module).__mro__
        )
        # Foreground or not: one class, whatever the data have.
        is_rpn = name.split('.')[-1] == 'rpn_head'
        if is_head and not is_rpn and not _is_agnostic(module):
            yield name, number


def _is_agnostic(module: nn.Module) -> bool:
    return bool(getattr(module, 'class_agnostic', False))
