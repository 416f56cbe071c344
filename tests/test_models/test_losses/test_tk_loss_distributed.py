"""The temporal loss over two processes."""

import os

import pytest
import torch

from pmvis_mm.models.losses import TKLoss
from pmvis_mm.models.temporal_matchers import PatchMatcher
from pmvis_mm.structures.mask_targets import MaskTargets
from pmvis_mm.testing.gloo import run_processes

LOSSES = dict(
    pairs=dict(normalizer='pairs'),
    pixels=dict(normalizer='pixels'),
    local=dict(normalizer='pairs', sync_avg_factor=False),
)
# Frames and rows of the clip of each process.
SPLITS = dict(
    even=((3, 2), (3, 3)),
    one_without_rows=((3, 2), (3, 0)),
    none_with_rows=((3, 0), (3, 0)),
    one_with_a_single_frame=((3, 2), (1, 2)),
    other_connections=((3, 2), (4, 2)),
)


def make(rank, frames, rows):
    generator = torch.Generator().manual_seed(rank)
    lab = torch.rand(1, frames, 3, 6, 7, generator=generator) * 1.5
    boxes = torch.ones(rows, frames, 6, 7)
    logits = torch.rand(rows, frames, 6, 7, generator=generator) * 8 - 4
    return logits, MaskTargets(boxes, lab=lab)


def build(name):
    return TKLoss(1.0, PatchMatcher(num_neighbors=3), **LOSSES[name])


def evaluate(logits, targets):
    """Value and gradient of all losses, two layers each."""
    found = {}
    for name in LOSSES:
        loss = build(name)
        prepared = loss.prepare(targets)
        z = logits.clone().requires_grad_()
        value = loss(z, prepared) + loss(z * 2, prepared)
        value.backward()
        found[name] = (value.detach(), z.grad)
    return found


WORKER = """
folder = arguments[1]
sys.path.insert(0, arguments[0])
import test_tk_loss_distributed as t
found = {n: t.evaluate(*t.make(rank, *s[rank])) for n, s in t.SPLITS.items()}
torch.save(found, f'{folder}/{rank}.pth')
answer = 'done'
"""


@pytest.fixture(scope='module')
def two_processes(tmp_path_factory):
    """What two processes found."""
    folder = tmp_path_factory.mktemp('tk')
    run_processes(WORKER, folder, os.path.dirname(__file__), folder)
    return [torch.load(folder / f'{rank}.pth') for rank in range(2)]


@pytest.mark.parametrize('name', ['pairs', 'pixels'])
@pytest.mark.parametrize('split', ['even', 'one_without_rows'])
def test_two_processes_train_as_one(two_processes, split, name):
    parts = [make(rank, *SPLITS[split][rank]) for rank in range(2)]
    targets = MaskTargets.cat([part[1] for part in parts])
    value, grad = evaluate(torch.cat([part[0] for part in parts]), targets)[
        name
    ]
    found = [process[split][name] for process in two_processes]
    assert value.item() > 0.1
    mean = (found[0][0] + found[1][0]) / 2
    assert mean.item() == pytest.approx(value.item(), rel=1e-5)
    # DDP averages: each row's gradient comes from one of the two.
    both = torch.cat([part[1] for part in found]) / 2
    assert torch.allclose(both, grad, atol=1e-7)
    assert grad.abs().max() > 1e-4


@pytest.mark.parametrize('split', SPLITS)
def test_each_process_may_count_alone(two_processes, split):
    for rank, process in enumerate(two_processes):
        value, grad = evaluate(*make(rank, *SPLITS[split][rank]))['local']
        assert process[split]['local'][0].item() == value.item()
        assert torch.equal(process[split]['local'][1], grad)


def test_clips_of_other_lengths_do_not_hang(two_processes):
    for split in ('one_with_a_single_frame', 'other_connections'):
        for process in two_processes:
            for value, grad in process[split].values():
                assert torch.isfinite(value)
                assert torch.isfinite(grad).all()
    first, second = (
        process['one_with_a_single_frame']['pairs'][0].item()
        for process in two_processes
    )
    # The pairs of the first are all there are: twice the mean of one.
    alone = evaluate(*make(0, 3, 2))['pairs'][0].item()
    assert (first, second) == (pytest.approx(2 * alone, rel=1e-5), 0)


def test_no_rows_anywhere(two_processes):
    for process in two_processes:
        for value, grad in process['none_with_rows'].values():
            assert value.item() == 0
            assert grad.shape == (0, 3, 6, 7)
