import pytest

pytest.importorskip('mmdet')

import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner

from pmvis_mm.engine import LossWarmupHook
from pmvis_mm.models.losses import BoxProjectionLoss, PairwiseAffinityLoss
from pmvis_mm.registry import HOOKS
from pmvis_mm.utils.errors import ConfigError


class OtherLoss(torch.nn.Module):
    """A loss of a user's own."""

    def __init__(self):
        super().__init__()
        self.warmup_factor = 1.0


class Model(BaseModel):
    """Writes down the factors that its losses have in training."""

    def __init__(self, **options):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
        losses = dict(
            proj=BoxProjectionLoss(),
            pairwise=PairwiseAffinityLoss(**options),
            other=OtherLoss(),
        )
        self.losses = torch.nn.ModuleDict(losses)
        self.seen = []

    def forward(self, inputs, data_samples=None, mode='loss'):
        factors = [self.losses[k].warmup_factor for k in ('pairwise', 'other')]
        self.seen.append(tuple(factors))
        return dict(loss=self.layer(inputs).sum())


def train(work_dir, hook, max_iters=4, options=None, **kwargs):
    """Train on two tiny samples; returns the model."""
    model = Model(**(options or {}))
    data = [dict(inputs=torch.ones(2)) for _ in range(2)]
    loader = dict(
        dataset=data,
        batch_size=1,
        sampler=dict(type='InfiniteSampler'),
        collate_fn=dict(type='default_collate'),
    )
    runner = Runner(
        model,
        str(work_dir),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=False, max_iters=max_iters),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=3),
            logger=None,
        ),
        custom_hooks=[hook],
        log_level='ERROR',
        experiment_name=f'warmup_{work_dir.name}_{max_iters}',
        **kwargs,
    )
    runner.train()
    return model


def test_factor_grows_from_the_first_iteration(tmp_path):
    model = train(tmp_path, LossWarmupHook(num_iters=3))
    assert [p for p, _ in model.seen] == [1 / 3, 2 / 3, 1.0, 1.0]
    assert [o for _, o in model.seen] == [1 / 3, 2 / 3, 1.0, 1.0]
    assert not hasattr(model.losses['proj'], 'warmup_factor')


def test_each_loss_has_its_own_length(tmp_path):
    model = train(tmp_path, LossWarmupHook(), options=dict(warmup_iters=4))
    assert [p for p, _ in model.seen] == [0.25, 0.5, 0.75, 1.0]
    assert [o for _, o in model.seen] == [1.0] * 4  # names none: no ramp


def test_only_named_losses_are_set(tmp_path):
    hook = LossWarmupHook(num_iters=2, losses=['OtherLoss'])
    model = train(tmp_path, hook, 2)
    assert model.seen == [(1.0, 0.5), (1.0, 1.0)]


def test_resume_goes_on_and_load_from_starts_again(tmp_path):
    train(tmp_path / 'a', LossWarmupHook(num_iters=8), max_iters=4)
    checkpoint = tmp_path / 'a' / 'iter_3.pth'
    again = dict(load_from=str(checkpoint))

    resumed = train(
        tmp_path / 'b', LossWarmupHook(num_iters=8), 5, resume=True, **again
    )
    assert [p for p, _ in resumed.seen] == [4 / 8, 5 / 8]

    loaded = train(tmp_path / 'c', LossWarmupHook(num_iters=8), 2, **again)
    assert [p for p, _ in loaded.seen] == [1 / 8, 2 / 8]

    state = torch.load(checkpoint, weights_only=False)['state_dict']
    assert sorted(state) == ['layer.bias', 'layer.weight']


class FakeRunner:
    def __init__(self, model):
        self.model = model
        self.iter = 0


def test_losses_that_are_not_there_are_named():
    runner = FakeRunner(Model())
    hook = LossWarmupHook(losses=['OtherLoss', 'TKLoss'])
    message = r"finds no \['TKLoss'\].*has \['PairwiseAff.*', 'OtherLoss'\]"
    with pytest.raises(ConfigError, match=message):
        hook.before_train(runner)


def test_without_any_loss_only_an_explicit_hook_complains():
    runner = FakeRunner(torch.nn.Linear(1, 1))
    with pytest.raises(ConfigError, match=r'finds no loss.*Fix: name losses'):
        LossWarmupHook(num_iters=5).before_train(runner)
    hook = LossWarmupHook()  # that of the default runtime
    hook.before_train(runner)
    hook.before_train_iter(runner, 0)
    assert hook._modules == []


def test_wrapped_models_are_searched():
    model = Model()
    runner = FakeRunner(torch.nn.Sequential(model))
    hook = LossWarmupHook(num_iters=10)
    hook.before_train(runner)
    runner.iter = 4
    hook.before_train_iter(runner, 4)
    assert model.losses['pairwise'].warmup_factor == 0.5


def test_builds_from_a_config_and_refuses_nonsense():
    hook = HOOKS.build(dict(type='LossWarmupHook', num_iters=0))
    assert isinstance(hook, LossWarmupHook)
    with pytest.raises(ConfigError, match='num_iters=-1'):
        HOOKS.build(dict(type='LossWarmupHook', num_iters=-1))
