"""The benchmark of propagators judges what they are given and nothing else."""

import importlib
import json
import sys

import pytest
import torch

pytest.importorskip('mmcv.ops', reason='sources need the ops of mmdet')

from mmengine.registry import DefaultScope

from pmvis_mm.models.vos import DeAOT
from pmvis_mm.testing.tiny_vis import write_tiny_vis


@pytest.fixture
def benchmark(repo_root, monkeypatch):
    monkeypatch.syspath_prepend(str(repo_root / 'benchmarks'))
    yield importlib.import_module('propagators')
    sys.modules.pop('propagators', None)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('tiny')
    write_tiny_vis(root, num_frames=4)
    return root


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    torch.manual_seed(3)
    with DefaultScope.overwrite_default_scope('pmvis_mm'):
        network = DeAOT('deaott')
    # An encoder that no other network has by chance.
    with torch.no_grad():
        network.backbone.features[0][0].weight.mul_(0.5)
    path = tmp_path_factory.mktemp('deaot') / 'deaot.pth'
    torch.save(dict(state_dict=network.state_dict()), path)
    return path


@pytest.fixture
def run(benchmark, data, monkeypatch, capsys):
    def call(*words):
        argv = ['propagators.py', '--ann-file', data / 'instances.json']
        argv += ['--img-prefix', data / 'JPEGImages', '--device', 'cpu']
        monkeypatch.setattr(sys, 'argv', [str(w) for w in (*argv, *words)])
        benchmark.main()
        return capsys.readouterr().out.splitlines()

    return call


def test_flow_and_deaot(run, checkpoint):
    *table, last = run(
        *('--deaot', f'one={checkpoint}', f'two={checkpoint}'),
        *('--untrained', '--boxes', '--network', 'arch=deaott'),
        *('--propagator', 'max_long=64'),
    )
    found = json.loads(last)
    names = ['flow', 'deaot untrained', 'deaot one', 'deaot two']
    names = [n + end for n in names for end in ('', ' + boxes')]
    assert list(found['rows']) == list(found['per_video']) == names
    assert [row.split('  ')[0] for row in table[1:]] == names
    assert (found['videos'], found['objects']) == (2, 4)
    assert found['rows']['deaot one'] == found['rows']['deaot two']
    # Rectangles that move by two pixels are easy.
    assert 0.5 < found['rows']['flow']['jf_mean'] <= 1
    flow = found['per_video']['flow']
    mean = sum(flow.values()) / 2
    assert found['rows']['flow']['jf_mean'] == pytest.approx(mean, abs=1e-4)
    assert list(flow) == ['v0', 'v1']
    assert all(cost > 0 for cost in found['ms_per_frame'].values())
    assert found['peak_mb'] > 10


def test_fewer_videos_and_the_last_frame(run):
    found = json.loads(run('--max-videos', 1)[-1])
    assert (found['videos'], found['objects']) == (1, 2)
    whole = json.loads(run('--max-videos', 1, '--keep-last')[-1])
    # The bar is gone in the last frame; flow does not know.
    assert found['rows']['flow']['j_mean'] > whole['rows']['flow']['j_mean']


def test_untrained_has_the_encoder_of_the_trained(benchmark, checkpoint):
    parser = benchmark.build_parser()
    words = ['--ann-file', 'a', '--img-prefix', 'b', '--device', 'cpu']
    item = f'x={checkpoint}'
    with DefaultScope.overwrite_default_scope('pmvis_mm'):
        trained = benchmark.build_deaot(
            parser.parse_args(words), str(checkpoint)
        )
        networks = [
            benchmark.build_untrained(
                parser.parse_args(words + more)
            ).propagator.network
            for more in (
                ['--deaot', item],
                ['--encoder', str(checkpoint)],
                ['--deaot', item, '--seed', '1'],
                [],
            )
        ]
    real = trained.propagator.network
    for network in networks[:3]:
        for name, value in real.backbone.state_dict().items():
            assert torch.equal(network.backbone.state_dict()[name], value)
    heads = [n.projector.weight for n in (*networks, real)]
    assert torch.equal(heads[0], heads[1]) and torch.equal(heads[0], heads[3])
    assert not torch.equal(heads[0], heads[2])
    assert not torch.equal(heads[0], heads[4])
    stem = [n.backbone.features[0][0].weight for n in (networks[3], real)]
    assert not torch.equal(*stem)


@pytest.mark.parametrize(
    'words, message',
    [
        (['--deaot', 'file.pth'], "--deaot 'file.pth' is no NAME=FILE"),
        (['--deaot', 'x=gone.pth'], 'checkpoint not found'),
        (['--ann-file', 'gone.json'], 'file does not exist'),
        (['--img-prefix', 'gone'], 'frame does not exist'),
    ],
)
def test_mistakes_end_with_one_line(run, capsys, words, message):
    with pytest.raises(SystemExit) as stop:
        run(*words, '--max-videos', 1)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
