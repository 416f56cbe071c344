"""Command line of tools/model_converters/mask2former2mm.py."""

import pickle

import pytest
import torch
from mmengine.config import Config

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from pmvis_mm.datasets.metainfo import DATASET_CLASSES
from pmvis_mm.testing.mask2former_reference import mask2former_predictions
from pmvis_mm.testing.mask2former_weights import (
    Mask2FormerSize,
    head_shapes,
    mask2former_weights,
    resnet_shapes,
)
from pmvis_mm.utils.checkpoint import read_checkpoint

HEAD = 'sem_seg_head.predictor.class_embed.{}'
STATIC = 'sem_seg_head.predictor.static_query.weight'
QUERIES = 'sem_seg_head.predictor.query_feat.weight'
COUNTER = 'criterion._iter'
# That of configs/_base_/models/mask2former-video_r18-small.py.
SIZE = Mask2FormerSize(
    in_channels=(32, 64, 128, 256),
    channels=96,
    num_encoder_layers=2,
    num_decoder_layers=3,
    num_queries=10,
    num_classes=4,
    encoder_ffn=256,
    decoder_ffn=256,
    num_heads=4,
)


@pytest.fixture
def convert(converter):
    return converter('mask2former2mm.py')


@pytest.fixture
def refused(refusing_converter):
    return refusing_converter('mask2former2mm.py')


@pytest.fixture(scope='module')
def weights():
    """Of a small model with 4 classes, by detectron2's names."""
    backbone = resnet_shapes((2, 2, 2, 2), 32, bottleneck=False)
    return mask2former_weights({**backbone, **head_shapes(SIZE)})


@pytest.fixture
def image_file(weights, tmp_path):
    """As the model zoo has image models: arrays, and an older name."""
    model = {
        STATIC if name == QUERIES else name: value.numpy()
        for name, value in weights.items()
    }
    path = tmp_path / 'image.pkl'
    data = dict(
        model=model, __author__='third_party', matching_heuristics=True
    )
    path.write_bytes(pickle.dumps(data))
    return path


@pytest.fixture
def video_file(weights, tmp_path):
    """As the trainer of MaskFreeVIS saves it."""
    path = tmp_path / 'model_final.pth'
    model = {**weights, COUNTER: torch.tensor([60000.0])}
    trained = dict(optimizer=dict(state={}), scheduler=dict(last_epoch=9))
    torch.save(dict(model=model, iteration=5999, **trained), path)
    return path


@pytest.fixture
def small_config(tmp_path, config_root):
    """Write a config that our entry points would read."""

    def write(**changes):
        path = config_root / '_base_/models/mask2former-video_r18-small.py'
        cfg = Config.fromfile(path)
        cfg.merge_from_dict(changes)
        # The norms of detectron2 have 32 groups.
        cfg.model.track_head.pixel_decoder.norm_cfg.num_groups = 32
        cfg.default_scope = 'pmvis_mm'
        cfg.dump(tmp_path / 'config.py')
        return tmp_path / 'config.py'

    return write


def heads(num_classes, path):
    state = {
        HEAD.format('weight'): torch.ones(num_classes + 1, 8),
        HEAD.format('bias'): torch.ones(num_classes + 1),
    }
    torch.save(dict(model=state), path)
    return path


# -------------------------------------------------------------------- success
def test_image_and_video_files_give_the_same_model(
    convert, weights, image_file, video_file, small_config, tmp_path, capsys
):
    from pmvis_mm.apis import init_vis_model

    names = ('cat', 'dog', 'fish', 'owl')
    config = small_config()
    words = ('--config', config, '--classes', *names)
    used = len(weights) - 1
    told = ('criterion.empty_weight', f'criterion.empty_weight, {COUNTER}')
    contents = []
    for file, dropped in zip((image_file, video_file), told):
        ours = tmp_path / 'new' / f'{file.stem}.pth'
        convert(file, ours, *words)
        printed = capsys.readouterr().out
        total = used + len(dropped.split(', '))
        assert f'{used} of {total} keys used; ' in printed
        assert f'without use dropped: {dropped}' in printed
        assert 'names and shapes are those of the model' in printed
        assert f'wrote {ours}' in printed
        assert ('for 6000 iterations' in printed) == (file is video_file)
        contents.append(read_checkpoint(ours))
    first, second = (content['state_dict'] for content in contents)
    assert list(first) == list(second) and len(first) == used
    assert all(torch.equal(first[name], second[name]) for name in first)
    meta = contents[1]['meta']
    assert meta['dataset_meta']['classes'] == names
    assert meta['warmup_counter'] == 60000
    assert meta['source'] == 'model_final.pth of detectron2'
    assert 'warmup_counter' not in contents[0]['meta']

    model = init_vis_model(config, ours)
    assert model.dataset_meta['classes'] == names
    features = [
        torch.randn(2, channels, 16 // 2**i, 24 // 2**i)
        for i, channels in enumerate(SIZE.in_channels)
    ]
    with torch.no_grad():
        classes, masks = mask2former_predictions(weights, features, 2, 4)
        our_classes, our_masks = model.track_head(features, None)
    for theirs, found in zip(classes + masks, our_classes + our_masks):
        torch.testing.assert_close(found, theirs, rtol=1e-4, atol=5e-5)


def test_maskfreevis_takes_the_weights(
    convert, image_file, tmp_path, small_config, capsys
):
    vis = pytest.importorskip('pmvis_mm.models.vis')
    if not hasattr(vis, 'MaskFreeVIS'):
        pytest.skip('no MaskFreeVIS in this version')
    config = small_config(
        **{
            'model.type': 'MaskFreeVIS',
            'model.data_preprocessor.type': 'VISDataPreprocessor',
            'model.track_head.type': 'MaskFreeTrackHead',
        }
    )
    words = ('--config', config, '--classes', *'abcd')
    convert(image_file, tmp_path / 'ours.pth', *words)
    assert 'those of the model' in capsys.readouterr().out


def test_new_classes_are_told(
    convert, refused, image_file, small_config, tmp_path, capsys
):
    path = small_config(**{'model.track_head.num_classes': 6})
    words = (image_file, tmp_path / 'd.pth', '--classes', *'abcd')
    words = (*words, '--config', path)
    message = refused(*words)
    assert 'cls_embed.weight (5, 96), the model has (7, 96)' in message
    capsys.readouterr()
    convert(*words, '--new-classes')
    printed = capsys.readouterr().out
    assert 'other classes, these start anew: track_head.cls_em' in printed
    # The layer stays in the file, for models of the same classes.
    weights = read_checkpoint(tmp_path / 'd.pth')['state_dict']
    assert len(weights['track_head.cls_embed.bias']) == 5
    # Anything else must fit all the same.
    path = small_config(**{'model.track_head.num_queries': 7})
    assert 'query_embed.weight (10, 96)' in refused(*words, '--new-classes')


def test_classes_that_the_data_count(
    convert, image_file, small_config, tmp_path, capsys
):
    path = small_config(
        **{'model.track_head.num_classes': 9}, num_classes_from_data=True
    )
    words = ('--classes', *'abcd', '--config', path)
    convert(image_file, tmp_path / 'd.pth', *words)
    assert 'start anew' not in capsys.readouterr().out


@pytest.mark.parametrize(
    ('num_classes', 'words', 'dataset'),
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


def test_unknown_classes_may_stay_without_names(convert, tmp_path, capsys):
    # COCO's things and stuff.
    dst = tmp_path / 'dst.pth'
    convert(heads(133, tmp_path / 'src.pth'), dst)
    assert '133 classes as no dataset known here' in capsys.readouterr().out
    assert 'dataset_meta' not in read_checkpoint(dst)['meta']


def test_dry_run_checks_and_writes_nothing(convert, refused, tmp_path, capsys):
    src, dst = heads(80, tmp_path / 'src.pth'), tmp_path / 'dst.pth'
    convert(src, '--dry-run')
    convert(src, dst, '--dry-run')
    assert capsys.readouterr().out.count('nothing written') == 2
    assert not dst.exists()
    assert refused(src) == '2'
    assert 'or add --dry-run' in capsys.readouterr().err
    assert refused(src, dst, '--new-classes') == '2'
    assert 'classes of a --config' in capsys.readouterr().err


# -------------------------------------------------------------------- refusal
@pytest.mark.parametrize(
    ('num_classes', 'words', 'expected'),
    [
        (40, (), "error: the checkpoint has 40 classes, as have ['youtube_v"),
        (40, (), 'Fix: choose with --classes DATASET'),
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


def test_files_of_other_things(refused, tmp_path, image_file, video_file):
    dst = tmp_path / 'dst.pth'
    message = refused(tmp_path / 'gone.pkl', dst)
    assert message.startswith('error: checkpoint does not exist')
    for file in (image_file, video_file):
        cut = tmp_path / f'cut{file.suffix}'
        cut.write_bytes(file.read_bytes()[:5000])
        message = refused(cut, dst)
        assert 'or cut off' in message and str(cut) in message
    # The ResNet that training starts from, as detectron2 has it.
    stem = dict(model={'stem.conv1.weight': torch.ones(1)})
    torch.save(stem, tmp_path / 'R-50.pkl')
    message = refused(tmp_path / 'R-50.pkl', dst)
    assert 'no weights of Mask2Former' in message
    assert 'but stem.conv1.weight' in message
    # A MaskFormer, whose transformer has other parts.
    name = 'sem_seg_head.predictor.transformer.decoder.norm.bias'
    torch.save({name: torch.ones(1)}, cut)
    message = refused(cut, dst)
    assert f"detectron2's Mask2Former does not have: {name}" in message
    torch.save({QUERIES: torch.ones(1)}, cut)
    assert 'no class_embed among the weights' in refused(cut, dst)
    assert not dst.exists()


def test_wrong_targets(refused, tmp_path):
    src = heads(80, tmp_path / 'src.pth')
    before = src.read_bytes()
    assert 'source and target are the same' in refused(src, src)
    assert src.read_bytes() == before
    (tmp_path / 'folder').mkdir()
    assert 'cannot write here' in refused(src, tmp_path / 'folder')
    assert sorted(p.name for p in tmp_path.iterdir()) == ['folder', 'src.pth']


def test_another_model_is_refused(
    refused, weights, image_file, small_config, tmp_path
):
    dst = tmp_path / 'd.pth'
    words = (dst, '--classes', *'abcd', '--config')
    path = small_config(**{'model.backbone.depth': 34})
    message = refused(image_file, *words, path)
    assert 'lacks weights of the model: backbone.layer1.2.conv1' in message
    # Three decoder layers for a model that has two.
    layers = 'model.track_head.transformer_decoder.num_layers'
    message = refused(image_file, *words, small_config(**{layers: 2}))
    assert 'has weights beyond the model: track_head.trans' in message
    assert str(image_file) in message
    # A file that lost a weight.
    lost = tmp_path / 'lost.pth'
    norm = 'sem_seg_head.pixel_decoder.layer_1.norm.bias'
    torch.save({n: v for n, v in weights.items() if n != norm}, lost)
    message = refused(lost, *words, small_config())
    assert (
        'lacks weights of the model: '
        'track_head.pixel_decoder.output_convs.0.gn.bias (96,)'
    ) in message
    empty = tmp_path / 'empty.py'
    empty.write_text('a = 1')
    message = refused(image_file, *words, empty)
    assert 'no "model" in this config' in message
    assert 'give the config of a Mask2FormerVideo' in message
    empty.write_text("model = dict(type='NoSuchModel')")
    message = refused(image_file, *words, empty)
    assert 'the model cannot be built: ' in message
    assert 'NoSuchModel' in message and 'default_scope' in message
    assert 'config not found' in refused(image_file, *words, tmp_path / 'no')
    assert not dst.exists()
