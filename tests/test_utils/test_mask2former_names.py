"""Names of detectron2's Mask2Former."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from pmvis_mm.registry import MODELS
from pmvis_mm.testing.mask2former_weights import (
    Mask2FormerSize,
    head_shapes,
    resnet_shapes,
    swin_shapes,
)
from pmvis_mm.utils.checkpoint import compare_weights
from pmvis_mm.utils.errors import CheckpointError
from pmvis_mm.utils.mask2former_names import (
    mask2former_to_mm,
    to_mm_name,
    warmup_counter,
)

# What is not a weight of a model.
CRITERION = 'criterion.empty_weight'


# ----------------------------------------------------------------- what it is
@pytest.mark.parametrize(
    ('shapes', 'channels', 'queries', 'millions'),
    [
        (resnet_shapes((3, 4, 6, 3)), (256, 512, 1024, 2048), 100, 44),
        (resnet_shapes((3, 4, 23, 3)), (256, 512, 1024, 2048), 100, 63),
        (
            swin_shapes(192, (2, 2, 18, 2), (6, 12, 24, 48), 12),
            (192, 384, 768, 1536),
            200,
            216,
        ),
    ],
    ids=['r50', 'r101', 'swin-l'],
)
def test_parameters_are_as_many_as_published(
    shapes, channels, queries, millions
):
    # Table 1 of the paper. The statistics of norms do not count.
    size = Mask2FormerSize(in_channels=channels, num_queries=queries)
    shapes = {**shapes, **head_shapes(size)}
    buffers = ('running_mean', 'running_var', 'index', CRITERION)
    total = sum(
        torch.Size(shape).numel()
        for name, shape in shapes.items()
        if not name.endswith(buffers)
    )
    assert round(total / 1e6) == millions


@pytest.mark.parametrize(
    ('name', 'shapes'),
    [
        ('r50', resnet_shapes((3, 4, 6, 3))),
        ('r101', resnet_shapes((3, 4, 23, 3))),
        # An eighth of its width, for the sake of memory.
        ('swin-l', swin_shapes(24, (2, 2, 18, 2), (6, 12, 24, 48), 12)),
    ],
)
def test_models_of_the_configs_take_every_weight(config_root, name, shapes):
    path = config_root / f'_base_/models/maskfreevis_{name}.py'
    model = Config.fromfile(path).model
    queries = 100
    if name == 'swin-l':
        model.backbone.embed_dims = 24
        model.track_head.in_channels = [24, 48, 96, 192]
        queries = 200
    channels = model.track_head.in_channels
    size = Mask2FormerSize(
        in_channels=channels, num_queries=queries, num_classes=40
    )
    weights = {
        key: torch.zeros(1).expand(shape)
        for key, shape in {**shapes, **head_shapes(size)}.items()
    }
    ours, report = mask2former_to_mm(weights)
    assert report.num_used == dict(r50=557, r101=812).get(name, 649)
    with DefaultScope.overwrite_default_scope('pmvis_mm'):
        built = MODELS.build(model)
    assert compare_weights(built, ours) == {}


# ---------------------------------------------------------------------- names
@pytest.mark.parametrize(
    ('theirs', 'ours'),
    [
        ('predictor.static_query.weight', 'query_feat.weight'),
        ('predictor.query_feat.weight', 'query_feat.weight'),
        ('predictor.input_proj.2.bias', 'decoder_input_projs.2.bias'),
        (
            'pixel_decoder.layer_1.norm.bias',
            'pixel_decoder.output_convs.0.gn.bias',
        ),
        # Before version 2 of the head.
        ('adapter_1.weight', 'pixel_decoder.lateral_convs.0.conv.weight'),
        (
            'transformer.level_embed',
            'pixel_decoder.level_encoding.weight',
        ),
        ('input_proj.1.0.bias', 'pixel_decoder.input_convs.1.conv.bias'),
    ],
)
def test_names_of_old_and_rare_files(theirs, ours):
    assert to_mm_name(f'sem_seg_head.{theirs}') == f'track_head.{ours}'


@pytest.mark.parametrize(
    'name',
    [
        'sem_seg_head.pixel_decoder.adapter_2.weight',
        'sem_seg_head.predictor.transformer.decoder.norm.weight',
        'sem_seg_head.predictor.mask_embed.layers.3.weight',
        'backbone.fpn_lateral2.weight',
        'query_feat.weight',
    ],
)
def test_names_of_other_models(name):
    assert to_mm_name(name) is None


def test_nothing_gives_nothing():
    ours, report = mask2former_to_mm({})
    assert ours == {} and report.num_total == 0


def test_counter_and_pixel_values_are_told():
    known = {'sem_seg_head.predictor.class_embed.bias': torch.ones(5)}
    extra = {
        'criterion._iter': torch.tensor([3687500.0]),
        'pixel_mean': torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1),
        'pixel_std': torch.ones(3, 1, 1),
    }
    ours, report = mask2former_to_mm({**known, **extra})
    assert list(ours) == ['track_head.cls_embed.bias']
    assert report.dropped == tuple(extra)
    (note,) = report.notes
    assert note.startswith('criterion._iter is 3687500: ')
    assert 'for 368750 iterations' in note
    assert note in str(report).splitlines()
    assert warmup_counter(extra) == 3687500
    assert warmup_counter(known) is None
    # A model of BGR images.
    extra['pixel_mean'] = extra['pixel_mean'].flip(0)
    _, report = mask2former_to_mm({**known, **extra})
    assert 'pixel_mean is [103.53, 116.28, 123.675]' in report.notes[1]
    assert 'bgr_to_rgb' in report.notes[1]


# -------------------------------------------------------------------- refusal
def test_unknown_names_are_listed():
    known = {'sem_seg_head.predictor.class_embed.bias': torch.ones(5)}
    extra = {f'strange.{i}': torch.ones(1) for i in range(10)}
    with pytest.raises(
        CheckpointError,
        match=r"^10 weights that detectron2's Mask2Former does not have: "
        r'strange\.0, .*strange\.7 and 2 more \[file f\.pkl\]\. Fix: give',
    ):
        mask2former_to_mm({**known, **extra}, file='f.pkl')
    with pytest.raises(
        CheckpointError, match=r'^no weights of Mask2Former .*, but strange\.0'
    ):
        mask2former_to_mm(extra)


def test_two_names_of_a_weight_are_refused():
    prefix = 'sem_seg_head.predictor.'
    with pytest.raises(
        CheckpointError, match=r'^weights under an old and a new name: .*feat'
    ):
        mask2former_to_mm(
            {
                f'{prefix}static_query.weight': torch.ones(1),
                f'{prefix}query_feat.weight': torch.ones(1),
            }
        )


def test_merging_needs_four_pixels():
    name = 'backbone.layers.0.downsample.norm.weight'
    with pytest.raises(CheckpointError, match='cannot merge four pixels'):
        mask2former_to_mm({name: torch.ones(6)})
