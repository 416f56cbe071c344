"""Train and test IDOL and its relatives through the tools, end to end."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from pmvis_mm.testing.tiny_runs import (
    SIZE,
    change_checkpoint,
    read_losses,
    train_tiny,
)
from pmvis_mm.utils.checkpoint import read_checkpoint

pytestmark = pytest.mark.slow


def metrics(work_dir):
    """Metrics of the newest test in a work dir."""
    (file,) = Path(work_dir).glob('*/*.json')
    return json.loads(file.read_text())


def more_confident(weights):
    """Let every query pass the score threshold."""
    for name in weights:
        if 'cls_branches' in name and name.endswith('bias'):
            weights[name] += 4.5


AP_KEYS = {f'vis/{k}' for k in ('AP', 'AP50', 'AP75', 'AR1', 'AR10')}
TERMS = dict(
    box={'proj', 'pairwise'},
    box_tk={'proj', 'pairwise', 'tk'},
    pseudo={'proj', 'pairwise', 'focal', 'dice'},
    pseudo_tk={'proj', 'pairwise', 'focal', 'dice', 'tk'},
    full={'focal', 'dice'},
)


# ------------------------------------------------------- train and evaluate
def test_boxinst_trains_and_validates(trained):
    assert (trained / 'iter_4.pth').is_file()
    found = read_losses(trained)
    assert list(found) == [1, 2, 3, 4]
    names = {'cls', 'bbox', 'iou'} | TERMS['box']
    expected = {f'{p}loss_{n}' for p in ('', 'd0.') for n in names}
    expected |= {'loss', 'loss_reid', 'loss_reid_aux'}
    for values in found.values():
        assert set(values) == expected
        parts = sum(v for k, v in values.items() if k != 'loss')
        assert values['loss'] == pytest.approx(parts, rel=1e-4)
    (log,) = trained.glob('*/*.log')
    assert 'vis/AP: ' in log.read_text()


@pytest.mark.parametrize('method', ['pseudo', 'full', 'box_tk', 'pseudo_tk'])
def test_losses_are_those_of_the_method(method, tool, tiny_configs, tmp_path):
    options = ['val_cfg=None', 'val_dataloader=None', 'val_evaluator=None']
    if method == 'full':
        options += ['train_dataloader.dataset.ann_file=train/instances.json']
    if method.endswith('tk'):
        # Without the ramp, the loss of two iterations is no tiny number.
        options += ['model.mask_head.mask_losses.tk.warmup_iters=0']
    found = train_tiny(tool, tiny_configs[method], tmp_path, *options)
    terms = {
        name[len('loss_') :] for name in found[2] if name.startswith('loss_')
    }
    other = {'cls', 'bbox', 'iou', 'reid', 'reid_aux'}
    assert terms - other == TERMS[method]
    assert all(0 < found[2][f'loss_{name}'] < 50 for name in terms - other)


def test_test_evaluates_writes_and_paints(
    tool, trained, tiny_configs, tiny_data, tmp_path
):
    busy = change_checkpoint(
        trained / 'iter_4.pth', tmp_path / 'busy.pth', more_confident
    )
    words = [busy, '--work-dir', tmp_path / 'w']
    words += ['--show-dir', tmp_path / 'shown', '--cfg-options']
    words += [f'test_evaluator.outfile_prefix={tmp_path}/out']
    words += ['test_evaluator.empty_rle=True']
    assert tool('test.py', tiny_configs['box'], *words) == 0
    found = metrics(tmp_path / 'w')
    assert AP_KEYS <= set(found)
    assert all(0 <= found[key] <= 1 for key in AP_KEYS)
    tracks = json.loads((tmp_path / 'out.results.json').read_text())
    assert {track['video_id'] for track in tracks} == {1, 2}
    masks = [rle for track in tracks for rle in track['segmentations']]
    assert all(mask['size'] == list(SIZE) for mask in masks)
    frames = sorted(
        path.relative_to(tiny_data / 'val/JPEGImages')
        for path in (tiny_data / 'val/JPEGImages').rglob('*.jpg')
    )
    assert len(frames) == 8
    for frame in frames:
        painted = cv2.imread(str(tmp_path / 'shown' / frame))
        plain = cv2.imread(str(tiny_data / 'val/JPEGImages' / frame))
        # 48 rows become 240.
        assert painted.shape == (240, 320, 3)
        plain = cv2.resize(plain, (320, 240), interpolation=cv2.INTER_CUBIC)
        assert np.abs(painted.astype(int) - plain).max() > 100
    assert len(list((tmp_path / 'shown').rglob('*.*'))) == 8


# ------------------------------------------------------------------- resume
def test_resumed_run_equals_an_unbroken_one(tool, tiny_configs, tmp_path):
    """Order, flips, warm-up and sampled negatives included."""
    three = ['train_cfg.max_iters=3', 'train_cfg.val_interval=3']
    train_tiny(tool, tiny_configs['box'], tmp_path / 'b', *three)
    six = ['train_cfg.max_iters=6', 'train_cfg.val_interval=3']
    unbroken = train_tiny(tool, tiny_configs['box'], tmp_path / 'a', *six)
    words = ['--work-dir', tmp_path / 'b', '--resume', '--cfg-options', *six]
    assert tool('train.py', tiny_configs['box'], *words) == 0
    resumed = read_losses(tmp_path / 'b')
    assert list(resumed) == [4, 5, 6]
    for step, values in resumed.items():
        assert values == pytest.approx(unbroken[step], rel=1e-5), step
    # Half of 500 iterations are not half of 6: the ramp goes on.
    for step, values in unbroken.items():
        full = values['loss_pairwise'] * 500 / step
        assert 0.1 < full < 4
    weights = [
        read_checkpoint(tmp_path / folder / 'iter_6.pth')['state_dict']
        for folder in 'ab'
    ]
    for name, value in weights[0].items():
        assert torch.allclose(value, weights[1][name], atol=1e-6), name


# --------------------------------------------------- processes and precision
def test_two_processes_train(repo_root, tiny_configs, tmp_path):
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        port = str(sock.getsockname()[1])
    bin_dir = str(Path(sys.executable).parent)
    env = dict(
        os.environ,
        PATH=bin_dir + os.pathsep + os.environ['PATH'],
        PYTHON=sys.executable,
        PORT=port,
    )
    env.pop('LOCAL_RANK', None)
    run = subprocess.run(
        [
            'bash',
            repo_root / 'tools/dist_train.sh',
            tiny_configs['pseudo'],
            '2',
        ]
        + ['--work-dir', 'w', '--cfg-options', 'val_cfg=None']
        + ['val_dataloader=None', 'val_evaluator=None'],
        cwd=tmp_path,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout[-5000:]
    assert "backend='gloo'" in run.stdout
    assert (tmp_path / 'w/iter_2.pth').is_file()
    found = read_losses(tmp_path / 'w')
    assert list(found) == [1, 2]
    assert TERMS['pseudo'] < {k[len('loss_') :] for k in found[2]}


def test_mixed_precision_on_the_cpu(tool, trained, tiny_configs, tmp_path):
    words = ['--amp', '--work-dir', tmp_path, '--cfg-options']
    words += ['train_cfg.max_iters=4', 'val_cfg=None']
    words += ['val_dataloader=None', 'val_evaluator=None']
    assert tool('train.py', tiny_configs['box'], *words) == 0
    exact, found = read_losses(trained), read_losses(tmp_path)
    assert all(np.isfinite(v) for x in found.values() for v in x.values())
    # The same first batch and weights: close, but not the same precision.
    assert found[1]['loss'] != exact[1]['loss']
    assert found[1]['loss'] == pytest.approx(exact[1]['loss'], rel=0.05)


# -------------------------------------------------------------- hard batches
def test_clips_without_instances_and_videos_of_one_frame(
    tool, tiny_configs, tiny_data, tmp_path
):
    content = json.loads((tiny_data / 'train/boxes.json').read_text())
    full, short = content['videos'][:2]
    # One frame, and that is all that this annotation has.
    short.update(file_names=short['file_names'][:1], length=1)
    kept = []
    for track in content['annotations']:
        if track['video_id'] == full['id']:
            kept.append(track)
        elif track['video_id'] == short['id']:
            track['bboxes'] = track['bboxes'][:1]
            if track['bboxes'][0] is not None:
                kept.append(track)
    content['annotations'] = kept
    path = tmp_path / 'few.json'
    path.write_text(json.dumps(content))
    found = train_tiny(
        tool,
        tiny_configs['box'],
        tmp_path / 'w',
        f'train_dataloader.dataset.ann_file={path}',
        # One clip at a time: two of four videos are empty.
        'train_dataloader.batch_size=1',
        'train_cfg.max_iters=4',
        'val_cfg=None',
        'val_dataloader=None',
        'val_evaluator=None',
    )
    assert all(np.isfinite(v) for x in found.values() for v in x.values())
    empty = [x for x in found.values() if x['loss_bbox'] == 0]
    assert len(empty) == 2
    for values in empty:
        assert values['loss_proj'] == values['loss_pairwise'] == 0
        assert values['loss_reid'] == 0 and values['loss_cls'] > 0
