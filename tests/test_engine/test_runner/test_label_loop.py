"""Whole labelling runs: resuming, several processes, bad input."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from mmengine.config import Config
from mmengine.runner import Runner

from pmvis_mm.datasets.shapes_vis import write_shapes_vis
from pmvis_mm.engine.runner import label_loop
from pmvis_mm.structures import PseudoMaskSet, VideoAnnotations
from pmvis_mm.utils.errors import FrameError, MaskSetError, OutputError

pytestmark = pytest.mark.slow
NUM_VIDEOS, NUM_FRAMES = 5, 4


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Five small videos; ids 1 to 5."""
    root = tmp_path_factory.mktemp('label') / 'data'
    return write_shapes_vis(root, NUM_VIDEOS, NUM_FRAMES, (48, 64), seed=1)


@pytest.fixture(scope='module')
def run(config_root, data):
    """Function that runs a labelling config in this process."""

    def start(work_dir, config='grabcut_doob', **options):
        cfg = Config.fromfile(str(config_root / 'labeling' / f'{config}.py'))
        cfg.merge_from_dict(_options(data))
        cfg.merge_from_dict(options)
        cfg.work_dir = str(work_dir)
        # Loggers are shared by name; the default name counts seconds.
        cfg.experiment_name = uuid.uuid4().hex
        return Runner.from_cfg(cfg).test()

    return start


@pytest.fixture(scope='module')
def unbroken(run, tmp_path_factory):
    """Work folder of a run that nothing disturbed, and its metrics."""
    work_dir = tmp_path_factory.mktemp('unbroken')
    metrics = run(work_dir)
    return work_dir, metrics


@pytest.fixture
def third_frame(data):
    """A frame of the third video, restored after the test."""
    path = data / 'JPEGImages' / 'shapes_00002' / '00001.jpg'
    content = path.read_bytes()
    yield path
    path.unlink()
    path.write_bytes(content)


def _options(data):
    dataset = 'test_dataloader.dataset'
    return {
        f'{dataset}.ann_file': str(data / 'boxes.json'),
        f'{dataset}.img_prefix': str(data / 'JPEGImages'),
    }


def shards_of(work_dir):
    """Finished videos: by id the time of writing."""
    folders = list(Path(work_dir).glob('shards-*'))
    assert len(folders) <= 1
    return {
        int(path.stem): path.stat().st_mtime_ns
        for folder in folders
        for path in folder.glob('[0-9]*.json')
    }


def folders_of(work_dir):
    return {path.name for path in Path(work_dir).glob('shards-*')}


def log_of(work_dir):
    return ''.join(
        path.read_text() for path in sorted(Path(work_dir).glob('*/*.log'))
    )


def masks_of(work_dir):
    return (Path(work_dir) / 'masks.json').read_bytes()


def tool(data, work_dir, processes=1):
    """Command line, working folder and environment of tools/test.py."""
    root = Path(__file__).resolve().parents[3]
    words = [sys.executable, root / 'tools' / 'test.py']
    config = [root / 'configs' / 'labeling' / 'grabcut_doob.py']
    if processes > 1:
        words = ['bash', root / 'tools' / 'dist_test.sh']
        config += ['none', processes]
    options = [f'{key}={value}' for key, value in _options(data).items()]
    words += [*config, '--work-dir', work_dir, '--cfg-options', *options]
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        port = str(sock.getsockname()[1])
    env = dict(os.environ, PYTHON=sys.executable, PORT=port)
    env.pop('LOCAL_RANK', None)
    return dict(args=[str(w) for w in words], cwd=work_dir.parent, env=env)


def test_outputs(unbroken, data):
    work_dir, metrics = unbroken
    annotations = VideoAnnotations.from_file(data / 'boxes.json')
    final = PseudoMaskSet.load(work_dir / 'masks.json')
    final.validate(annotations)
    assert final.source_counts() == dict(grabcut=final.num_masks)
    assert list(final.videos) == [1, 2, 3, 4, 5]
    assert [t.id for t in final] == [t.id for t in annotations]
    assert 0 < final.num_masks <= annotations.num_boxes
    stages = sorted((work_dir / 'stages').iterdir())
    assert [path.name for path in stages] == ['doob.json', 'raw.json']
    assert stages[0].read_bytes() == masks_of(work_dir)
    raw = PseudoMaskSet.load(work_dir / 'stages' / 'raw.json')
    assert raw.num_masks >= final.num_masks
    assert metrics['doob/boxes'] == annotations.num_boxes
    assert metrics['doob/masks'] == final.num_masks
    assert metrics['raw/masks'] == raw.num_masks
    assert sorted(shards_of(work_dir)) == [1, 2, 3, 4, 5]
    # Nothing half-written is left behind.
    assert not list(work_dir.rglob('*.tmp'))
    assert not list(work_dir.rglob('.write-test'))


def test_costs(unbroken, data):
    work_dir, _ = unbroken
    stats = json.loads((work_dir / 'label_stats.json').read_text())
    boxes = VideoAnnotations.from_file(data / 'boxes.json').num_boxes
    assert stats['frames'] == NUM_VIDEOS * NUM_FRAMES
    assert stats['boxes'] == boxes
    seconds = stats['source_seconds']
    assert seconds > 0 and stats['hook_seconds'] > 0
    assert stats['seconds_per_frame'] == pytest.approx(seconds / 20)
    assert stats['seconds_per_mask'] == pytest.approx(seconds / boxes)


def test_log_tells_progress_and_what_is_left(unbroken):
    log = log_of(unbroken[0])
    for number in range(1, 6):
        line = rf'\(test\) \[{number}/5\] +eta: \d:\d\d:\d\d +time: \d'
        assert re.search(line, log)
    assert 'masks.json; ' in log and ' ms per mask' in log


def test_quality_with_real_masks(run, data, tmp_path):
    truth = str(data / 'instances.json')
    metrics = run(
        tmp_path / 'w',
        'import_doob',
        **{
            'test_dataloader.dataset.priors': dict(imported=truth),
            'test_evaluator.ann_file': truth,
        },
    )
    assert metrics['raw/miou'] == metrics['doob/miou'] == 1
    assert metrics['raw/masks'] == metrics['doob/masks']
    # What is imported comes out again, each mask with its source.
    real, final = map(PseudoMaskSet.load, (truth, tmp_path / 'w/masks.json'))
    assert [t.masks for t in final] == [t.masks for t in real]
    assert list(final.source_counts()) == ['imported']


def test_flow_and_shqm_over_the_results_of_other_runs(
    run, unbroken, data, tmp_path
):
    work_dir, _ = unbroken
    truth = str(data / 'instances.json')
    metrics = run(
        tmp_path / 'w',
        'flow_shqm',
        **{
            'test_dataloader.dataset.priors': dict(
                prompted=str(work_dir / 'masks.json'), predicted=truth
            ),
            'test_evaluator.ann_file': truth,
            'model.keyframe_interval': 2,
        },
    )
    final = PseudoMaskSet.load(tmp_path / 'w' / 'masks.json')
    names = set(final.source_counts())
    # Four frames, two keyframes: both tracks compete.
    assert names <= {'prompted', 'predicted', 'flow_1', 'flow_2'}
    assert names & {'flow_1', 'flow_2'}
    stages = sorted((tmp_path / 'w' / 'stages').iterdir())
    assert [path.name for path in stages] == ['raw.json', 'shqm.json']
    assert metrics['shqm/miou'] > 0.8


def test_quality_selector_over_stored_masks(run, unbroken, data, tmp_path):
    truth = str(data / 'instances.json')
    metrics = run(
        tmp_path / 'w',
        'select_quality',
        **{
            'test_dataloader.dataset.priors': dict(
                prompted=str(unbroken[0] / 'masks.json'), tracked=truth
            ),
            'test_evaluator.ann_file': truth,
        },
    )
    final = PseudoMaskSet.load(tmp_path / 'w' / 'masks.json')
    assert set(final.source_counts()) <= {'prompted', 'tracked'}
    scores = [s for track in final for s in track.scores if s is not None]
    assert len(scores) == final.num_masks
    assert all(0 <= score <= 1 for score in scores)
    assert metrics['selected/miou'] >= metrics['raw/miou']


def test_second_run_labels_nothing(run, unbroken, tmp_path, monkeypatch):
    work_dir = tmp_path / 'w'
    shutil.copytree(unbroken[0], work_dir)
    before = shards_of(work_dir)
    (work_dir / 'masks.json').unlink()

    def label(*args):
        raise AssertionError('labelled again')

    monkeypatch.setattr(label_loop.LabelLoop, '_label', label)
    metrics = run(work_dir)
    assert shards_of(work_dir) == before
    assert masks_of(work_dir) == masks_of(unbroken[0])
    assert metrics == unbroken[1]


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='needs named pipes')
def test_killed_run_goes_on_where_it_was(
    run, unbroken, data, third_frame, tmp_path
):
    # Reading a frame from a pipe blocks: the run stands in the third video.
    content = third_frame.read_bytes()
    third_frame.unlink()
    os.mkfifo(third_frame)
    work_dir, other = tmp_path / 'w', tmp_path / 'two'
    process = subprocess.Popen(
        **tool(data, work_dir),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until(lambda: len(shards_of(work_dir)) >= 2, process)
        # It does not get further.
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    before = shards_of(work_dir)
    assert sorted(before) == [1, 2]
    assert not (work_dir / 'masks.json').exists()
    third_frame.unlink()
    third_frame.write_bytes(content)
    shutil.copytree(work_dir, other)

    run(work_dir)
    _check_resumed(work_dir, before, unbroken[0])
    # Several processes can go on with what one has begun.
    done = subprocess.run(
        **tool(data, other, processes=2),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert "backend='gloo'" in done.stdout
    _check_resumed(other, before, unbroken[0])


def _wait_until(condition, process, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, 'ended on its own'
        assert time.monotonic() < end, 'too slow'
        time.sleep(0.02)


def _check_resumed(work_dir, before, unbroken):
    """Only what was missing is new; results are those of one run."""
    after = shards_of(work_dir)
    assert sorted(after) == [1, 2, 3, 4, 5]
    again = [key for key, written in before.items() if after[key] != written]
    assert again == []
    for name in ('masks.json', 'stages/raw.json', 'stages/doob.json'):
        path = Path(name)
        assert (work_dir / path).read_bytes() == (unbroken / path).read_bytes()
    stats = json.loads((work_dir / 'label_stats.json').read_text())
    assert stats['frames'] == NUM_VIDEOS * NUM_FRAMES


def test_truncated_frame_keeps_what_is_finished(
    run, unbroken, third_frame, tmp_path
):
    content = third_frame.read_bytes()
    third_frame.write_bytes(content[: len(content) // 2])
    with pytest.raises(FrameError) as caught:
        run(tmp_path)
    error = caught.value
    assert (error.file, error.video, error.frame) == (str(third_frame), 3, 1)
    assert 'truncated' in str(error)
    before = shards_of(tmp_path)
    assert sorted(before) == [1, 2]
    assert not (tmp_path / 'masks.json').exists()
    log = log_of(tmp_path)
    assert 'stopped at video 3; finished videos stay in' in log
    assert folders_of(tmp_path).pop() in log

    third_frame.write_bytes(content)
    run(tmp_path)
    _check_resumed(tmp_path, before, unbroken[0])


def test_other_options_get_a_folder_of_their_own(run, unbroken, tmp_path):
    work_dir = tmp_path / 'w'
    shutil.copytree(unbroken[0], work_dir)
    (old,) = folders_of(work_dir)
    kept = (work_dir / old / '1.json').read_bytes()
    run(work_dir, **{'model.iterations': 1})
    assert len(folders_of(work_dir)) == 2
    assert (work_dir / old / '1.json').read_bytes() == kept
    assert masks_of(work_dir) != masks_of(unbroken[0])
    # So do other options of the hooks.
    run(work_dir, custom_hooks=[dict(type='DOOBHook', margin=3)])
    assert len(folders_of(work_dir)) == 3
    # Back to the old options: the old shards still serve.
    run(work_dir)
    assert len(folders_of(work_dir)) == 3
    assert masks_of(work_dir) == masks_of(unbroken[0])


def test_other_content_of_a_prior_gets_a_folder_of_its_own(
    run, unbroken, tmp_path
):
    prior = tmp_path / 'prior.json'
    shutil.copy(unbroken[0] / 'masks.json', prior)
    options = {'test_dataloader.dataset.priors': dict(imported=str(prior))}
    run(tmp_path / 'w', 'import_doob', **options)
    first = PseudoMaskSet.load(tmp_path / 'w' / 'masks.json')
    masks = PseudoMaskSet.load(prior)
    for track in masks.tracks[1]:
        for frame in range(NUM_FRAMES):
            track.set(frame, None, '')
    masks.dump(prior)
    run(tmp_path / 'w', 'import_doob', **options)
    assert len(folders_of(tmp_path / 'w')) == 2
    second = PseudoMaskSet.load(tmp_path / 'w' / 'masks.json')
    assert any(track.num_masks for track in first.tracks[1])
    assert not any(track.num_masks for track in second.tracks[1])
    assert second.tracks[2] == first.tracks[2]


def test_batches_and_workers_change_nothing(run, unbroken, tmp_path):
    run(
        tmp_path,
        **{
            'test_dataloader.batch_size': 2,
            'test_dataloader.num_workers': 1,
        },
    )
    assert folders_of(tmp_path) == folders_of(unbroken[0])
    assert masks_of(tmp_path) == masks_of(unbroken[0])


def test_corrupt_shard_is_named(run, unbroken, tmp_path):
    work_dir = tmp_path / 'w'
    shutil.copytree(unbroken[0], work_dir)
    (shard,) = work_dir.glob('shards-*/4.json')
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(MaskSetError, match='not a json file') as caught:
        run(work_dir)
    assert str(caught.value.file) == str(shard)
    before = shards_of(work_dir)
    shard.unlink()
    del before[4]
    run(work_dir)
    _check_resumed(work_dir, before, unbroken[0])


def test_output_that_cannot_be_written_fails_before_any_video(
    run, tmp_path, monkeypatch
):
    def label(*args):
        raise AssertionError('labelled a video')

    monkeypatch.setattr(label_loop.LabelLoop, '_label', label)
    (tmp_path / 'file').write_text('')
    out_dir = tmp_path / 'file' / 'out'
    with pytest.raises(OutputError, match='cannot write here') as caught:
        run(tmp_path / 'w', **{'test_cfg.out_dir': str(out_dir)})
    assert Path(caught.value.file).parent == out_dir


def test_out_dir_takes_the_results(run, unbroken, tmp_path):
    out_dir = tmp_path / 'out'
    run(tmp_path / 'w', **{'test_cfg.out_dir': str(out_dir)})
    assert masks_of(out_dir) == masks_of(unbroken[0])
    assert sorted(shards_of(out_dir)) == [1, 2, 3, 4, 5]
    assert not list((tmp_path / 'w').rglob('masks.json'))
