"""Train the configs of MaskFreeVIS's paper, tiny, as a user runs them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from pmvis_mm.testing.tiny_joint import SIZE
from pmvis_mm.testing.tiny_runs import (
    positive_losses,
    read_losses,
    train_tiny,
)
from pmvis_mm.utils.checkpoint import read_checkpoint

pytestmark = pytest.mark.slow

BOXES = {'cls', 'proj', 'pairwise', 'tk'}
NO_VALIDATION = ('val_cfg=None', 'val_dataloader=None', 'val_evaluator=None')


def weights_of(path):
    return read_checkpoint(path)['state_dict']


def log_of(work_dir):
    """Text log of the newest run."""
    return sorted(Path(work_dir).glob('*/*.log'))[-1].read_text()


def metrics_of(work_dir):
    (file,) = Path(work_dir).glob('*/*.json')
    return json.loads(file.read_text())


# ------------------------------------------------- from images to videos
@pytest.fixture(scope='module')
def pretrained(tool, joint_configs, tmp_path_factory):
    """Checkpoint of two iterations on the boxes of images."""
    work_dir = tmp_path_factory.mktemp('image')
    found = train_tiny(tool, joint_configs['image'], work_dir)
    names = {'cls', 'proj', 'pairwise'}
    assert all(positive_losses(values) <= names for values in found.values())
    assert all(values['loss_proj'] > 0 for values in found.values())
    return work_dir / 'iter_2.pth'


@pytest.fixture(scope='module')
def video(pretrained, tool, joint_configs, tmp_path_factory):
    """Work dir of two iterations on boxes of videos, from those weights."""
    work_dir = tmp_path_factory.mktemp('video')
    option = f'load_from={pretrained}'
    train_tiny(tool, joint_configs['video'], work_dir, option)
    return work_dir


def test_images_teach_the_start_of_videos(pretrained, video):
    for values in read_losses(video).values():
        assert positive_losses(values) == BOXES
    text = log_of(video)
    assert 'other classes, these start anew: track_head.cls_embed' in text
    assert 'vis/AP: ' in text
    before, after = weights_of(pretrained), weights_of(video / 'iter_2.pth')
    assert list(before) == list(after)
    for name, value in after.items():
        if 'cls_embed' in name:
            assert (len(before[name]), len(value)) == (81, 41)
        else:  # two steps of a learning rate of 1e-4
            torch.testing.assert_close(value, before[name], rtol=0, atol=3e-4)
    assert not torch.equal(
        before['track_head.query_feat.weight'],
        after['track_head.query_feat.weight'],
    )


def test_the_model_of_videos_is_tested(video, tool, joint_configs, tmp_path):
    words = [video / 'iter_2.pth', '--work-dir', tmp_path / 'w']
    words += ['--cfg-options', f'test_evaluator.outfile_prefix={tmp_path}/out']
    assert tool('test.py', joint_configs['video'], *words) == 0
    assert 0 <= metrics_of(tmp_path / 'w')['vis/AP'] <= 1
    tracks = json.loads((tmp_path / 'out.results.json').read_text())
    assert {track['video_id'] for track in tracks} <= {1, 2} and tracks
    assert {track['category_id'] for track in tracks} <= set(range(1, 41))


@pytest.mark.parametrize('name', ['patch', 'deformable'])
def test_matchers_that_learn(name, pretrained, tool, joint_configs, tmp_path):
    work_dir = tmp_path / name
    found = train_tiny(
        tool,
        joint_configs[name],
        work_dir,
        f'load_from={pretrained}',
        'train_cfg.max_iters=3',
        # Early in the ramp, hardly anything would move.
        'model.track_head.mask_losses.tk.warmup_iters=0',
        *NO_VALIDATION,
    )
    assert all(BOXES <= positive_losses(values) for values in found.values())
    matcher = 'track_head.mask_losses.tk.matcher.layers'
    assert f'not in the file, these start anew: {matcher}' in log_of(work_dir)
    first, last = (weights_of(work_dir / f'iter_{i}.pth') for i in (1, 3))
    learned = [key for key in last if key.startswith(matcher)]
    assert len(learned) == 6  # three layers
    for key in learned:
        # Decay alone would be 1e-5 of a weight.
        assert (last[key] - first[key]).abs().max() > 1e-5, key
    # A model without the matcher is tested with this file, too.
    for config in (name, 'video'):
        words = [
            work_dir / 'iter_3.pth',
            '--work-dir',
            tmp_path / config / 'w',
        ]
        assert tool('test.py', joint_configs[config], *words) == 0
        assert 'vis/AP' in metrics_of(tmp_path / config / 'w')
    text = 'of losses that the model does not have: ' + matcher
    assert text in log_of(tmp_path / 'video' / 'w')


# ----------------------------------------------------------- fully supervised
def test_full_supervision(tool, joint_configs, tmp_path):
    found = train_tiny(tool, joint_configs['full'], tmp_path)
    for values in found.values():
        assert set(values) >= {'d0.loss_mask', 'd0.loss_dice'}
        assert positive_losses(values) == {'cls', 'mask', 'dice'}
        assert not any('proj' in name for name in values)
    assert 'vis/AP: ' in log_of(tmp_path)
    words = [tmp_path / 'iter_2.pth', '--work-dir', tmp_path / 'w']
    assert tool('test.py', joint_configs['full'], *words) == 0
    assert 0 <= metrics_of(tmp_path / 'w')['vis/AP'] <= 1


def test_full_supervision_needs_masks(tool, joint_configs, tmp_path, capsys):
    words = ['--work-dir', tmp_path, '--cfg-options']
    words += ['train_dataloader.dataset.supervision=box']
    assert tool('train.py', joint_configs['full'], *words) != 0
    message = capsys.readouterr().err
    assert 'MaskFreeTrackHead need masks' in message
    assert not list(tmp_path.glob('iter_*.pth'))


# ------------------------------------------------------------- less data
@pytest.mark.parametrize(
    'option, shown',
    [
        ('dataset.frame_fraction=0.25', '4 of 4 videos and 4 of 16 frames'),
        ('dataset.video_fraction=0.5', '2 of 4 videos and 8 of 16 frames'),
        ('dataset.pipeline.0.num_frames=1', None),
    ],
)
def test_less_of_the_data(option, shown, tool, joint_configs, tmp_path):
    found = train_tiny(
        tool, joint_configs['small'], tmp_path, f'train_dataloader.{option}'
    )
    assert list(found) == [1, 2]
    single = 'num_frames' in option
    for values in found.values():
        assert values['loss_proj'] > 0 and values['loss_cls'] > 0
        assert (values['loss_tk'] == 0) == single
    if shown:
        assert f'training with {shown}' in log_of(tmp_path)


# ------------------------------------------------------------------ inference
@pytest.fixture
def frames():
    rng = np.random.default_rng(0)
    return list(rng.integers(0, 255, (3, *SIZE, 3), dtype=np.uint8))


def test_the_api_runs_a_trained_model(video, joint_configs, frames):
    from pmvis_mm.apis import init_vis_model, iter_predictions
    from pmvis_mm.datasets.metainfo import YOUTUBE_VIS_2019_CLASSES

    model = init_vis_model(joint_configs['video'], video / 'iter_2.pth')
    assert model.dataset_meta['classes'] == YOUTUBE_VIS_2019_CLASSES
    found = dict(iter_predictions(model, frames, clip_length=None))
    assert sorted(found) == [0, 1, 2]
    for tracks in found.values():
        assert len(tracks.scores) == 10
        assert torch.equal(tracks.scores, found[0].scores)
        assert all(mask['size'] == list(SIZE) for mask in tracks.masks)


def test_a_trained_model_labels_its_videos(video, joint_configs):
    from pmvis_mm.registry import MODELS
    from pmvis_mm.testing.scripted_vis import make_video

    source = MODELS.build(
        dict(
            type='VISModelSource',
            config=str(joint_configs['video']),
            checkpoint=str(video / 'iter_2.pth'),
            clip_length=None,
            score_thr=0.0,
        )
    ).eval()
    boxes = [[(0, 0, 40, 48)] * 3, [None, (8, 4, 64, 44), None]]
    (result,) = source.test_step([make_video(boxes, SIZE)])
    assert [len(track.masks) for track in result.tracks] == [3, 3]
    first, second = result.tracks
    assert any(mask is not None for mask in first.masks)
    assert second.masks[0] is None and second.masks[2] is None
