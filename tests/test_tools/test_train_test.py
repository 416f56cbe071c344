"""Train and test a tiny stock detector through every entry there is."""

import json
import os
import pickle
import runpy
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip('mmcv.ops', exc_type=ImportError)

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def data(write_tiny_coco, tmp_path_factory):
    return write_tiny_coco(tmp_path_factory.mktemp('coco') / 'data')


@pytest.fixture(scope='module')
def config(repo_root):
    return str(repo_root / 'tests' / 'data' / 'configs' / 'tiny_retinanet.py')


@pytest.fixture(scope='module')
def options(data):
    return [
        '--cfg-options',
        f'train_dataloader.dataset.data_root={data}',
        f'test_dataloader.dataset.data_root={data}',
        f'test_evaluator.ann_file={data}/annotations.json',
    ]


def _run(words, cwd, **env):
    """Run a command as a user does, from a folder that is not the root."""
    bin_dir = str(Path(sys.executable).parent)
    env = dict(
        os.environ,
        PATH=bin_dir + os.pathsep + os.environ['PATH'],
        PYTHON=sys.executable,
        **env,
    )
    env.pop('LOCAL_RANK', None)
    run = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-5000:]
    return run.stdout


def _free_port():
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return str(sock.getsockname()[1])


def _scalars(work_dir):
    """Lines of the newest scalar log of a work dir."""
    file = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))[-1]
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture(scope='module')
def trained(repo_root, config, options, tmp_path_factory):
    """Work dir of two iterations in one process."""
    work_dir = tmp_path_factory.mktemp('train') / 'w'
    _run(
        [sys.executable, repo_root / 'tools/train.py', config]
        + ['--work-dir', work_dir, *options],
        cwd=work_dir.parent,
    )
    return work_dir


def test_train_writes_log_and_checkpoint(trained):
    assert (trained / 'iter_2.pth').is_file()
    assert (trained / 'tiny_retinanet.py').is_file()
    losses = [line['loss'] for line in _scalars(trained)]
    assert len(losses) == 2 and all(0 < loss < 100 for loss in losses)


def test_resume_goes_on_from_the_latest(trained, repo_root, config, options):
    out = _run(
        [sys.executable, repo_root / 'tools/train.py', config, '--resume']
        + ['--work-dir', trained, *options, 'train_cfg.max_iters=3'],
        cwd=trained,
    )
    assert 'resumed epoch: 0, iter: 2' in out
    assert [line['step'] for line in _scalars(trained)] == [3]


def test_test_reports_dumps_and_paints(
    trained, repo_root, config, options, tmp_path
):
    out = _run(
        [sys.executable, repo_root / 'tools/test.py', config]
        + [trained / 'iter_2.pth', '--work-dir', tmp_path / 'w']
        + ['--out', tmp_path / 'out.pkl', '--show-dir', tmp_path / 'shown']
        + options,
        cwd=tmp_path,
    )
    assert 'coco/bbox_mAP' in out
    predictions = pickle.loads((tmp_path / 'out.pkl').read_bytes())
    assert [p['img_id'] for p in predictions] == [0, 1, 2, 3]
    assert all(len(p['pred_instances']['scores']) <= 5 for p in predictions)
    shown = sorted(path.name for path in (tmp_path / 'shown').iterdir())
    assert shown == ['000.png', '001.png', '002.png', '003.png']


def test_two_processes_train_and_test(repo_root, config, options, tmp_path):
    tools = repo_root / 'tools'
    out = _run(
        ['bash', tools / 'dist_train.sh', config, 2, '--work-dir', 'w']
        + options,
        cwd=tmp_path,
        PORT=_free_port(),
    )
    assert (tmp_path / 'w' / 'iter_2.pth').is_file()
    assert "backend='gloo'" in out
    out = _run(
        ['bash', tools / 'dist_test.sh', config, 'w/iter_2.pth', 2]
        + ['--work-dir', 'v', *options],
        cwd=tmp_path,
        PORT=_free_port(),
    )
    # Four images on two processes are two steps each.
    assert 'Iter(test) [2/2]' in out and 'coco/bbox_mAP' in out


def test_labelling_on_two_processes_equals_one(repo_root, tmp_path):
    from pmvis_mm.datasets.shapes_vis import write_shapes_vis

    write_shapes_vis(
        tmp_path / 'data/shapesvis/train', 3, num_frames=2, size=(48, 64)
    )
    tools = repo_root / 'tools'
    config = repo_root / 'configs/labeling/grabcut_doob.py'
    _run(
        [sys.executable, tools / 'test.py', config, '--work-dir', 'one'],
        cwd=tmp_path,
    )
    _run(
        ['bash', tools / 'dist_test.sh', config, 'none', 2]
        + ['--work-dir', 'two'],
        cwd=tmp_path,
        PORT=_free_port(),
    )
    one = (tmp_path / 'one' / 'masks.json').read_bytes()
    assert one == (tmp_path / 'two' / 'masks.json').read_bytes()
    masks = [a['segmentations'] for a in json.loads(one)['annotations']]
    assert any(rle is not None for track in masks for rle in track)


def test_mim_trains_and_tests(mim, config, options, tmp_path):
    command, env = mim
    _run(
        [*command, 'train', 'pmvis_mm', config, '--gpus', 0]
        + ['--launcher', 'none', '--work-dir', 'w', *options],
        cwd=tmp_path,
        **env,
    )
    assert (tmp_path / 'w' / 'iter_2.pth').is_file()
    out = _run(
        [*command, 'test', 'pmvis_mm', config]
        + ['--checkpoint', 'w/iter_2.pth', '--work-dir', 'v', *options],
        cwd=tmp_path,
        **env,
    )
    assert 'coco/bbox_mAP' in out


def test_mim_runs_print_config(mim, config, tmp_path):
    command, env = mim
    out = _run(
        [*command, 'run', 'pmvis_mm', 'print_config', config]
        + ['--cfg-options', 'train_cfg.max_iters=7'],
        cwd=tmp_path,
        **env,
    )
    assert 'max_iters=7' in out


def _main(repo_root, tool, words, monkeypatch):
    """Run a tool inside this process; return its exit code."""
    monkeypatch.setattr(sys, 'argv', [tool, *map(str, words)])
    monkeypatch.setenv('LOCAL_RANK', '0')
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(repo_root / 'tools' / tool), run_name='__main__')
    return caught.value.code


@pytest.mark.parametrize(
    'tool, words, message',
    [
        ('train.py', ['nope.py'], 'config not found [file nope.py]'),
        ('test.py', ['nope.py', 'x.pth'], 'config not found [file nope.py]'),
        ('misc/print_config.py', ['nope.py'], 'config not found'),
        ('train.py', ['CONFIG', '--resume', 'x.pth'], 'checkpoint not found'),
        ('test.py', ['CONFIG', 'x.pth'], 'checkpoint not found [file x.pth]'),
        ('test.py', ['CONFIG'], 'this config needs a checkpoint'),
        ('test.py', ['CONFIG', 'none', '--out', 'x.json'], 'end with .pkl'),
    ],
)
def test_bad_input_ends_with_code_2_and_a_message(
    tool, words, message, repo_root, config, options, monkeypatch, capsys,
    tmp_path,
):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    words = [config if word == 'CONFIG' else word for word in words]
    assert _main(repo_root, tool, [*words, *options], monkeypatch) == 2
    assert message in capsys.readouterr().err


def test_labelling_config_needs_no_checkpoint(repo_root, tmp_path):
    from mmengine.config import Config

    test = runpy.run_path(str(repo_root / 'tools' / 'test.py'))
    cfg = Config(dict(test_cfg=dict(type='LabelLoop')))
    test['set_checkpoint'](cfg, None)
    assert cfg.get('load_from') is None
    cfg = Config(dict(test_cfg=dict(type='TestLoop'), load_from='a.pth'))
    test['set_checkpoint'](cfg, None)
    assert cfg.load_from == 'a.pth'
    test['set_checkpoint'](cfg, 'None')
    assert cfg.load_from is None


def test_out_is_for_images_only(repo_root, tmp_path):
    from mmdet.evaluation import DumpDetResults

    from pmvis_mm.registry import METRICS
    from pmvis_mm.utils.errors import ConfigError

    dump = runpy.run_path(str(repo_root / 'tools' / 'test.py'))[
        'dump_predictions'
    ]
    quality = METRICS.build(dict(type='MaskQualityMetric', ann_file=None))
    for metrics in ([quality], [], None):
        loop = SimpleNamespace(evaluator=SimpleNamespace(metrics=metrics))
        runner = SimpleNamespace(test_loop=loop)
        with pytest.raises(ConfigError, match=r'images only.*outfile_prefix'):
            dump(runner, 'x.pkl')
    metrics = [object()]
    loop = SimpleNamespace(evaluator=SimpleNamespace(metrics=metrics))
    dump(SimpleNamespace(test_loop=loop), str(tmp_path / 'x.pkl'))
    assert isinstance(metrics[1], DumpDetResults)


@pytest.mark.parametrize(
    'script',
    ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh', 'slurm_test.sh'],
)
def test_scripts_without_arguments_print_their_usage(repo_root, script):
    run = subprocess.run(
        ['bash', repo_root / 'tools' / script], capture_output=True, text=True
    )
    assert run.returncode == 2
    assert run.stderr.startswith('usage: ')


@pytest.mark.parametrize(
    'script, words, tail',
    [
        ('train', ['c.py'], 'tools/train.py c.py --launcher slurm --amp'),
        (
            'test',
            ['c.py', 'none'],
            'tools/test.py c.py none --launcher slurm --amp',
        ),
    ],
)
def test_slurm_scripts_call_srun(repo_root, script, words, tail, tmp_path):
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\necho "$@"\n')
    srun.chmod(0o755)
    out = subprocess.run(
        ['bash', repo_root / 'tools' / f'slurm_{script}.sh', 'part', 'job']
        + [*words, '--amp'],
        env=dict(
            os.environ,
            PATH=f'{tmp_path}{os.pathsep}{os.environ["PATH"]}',
            GPUS='4',
            GPUS_PER_NODE='2',
            SRUN_ARGS='--qos high',
        ),
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert '-p part --job-name=job --gres=gpu:2 --ntasks=4' in out
    assert '--qos high' in out
    assert out.strip().endswith(tail)
