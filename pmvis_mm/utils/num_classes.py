"""Let the annotation file decide how many classes a model has."""

from pathlib import Path
from typing import Any, List, Optional, Sequence, Tuple

from mmengine.config import Config
from mmengine.logging import print_log

from .errors import AnnotationError
from .fileio import load_json


def sync_num_classes(cfg: Config) -> Optional[int]:
    """Set every ``num_classes`` of the model to that of the data.

    Does something only if the config says ``num_classes_from_data = True``,
    so that people train on their own json without touching a model config.
    The training dataset counts; where its file is not there, the test
    dataset.

    Args:
        cfg (Config): Changed in place.

    Returns:
        int, optional: The number of classes; None if nothing was asked for.

    Raises:
        AnnotationError: If the annotation file is missing or no json.
    """
    if not cfg.get('num_classes_from_data', False):
        return None
    classes, where = _read_classes(cfg)
    changed = set_num_classes(cfg.model, len(classes))
    print_log(
        f'{len(classes)} classes in {where}; '
        f'{changed} parts of the model follow',
        'current',
    )
    return len(classes)


def _read_classes(cfg: Config) -> Tuple[Sequence[Any], str]:
    """Find the classes of the data and where they stand."""
    missing: List[str] = []
    for key in ('train_dataloader', 'test_dataloader'):
        dataset = (cfg.get(key) or {}).get('dataset') or {}
        while 'dataset' in dataset:  # wrappers such as RepeatDataset
            dataset = dataset['dataset']
        classes = (dataset.get('metainfo') or {}).get('classes')
        if classes is not None:
            return classes, f'metainfo of {key}'
        if 'ann_file' in dataset:
            # An absolute path wins over the root, as in mmengine's datasets.
            path = Path(dataset.get('data_root') or '', dataset['ann_file'])
            if path.is_file():
                return load_json(path)['categories'], str(path)
            missing.append(str(path))
    raise AnnotationError(
        'num_classes_from_data=True, but there is no annotation file',
        file=' nor '.join(missing) or None,
        fix='check ann_file and data_root of the dataset',
    )


def set_num_classes(node: Any, number: int) -> int:
    """Set every ``num_classes`` in a model config.

    The class weights of ``loss_cls`` are resized along.

    Args:
        node (dict | list | Any): Model config; changed in place.
        number (int): Number of classes.

    Returns:
        int: How many parts were set.
    """
    if isinstance(node, (list, tuple)):
        return sum(set_num_classes(child, number) for child in node)
    if not isinstance(node, dict):
        return 0
    changed = sum(set_num_classes(child, number) for child in node.values())
    if 'num_classes' in node:
        _resize_class_weight(node.get('loss_cls'), node['num_classes'], number)
        node['num_classes'] = number
        changed += 1
    return changed


def _resize_class_weight(loss: Any, old: int, new: int) -> None:
    weights = loss.get('class_weight') if isinstance(loss, dict) else None
    if isinstance(weights, (list, tuple)) and len(weights) in (old, old + 1):
        # One weight per class and, maybe, a last one for "no object".
        loss['class_weight'] = [weights[0]] * new + list(weights[old:])
