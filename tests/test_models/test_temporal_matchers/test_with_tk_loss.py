"""All matchers in the loss that they are made for."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pmvis_mm.models.losses import TKLoss
from pmvis_mm.structures.mask_targets import MaskTargets

LEARNED = {
    'pixel': dict(type='LearnedMatcher', channels=8),
    'patch': dict(type='LearnedMatcher', patch_size=3, channels=8),
    'deformable': dict(type='DeformableMatcher', channels=4),
}
MATCHERS = {
    'flow': dict(type='FlowMatcher'),
    'flow, full': dict(
        type='FlowMatcher', flow=dict(type='DIS', scale='full')
    ),
    'flow, checked': dict(type='FlowMatcher', consistency=1.0),
    'color': dict(type='ColorMatcher', threshold=0.01),
    **LEARNED,
}
every_matcher = pytest.mark.parametrize('name', MATCHERS)
every_learned = pytest.mark.parametrize('name', LEARNED)


def make_loss(name, **kwargs):
    torch.manual_seed(0)
    kwargs = dict(loss_weight=1.0, warmup_iters=0, **kwargs)
    loss = TKLoss(matcher=copy.deepcopy(MATCHERS[name]), **kwargs)
    if name == 'deformable':
        nn.init.normal_(loss.matcher.layers[-1].weight)
    return loss


def make_targets(rows=3, frames=3, size=(6, 7), clips=2, seed=1):
    torch.manual_seed(seed)
    boxes = torch.zeros(rows, frames, *size)
    boxes[:, :, 1:5, 1:6] = 1
    images = torch.rand(clips, frames, 3, *(4 * side for side in size)) * 255
    return MaskTargets(
        boxes[..., : size[0], : size[1]],
        torch.arange(rows) * clips // max(rows, 1),
        lab=torch.rand(clips, frames, 3, *size) * 20 + 40,
        images=images.byte(),
    )


def plain_loss(loss, logits, targets):
    """Sum over connections of the weighted mean over pairs, one by one."""
    links = [(0, 1), (1, 2), (2, 0)]
    found = loss.matcher(targets.lab, links, targets.images)
    size = found.counts.flatten().tolist()
    parts = [torch.arange(len(found)).split(size)[i] for i in range(len(size))]
    inside = (targets.box_masks.sum(1) >= 1).flatten(1)
    total = 0
    for link in range(3):
        above = below = 0
        for row, clip in enumerate(targets.clip_index.tolist()):
            scores = logits[row].flatten().sigmoid()
            for pair in parts[clip * 3 + link].tolist():
                center = found.centers[pair]
                if not inside[row][center % inside.size(1)]:
                    continue
                mix = torch.ones(1) if found.mix is None else found.mix[pair]
                weight = 1 if found.weights is None else found.weights[pair]
                other = (scores[found.partners[pair]] * mix).sum()
                own = scores[center]
                agree = own * other + (1 - own) * (1 - other)
                above = above - weight * agree.log()
                below = below + weight
        total = total + above / torch.as_tensor(below).detach().clamp(min=1)
    return total


@every_matcher
def test_against_going_through_all_pairs(name):
    loss, targets = make_loss(name), make_targets()
    logits = torch.randn(targets.box_masks.shape).requires_grad_()
    ours = loss(logits, loss.prepare(targets))
    plain = plain_loss(loss, logits, targets)
    torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-6)
    leaves = [logits, *loss.parameters()]
    found = torch.autograd.grad(ours, leaves)
    expected = torch.autograd.grad(plain, leaves)
    for a, b in zip(found, expected):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
        assert b.any()


@every_matcher
@pytest.mark.parametrize('case', ['no rows', 'one frame', 'tiny', 'no box'])
def test_little_to_match(name, case):
    loss = make_loss(name)
    if case == 'no rows':
        targets = make_targets(rows=0)
    elif case == 'one frame':
        targets = make_targets(frames=1)
    else:
        targets = make_targets(size=(2, 2))
    if case == 'no box':
        targets.box_masks.zero_()
    logits = torch.randn(targets.box_masks.shape).requires_grad_()
    value = loss(logits, loss.prepare(targets))
    assert value.isfinite() and (case == 'tiny' or value == 0)
    value.backward()
    for leaf in (logits, *loss.parameters()):
        assert leaf.grad is not None and leaf.grad.isfinite().all()


@every_learned
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_extreme_logits_stay_finite(name, dtype):
    loss, targets = make_loss(name), make_targets()
    for seed in range(20):
        torch.manual_seed(seed)
        logits = torch.rand(targets.box_masks.shape) * 60 - 30
        logits = logits.to(dtype).requires_grad_()
        loss.zero_grad()
        value = loss(logits, loss.prepare(targets))
        value.backward()
        assert value.isfinite()
        for leaf in (logits, *loss.parameters()):
            assert leaf.grad.isfinite().all()


@every_learned
def test_shared_by_layers_and_saved(name):
    loss, targets = make_loss(name), make_targets()
    prepared = loss.prepare(targets)
    layers = [prepared.gather([torch.tensor([0])] * 2), prepared]
    for rows in layers:
        assert rows.pairs.matches is prepared.pairs.matches
    logits = torch.randn(targets.box_masks.shape)
    sum(loss(logits[: len(rows)], rows) for rows in layers).backward()
    assert all(p.grad.any() for p in loss.parameters())
    other = make_loss(name)
    for parameter in other.parameters():
        nn.init.zeros_(parameter)
    other.load_state_dict(loss.state_dict())
    expected = loss(logits, loss.prepare(targets))
    assert torch.equal(other(logits, other.prepare(targets)), expected)


@every_learned
def test_learns_where_an_object_went(name):
    """A shape on a textured ground, 3 pixels further right in each frame."""
    torch.manual_seed(0)
    image = F.interpolate(torch.rand(1, 3, 8, 14) * 100, (16, 28))[0]
    lab = torch.stack([image[..., 6:22], image[..., 3:19]])[None]
    logits = torch.full((1, 2, 16, 16), -4.0)
    logits[0, 0, 5:10, 3:8] = 4
    logits[0, 1, 5:10, 6:11] = 4
    targets = MaskTargets(torch.ones(1, 2, 16, 16), lab=lab)
    matcher = dict(MATCHERS[name], channels=16)
    torch.manual_seed(0)
    loss = TKLoss(loss_weight=1.0, matcher=matcher, warmup_iters=0)
    optimizer = torch.optim.Adam(loss.parameters(), lr=1e-2)
    values = []
    for _ in range(60):
        value = loss(logits, loss.prepare(targets))
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(loss.parameters(), 1.0)
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.7 * values[0]


TRAINED_BY_TWO = ('patch', 'deformable')


def work(folder, rank):
    """What each of two processes runs; the second has no instances."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )

    class Model(nn.Module):
        def __init__(self, name):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))
            self.tk = make_loss(name)

        def forward(self, logits, targets):
            return self.tk(logits * self.scale, self.tk.prepare(targets))

    grads = {}
    for name in TRAINED_BY_TWO:
        model = nn.parallel.DistributedDataParallel(Model(name))
        for _ in range(2):  # an unused weight would be noticed at the second
            model.zero_grad()
            targets = make_targets(rows=3 * (1 - rank))
            logits = torch.randn(targets.box_masks.shape)
            model(logits, targets).backward()
        for key, parameter in model.module.tk.named_parameters():
            grads[f'{name}.{key}'] = parameter.grad
    torch.save(grads, Path(folder) / f'{rank}.pth')
    torch.distributed.barrier()
    os._exit(0)


@pytest.mark.slow
def test_two_processes_one_without_instances(tmp_path):
    command = [sys.executable, __file__, str(tmp_path)]
    root = str(Path(__file__).resolve().parents[3])
    environment = {**os.environ, 'PYTHONPATH': root}
    processes = [
        subprocess.Popen([*command, str(rank)], env=environment)
        for rank in range(2)
    ]
    assert [p.wait(timeout=300) for p in processes] == [0, 0]
    first, second = (
        torch.load(tmp_path / f'{rank}.pth', weights_only=True)
        for rank in range(2)
    )
    for name in TRAINED_BY_TWO:
        loss, targets = make_loss(name), make_targets()
        logits = torch.randn(targets.box_masks.shape)
        loss(logits, loss.prepare(targets)).backward()
        for key, parameter in loss.named_parameters():
            key = f'{name}.{key}'
            # As one process with all rows.
            torch.testing.assert_close(first[key], parameter.grad)
            assert torch.equal(first[key], second[key])
            assert parameter.grad.any()


if __name__ == '__main__':
    work(sys.argv[1], int(sys.argv[2]))
