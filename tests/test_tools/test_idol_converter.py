"""Command line of tools/model_converters/idol_vnext2mm.py."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from pmvis_mm.datasets.metainfo import DATASET_CLASSES
from pmvis_mm.utils.checkpoint import read_checkpoint
from pmvis_mm.utils.vnext_names import mm_to_vnext

pytest.importorskip('mmcv.ops', exc_type=ImportError)

HEAD = 'detr.detr.class_embed.0.{}'


@pytest.fixture
def convert(converter):
    return converter('idol_vnext2mm.py')


@pytest.fixture
def refused(refusing_converter):
    return refusing_converter('idol_vnext2mm.py')


@pytest.fixture(scope='module')
def config(config_root):
    return config_root / '_base_/models/idol_r18-small.py'


@pytest.fixture(scope='module')
def weights(config):
    """Of a small model with 4 classes, by our names."""
    from pmvis_mm.registry import MODELS

    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('pmvis_mm'):
        model = MODELS.build(Config.fromfile(config).model)
    return {
        name: torch.randn_like(value)
        for name, value in model.state_dict().items()
        if value.is_floating_point()
    }


@pytest.fixture
def vnext_file(weights, tmp_path):
    """As the trainer of VNext saves it."""
    path = tmp_path / 'model_final.pth'
    trained = dict(optimizer=dict(state={}), scheduler=dict(last_epoch=9))
    torch.save(dict(model=mm_to_vnext(weights), iteration=9, **trained), path)
    return path


@pytest.fixture
def small_config(tmp_path, config):
    """Write a config that our entry points would read."""

    def write(**changes):
        cfg = Config.fromfile(config)
        cfg.merge_from_dict(changes)
        cfg.default_scope = 'pmvis_mm'
        cfg.dump(tmp_path / 'config.py')
        return tmp_path / 'config.py'

    return write


def heads(num_classes, path):
    state = {
        HEAD.format('weight'): torch.ones(num_classes, 8),
        HEAD.format('bias'): torch.ones(num_classes),
    }
    torch.save(state, path)
    return path


# -------------------------------------------------------------------- success
def test_there_and_back(
    convert, weights, vnext_file, small_config, tmp_path, capsys
):
    ours, theirs = tmp_path / 'new' / 'ours.pth', tmp_path / 'theirs.pth'
    names = ('cat', 'dog', 'fish', 'owl')
    check = ('--config', small_config())
    convert(vnext_file, ours, '--classes', *names, *check)
    printed = capsys.readouterr().out
    total = len(weights) + 18  # three layers list their box heads twice
    assert f'{len(weights)} of {total} keys used; 18 duplicates' in printed
    assert 'names and shapes are those of the model' in printed
    assert f'wrote {ours}' in printed
    content = read_checkpoint(ours)
    assert set(content['state_dict']) == set(weights)
    for name, value in content['state_dict'].items():
        assert torch.equal(value, weights[name]), name
    meta = content['meta']
    assert meta['dataset_meta']['classes'] == names
    assert len(meta['dataset_meta']['palette']) == 4
    assert meta['source'] == 'model_final.pth of VNext'

    convert(ours, theirs, '--reverse', *check)
    back = torch.load(theirs, map_location='cpu', weights_only=True)
    original = torch.load(vnext_file, map_location='cpu', weights_only=True)
    assert list(back) == ['model']
    assert set(back['model']) == set(original['model'])
    for name, value in original['model'].items():
        assert torch.equal(back['model'][name], value), name
    left = {'model_final.pth', 'new', 'theirs.pth', 'config.py'}
    assert {path.name for path in tmp_path.iterdir()} == left


def test_the_model_runs_from_the_file(
    convert, weights, vnext_file, small_config, tmp_path
):
    from pmvis_mm.apis import init_vis_model

    ours = tmp_path / 'ours.pth'
    # Classes that the config does not count, but the checkpoint.
    path = small_config(
        **{'model.detector.bbox_head.num_classes': 9},
        num_classes_from_data=True,
    )
    convert(vnext_file, ours, '--classes', *'abcd', '--config', path)
    model = init_vis_model(path, ours)
    assert model.dataset_meta['classes'] == tuple('abcd')
    state = model.state_dict()
    for name, value in weights.items():
        assert torch.equal(state[name], value), name


@pytest.mark.parametrize(
    'num_classes, words, dataset',
    [
        (25, (), 'ovis'),
        (80, (), 'coco'),
        (40, ('youtube_vis_2019',), 'youtube_vis_2019'),
        (40, ('youtube_vis_2021',), 'youtube_vis_2021'),
    ],
)
def test_classes_of_public_datasets(
    convert, tmp_path, num_classes, words, dataset
):
    src, dst = heads(num_classes, tmp_path / 'src.pth'), tmp_path / 'dst.pth'
    convert(src, dst, *(['--classes', *words] if words else []))
    meta = read_checkpoint(dst)['meta']['dataset_meta']
    assert meta['classes'] == DATASET_CLASSES[dataset]


def test_dry_run_checks_and_writes_nothing(convert, refused, tmp_path, capsys):
    src, dst = heads(25, tmp_path / 'src.pth'), tmp_path / 'dst.pth'
    convert(src, '--dry-run')
    convert(src, dst, '--dry-run')
    assert capsys.readouterr().out.count('nothing written') == 2
    assert not dst.exists()
    bad = heads(7, tmp_path / 'bad.pth')
    assert 'the checkpoint has 7 classes' in refused(bad, '--dry-run')
    assert refused(src) == '2'
    assert 'or add --dry-run' in capsys.readouterr().err


# -------------------------------------------------------------------- refusal
@pytest.mark.parametrize(
    'num_classes, words, expected',
    [
        (40, (), "error: the checkpoint has 40 classes, as have ['youtube_v"),
        (40, (), 'Fix: choose with --classes DATASET'),
        (7, (), 'as no dataset known here'),
        (7, (), 'Fix: name all of them with --classes NAME NAME'),
        (40, ('ovis',), '40 classes, but 25 are given: Person, Bird, Cat, ..'),
        (3, ('a', 'b'), '3 classes, but 2 are given: a, b'),
        (2, ('a', 'a'), "a class is named twice: ['a', 'a']"),
    ],
)
def test_wrong_classes(refused, tmp_path, num_classes, words, expected):
    src, dst = heads(num_classes, tmp_path / 'src.pth'), tmp_path / 'dst.pth'
    message = refused(src, dst, *(['--classes', *words] if words else []))
    assert expected in message
    assert not dst.exists()


def test_files_of_other_things(refused, tmp_path, weights, vnext_file):
    dst = tmp_path / 'dst.pth'
    message = refused(tmp_path / 'gone.pth', dst)
    assert message.startswith('error: checkpoint does not exist')
    cut = tmp_path / 'cut.pth'
    cut.write_bytes(vnext_file.read_bytes()[:5000])
    assert 'or cut off' in refused(cut, dst)
    torch.save(dict(model={}, iteration=1), cut)
    assert 'no weights of a model' in refused(cut, dst)
    torch.save(dict(model=weights), cut)
    message = refused(cut, dst)
    assert "weights that VNext's IDOL does not have: detector" in message
    assert str(cut) in message and '--reverse' in message
    message = refused(vnext_file, dst, '--reverse')
    assert 'weights that our IDOL does not have: detr.detr' in message
    torch.save({'detr.controller.layers.0.bias': torch.ones(1)}, cut)
    assert 'no class_embed among the weights' in refused(cut, dst)
    assert not dst.exists()


def test_wrong_targets(refused, tmp_path):
    src = heads(25, tmp_path / 'src.pth')
    before = src.read_bytes()
    assert 'source and target are the same' in refused(src, src)
    assert src.read_bytes() == before
    (tmp_path / 'folder').mkdir()
    assert 'cannot write here' in refused(src, tmp_path / 'folder')
    words = ('--reverse', '--classes', 'ovis')
    assert 'do not name classes' in refused(src, tmp_path / 'd.pth', *words)
    assert sorted(p.name for p in tmp_path.iterdir()) == ['folder', 'src.pth']


def test_another_model_is_refused(refused, vnext_file, small_config, tmp_path):
    head = 'model.detector.bbox_head.num_classes'
    depth = 'model.detector.backbone.depth'
    words = (vnext_file, tmp_path / 'd.pth', '--classes', *'abcd', '--config')
    message = refused(*words, small_config(**{head: 5}))
    assert 'cls_branches.0.weight (4, 128), the model has (5, 128)' in message
    message = refused(*words, small_config(**{depth: 34}))
    assert 'lacks weights of the model: detector.backbone.layer1.2' in message
    # Three decoder layers for a model that has two.
    layers = {'model.detector.decoder.num_layers': 2}
    message = refused(*words, small_config(**layers))
    assert 'has weights beyond the model: detector.' in message
    assert 'cls_branches.2.weight (4, 128); ' in message
    assert str(vnext_file) in message
    empty = tmp_path / 'empty.py'
    empty.write_text('a = 1')
    assert 'no "model" in this config' in refused(*words, empty)
    assert 'config not found' in refused(*words, tmp_path / 'no.py')
    assert not (tmp_path / 'd.pth').exists()
