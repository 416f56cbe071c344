"""Two processes train as one with the same global batch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pmvis_mm.testing.tiny_idol import join, random_clip, tiny_idol

CONFIGS = Path(__file__).resolve().parents[3] / 'configs/pm_vis'
PM_VIS = 'pm-vis_r18_1xb4-2k_own-pseudo.py'
PM_VIS_TK = 'pm-vis-tk_r18_1xb4-2k_own-pseudo.py'
# Ids in key and reference frame of the clip of each process.
CASES = dict(
    both=[((1, 2), (1, 2)), ((3,), (3,))],
    one_empty=[((1, 2), (1, 2)), ((), ())],
    not_in_reference=[((1, 2), (1,)), ((3,), ())],
    nothing=[((), ()), ((), ())],
)
# With TKLoss, which counts what both frames show.
TK_CASES = {
    f'tk_{case}': CASES[case]
    for case in ('both', 'one_empty', 'not_in_reference')
}
CASES.update(TK_CASES)


def build(case):
    config = PM_VIS_TK if case in TK_CASES else PM_VIS
    # All negatives, so that no random choice differs.
    aux = dict(loss_reid_aux=dict(neg_pos_ratio=100))
    model = tiny_idol(CONFIGS / config, dict(track_head=aux))
    # Statistics of batch norm would depend on the split.
    return model.eval()


def clips(case):
    return [
        random_clip(ids=ids, seed=rank, smooth=case in TK_CASES)
        for rank, ids in enumerate(CASES[case])
    ]


def step(model, wrapped, batch):
    losses = wrapped(**model.data_preprocessor(batch, True), mode='loss')
    total = sum(losses.values())
    total.backward()
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
    model = build(case)
    # As in training: every weight gets a gradient in every process.
    wrapped = MMDistributedDataParallel(
        model, device_ids=None, broadcast_buffers=False
    )
    for _ in range(2):  # an unused weight would be noticed at the second
        model.zero_grad()
        found = step(model, wrapped, clips(case)[rank])
    torch.save(found, Path(folder) / f'{rank}.pth')
    torch.distributed.barrier()
    os._exit(0)


@pytest.mark.slow
@pytest.mark.parametrize('case', CASES)
def test_losses_and_gradients(case, tmp_path):
    command = [
        *(sys.executable, '-m', 'torch.distributed.run', '--standalone'),
        *('--nproc_per_node', '2', __file__, case, str(tmp_path)),
    ]
    environment = {
        **os.environ,
        'OMP_NUM_THREADS': '1',
        'PYTHONPATH': str(Path(__file__).resolve().parents[3]),
    }
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    parts = [
        torch.load(tmp_path / f'{r}.pth', weights_only=True) for r in (0, 1)
    ]
    model = build(case)
    losses, grads = step(model, model, join(*clips(case)))
    if case == 'tk_both':
        assert losses['loss_tk'] > 1e-3
    for name, value in losses.items():
        mean = (parts[0][0][name] + parts[1][0][name]) / 2
        torch.testing.assert_close(mean, value, rtol=1e-4, atol=1e-6)
    for name, grad in grads.items():
        scale = max(grad.abs().max().item(), 1e-3)
        for _, found in parts:
            difference = (found[name] - grad).abs().max().item()
            assert difference <= 1e-3 * scale, name


if __name__ == '__main__':
    work(*sys.argv[1:])
