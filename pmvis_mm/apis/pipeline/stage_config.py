"""The complete config of a stage that labels, trains or tests."""

from typing import Any, Callable, Dict, Mapping

from mmengine.config import Config, DictAction

from .config import Stage, find_config
from .data import PipelineData

_TEST = 'test_dataloader.dataset'
_TRAIN = 'train_dataloader.dataset'


def stage_config(stage: Stage, data: PipelineData) -> Config:
    """Put data, earlier results and options into the config of a stage.

    Args:
        stage (dict): Of type 'label', 'train' or 'test'; references to
            earlier stages are resolved, or left as they are in a dry run.
        data (PipelineData): Data.

    Returns:
        Config: As the tool gets it.
    """
    cfg = Config.fromfile(str(find_config(stage['config'])))
    options = _OPTIONS[stage['type']](stage, data)
    options.update(stage.get('options') or {})
    if isinstance(options.get('model.config'), str):
        options['model.config'] = str(find_config(options['model.config']))
    for name, value in options.items():
        _set(cfg, name, value)
    if stage['type'] == 'test':
        cfg.load_from = stage.get('checkpoint')
        _choose_format(cfg, data)
        if cfg.get('train_dataloader'):
            # Says what the labels of the model mean.
            cfg.merge_from_dict({f'{_TRAIN}.ann_file': data.ann_file})
    return cfg


def _label(stage: Stage, data: PipelineData) -> Dict[str, Any]:
    priors = {
        f'{_TEST}.priors.{name}': path
        for name, path in (stage.get('priors') or {}).items()
    }
    return {
        f'{_TEST}.ann_file': data.ann_file,
        f'{_TEST}.img_prefix': data.img_prefix,
        f'{_TEST}.clip_boxes': data.clip_boxes,
        'test_evaluator.ann_file': data.truth_file,
        **priors,
    }


def _train(stage: Stage, data: PipelineData) -> Dict[str, Any]:
    options = {
        f'{_TRAIN}.ann_file': stage.get('annotations') or data.ann_file,
        f'{_TRAIN}.data_prefix.img_path': data.img_prefix,
        f'{_TRAIN}.clip_boxes': data.clip_boxes,
        # A stage of its own evaluates.
        'val_dataloader': None,
        'val_cfg': None,
        'val_evaluator': None,
    }
    if stage.get('pseudo') is not None:
        options[f'{_TRAIN}.pseudo_ann_file'] = stage['pseudo']
    return options


def _test(stage: Stage, data: PipelineData) -> Dict[str, Any]:
    return {
        f'{_TEST}.ann_file': data.val_ann_file,
        f'{_TEST}.data_prefix.img_path': data.val_img_prefix,
        f'{_TEST}.clip_boxes': data.clip_boxes,
        'test_evaluator.ann_file': data.val_ann_file,
    }


_OPTIONS: Mapping[str, Callable[[Stage, PipelineData], Dict[str, Any]]] = dict(
    label=_label, train=_train, test=_test
)


def _choose_format(cfg: Config, data: PipelineData) -> None:
    """Write results for a server where there is nothing to compare with."""
    has_masks = data.val_has_masks()
    evaluator = cfg.test_evaluator
    if isinstance(evaluator, dict) and (
        'format_only' in evaluator or not has_masks
    ):
        evaluator['format_only'] = not has_masks


def _set(cfg: Config, name: str, value: Any) -> None:
    """Set an option; a dict adds to a dict and replaces anything else."""
    value = _parsed(value)
    if isinstance(value, dict):
        old: Any = cfg
        for key in name.split('.'):
            try:
                old = old[int(key) if isinstance(old, list) else key]
            except (KeyError, IndexError, TypeError, ValueError):
                old = None
        if old is not None and not isinstance(old, dict):
            value = dict(value, _delete_=True)
    cfg.merge_from_dict({name: value})


def _parsed(value: Any) -> Any:
    """Read '[1,2]' and '(1,2)' as the command line does."""
    if isinstance(value, str) and value[:1] in ('[', '('):
        return DictAction._parse_iterable(value)
    return value
