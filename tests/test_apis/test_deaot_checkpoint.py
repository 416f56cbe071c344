"""Files of the public DeAOT and ours, and the tool that converts them."""

import runpy
import sys

import pytest
import torch

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from pmvis_mm.apis import convert_deaot_checkpoint, load_deaot_checkpoint
from pmvis_mm.registry import MODELS
from pmvis_mm.testing.golden_deaot import golden_propagator, golden_weights
from pmvis_mm.utils.checkpoint import read_checkpoint
from pmvis_mm.utils.errors import CheckpointError, ConfigError


@pytest.fixture(scope='module')
def official(tmp_path_factory):
    """As training leaves it: DataParallel's prefix, optimizer state."""
    weights = golden_weights('deaott')
    data = dict(
        state_dict={f'module.{k}': v for k, v in weights.items()},
        optimizer=dict(state={}, param_groups=[dict(lr=2e-4)]),
    )
    path = tmp_path_factory.mktemp('deaot') / 'official.pth'
    torch.save(data, path)
    return path


@pytest.fixture(scope='module')
def expected():
    return golden_propagator('deaott').network.state_dict()


@pytest.fixture
def network(default_scope):
    return MODELS.build(dict(type='DeAOT', arch='deaott'))


@pytest.fixture
def convert(repo_root, monkeypatch):
    tool = repo_root / 'tools/model_converters/deaot2mm.py'

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', [tool.name, *map(str, arguments)])
        runpy.run_path(str(tool), run_name='__main__')

    return run


def equal(network, expected):
    found = network.state_dict()
    assert list(found) == list(expected)
    return all(torch.equal(found[name], expected[name]) for name in found)


def test_case_9_official_file_loads(network, official, expected):
    load_deaot_checkpoint(network, official)
    assert equal(network, expected)


def test_converted_file_loads(network, official, expected, tmp_path):
    path = tmp_path / 'new' / 'ours.pth'
    report = convert_deaot_checkpoint(official, path, 'deaott')
    assert (report.num_used, report.num_total) == (325, 325)
    assert report.dropped == ()
    # Counters of batches, which the frozen norms of the public code lack.
    assert all(name.endswith('_tracked') for name in report.made_up)
    data = torch.load(path, weights_only=True)
    assert data['meta']['arch'] == 'deaott'
    load_deaot_checkpoint(network, path)
    assert equal(network, expected)


def test_swin_index_is_made_up_if_the_file_lacks_it(tmp_path):
    path = tmp_path / 'swin.pth'
    torch.save(golden_weights('swinb_deaotl'), path)
    report = convert_deaot_checkpoint(path, arch='swinb_deaotl')
    assert report.num_used == report.num_total == 463 - 22
    assert len(report.made_up) == 22
    assert not list(tmp_path.glob('*.tmp'))


def test_tool(convert, official, tmp_path, capsys):
    path = tmp_path / 'ours.pth'
    convert(official, '--arch', 'deaott', '--dry-run')
    assert 'nothing written' in capsys.readouterr().out
    convert(official, path, '--arch', 'deaott')
    out = capsys.readouterr().out
    assert '325 of 325 keys used' in out and f'wrote {path}' in out
    assert 'gpm.out_norm.weight' in read_checkpoint(path)['state_dict']


def test_tool_needs_a_target(convert, official, capsys):
    with pytest.raises(SystemExit):
        convert(official, '--arch', 'deaott')
    assert 'add --dry-run' in capsys.readouterr().err


def test_tool_names_the_trouble(convert, tmp_path):
    missing = tmp_path / 'none.pth'
    with pytest.raises(SystemExit) as info:
        convert(missing, '--arch', 'deaott', '--dry-run')
    assert str(info.value).startswith('error: checkpoint does not exist')
    assert str(missing) in str(info.value)


def test_superfluous_names_are_reported(official, tmp_path):
    weights = read_checkpoint(official)['state_dict']
    weights['encoder.fc.weight'] = torch.zeros(2)
    weights['other'] = torch.zeros(2)
    path = tmp_path / 'more.pth'
    torch.save(weights, path)
    report = convert_deaot_checkpoint(path, arch='deaott')
    assert report.dropped == ('other', 'backbone.fc.weight')
    assert (report.num_used, report.num_total) == (325, 327)


def test_another_network_is_refused(official, tmp_path):
    path = tmp_path / 'ours.pth'
    message = 'lacks weights of the model.*official.pth'
    with pytest.raises(CheckpointError, match=message):
        convert_deaot_checkpoint(official, path, 'deaotl')
    assert not path.exists()


def test_a_deeper_network_is_refused(network, official, tmp_path):
    weights = read_checkpoint(official)['state_dict']
    weights['LSTT.layers.1.norm1.weight'] = torch.zeros(256)
    path = tmp_path / 'deeper.pth'
    torch.save(weights, path)
    with pytest.raises(CheckpointError, match="more layers than .*'deaott'"):
        load_deaot_checkpoint(network, path)


def test_missing_weight_is_named(network, official, tmp_path):
    weights = read_checkpoint(official)['state_dict']
    del weights['decoder.conv_out.bias']
    path = tmp_path / 'less.pth'
    torch.save(weights, path)
    message = r'lacks weights of the model: mask_head.conv_out.bias \(11,\)'
    with pytest.raises(CheckpointError, match=message):
        load_deaot_checkpoint(network, path)


def test_source_and_target_differ(official):
    with pytest.raises(ConfigError, match='are the same file'):
        convert_deaot_checkpoint(official, official, 'deaott')


def test_unknown_arch(official):
    with pytest.raises(ConfigError, match=r"arch='r51' is unknown"):
        convert_deaot_checkpoint(official, arch='r51')
