from types import SimpleNamespace

import torch

from pmvis_mm.engine import RandomStateHook


def draws(hook, runner):
    """Numbers of the next iteration."""
    hook.before_train_iter(runner, 0)
    return torch.rand(4)


def saved(hook):
    checkpoint = {}
    hook.before_save_checkpoint(None, checkpoint)
    return checkpoint


def test_resumed_run_draws_what_the_unbroken_one_does():
    runner = SimpleNamespace(iter=3)
    torch.manual_seed(1)
    unbroken = RandomStateHook()
    draws(unbroken, runner)
    checkpoint = saved(unbroken)
    second, third = draws(unbroken, runner), draws(unbroken, runner)

    torch.manual_seed(7)
    resumed = RandomStateHook()
    resumed.after_load_checkpoint(runner, checkpoint)
    resumed.before_train(runner)
    torch.rand(5)  # what starting the data loader takes
    assert torch.equal(draws(resumed, runner), second)
    # Set once, not in every iteration.
    assert torch.equal(draws(resumed, runner), third)


def test_state_survives_the_file(tmp_path):
    checkpoint = saved(RandomStateHook())
    torch.save(checkpoint, tmp_path / 'x.pth')
    expected = torch.rand(3)
    hook, runner = RandomStateHook(), SimpleNamespace(iter=1)
    # Nothing but tensors and containers: safe to load.
    loaded = torch.load(tmp_path / 'x.pth', weights_only=True)
    hook.after_load_checkpoint(runner, loaded)
    hook.before_train(runner)
    assert torch.equal(draws(hook, runner)[:3], expected)


def test_start_from_a_checkpoint_is_no_resume():
    runner = SimpleNamespace(iter=0)
    hook = RandomStateHook()
    hook.after_load_checkpoint(runner, saved(hook))
    hook.before_train(runner)
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    assert torch.equal(draws(hook, runner), expected)


def test_old_checkpoints_go_on_without():
    runner = SimpleNamespace(iter=5)
    hook = RandomStateHook()
    hook.after_load_checkpoint(runner, {})
    hook.before_train(runner)
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    assert torch.equal(draws(hook, runner), expected)


def test_validation_takes_no_numbers():
    hook = RandomStateHook()
    hook.after_val(None)  # a validation on its own
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    hook.before_val(None)
    torch.rand(9)
    hook.after_val(None)
    assert torch.equal(torch.rand(4), expected)
