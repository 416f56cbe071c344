"""Train the configs of MaskFreeVIS's paper, tiny, as a user runs them."""

import json
import math
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from pmvis_mm.testing.leak import find_masks
from pmvis_mm.testing.tiny_joint import (
    SIZE,
    write_tiny_config,
    write_tiny_joint,
)
from pmvis_mm.testing.tiny_runs import read_losses, train_tiny
from pmvis_mm.utils.checkpoint import read_checkpoint
from pmvis_mm.utils.fileio import dump_json, load_json

pytestmark = pytest.mark.slow

VIDEO = 'maskfreevis/maskfreevis_r50_8xb2-6k_youtubevis2019-box'
CONFIGS = dict(
    joint='maskfreevis/maskfreevis_r50_8xb2-70k_coco-youtubevis2019-joint.py',
    image='maskfreevis/maskfreevis_r50_8xb2-369k_coco-box.py',
    video=f'{VIDEO}.py',
    patch=f'{VIDEO}_learned-patch.py',
    deformable=f'{VIDEO}_deformable.py',
    full='mask2former_video/mask2former-video_r50_8xb2-6k_youtubevis2019.py',
    small='maskfreevis/maskfreevis_r18_1xb4-1k_own-box.py',
)
OVERRIDES = dict(
    # With this seed: videos, images, videos, images.
    joint={
        'randomness.seed': 2,
        'train_cfg.max_iters': 4,
        'train_cfg.val_interval': 5,
        'default_hooks.checkpoint.interval': 2,
    },
    # Other weights to start from than those of the videos.
    image={'randomness.seed': 1},
    small={
        'train_dataloader.batch_size': 2,
        'val_cfg': None,
        'val_dataloader': None,
        'val_evaluator': None,
    },
)
BOXES = {'proj', 'pairwise', 'tk'}
MASKS = {'mask', 'dice'}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    write_tiny_joint(root)
    return root


@pytest.fixture(scope='module')
def configs(data, config_root, tmp_path_factory):
    """Tiny configs by name."""
    folder = tmp_path_factory.mktemp('configs')
    return {
        name: write_tiny_config(
            config_root / file,
            folder / f'{name}.py',
            data,
            OVERRIDES.get(name),
        )
        for name, file in CONFIGS.items()
    }


@pytest.fixture(scope='module')
def joint(tool, configs, tmp_path_factory):
    """Work dir of four joint iterations."""
    work_dir = tmp_path_factory.mktemp('joint')
    train_tiny(tool, configs['joint'], work_dir)
    return work_dir


def weights_of(path):
    return read_checkpoint(path)['state_dict']


def log_of(work_dir):
    """Text log of the newest run."""
    return sorted(Path(work_dir).glob('*/*.log'))[-1].read_text()


def metrics_of(work_dir):
    (file,) = Path(work_dir).glob('*/*.json')
    return json.loads(file.read_text())


def positive(values):
    """Names of the losses of the last prediction that are not 0."""
    assert all(math.isfinite(value) for value in values.values())
    return {
        name[len('loss_') :]
        for name, value in values.items()
        if name.startswith('loss_') and value > 0
    }


# --------------------------------------------------------------------- joint
def test_losses_of_either_source(joint):
    found = read_losses(joint)
    assert list(found) == [1, 2, 3, 4]
    names = BOXES | MASKS | {'cls'}
    expected = {f'{p}loss_{n}' for p in ('', 'd0.') for n in names}
    for values, kind in zip(found.values(), [BOXES, MASKS] * 2):
        assert set(values) == expected | {'loss'}
        assert positive(values) == kind | {'cls'}
        parts = sum(v for k, v in values.items() if k != 'loss')
        assert values['loss'] == pytest.approx(parts, rel=1e-4)
    # The ramp counts iterations of both kinds.
    assert 2 < found[3]['loss_tk'] / found[1]['loss_tk'] < 4.5


def test_a_killed_run_goes_on(joint, tool, configs, tmp_path):
    """As one that was never killed: order, clips, points and ramp."""
    shutil.copy(joint / 'iter_2.pth', tmp_path)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_2.pth'))
    words = ['--work-dir', tmp_path, '--resume']
    assert tool('train.py', configs['joint'], *words) == 0
    resumed, unbroken = read_losses(tmp_path), read_losses(joint)
    assert list(resumed) == [3, 4]
    for step, values in resumed.items():
        assert values == pytest.approx(unbroken[step], rel=1e-4), step
    whole = weights_of(joint / 'iter_4.pth')
    for name, value in weights_of(tmp_path / 'iter_4.pth').items():
        torch.testing.assert_close(value, whole[name], rtol=1e-4, atol=1e-6)


def test_mixed_precision(joint, tool, configs, tmp_path):
    words = ['--amp', '--work-dir', tmp_path, '--cfg-options']
    words += ['train_cfg.max_iters=2']
    assert tool('train.py', configs['joint'], *words) == 0
    found, exact = read_losses(tmp_path), read_losses(joint)
    assert positive(found[1]) == BOXES | {'cls'}
    assert positive(found[2]) == MASKS | {'cls'}
    for step in (1, 2):
        assert found[step]['loss'] != exact[step]['loss']
        assert found[step]['loss'] == pytest.approx(
            exact[step]['loss'], rel=0.1
        )


def test_masks_without_an_assigner_are_refused(
    tool, configs, tmp_path, capsys
):
    words = ['--work-dir', tmp_path, '--cfg-options']
    words += ['model.track_head.train_cfg.mask_assigner=None']
    assert tool('train.py', configs['joint'], *words) != 0
    message = capsys.readouterr().err
    assert 'this head learns from boxes alone' in message
    assert 'give a mask_assigner in train_cfg' in message


@pytest.mark.usefixtures('default_scope')
def test_no_mask_of_a_video_reaches_the_model(configs):
    from pmvis_mm.registry import DATASETS

    cfg = Config.fromfile(configs['joint'])
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


def test_two_processes(repo_root, config_root, data, tmp_path):
    """Both draw from the same source; one of them may have no instance."""
    content = load_json(data / 'youtube_vis_2019/train.json')
    content['annotations'] = [
        entry for entry in content['annotations'] if entry['video_id'] == 1
    ]
    dump_json(content, tmp_path / 'one.json')
    (tmp_path / 'record_batches.py').write_text(RECORDER)
    source = config_root / CONFIGS['joint']
    hooks = Config.fromfile(source).custom_hooks
    videos = 'train_dataloader.dataset.datasets.1'
    config = write_tiny_config(
        source,
        tmp_path / 'two.py',
        data,
        {
            **OVERRIDES['joint'],
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
        assert not paths[0] & paths[1]
        counts.append([sum(n for _, n in part) for part in frames])
    # Of four videos in two iterations, one has boxes.
    assert sorted(map(bool, counts[0] + counts[2])) == [False] * 3 + [True]
    for step in (0, 2):
        shown = BOXES if counts[step][0] else set()
        assert positive(found[step + 1]) == shown | {'cls'}
    state = weights_of(tmp_path / 'w/iter_4.pth')
    assert all(value.isfinite().all() for value in state.values())


# ------------------------------------------------- from images to videos
@pytest.fixture(scope='module')
def pretrained(tool, configs, tmp_path_factory):
    """Checkpoint of two iterations on the boxes of images."""
    work_dir = tmp_path_factory.mktemp('image')
    found = train_tiny(tool, configs['image'], work_dir)
    names = {'cls', 'proj', 'pairwise'}
    assert all(positive(values) <= names for values in found.values())
    assert all(values['loss_proj'] > 0 for values in found.values())
    return work_dir / 'iter_2.pth'


@pytest.fixture(scope='module')
def video(pretrained, tool, configs, tmp_path_factory):
    """Work dir of two iterations on boxes of videos, from those weights."""
    work_dir = tmp_path_factory.mktemp('video')
    option = f'load_from={pretrained}'
    train_tiny(tool, configs['video'], work_dir, option)
    return work_dir


def test_images_teach_the_start_of_videos(pretrained, video):
    for values in read_losses(video).values():
        assert positive(values) == BOXES | {'cls'}
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


def test_the_model_of_videos_is_tested(video, tool, configs, tmp_path):
    words = [video / 'iter_2.pth', '--work-dir', tmp_path / 'w']
    words += ['--cfg-options', f'test_evaluator.outfile_prefix={tmp_path}/out']
    assert tool('test.py', configs['video'], *words) == 0
    assert 0 <= metrics_of(tmp_path / 'w')['vis/AP'] <= 1
    tracks = json.loads((tmp_path / 'out.results.json').read_text())
    assert {track['video_id'] for track in tracks} <= {1, 2} and tracks
    assert {track['category_id'] for track in tracks} <= set(range(1, 41))


@pytest.mark.parametrize('name', ['patch', 'deformable'])
def test_matchers_that_learn(
    name, pretrained, tool, configs, tmp_path, capsys
):
    work_dir = tmp_path / name
    found = train_tiny(
        tool,
        configs[name],
        work_dir,
        f'load_from={pretrained}',
        'train_cfg.max_iters=3',
        # Early in the ramp, hardly anything would move.
        'model.track_head.mask_losses.tk.warmup_iters=0',
        'val_cfg=None',
        'val_dataloader=None',
        'val_evaluator=None',
    )
    assert all(BOXES <= positive(values) for values in found.values())
    matcher = 'track_head.mask_losses.tk.matcher.layers'
    assert f'not in the file, these start anew: {matcher}' in log_of(work_dir)
    first, last = (weights_of(work_dir / f'iter_{i}.pth') for i in (1, 3))
    learned = [key for key in last if key.startswith(matcher)]
    assert len(learned) == 6  # three layers
    for key in learned:
        # Decay alone would be 1e-5 of a weight.
        assert (last[key] - first[key]).abs().max() > 1e-5, key
    # A model without the matcher tests with this file, and the other way.
    pairs = [(name, work_dir / 'iter_3.pth', None)]
    pairs += [('video', work_dir / 'iter_3.pth', 'does not have')]
    for config, checkpoint, message in pairs:
        folder = tmp_path / f'test_{config}'
        words = [checkpoint, '--work-dir', folder]
        assert tool('test.py', configs[config], *words) == 0
        assert 'vis/AP' in metrics_of(folder)
        assert message is None or message in log_of(folder)


# ----------------------------------------------------------- fully supervised
def test_full_supervision(tool, configs, tmp_path):
    found = train_tiny(tool, configs['full'], tmp_path)
    for values in found.values():
        assert set(values) >= {'d0.loss_mask', 'd0.loss_dice'}
        assert positive(values) == MASKS | {'cls'}
        assert not any('proj' in name for name in values)
    assert 'vis/AP: ' in log_of(tmp_path)
    words = [tmp_path / 'iter_2.pth', '--work-dir', tmp_path / 'w']
    assert tool('test.py', configs['full'], *words) == 0
    assert 0 <= metrics_of(tmp_path / 'w')['vis/AP'] <= 1


def test_full_supervision_needs_masks(tool, configs, tmp_path, capsys):
    words = ['--work-dir', tmp_path, '--cfg-options']
    words += ['train_dataloader.dataset.supervision=box']
    assert tool('train.py', configs['full'], *words) != 0
    message = capsys.readouterr().err
    assert 'MaskFreeTrackHead need masks' in message
    assert not list(tmp_path.glob('iter_*.pth'))


# ------------------------------------------------------------- less of the data
@pytest.mark.parametrize(
    'option, shown',
    [
        ('dataset.frame_fraction=0.25', '4 of 4 videos and 4 of 16 frames'),
        ('dataset.video_fraction=0.5', '2 of 4 videos and 8 of 16 frames'),
        ('dataset.pipeline.0.num_frames=1', None),
    ],
)
def test_less_of_the_data(option, shown, tool, configs, tmp_path):
    found = train_tiny(
        tool, configs['small'], tmp_path, f'train_dataloader.{option}'
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


def test_the_api_runs_a_trained_model(video, configs, frames):
    from pmvis_mm.apis import init_vis_model, iter_predictions
    from pmvis_mm.datasets.metainfo import YOUTUBE_VIS_2019_CLASSES

    model = init_vis_model(configs['video'], video / 'iter_2.pth')
    assert model.dataset_meta['classes'] == YOUTUBE_VIS_2019_CLASSES
    found = dict(iter_predictions(model, frames, clip_length=None))
    assert sorted(found) == [0, 1, 2]
    for tracks in found.values():
        assert len(tracks.scores) == 10
        assert torch.equal(tracks.scores, found[0].scores)
        assert all(mask['size'] == list(SIZE) for mask in tracks.masks)


def test_a_trained_model_labels_its_videos(video, configs):
    from pmvis_mm.registry import MODELS
    from pmvis_mm.testing.scripted_vis import make_video

    source = MODELS.build(
        dict(
            type='VISModelSource',
            config=str(configs['video']),
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
