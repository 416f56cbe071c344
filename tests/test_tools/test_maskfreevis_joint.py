"""Joint training of MaskFreeVIS on images with masks and videos."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from pmvis_mm.testing.leak import find_masks
from pmvis_mm.testing.tiny_joint import CONFIGS, write_tiny_config
from pmvis_mm.testing.tiny_runs import (
    positive_losses,
    read_losses,
    train_tiny,
)
from pmvis_mm.utils.checkpoint import read_checkpoint
from pmvis_mm.utils.fileio import dump_json, load_json

pytestmark = pytest.mark.slow

BOXES = {'proj', 'pairwise', 'tk'}
MASKS = {'mask', 'dice'}


@pytest.fixture(scope='module')
def joint(tool, joint_configs, tmp_path_factory):
    """Work dir of four joint iterations."""
    work_dir = tmp_path_factory.mktemp('joint')
    train_tiny(tool, joint_configs['joint'], work_dir)
    return work_dir


def weights_of(path):
    return read_checkpoint(path)['state_dict']


# --------------------------------------------------------------------- joint
def test_losses_of_either_source(joint):
    found = read_losses(joint)
    assert list(found) == [1, 2, 3, 4]
    names = BOXES | MASKS | {'cls'}
    expected = {f'{p}loss_{n}' for p in ('', 'd0.') for n in names}
    for values, kind in zip(found.values(), [BOXES, MASKS] * 2):
        assert set(values) == expected | {'loss'}
        assert positive_losses(values) == kind | {'cls'}
        parts = sum(v for k, v in values.items() if k != 'loss')
        assert values['loss'] == pytest.approx(parts, rel=1e-4)
    # The ramp counts iterations of both kinds.
    assert 2 < found[3]['loss_tk'] / found[1]['loss_tk'] < 4.5


def test_a_killed_run_goes_on(joint, tool, joint_configs, tmp_path):
    """As one that was never killed: order, clips, points and ramp."""
    shutil.copy(joint / 'iter_2.pth', tmp_path)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_2.pth'))
    words = ['--work-dir', tmp_path, '--resume']
    assert tool('train.py', joint_configs['joint'], *words) == 0
    resumed, unbroken = read_losses(tmp_path), read_losses(joint)
    assert list(resumed) == [3, 4]
    for step, values in resumed.items():
        assert values == pytest.approx(unbroken[step], rel=1e-4), step
    whole = weights_of(joint / 'iter_4.pth')
    for name, value in weights_of(tmp_path / 'iter_4.pth').items():
        torch.testing.assert_close(value, whole[name], rtol=1e-4, atol=1e-6)


def test_mixed_precision(joint, tool, joint_configs, tmp_path):
    words = ['--amp', '--work-dir', tmp_path, '--cfg-options']
    words += ['train_cfg.max_iters=2']
    assert tool('train.py', joint_configs['joint'], *words) == 0
    found, exact = read_losses(tmp_path), read_losses(joint)
    assert positive_losses(found[1]) == BOXES | {'cls'}
    assert positive_losses(found[2]) == MASKS | {'cls'}
    for step in (1, 2):
        assert found[step]['loss'] != exact[step]['loss']
        assert found[step]['loss'] == pytest.approx(
            exact[step]['loss'], rel=0.1
        )


def test_masks_without_an_assigner_are_refused(
    tool, joint_configs, tmp_path, capsys
):
    words = ['--work-dir', tmp_path, '--cfg-options']
    words += ['model.track_head.train_cfg.mask_assigner=None']
    assert tool('train.py', joint_configs['joint'], *words) != 0
    message = capsys.readouterr().err
    assert 'this head learns from boxes alone' in message
    assert 'give a mask_assigner in train_cfg' in message


@pytest.mark.usefixtures('default_scope')
def test_no_mask_of_a_video_reaches_the_model(joint_configs):
    from pmvis_mm.registry import DATASETS

    cfg = Config.fromfile(joint_configs['joint'])
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    images, videos = dataset.datasets
    assert len(images) == 3 and len(videos) == 4
    # The files hold masks of both.
    for part, key in ((images, 'segmentation'), (videos, 'segmentations')):
        content = load_json(part.ann_file)
        assert all(entry[key] for entry in content['annotations'])
    for index in range(len(dataset)):
        masks = find_masks(dataset[index])
        assert bool(masks) == (index < len(images)), masks


RECORDER = """
import json

from mmengine.hooks import Hook

from pmvis_mm.registry import HOOKS


@HOOKS.register_module()
class RecordBatches(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        clips = [
            [
                [frame.img_path, len(frame.gt_instances)]
                for frame in sample.video_data_samples
            ]
            for sample in data_batch['data_samples']
        ]
        with open(f'batches{runner.rank}.txt', 'a') as file:
            print(json.dumps(clips), file=file)
"""


def run_two(repo_root, config, folder):
    """Train on two processes, in a folder."""
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        port = str(sock.getsockname()[1])
    path = [str(Path(sys.executable).parent), os.environ['PATH']]
    search = [str(folder), str(repo_root)]
    env = dict(
        os.environ,
        PATH=os.pathsep.join(path),
        PYTHONPATH=os.pathsep.join(search),
        PYTHON=sys.executable,
        PORT=port,
    )
    env.pop('LOCAL_RANK', None)
    script = repo_root / 'tools/dist_train.sh'
    run = subprocess.run(
        ['bash', script, config, '2', '--work-dir', 'w'],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stdout[-5000:]


def test_two_processes(repo_root, config_root, joint_data, tmp_path):
    """Both draw from the same source; one of them may have no instance."""
    content = load_json(joint_data / 'youtube_vis_2019/train.json')
    content['annotations'] = [
        entry for entry in content['annotations'] if entry['video_id'] == 1
    ]
    dump_json(content, tmp_path / 'one.json')
    (tmp_path / 'record_batches.py').write_text(RECORDER)
    hooks = Config.fromfile(config_root / CONFIGS['joint']).custom_hooks
    videos = 'train_dataloader.dataset.datasets.1'
    config = write_tiny_config(
        'joint',
        tmp_path,
        joint_data,
        config_root,
        {
            'custom_imports': dict(imports=['record_batches']),
            'custom_hooks': [*hooks, dict(type='RecordBatches')],
            'train_dataloader.batch_size': 1,
            f'{videos}.ann_file': str(tmp_path / 'one.json'),
        },
    )
    run_two(repo_root, config, tmp_path)
    found = read_losses(tmp_path / 'w')
    assert list(found) == [1, 2, 3, 4]
    batches = [
        [json.loads(line) for line in (tmp_path / f'batches{rank}.txt').open()]
        for rank in (0, 1)
    ]
    counts = []
    for step in range(4):
        frames = [[f for clip in b[step] for f in clip] for b in batches]
        lengths = [len(part) for part in frames]
        assert lengths == ([4, 4] if step % 2 else [3, 3])
        paths = [{path for path, _ in part} for part in frames]
        # Three images for two processes come round sooner.
        assert step % 2 or not paths[0] & paths[1]
        counts.append([sum(n for _, n in part) for part in frames])
    # Of four videos in two iterations, one has boxes.
    assert sorted(map(bool, counts[0] + counts[2])) == [False] * 3 + [True]
    for step in (0, 2):
        shown = BOXES if counts[step][0] else set()
        assert positive_losses(found[step + 1]) == shown | {'cls'}
    state = weights_of(tmp_path / 'w/iter_4.pth')
    assert all(value.isfinite().all() for value in state.values())
