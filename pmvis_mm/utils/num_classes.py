"""Let the annotation file decide how many classes a model has."""

from pathlib import Path
from typing import Any, Optional

from mmengine.config import Config
from mmengine.logging import print_log

from .fileio import load_json


def sync_num_classes(cfg: Config) -> Optional[int]:
    """Set every ``num_classes`` of the model to that of the data.

    Does something only if the config says ``num_classes_from_data = True``,
    so that people train on their own json without touching a model config.
    The training dataset counts, without one the test dataset.

    Args:
        cfg (Config): Changed in place.

    Returns:
        int, optional: The number of classes; None if nothing was asked for.

    Raises:
        AnnotationError: If the annotation file is missing or no json.
    """
    if not cfg.get('num_classes_from_data', False):
        return None
    loader = cfg.get('train_dataloader') or cfg.get('test_dataloader')
    dataset = loader['dataset']
    while 'dataset' in dataset:  # wrappers such as RepeatDataset
        dataset = dataset['dataset']
    classes = (dataset.get('metainfo') or {}).get('classes')
    where = 'metainfo'
    if classes is None:
        # An absolute path wins over the root, as in mmengine's datasets.
        where = str(Path(dataset.get('data_root') or '', dataset['ann_file']))
        classes = load_json(where)['categories']
    changed = _set(cfg.model, len(classes))
    print_log(
        f'{len(classes)} classes in {where}; '
        f'{changed} parts of the model follow',
        'current',
    )
    return len(classes)


def _set(node: Any, number: int) -> int:
    """Set ``num_classes`` below a node; returns how many there were."""
    changed = 0
    if isinstance(node, dict):
        if 'num_classes' in node:
            node['num_classes'] = number
            changed += 1
            loss = node.get('loss_cls') or {}
            if isinstance(loss.get('class_weight'), list):
                # One weight per class, the last one for "no object".
                first, last = loss.class_weight[0], loss.class_weight[-1]
                loss.class_weight = [first] * number + [last]
        changed += sum(_set(child, number) for child in node.values())
    elif isinstance(node, (list, tuple)):
        changed += sum(_set(child, number) for child in node)
    return changed
