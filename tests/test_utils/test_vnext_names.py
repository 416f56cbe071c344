"""Names of the public checkpoints: cases 17 and 18."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from pmvis_mm.testing.vnext_weights import closed_form_state_dict
from pmvis_mm.utils.errors import CheckpointError
from pmvis_mm.utils.vnext_names import (
    mm_to_vnext,
    mm_to_vnext_with_report,
    vnext_to_mm,
)

GOLDEN = Path(__file__).parents[1] / 'data/golden/idol_r50_open.json'
BACKBONE = 'detr.detr.backbone.0.backbone.'
COPY = 'detr.detr.transformer.decoder.bbox_embed.'


@pytest.fixture(scope='module')
def params():
    return json.loads(GOLDEN.read_text())['params']


def tagged(names):
    """One different number by name, to follow where it goes."""
    return {
        name: torch.tensor([float(i)]) for i, name in enumerate(sorted(names))
    }


def without_copies(params):
    return [name for name in params if not name.startswith(COPY)]


def resnet_names(depths):
    """Names of the backbone's weights as detectron2 writes them."""
    units = ['stem.conv1']
    for stage, depth in enumerate(depths, 2):
        units.append(f'res{stage}.0.shortcut')
        for i in range(depth):
            units += [f'res{stage}.{i}.conv{c}' for c in (1, 2, 3)]
    stats = ['weight', 'bias', 'running_mean', 'running_var']
    leaves = ['weight', *(f'norm.{name}' for name in stats)]
    return [f'{BACKBONE}{unit}.{leaf}' for unit in units for leaf in leaves]


def swin_names(depths):
    """Names of the backbone's weights as the public Swin writes them."""
    both = ('weight', 'bias')
    names = [f'patch_embed.{m}.{p}' for m in ('proj', 'norm') for p in both]
    linears = ('norm1', 'norm2', 'attn.qkv', 'attn.proj', 'mlp.fc1')
    for i, depth in enumerate(depths):
        for j in range(depth):
            block = f'layers.{i}.blocks.{j}'
            for module in (*linears, 'mlp.fc2'):
                names += [f'{block}.{module}.{p}' for p in both]
            for kind in ('bias_table', 'index'):
                names.append(f'{block}.attn.relative_position_{kind}')
        names += [f'norm{i}.{p}' for p in both]
        if i + 1 < len(depths):
            names.append(f'layers.{i}.downsample.reduction.weight')
            names += [f'layers.{i}.downsample.norm.{p}' for p in both]
    return [BACKBONE + name for name in names]


def our_names(module):
    return {
        f'detector.backbone.{name}'
        for name in module.state_dict()
        if not name.endswith('num_batches_tracked')
    }


def test_case_18_every_name_is_used_or_a_duplicate(params):
    weights = closed_form_state_dict(params)
    assert sum('backbone' not in name for name in weights) == 354
    ours, report = vnext_to_mm(weights)
    assert sum('backbone' not in name for name in ours) == 318
    assert (report.num_total, report.num_used) == (619, 583)
    assert len(ours) == 583
    assert len(report.duplicates) == 36
    assert all(name.startswith(COPY) for name in report.duplicates)
    assert report.dropped == report.made_up == ()
    assert report.prefix == 'detr.'
    assert str(report) == '583 of 619 keys used; 36 duplicates dropped'
    # What lies in which part of the model.
    children = [name.split('.')[0] for name in ours]
    assert children.count('mask_head') == 16
    assert children.count('track_head') == 6
    assert children.count('detector') == 561


def test_round_trip_is_exact_in_both_forms(params):
    weights = closed_form_state_dict(params)
    ours, _ = vnext_to_mm(weights)
    bare = {name[len('detr.') :]: value for name, value in weights.items()}
    for source, prefix in ((weights, 'detr.'), (bare, '')):
        ours_again, report = vnext_to_mm(source)
        assert report.prefix == prefix
        assert list(ours_again) == list(ours)
        back, back_report = mm_to_vnext_with_report(ours_again, prefix)
        assert set(back) == set(source)
        assert all(torch.equal(back[name], source[name]) for name in source)
        assert (back_report.num_total, back_report.num_used) == (583, 583)
        assert back_report.made_up == ()
        # A file holds the two names of a tensor once.
        name = f'{prefix}detr.bbox_embed.2.layers.1.weight'
        twin = name.replace('detr.bbox', 'detr.transformer.decoder.bbox')
        assert back[name] is back[twin]


def test_nothing_gives_nothing():
    ours, report = vnext_to_mm({})
    assert ours == {} and report.num_total == 0
    assert mm_to_vnext({}) == {}


# ---------------------------------------------------------------------- names
@pytest.mark.parametrize(
    'theirs, ours',
    [
        ('detr.transformer.level_embed', 'detector.level_embed'),
        ('detr.query_embed.weight', 'detector.query_embedding.weight'),
        ('detr.input_proj.1.0.bias', 'detector.neck.convs.1.conv.bias'),
        ('detr.input_proj.3.1.bias', 'detector.neck.extra_convs.0.gn.bias'),
        (
            'detr.transformer.reference_points.bias',
            'detector.reference_points_fc.bias',
        ),
        (
            'detr.transformer.decoder.layers.4.self_attn.in_proj_bias',
            'detector.decoder.layers.4.self_attn.attn.in_proj_bias',
        ),
        (
            'detr.transformer.encoder.layers.0.linear2.weight',
            'detector.encoder.layers.0.ffn.layers.1.weight',
        ),
        (
            'detr.bbox_embed.3.layers.2.bias',
            'detector.bbox_head.reg_branches.3.4.bias',
        ),
        (
            'detr.class_embed.5.weight',
            'detector.bbox_head.cls_branches.5.weight',
        ),
        ('controller.layers.2.bias', 'mask_head.controller.layers.2.bias'),
        ('mask_head.lay3.bias', 'mask_head.mask_branch.fuse_convs.0.bias'),
        ('mask_head.lay4.bias', 'mask_head.mask_branch.fuse_convs.1.bias'),
        ('mask_head.dcn.bias', 'mask_head.mask_branch.fuse_convs.2.bias'),
        ('mask_head.lay1.bias', 'mask_head.mask_branch.out_convs.0.bias'),
        ('mask_head.lay2.bias', 'mask_head.mask_branch.out_convs.1.bias'),
        ('reid_embed_head.layers.1.bias', 'track_head.embed.layers.1.bias'),
    ],
)
def test_single_names(params, theirs, ours):
    weights = tagged(without_copies(params))
    renamed, _ = vnext_to_mm(weights)
    assert renamed[ours] is weights[f'detr.{theirs}']


def test_norms_of_the_decoder_follow_the_order_of_use(params):
    weights = tagged(without_copies(params))
    ours, _ = vnext_to_mm(weights)
    theirs = 'detr.detr.transformer.decoder.layers.3.norm'
    # Self-attention, then cross attention, then the feed-forward network.
    for index, number in enumerate((2, 1, 3)):
        for leaf in ('weight', 'bias'):
            name = f'detector.decoder.layers.3.norms.{index}.{leaf}'
            assert torch.equal(ours[name], weights[f'{theirs}{number}.{leaf}'])
    theirs = 'detr.detr.transformer.encoder.layers.3.norm'
    for index, number in enumerate((1, 2)):
        name = f'detector.encoder.layers.3.norms.{index}.bias'
        assert torch.equal(ours[name], weights[f'{theirs}{number}.bias'])


@pytest.mark.parametrize(
    'depth, blocks', [(50, (3, 4, 6, 3)), (101, (3, 4, 23, 3))]
)
def test_resnet_names_are_those_of_mmdet(params, depth, blocks):
    from mmdet.models.backbones import ResNet

    names = resnet_names(blocks)
    assert len(names) == {50: 265, 101: 520}[depth]
    if depth == 50:
        assert set(names) == {n for n in params if n.startswith(BACKBONE)}
    ours, _ = vnext_to_mm(tagged(names))
    assert set(ours) == our_names(ResNet(depth, base_channels=4))


def plain_resnet(image, weights, blocks):
    """ResNet as detectron2 runs it, from the weights by its names."""

    def unit(x, name, stride=1, padding=0):
        name = BACKBONE + name
        x = F.conv2d(x, weights[f'{name}.weight'], None, stride, padding)
        stats = ('running_mean', 'running_var', 'weight', 'bias')
        return F.batch_norm(
            x, *(weights[f'{name}.norm.{s}'] for s in stats), eps=1e-5
        )

    x = F.max_pool2d(unit(image, 'stem.conv1', 2, 3).relu(), 3, 2, 1)
    outs = []
    for stage, depth in enumerate(blocks, 2):
        for i in range(depth):
            block = f'res{stage}.{i}'
            stride = 2 if i == 0 and stage > 2 else 1
            y = unit(x, f'{block}.conv1').relu()
            y = unit(y, f'{block}.conv2', stride, 1).relu()
            y = unit(y, f'{block}.conv3')
            x = unit(x, f'{block}.shortcut', stride) if i == 0 else x
            x = (x + y).relu()
        outs.append(x)
    return outs[1:]


def test_case_17_resnet_computes_the_same(params):
    from mmdet.models.backbones import ResNet

    shapes = {n: s for n, s in params.items() if n.startswith(BACKBONE)}
    weights = closed_form_state_dict(shapes)
    ours, _ = vnext_to_mm(weights)
    backbone = ResNet(50, out_indices=(1, 2, 3))
    backbone.load_state_dict(
        {name[len('detector.backbone.') :]: v for name, v in ours.items()}
    )
    backbone.eval()
    image = torch.rand(1, 3, 64, 96, generator=torch.Generator())
    with torch.no_grad():
        outs = backbone(image)
        expected = plain_resnet(image, weights, (3, 4, 6, 3))
    assert len(outs) == len(expected) == 3
    for out, other in zip(outs, expected):
        assert other.abs().max() > 0
        torch.testing.assert_close(out, other, rtol=1e-6, atol=1e-6)


# ----------------------------------------------------------------------- Swin
def swin(**changes):
    from mmdet.models.backbones import SwinTransformer

    options = dict(
        embed_dims=8,
        depths=(2, 2, 2, 2),
        num_heads=(1, 2, 4, 8),
        window_size=4,
        out_indices=(1, 2, 3),
    )
    return SwinTransformer(**{**options, **changes})


@pytest.fixture(scope='module')
def swin_weights():
    torch.manual_seed(0)
    return {
        f'detector.backbone.{name}': value
        if name.endswith('index')
        else torch.randn_like(value)
        for name, value in swin().state_dict().items()
    }


def test_swin_names_are_those_of_mmdet():
    depths = (2, 2, 18, 2)
    names = swin_names(depths)
    assert len(names) == 357
    weights = {name: torch.zeros(4) for name in names}
    ours, report = vnext_to_mm(weights)
    assert set(ours) == our_names(swin(depths=depths))
    lost = [f'{BACKBONE}norm0.{leaf}' for leaf in ('weight', 'bias')]
    assert list(report.dropped) == lost
    assert 'without use dropped: detr.detr.backbone.0' in str(report)


def test_swin_round_trips_and_the_unused_norm_is_made_up(swin_weights):
    theirs, report = mm_to_vnext_with_report(swin_weights)
    assert set(theirs) == set(swin_names((2, 2, 2, 2)))
    weight, bias = (f'{BACKBONE}norm0.{leaf}' for leaf in ('weight', 'bias'))
    assert report.made_up == (weight, bias)
    assert theirs[weight].tolist() == [1.0] * 8
    assert theirs[bias].tolist() == [0.0] * 8
    assert f'2 made up: {weight}' in str(report)
    ours, _ = vnext_to_mm(theirs)
    assert set(ours) == set(swin_weights)
    for name, value in swin_weights.items():
        assert torch.equal(ours[name], value), name
    # A model of ours that has this norm keeps it.
    norm = {'detector.backbone.norm0.weight': torch.full((8,), 3.0)}
    theirs, report = mm_to_vnext_with_report(dict(swin_weights, **norm))
    assert report.made_up == ()
    assert theirs[weight].tolist() == [3.0] * 8


def test_swin_is_as_mmdets_own_converter_makes_it(swin_weights):
    from mmdet.models.backbones.swin import swin_converter

    theirs = mm_to_vnext(swin_weights)
    converted = swin_converter(
        {name[len(BACKBONE) :]: value for name, value in theirs.items()}
    )
    for name, value in swin_weights.items():
        assert torch.equal(converted[name[len('detector.') :]], value), name


def public_merging(x, weights, stage):
    """Patch merging of the public Swin, (B, H, W, C), no odd sizes."""
    name = f'{BACKBONE}layers.{stage}.downsample.'
    corners = ((0, 0), (1, 0), (0, 1), (1, 1))  # row, column
    x = torch.cat([x[:, i::2, j::2] for i, j in corners], -1)
    norm = [weights[f'{name}norm.{leaf}'] for leaf in ('weight', 'bias')]
    x = F.layer_norm(x, x.shape[-1:], *norm)
    return F.linear(x, weights[f'{name}reduction.weight'])


@pytest.mark.parametrize('stage', [0, 1, 2])
def test_patch_merging_computes_the_same(swin_weights, stage):
    backbone = swin()
    backbone.load_state_dict(
        {n[len('detector.backbone.') :]: v for n, v in swin_weights.items()}
    )
    merging = backbone.stages[stage].downsample
    features = torch.randn(2, 4, 6, 8 * 2**stage)
    with torch.no_grad():
        ours, size = merging(features.flatten(1, 2), (4, 6))
        theirs = public_merging(features, mm_to_vnext(swin_weights), stage)
    assert tuple(size) == (2, 3)
    assert theirs.abs().max() > 1
    torch.testing.assert_close(
        ours, theirs.flatten(1, 2), rtol=1e-5, atol=1e-5
    )


def test_case_17_position_index_of_swin_needs_no_change(swin_weights):
    grid = torch.stack(
        torch.meshgrid(torch.arange(4), torch.arange(4), indexing='ij')
    ).flatten(1)
    offset = grid[:, :, None] - grid[:, None, :] + 3
    index = offset[0] * 7 + offset[1]
    name = f'{BACKBONE}layers.1.blocks.1.attn.relative_position_index'
    assert torch.equal(mm_to_vnext(swin_weights)[name], index)


# -------------------------------------------------------------------- refusal
def test_unknown_names_are_listed():
    known = {'detr.controller.layers.0.bias': torch.ones(1)}
    extra = {f'detr.detr.strange.{i}': torch.ones(1) for i in range(10)}
    with pytest.raises(
        CheckpointError,
        match=r"^10 weights that VNext's IDOL does not have: "
        r'detr\.detr\.strange\.0, .*strange\.7 and 2 more \[file f\.pth\]'
        r'.*Fix: .*--reverse',
    ):
        vnext_to_mm({**known, **extra}, file='f.pth')
    # Outside the tree that all others are in.
    with pytest.raises(CheckpointError, match='^1 weights.*: controller'):
        vnext_to_mm({**known, 'controller.layers.0.bias': torch.ones(1)})
    ours, _ = vnext_to_mm(known)
    with pytest.raises(CheckpointError, match='^1 weights.*: mask_head'):
        vnext_to_mm(ours)
    with pytest.raises(
        CheckpointError, match='^1 weights that our IDOL does not .*: detr'
    ):
        mm_to_vnext(known)


def test_copies_must_equal_the_box_heads():
    name, value = 'detr.detr.bbox_embed.0.layers.0.bias', torch.ones(2)
    copy = f'{COPY}0.layers.0.bias'
    ours, report = vnext_to_mm({name: value, copy: value.clone()})
    assert report.duplicates == (copy,)
    assert list(ours) == ['detector.bbox_head.reg_branches.0.0.bias']
    for other in ({name: value, copy: value + 1e-6}, {copy: value}):
        with pytest.raises(
            CheckpointError, match=r'box heads differ.*: .*decoder\.bbox_emb'
        ):
            vnext_to_mm(other)


def test_merging_needs_four_pixels():
    name = f'{BACKBONE}layers.0.downsample.norm.weight'
    for shape in ((6,), ()):
        with pytest.raises(CheckpointError, match='cannot merge four pixels'):
            vnext_to_mm({name: torch.ones(shape)})


def test_counters_are_dropped():
    bias = 'controller.layers.0.bias'
    counters = ('criterion._iter', 'detr.criterion._iter')
    weights = {f'detr.{bias}': torch.ones(1)}
    weights.update((name, torch.ones(1)) for name in counters)
    ours, report = vnext_to_mm(weights)
    assert list(ours) == [f'mask_head.{bias}']
    assert report.dropped == counters
    batches = 'detector.backbone.bn1.num_batches_tracked'
    theirs, report = mm_to_vnext_with_report(
        {**ours, batches: torch.tensor(3)}
    )
    assert list(theirs) == [f'detr.{bias}']
    assert report.dropped == (batches,)
