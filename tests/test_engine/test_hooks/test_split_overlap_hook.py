"""The warning about videos in both training and validation."""

from types import SimpleNamespace

import numpy as np
import pytest

from pmvis_mm.engine.hooks import SplitOverlapHook, split_overlap_hook
from pmvis_mm.registry import HOOKS


@pytest.fixture
def logged(monkeypatch):
    lines = []
    monkeypatch.setattr(
        split_overlap_hook, 'print_log', lambda text, *_: lines.append(text)
    )
    return lines


def dataset(name, **keys):
    keys = {int(k[1:]): np.array(v, np.int64) for k, v in keys.items()}
    return SimpleNamespace(ann_file=name, frame_keys=keys)


def run(train, val):
    loop = None
    if val is not None:
        loop = SimpleNamespace(dataloader=SimpleNamespace(dataset=val))
    runner = SimpleNamespace(
        train_dataloader=SimpleNamespace(dataset=train), val_loop=loop
    )
    HOOKS.build(dict(type='SplitOverlapHook')).before_train(runner)


def test_overlap_is_told_once(logged):
    first = dataset('a.json', v1=[1, 2], v2=[3])
    joined = SimpleNamespace(
        datasets=[
            SimpleNamespace(dataset=first),  # repeated
            dataset('b.json', v1=[9]),
        ]
    )
    run(joined, dataset('val.json', v7=[5], v8=[6, 2], v9=[3]))
    (line,) = logged
    assert line.startswith(
        '2 of 3 videos of val.json have frames that are trained on '
        '(a.json), such as video 8'
    )
    assert line.endswith('check_dataset.py a.json val.json')


def test_one_file_for_both(logged):
    run(dataset('a.json', v1=[1]), dataset('a.json', v1=[1]))
    (line,) = logged
    assert line.endswith('Keep a video in one split only')


def test_nothing_to_tell(logged):
    train = dataset('a.json', v1=[1, 2])
    run(train, dataset('val.json', v1=[3]))
    run(train, SimpleNamespace(ann_file='other'))
    run(SimpleNamespace(ann_file='other'), train)
    run(train, dataset('empty.json'))
    run(train, None)
    assert logged == []


def test_it_runs_by_default(config_root):
    from mmengine.config import Config

    cfg = Config.fromfile(config_root / '_base_/default_runtime.py')
    assert dict(type='SplitOverlapHook') in cfg.custom_hooks
    assert SplitOverlapHook.priority == 'VERY_LOW'
