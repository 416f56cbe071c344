"""Two processes train MaskFreeVIS as one with the same global batch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pmvis_mm.testing.tiny_idol import join, random_clip
from pmvis_mm.testing.tiny_maskfree import MASK_ASSIGNER, tiny_maskfree

CONFIG = (
    Path(__file__).resolve().parents[3]
    / 'configs/maskfreevis/maskfreevis_r18_1xb4-1k_own-box.py'
)
# Ids in the frames of the clip of each process; whether it has masks.
CASES = dict(
    both=[(((1, 2), (1,), (2,)), False), (((3,), (3,), ()), False)],
    one_empty=[(((1, 2), (1, 2), (1,)), False), (((), (), ()), False)],
    nothing=[(((), (), ()), False), (((), (), ()), False)],
    # Joint training: each process draws from another dataset.
    two_kinds=[(((1, 2), (1, 2), (1,)), False), (((3,), (3,), (3,)), True)],
)


def build():
    joint = dict(train_cfg=dict(mask_assigner=MASK_ASSIGNER))
    model = tiny_maskfree(CONFIG, dict(track_head=joint))
    # Statistics of batch norm would depend on the split.
    model.backbone.eval()
    return model


def clips(case):
    return [
        random_clip(ids=ids, seed=rank, with_masks=masks, smooth=True)
        for rank, (ids, masks) in enumerate(CASES[case])
    ]


def step(model, wrapped, batch):
    losses = wrapped(**model.data_preprocessor(batch, True), mode='loss')
    sum(losses.values()).backward()
    return (
        {name: value.detach() for name, value in losses.items()},
        {name: p.grad.clone() for name, p in model.named_parameters()},
    )


def work(case, folder):
    """What each of two processes runs."""
    from mmengine.model import MMDistributedDataParallel

    torch.set_num_threads(1)
    torch.distributed.init_process_group('gloo')
    rank = torch.distributed.get_rank()
    model = build()
    wrapped = MMDistributedDataParallel(
        model, device_ids=None, broadcast_buffers=False
    )
    for _ in range(2):  # an unused weight would be noticed at the second
        model.zero_grad()
        found = step(model, wrapped, clips(case)[rank])
    torch.save(found, Path(folder) / f'{rank}.pth')
    torch.distributed.barrier()
    os._exit(0)


@pytest.fixture
def parts(request, tmp_path):
    """Losses and gradients of both processes."""
    command = [
        *(sys.executable, '-m', 'torch.distributed.run', '--standalone'),
        *('--nproc_per_node', '2', __file__, request.param, str(tmp_path)),
    ]
    environment = {
        **os.environ,
        'OMP_NUM_THREADS': '1',
        'PYTHONPATH': str(Path(__file__).resolve().parents[3]),
    }
    done = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return request.param, [
        torch.load(tmp_path / f'{rank}.pth', weights_only=True)
        for rank in (0, 1)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    'parts', ['both', 'one_empty', 'nothing'], indirect=True
)
def test_losses_of_boxes(parts):
    """Their normalisers count over all processes, those of classes do not."""
    case, found = parts
    model = build()
    whole, _ = step(model, model, join(*clips(case)))
    for name, value in whole.items():
        if 'loss_cls' not in name:
            mean = (found[0][0][name] + found[1][0][name]) / 2
            torch.testing.assert_close(mean, value, rtol=1e-3, atol=1e-5)
    for name in found[0][1]:
        torch.testing.assert_close(found[0][1][name], found[1][1][name])
    if case == 'one_empty':
        assert found[0][0]['loss_proj'] > 0 and found[1][0]['loss_proj'] == 0


@pytest.mark.slow
@pytest.mark.parametrize('parts', ['two_kinds'], indirect=True)
def test_one_process_has_boxes_the_other_masks(parts):
    _, ((boxes, grads), (masks, others)) = parts
    assert list(boxes) == list(masks)
    assert boxes['loss_proj'] > 0 and masks['loss_proj'] == 0
    assert boxes['loss_mask'] == 0 and masks['loss_mask'] > 0
    for name, grad in grads.items():
        torch.testing.assert_close(grad, others[name])


if __name__ == '__main__':
    work(*sys.argv[1:])
