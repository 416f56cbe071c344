"""The command line of VISInferencer, by each of its entries."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from pmvis_mm.apis import init_vis_model
from pmvis_mm.apis.video_demo import build_formats, main, parse_args
from pmvis_mm.structures import VideoAnnotations
from pmvis_mm.utils.errors import ConfigError
from pmvis_mm.visualization import write_video


@pytest.fixture(scope='module')
def config(repo_root):
    return repo_root / 'tests/data/configs/tiny_mask_track_rcnn.py'


@pytest.fixture(scope='module')
def weights(config, tmp_path_factory):
    """Checkpoint of a tiny model that finds something."""
    torch.manual_seed(0)
    model = init_vis_model(config)
    path = tmp_path_factory.mktemp('weights') / 'tiny.pth'
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return path


@pytest.fixture(scope='module')
def frames(tmp_path_factory):
    """Folder of four images."""
    folder = tmp_path_factory.mktemp('video') / 'noise'
    folder.mkdir()
    rng = np.random.default_rng(0)
    for frame in range(4):
        image = rng.integers(0, 255, (40, 56, 3), np.uint8)
        Image.fromarray(image).save(folder / f'{frame}.png')
    return folder


def test_all_formats_then_one_more(
    frames, config, weights, tmp_path, capsys, monkeypatch
):
    words = [str(frames), str(config), '--checkpoint', str(weights)]
    words += ['--out-dir', str(tmp_path / 'out'), '--device', 'cpu']
    formats = ['mp4', 'csv', 'mots', 'json', 'cvat']
    main([*words, '--formats', *formats, '--max-frames', '3'])
    out = capsys.readouterr().out
    assert 'noise: 3 frames' in out
    listed = [Path(line) for line in out.split('3 frames')[1].split()]
    assert [path.name for path in listed] == [
        'noise.mp4',
        'noise.csv',
        'noise.txt',
        'noise.json',
        'noise.xml',
    ]
    assert all(path.stat().st_size for path in listed)
    results = json.loads(listed[3].read_text())
    assert results and all(len(r['segmentations']) == 3 for r in results)
    # The same video again: the model does not run for another format.
    from mmdet.models import MaskTrackRCNN

    monkeypatch.setattr(MaskTrackRCNN, 'test_step', None)
    main(
        [*words, '--formats', 'json', 'png', '--max-frames', '3']
        + ['--format-options', 'json.as_dataset=True', 'png.score_thr=0.0']
    )
    found = VideoAnnotations.from_file(listed[3], with_masks=True)
    assert found.videos[1].length == 3
    assert len(list(found)) > 0
    with Image.open(tmp_path / 'out/noise_masks/0.png') as image:
        assert image.mode == 'P' and np.asarray(image).max() > 0


def test_no_resume_runs_anew(frames, config, weights, tmp_path, monkeypatch):
    words = [str(frames), str(config), '--checkpoint', str(weights)]
    words += ['--out-dir', str(tmp_path), '--formats', 'csv']
    main(words)
    first = (tmp_path / 'noise.csv').read_bytes()
    from mmdet.models import MaskTrackRCNN

    calls = []
    step = MaskTrackRCNN.test_step

    def counting(self, data):
        calls.append(1)
        return step(self, data)

    monkeypatch.setattr(MaskTrackRCNN, 'test_step', counting)
    main(words)
    assert not calls
    main([*words, '--no-resume', '--batch-size', '2'])
    assert len(calls) == 2
    assert (tmp_path / 'noise.csv').read_bytes() == first


def test_options_that_are_not_given_are_left_to_the_inferencer():
    args = parse_args(['a.mp4', 'c.py'])
    for name in ('batch_size', 'clip_length', 'resume', 'precision'):
        assert not hasattr(args, name)
    args = parse_args(
        ['0', 'c.py', '--clip-length', 'whole', '--clip-overlap', '2']
        + ['--no-resume', '--cfg-options', 'model.a=1']
    )
    assert args.clip_length is None and args.clip_overlap == 2
    assert args.resume is False
    assert args.cfg_options == {'model.a': 1}


def test_options_of_formats():
    options = {'mots.first_frame': 0, 'mots.class_ids': dict(person=2)}
    assert build_formats(['mp4', 'mots'], options) == [
        dict(type='mp4'),
        dict(type='mots', first_frame=0, class_ids=dict(person=2)),
    ]
    for key in ('png.score_thr', 'score_thr'):
        with pytest.raises(ConfigError, match=f"'{key}' is of none of"):
            build_formats(['mp4', 'mots'], {key: 0})


@pytest.mark.parametrize(
    'words, message',
    [
        (['{frames}', 'no.py'], "error: 'no.py' is neither|no.py"),
        (['none.mp4', '{config}'], 'error: .*none.mp4'),
        (['{frames}', '{config}', '--formats', 'gif'], "format 'gif' is unkn"),
        (
            ['{frames}', '{config}', '--clip-length', '4'],
            'links frames by itself',
        ),
        (
            ['{frames}', '{config}', '--checkpoint', 'no.pth'],
            'error: .*no.pth',
        ),
        (
            ['{frames}', '{config}', '--format-options', 'png.a=1'],
            "'png.a' is of none",
        ),
        (
            ['{frames}', '{config}', '--format-options', 'mp4.a=1'],
            r"format 'mp4' has no options \['a'\]",
        ),
    ],
)
def test_mistakes_end_with_one_line(frames, config, tmp_path, words, message):
    words = [w.format(frames=frames, config=config) for w in words]
    with pytest.raises(SystemExit, match=message) as error:
        main([*words, '--out-dir', str(tmp_path / 'out')])
    assert str(error.value).startswith('error: ')
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('name', ['mp4', 'webm'])
def test_the_video_itself_is_never_replaced(config, weights, tmp_path, name):
    write_video(tmp_path / f'a.{name}', [np.zeros((40, 56, 3), np.uint8)] * 2)
    before = (tmp_path / f'a.{name}').read_bytes()
    words = [str(tmp_path / f'a.{name}'), str(config)]
    words += ['--checkpoint', str(weights), '--out-dir', str(tmp_path)]
    with pytest.raises(SystemExit, match='would replace the video itself'):
        main([*words, '--formats', name])
    assert (tmp_path / f'a.{name}').read_bytes() == before
    main([*words, '--formats', 'csv'])
    assert (tmp_path / 'a.csv').is_file()


def test_numbers_are_cameras_unless_there_is_such_a_file(
    config, weights, tmp_path, monkeypatch
):
    asked = []

    class Inferencer:
        def __init__(self, *args, **kwargs):
            pass

        def __call__(self, inputs, *args, **kwargs):
            asked.append(inputs)
            return dict(predictions=[], outputs=[])

    module = 'pmvis_mm.apis.vis_inferencer.VISInferencer'
    monkeypatch.setattr(module, Inferencer)
    monkeypatch.chdir(tmp_path)
    (tmp_path / '12').mkdir()
    for name in ('0', '12', 'rtsp://host/1'):
        main([name, str(config)])
    assert asked == [0, '12', 'rtsp://host/1']


def _run(words, cwd, **env):
    folder = str(Path(sys.executable).parent)
    path = folder + os.pathsep + os.environ['PATH']
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=dict(os.environ, PATH=path, PYTHON=sys.executable, **env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return done.stdout


def test_script(repo_root, frames, config, weights, tmp_path):
    out = _run(
        [sys.executable, repo_root / 'demo/video_demo.py', frames, config]
        + ['--checkpoint', weights, '--out-dir', 'o', '--formats', 'csv'],
        cwd=tmp_path,
    )
    assert 'noise: 4 frames' in out
    assert (tmp_path / 'o/noise.csv').stat().st_size > 100


@pytest.mark.slow
def test_mim_runs_it(mim, frames, config, weights, tmp_path):
    command, env = mim
    out = _run(
        [*command, 'run', 'pmvis_mm', 'video_demo', frames, config]
        + ['--checkpoint', weights, '--out-dir', 'o', '--formats', 'csv'],
        cwd=tmp_path,
        **env,
    )
    assert 'noise: 4 frames' in out
    assert (tmp_path / 'o/noise.csv').stat().st_size > 100
