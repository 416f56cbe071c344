"""Configs build, checkpoints fit, classes agree: before anything runs."""

import copy
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Iterator, Mapping, Sequence, Tuple

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope, Registry

from ...datasets.metainfo import resolve_categories
from ...engine.hooks.check_supervision_hook import (
    _check_classes as check_num_classes,
)
from ...models.sam.weights import load_sam_weights, read_sam_checkpoint
from ...registry import HOOKS, MODELS
from ...utils.checkpoint import check_weights
from ...utils.errors import CheckpointError, ConfigError, PMVISError
from ...utils.fileio import load_json
from ...utils.launch import check_load_from
from ...utils.num_classes import sync_num_classes
from .checks import Problems
from .config import Stage, is_reference
from .data import PipelineData
from .keys import is_file
from .stage_config import stage_config


@dataclass
class _Job:
    """A stage to check.

    Attributes:
        stage (dict): The stage.
        cfg (Config): Its config; checks may change it.
        data (PipelineData): Data.
        readable (bool): Whether the annotation files are valid.
        same_classes (bool): Whether a checkpoint that only labels must know
            the classes of the data.
    """

    stage: Stage
    cfg: Config
    data: PipelineData
    readable: bool
    same_classes: bool


def check_models(
    stages: Sequence[Stage],
    data: PipelineData,
    problems: Problems,
    readable: bool = True,
    same_classes: bool = True,
) -> None:
    """Check the stages that run a config.

    Weights are read and compared by name and shape; nothing in a checkpoint
    is run. What an earlier stage makes is not looked at.

    Args:
        stages (Sequence[dict]): Their configs exist.
        data (PipelineData): Data.
        problems (Problems): Gets what is wrong, with the stage's name.
        readable (bool): Whether the annotation files are valid. If not,
            classes are not looked at. Defaults to True.
        same_classes (bool): Whether a checkpoint that only labels must know
            the classes of the data. Defaults to True.
    """
    for stage in stages:
        if stage['type'] == 'test' and not (readable and data.val_ann_file):
            continue
        cfg = problems.attempt(_named, stage, stage_config, stage, data)
        for check in _CHECKS[stage['type']] if cfg is not None else ():
            job = _Job(stage, copy.deepcopy(cfg), data, readable, same_classes)
            problems.attempt(_named, stage, check, job)


def _named(stage: Stage, check: Callable[..., Any], *arguments: Any) -> Any:
    """Name the stage that an error is about."""
    try:
        return check(*arguments)
    except PMVISError as error:
        error.problem = f'stage {stage["name"]!r}: {error.problem}'
        error.args = (str(error),)
        raise
    except Exception as reason:
        # Configs and constructors may raise anything.
        raise ConfigError(
            f'stage {stage["name"]!r}: {type(reason).__name__}: {reason}',
            file=stage['config'],
            fix='correct the config, or the options of the stage',
        ) from reason


def _build(cfg: Config, model: Mapping[str, Any]) -> Any:
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        return MODELS.build(dict(model))


# ------------------------------------------------------------------- label
def _check_hooks(job: _Job) -> None:
    cfg = job.cfg
    for hook in cfg.get('custom_hooks') or ():
        _check_registered(HOOKS, hook['type'], cfg)
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
            HOOKS.build(dict(hook))


def _check_registered(registry: Registry, name: Any, cfg: Config) -> None:
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        known = not isinstance(name, str) or registry.get(name) is not None
    if not known:
        raise ConfigError(
            f'{name} is not in the registry of {registry.name}s',
            file=cfg.filename,
            fix='check the spelling, or import it with custom_imports',
        )


def _check_source(job: _Job) -> None:
    cfg = job.cfg
    model = cfg.model
    _check_registered(MODELS, model.type, cfg)
    if is_reference(model.get('checkpoint')):
        if 'config' in model and not Path(model.config).is_file():
            raise ConfigError(
                'config of the model not found',
                file=model.config,
                fix='paths of configs are relative to configs/',
            )
        return
    if model.type == 'HQSAMSource':
        _check_hqsam(cfg)
        return
    source = _build(cfg, model)
    compare = job.readable and job.same_classes
    if compare and model.type == 'VISModelSource':
        _check_meta_classes(source.model, cfg, job.data)


def _check_hqsam(cfg: Config) -> None:
    """Compare with a model that has no memory: ViT-H would take 2.6 GB."""
    options = dict(cfg.model)
    path = options.pop('checkpoint', None)
    if path is None:
        raise CheckpointError(
            'no checkpoint: the weights would be random',
            file=cfg.filename,
            fix='name the .pth file of HQ-SAM',
        )
    weights = read_sam_checkpoint(str(path))
    options.pop('device', None)
    with torch.device('meta'):
        source = _build(cfg, options)
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='.*no-op')
        load_sam_weights(source.segmenter, weights, path)


def _check_meta_classes(model: Any, cfg: Config, data: PipelineData) -> None:
    """Compare what the checkpoint was trained on with what is labelled."""
    known = (model.dataset_meta or {}).get('classes')
    names = {c['name'] for c in data.read(data.ann_file).categories}
    if known is None or set(known) == names:
        return
    raise CheckpointError(
        f'knows other classes than {data.ann_file}: '
        f'{_differences(known, names)}',
        file=cfg.model.get('checkpoint'),
        fix='give a checkpoint that was trained on these classes. To label '
        'with another one all the same: check_classes=False',
    )


# ------------------------------------------------------------------- train
def _check_initial_files(job: _Job) -> None:
    cfg = job.cfg
    for path in _pretrained(cfg.model):
        if '://' not in path and not Path(path).is_file():
            raise CheckpointError(
                'weights that a part of the model starts from do not exist',
                file=path,
                fix='make or download them; the comment in the config or the '
                'README beside it says how',
            )


def _check_training(job: _Job) -> None:
    cfg = job.cfg
    if cfg.get('num_classes_from_data') and not job.readable:
        return  # nobody knows what to build
    data, dataset = job.data, _dataset(cfg, 'train_dataloader')
    if is_reference(dataset.get('ann_file')):  # filtered: the same classes
        dataset['ann_file'] = data.ann_file
    sync_num_classes(cfg)
    model = _build(cfg, cfg.model)
    runner: Any = SimpleNamespace(model=model)
    problems = Problems()
    problems.attempt(_check_load_from, cfg, runner)
    found = None
    if job.readable:
        found = problems.attempt(_classes, dataset, data.ann_file)
    if found is not None:
        told: Any = SimpleNamespace(
            metainfo=dict(classes=found), ann_file=data.ann_file
        )
        problems.attempt(check_num_classes, model, told)
    problems.raise_all()


def _check_load_from(cfg: Config, runner: Any) -> None:
    try:
        check_load_from(cfg, runner)
    except CheckpointError as error:
        if not is_file(cfg.load_from):
            # The tool's own advice is an option of the tool.
            error.fix = (
                'make it (the README beside the config says how), or start '
                'without: load_from=None in the options of this stage'
            )
        raise


# -------------------------------------------------------------------- test
def _check_test(job: _Job) -> None:
    cfg = job.cfg
    data = job.data
    val_file = str(data.val_ann_file)
    val = _classes(_dataset(cfg, 'test_dataloader'), val_file)
    train = val
    if cfg.get('train_dataloader'):
        train = _classes(_dataset(cfg, 'train_dataloader'), data.ann_file)
    if tuple(val) != tuple(train):
        raise ConfigError(
            f'other classes than {data.ann_file}, labels would not mean the '
            f'same: {_differences(train, val)}',
            file=val_file,
            fix='give both files the same categories and ids',
        )


def _check_tested_weights(job: _Job) -> None:
    cfg = job.cfg
    if cfg.get('load_from') and not is_reference(cfg.load_from):
        sync_num_classes(cfg)
        check_weights(_build(cfg, cfg.model), cfg.load_from)


_CHECKS: Mapping[str, Tuple[Callable[[_Job], None], ...]] = dict(
    label=(_check_hooks, _check_source),
    train=(_check_initial_files, _check_training),
    test=(_check_test, _check_tested_weights),
)


# ------------------------------------------------------------------- tools
def _dataset(cfg: Config, loader: str) -> Any:
    """Find the innermost dataset."""
    dataset = cfg[loader]['dataset']
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    return dataset


def _classes(dataset: Mapping[str, Any], ann_file: str) -> Tuple[str, ...]:
    """Classes in the order of the labels."""
    resolved = resolve_categories(
        load_json(ann_file)['categories'],
        (dataset.get('metainfo') or {}).get('classes'),
        dataset.get('version'),
        ann_file,
    )
    return tuple(resolved['classes'])


def _differences(known: Sequence[str], names: Any) -> str:
    lacking = [name for name in names if name not in known]
    surplus = [name for name in known if name not in names]
    if not lacking and not surplus:
        return f'in another order, {list(known)[:5]} and {list(names)[:5]}'
    return f'missing {sorted(lacking)[:5]}, not in the file {surplus[:5]}'


def _pretrained(node: Any) -> Iterator[str]:
    """Find ``init_cfg=dict(type='Pretrained', checkpoint=...)``."""
    if isinstance(node, Mapping):
        if node.get('type') == 'Pretrained' and node.get('checkpoint'):
            yield str(node['checkpoint'])
        for child in node.values():
            yield from _pretrained(child)
    elif isinstance(node, (list, tuple)):
        for child in node:
            yield from _pretrained(child)
