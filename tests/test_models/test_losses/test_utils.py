"""Denominators, alone and over two processes."""

import os

import pytest
import torch

from pmvis_mm.models.losses import (
    BoxProjectionLoss,
    MaskDiceLoss,
    MaskFocalLoss,
    PairwiseAffinityLoss,
)
from pmvis_mm.models.losses.utils import (
    count_valid,
    sum_over_valid,
    sync_count,
)
from pmvis_mm.structures.mask_targets import MaskTargets
from pmvis_mm.testing.gloo import run_processes
from pmvis_mm.testing.sample_s import sample_s

LOSSES = (BoxProjectionLoss, PairwiseAffinityLoss, MaskFocalLoss, MaskDiceLoss)
# Rows of Sample S per process. The mask of row 1 is missing.
SPLITS = dict(
    uneven=([0, 1], [2]),
    empty=([0, 1, 2], []),
    no_mask=([0, 2], [1]),
    nothing=([], []),
)


def build():
    losses = {cls.__name__: cls() for cls in LOSSES}
    losses['edges_in'] = PairwiseAffinityLoss(normalizer='edges_in')
    for cls in LOSSES:
        losses[f'{cls.__name__} local'] = cls(sync_avg_factor=False)
    return losses


def evaluate(rows):
    """Values and gradients of all losses on some rows of Sample S."""
    sample = sample_s()
    targets = sample.targets()
    targets.masks = (targets.masks + sample.logits.sigmoid()) / 2
    targets.masks_valid[1] = False
    index = torch.tensor(rows, dtype=torch.long)
    targets = targets.gather(index)
    found = {}
    for name, loss in build().items():
        logits = sample.logits[index].clone().requires_grad_()
        value = loss(logits, targets)
        value.backward()
        found[name] = (value.detach(), logits.grad)
    return found


def test_alone_it_is_the_count_but_at_least_one():
    count = torch.tensor(3, requires_grad=False)
    for sync in (False, True):
        assert sync_count(count, sync).item() == 3
        assert sync_count(torch.tensor(0.25), sync).item() == 1
        assert sync_count(torch.tensor(0), sync).item() == 1
    assert sync_count(count, True).dtype == torch.float32
    assert sync_count(count, True).shape == ()


def test_it_neither_changes_its_input_nor_has_a_gradient():
    count = torch.tensor(0.5, requires_grad=True)
    result = sync_count(count, True)
    assert not result.requires_grad
    assert count.item() == 0.5


def test_invalid_maps_do_not_count():
    targets = MaskTargets(
        torch.zeros(2, 2, 1, 1),
        masks=torch.zeros(2, 2, 1, 1),
        masks_valid=torch.tensor([[True, False], [True, True]]),
    )
    per_map = torch.tensor([[1.0, 20.0], [3.0, 5.0]])
    assert sum_over_valid(per_map, targets).item() == 9
    assert count_valid(targets, False).item() == 3


@pytest.mark.parametrize('loss', LOSSES)
def test_only_losses_on_masks_need_masks(loss):
    assert loss.needs_masks == loss.__name__.startswith('Mask')
    assert 'sync_avg_factor=True' in repr(loss())


WORKER = """
folder = arguments[1]
sys.path.insert(0, arguments[0])
import test_utils as t
found = {name: t.evaluate(rows[rank]) for name, rows in t.SPLITS.items()}
counts = [
    t.sync_count(torch.tensor(number), sync).item()
    for number in (rank, 5 * rank, 0)
    for sync in (True, False)
]
torch.save(dict(found=found, counts=counts), f'{folder}/{rank}.pth')
answer = 'done'
"""


@pytest.fixture(scope='module')
def two_processes(tmp_path_factory):
    """What two processes found."""
    folder = tmp_path_factory.mktemp('sync')
    run_processes(WORKER, folder, os.path.dirname(__file__), folder)
    return [torch.load(folder / f'{rank}.pth') for rank in range(2)]


def test_counts_of_two_processes(two_processes):
    # In total 1, 5 and 0; divided by two processes, not before at least 1.
    assert two_processes[0]['counts'] == [0.5, 1, 2.5, 1, 0.5, 1]
    assert two_processes[1]['counts'] == [0.5, 1, 2.5, 5, 0.5, 1]


@pytest.mark.parametrize('split', SPLITS)
def test_two_processes_train_as_one(two_processes, split):
    rows = SPLITS[split]
    alone = evaluate([*rows[0], *rows[1]])
    parts = [process['found'][split] for process in two_processes]
    for name, (value, grad) in alone.items():
        if name.endswith('local'):
            continue
        mean = (parts[0][name][0] + parts[1][name][0]) / 2
        assert mean.item() == pytest.approx(value.item(), abs=1e-6), name
        # DDP averages: each row's gradient comes from one of the two.
        both = torch.cat([part[name][1] for part in parts]) / 2
        assert torch.allclose(both, grad, atol=1e-8), name
        if split != 'nothing':
            assert grad.abs().max() > 1e-4, name


@pytest.mark.parametrize('split', SPLITS)
def test_local_average_is_that_of_each_process(two_processes, split):
    for process, rows in zip(two_processes, SPLITS[split]):
        alone = evaluate(rows)
        for name in (n for n in alone if n.endswith('local')):
            value, grad = process['found'][split][name]
            assert value.item() == pytest.approx(alone[name][0].item())
            assert torch.allclose(grad, alone[name][1])


def test_local_average_of_uneven_processes_is_another(two_processes):
    alone = evaluate([0, 1, 2])
    for cls in LOSSES:
        name = f'{cls.__name__} local'
        values = [p['found']['no_mask'][name][0] for p in two_processes]
        difference = sum(values).item() / 2 - alone[name][0].item()
        assert abs(difference) > 1e-4, name
