import pytest

pytest.importorskip('mmdet')

import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner

from pmvis_mm.engine import TrainingProgressHook
from pmvis_mm.registry import HOOKS
from pmvis_mm.utils.errors import ConfigError


class Model(BaseModel):
    """Writes down its progress in training."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
        self.progress = 0.0
        self.seen = []

    def forward(self, inputs, data_samples=None, mode='loss'):
        self.seen.append(self.progress)
        return dict(loss=self.layer(inputs).sum())


def train(work_dir, train_cfg, interval=-1, **kwargs):
    """Train on four tiny samples; returns what the model saw."""
    by_epoch = train_cfg['by_epoch']
    loader = dict(
        dataset=[dict(inputs=torch.ones(2)) for _ in range(4)],
        batch_size=1,
        sampler=dict(type='DefaultSampler' if by_epoch else 'InfiniteSampler'),
        collate_fn=dict(type='default_collate'),
    )
    model = Model()
    runner = Runner(
        model,
        str(work_dir),
        train_dataloader=loader,
        train_cfg=train_cfg,
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(
            checkpoint=dict(
                type='CheckpointHook', by_epoch=False, interval=interval
            ),
            logger=None,
        ),
        custom_hooks=[TrainingProgressHook()],
        log_level='ERROR',
        experiment_name=f'progress_{work_dir.name}',
        **kwargs,
    )
    runner.train()
    return model.seen


def test_resume_goes_on_and_load_from_starts_again(tmp_path):
    cfg = dict(by_epoch=False, max_iters=4)
    first = train(tmp_path / 'a', cfg, interval=3)
    assert first == [0, 0.25, 0.5, 0.75]
    again = dict(load_from=str(tmp_path / 'a' / 'iter_3.pth'))
    assert train(tmp_path / 'b', cfg, resume=True, **again) == [0.75]
    assert train(tmp_path / 'c', cfg, **again) == first


def test_epochs_count_as_iterations(tmp_path):
    seen = train(tmp_path, dict(by_epoch=True, max_epochs=2))
    assert seen == [i / 8 for i in range(8)]


def test_a_model_that_does_not_ask_is_a_mistake():
    runner = type('Runner', (), dict(model=torch.nn.Linear(1, 1)))()
    with pytest.raises(ConfigError, match=r'finds no module.*Fix: take the'):
        TrainingProgressHook().before_train(runner)


def test_builds_from_a_config():
    hook = HOOKS.build(dict(type='TrainingProgressHook'))
    assert isinstance(hook, TrainingProgressHook)


def test_wrapped_models_are_searched():
    model = Model()
    runner = type('Runner', (), dict(iter=3, max_iters=12))()
    runner.model = torch.nn.Sequential(model)
    hook = TrainingProgressHook()
    hook.before_train(runner)
    hook.before_train_iter(runner, 3)
    assert model.progress == 0.25
