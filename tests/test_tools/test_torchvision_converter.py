"""Command line of tools/model_converters/torchvision_mobilenetv2.py."""

import logging

import pytest
import torch

from pmvis_mm.utils.checkpoint import read_checkpoint
from pmvis_mm.utils.torchvision_names import mobilenet_v2_to_mm

pytest.importorskip('mmcv.ops', exc_type=ImportError)

FIRST = 'features.0.0.weight'


@pytest.fixture
def convert(converter):
    return converter('torchvision_mobilenetv2.py')


@pytest.fixture
def refused(refusing_converter):
    return refusing_converter('torchvision_mobilenetv2.py')


@pytest.fixture(scope='module')
def weights():
    """By the names of torchvision; the values tell where they belong."""
    from mmdet.models.backbones import MobileNetV2

    ours = MobileNetV2().state_dict()
    names = {
        f'features.{name}': torch.empty(0) for name in _torchvision_names()
    }
    places = {id(v): k for k, v in names.items()}
    renamed = mobilenet_v2_to_mm(names)
    assert set(renamed) == set(ours)
    torch.manual_seed(0)
    return {
        places[id(value)]: torch.randn(ours[name].shape)
        for name, value in renamed.items()
        if not name.endswith('num_batches_tracked')
    }


def _torchvision_names():
    """Convolutions and normalisations, blocks numbered through."""
    modules = ['0.0', '0.1', '18.0', '18.1']
    for block in range(1, 18):
        places = ['0.0', '0.1', '1.0', '1.1', '2', '3']
        if block == 1:
            places = ['0.0', '0.1', '1', '2']
        modules += [f'{block}.conv.{place}' for place in places]
    norm = ('bias', 'running_mean', 'running_var', 'num_batches_tracked')
    for conv, bn in zip(modules[::2], modules[1::2]):
        yield f'{conv}.weight'
        yield f'{bn}.weight'
        yield from (f'{bn}.{leaf}' for leaf in norm)


@pytest.fixture
def source(weights, tmp_path):
    path = tmp_path / 'mobilenet_v2.pth'
    extra = {'classifier.1.weight': torch.ones(10, 1280)}
    torch.save({**weights, **extra}, path)
    return path


def test_backbone_takes_all(convert, source, weights, tmp_path, capsys):
    from mmdet.models.backbones import MobileNetV2

    target = tmp_path / 'new' / 'mm.pth'
    convert(source, target)
    printed = capsys.readouterr().out
    assert '260 of 261 keys used; 1 without use dropped' in printed
    assert 'names and shapes are those of the backbone' in printed
    assert f'wrote {target}' in printed
    content = read_checkpoint(target)
    assert content['meta'] == dict(source='mobilenet_v2.pth of torchvision')

    logs = []
    handler = logging.Handler()
    handler.emit = lambda record: logs.append(record.getMessage())
    logger = logging.getLogger('mmengine')
    logger.addHandler(handler)
    model = MobileNetV2(
        out_indices=(2, 4, 6),
        init_cfg=dict(type='Pretrained', checkpoint=str(target)),
    )
    model.init_weights()
    logger.removeHandler(handler)
    text = '\n'.join(logs)
    assert 'unexpected key' not in text and 'missing keys' not in text
    state = model.state_dict()
    for name, value in mobilenet_v2_to_mm(weights).items():
        assert torch.equal(state[name], value), name


def test_backbone_of_deaot_takes_all(convert, source, tmp_path, capsys):
    from pmvis_mm.models.vos import DilatedMobileNetV2

    target = tmp_path / 'dilated.pth'
    convert(source, target, '--dilated')
    assert '260 of 261 keys used; 1 without' in capsys.readouterr().out
    init_cfg = dict(type='Pretrained', checkpoint=str(target))
    model = DilatedMobileNetV2(init_cfg=init_cfg)
    model.init_weights()
    given = read_checkpoint(source)['state_dict']
    found = model.state_dict()
    assert len(found) == 312  # with the counters of batches
    for name in given:
        if not name.startswith('classifier.'):
            assert torch.equal(found[name], given[name]), name


def test_backbone_of_deaot_has_one_width(refused, source, tmp_path):
    target = tmp_path / 'dilated.pth'
    message = refused(source, target, '--dilated', '--widen-factor', '0.5')
    assert 'DilatedMobileNetV2 of --widen-factor 0.5. Fix: leave' in message
    assert not target.exists()


def test_wrong_width_is_refused(refused, source, tmp_path):
    target = tmp_path / 'mm.pth'
    message = refused(source, target, '--widen-factor', '0.5')
    assert 'error: checkpoint has weights of another shape' in message
    assert 'conv1.conv.weight (32, 3, 3, 3), the model has (16' in message
    assert not target.exists()


def test_other_network_is_refused(refused, weights, tmp_path):
    path, target = tmp_path / 'a.pth', tmp_path / 'mm.pth'
    torch.save({k: v for k, v in weights.items() if k != FIRST}, path)
    message = refused(path, target)
    assert f'checkpoint lacks weights of MobileNetV2: {FIRST}' in message
    assert str(path) in message
    assert not target.exists()
    torch.save({**weights, 'layer1.0.conv1.weight': torch.ones(1)}, path)
    message = refused(path, target)
    assert 'weights beyond MobileNetV2: layer1.0.conv1.weight' in message


def test_bad_files_are_refused(refused, source, tmp_path):
    missing = tmp_path / 'none.pth'
    assert 'does not exist' in refused(missing, tmp_path / 'mm.pth')
    before = source.read_bytes()
    assert 'source and target are the same file' in refused(source, source)
    assert source.read_bytes() == before
