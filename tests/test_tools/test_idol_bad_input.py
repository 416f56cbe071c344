"""What tools refuse before or while IDOL trains, and what they say."""

import re

import pytest

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from pmvis_mm.testing.tiny_runs import (
    change_checkpoint,
    read_losses,
    train_tiny,
)

pytestmark = pytest.mark.slow


def refused(tool, capsys, *words):
    """Run a tool that must end with code 2; returns its message."""
    capsys.readouterr()
    assert tool(*words) == 2
    return capsys.readouterr().err


def test_mask_losses_on_boxes_stop_before_training(
    tool, tiny_configs, tmp_path, capsys
):
    message = refused(
        tool,
        capsys,
        'train.py',
        tiny_configs['box'],
        '--work-dir',
        tmp_path,
        '--cfg-options',
        'model.mask_head.mask_losses.focal.type=MaskFocalLoss',
    )
    assert 'MaskFocalLoss need masks' in message
    assert 'Fix: take them out of mask_losses' in message
    assert 'supervision="pseudo" with pseudo_ann_file' in message
    assert not list(tmp_path.glob('*.pth'))
    assert not [f for f in tmp_path.rglob('scalars.json') if f.stat().st_size]


def one_class_less(weights):
    for name, value in weights.items():
        if 'cls_branches' in name:
            weights[name] = value[:-1].clone()


def test_checkpoint_of_other_classes(
    tool, trained, tiny_configs, tmp_path, capsys
):
    """Training starts such layers anew; testing refuses them."""
    other = change_checkpoint(
        trained / 'iter_4.pth', tmp_path / 'other.pth', one_class_less
    )
    found = train_tiny(
        tool,
        tiny_configs['box'],
        tmp_path / 'w',
        f'load_from={other}',
        'train_cfg.max_iters=1',
        'val_cfg=None',
        'val_dataloader=None',
        'val_evaluator=None',
    )
    # Trained boxes, new classes: from the same clip as the first run.
    first = read_losses(trained)[1]
    assert found[1]['loss_bbox'] != first['loss_bbox']
    (log,) = (tmp_path / 'w').glob('*/*.log')
    assert 'other classes, these start anew' in log.read_text()
    message = refused(
        tool,
        capsys,
        'test.py',
        tiny_configs['box'],
        other,
        '--work-dir',
        tmp_path,
    )
    assert 'weights of another shape' in message and str(other) in message
    shapes = 'cls_branches.0.weight (3, 32), the model has (4, 32)'
    assert f'detector.bbox_head.{shapes}' in message


def test_checkpoint_of_another_model(
    tool, trained, tiny_configs, tmp_path, capsys
):
    message = refused(
        tool,
        capsys,
        'train.py',
        tiny_configs['box'],
        '--work-dir',
        tmp_path,
        '--cfg-options',
        f'load_from={trained}/iter_4.pth',
        'model.detector.backbone.base_channels=16',
        'model.detector.neck.in_channels=[32,64,128]',
    )
    assert 'weights of another shape' in message
    assert 'backbone.conv1.weight (8, 3, 7, 7), the model has (16,' in message
    assert not list(tmp_path.glob('*.pth'))


def test_checkpoint_that_is_not_there(tool, tiny_configs, tmp_path, capsys):
    message = refused(
        tool,
        capsys,
        'train.py',
        tiny_configs['box'],
        '--work-dir',
        tmp_path,
        '--cfg-options',
        'load_from=nope.pth',
    )
    assert 'load_from does not exist [file nope.pth]' in message
    assert '--cfg-options load_from=None' in message


def test_nan_names_videos_and_frames(
    tool, trained, tiny_configs, tmp_path, capsys
):
    def poison(weights):
        weights['track_head.embed.layers.2.bias'][0] = float('nan')

    poisoned = change_checkpoint(
        trained / 'iter_4.pth', tmp_path / 'nan.pth', poison
    )
    message = refused(
        tool,
        capsys,
        'train.py',
        tiny_configs['box'],
        '--work-dir',
        tmp_path / 'w',
        '--cfg-options',
        f'load_from={poisoned}',
    )
    assert 'iteration 1: ' in message and 'loss_reid is nan' in message
    videos = re.search(r'\[video ([\d, ]+), frame', message)
    assert videos and set(videos[1].split(', ')) <= set('1234')
    assert 'JPEGImages' in message and '.jpg' in message
    assert 'the last checkpoint is not touched' in message
    assert not list((tmp_path / 'w').glob('*.pth'))
