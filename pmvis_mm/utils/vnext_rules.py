"""Rules between the names of VNext's IDOL weights and ours."""

import re
from typing import Iterable, Iterator, List, Optional, Tuple

# A pair of templates, VNext's and ours. {i}, {j} stand for a number, {leaf}
# for the last part of a name: the same text on both sides.
Rule = Tuple[str, str]
CompiledRule = Tuple['re.Pattern[str]', str]

BACKBONE = 'detr.backbone.0.backbone.'
_OUR_BACKBONE = 'detector.backbone.'
_PLACES = dict(i=r'\d+', j=r'\d+', leaf=r'\w+')


def to_mm_name(name: str) -> Optional[str]:
    """Give a weight of VNext the name that it has here.

    Args:
        name (str): VNext's name without the outer ``detr.``.

    Returns:
        str | None: Name in our ``IDOL``; None if there is no such weight.
    """
    return rename(name, _FORTH)


def to_vnext_name(name: str) -> Optional[str]:
    """Give a weight of ours the name that it has in VNext.

    Args:
        name (str): Name in our ``IDOL``.

    Returns:
        str | None: VNext's name without the outer ``detr.``; None if there
        is no such weight.
    """
    return rename(name, _BACK)


def to_mm_backbone_name(name: str) -> Optional[str]:
    """Give a weight of a public backbone the name that it has in mmdet.

    Args:
        name (str): Name in detectron2's ResNet or in the Swin that
            detectron2's projects share, without a prefix.

    Returns:
        str | None: Name in mmdet's backbone, without a prefix; None if
        there is no such weight.
    """
    ours = to_mm_name(BACKBONE + name)
    return ours and ours[len(_OUR_BACKBONE) :]


def _rules() -> Iterator[Rule]:
    """List all rules, VNext's names without the outer ``detr.``."""
    yield from _resnet_rules()
    yield from _swin_rules()
    yield from _transformer_rules()
    for i in range(3):
        yield from _norm_conv(f'input_proj.{i}', f'neck.convs.{i}')
    yield from _norm_conv('input_proj.3', 'neck.extra_convs.0')
    yield 'detr.query_embed.weight', 'detector.query_embedding.weight'
    yield (
        'detr.class_embed.{i}.{leaf}',
        'detector.bbox_head.cls_branches.{i}.{leaf}',
    )
    for j in range(3):  # layers of the MLP; ReLUs are in between
        yield (
            f'detr.bbox_embed.{{i}}.layers.{j}.{{leaf}}',
            f'detector.bbox_head.reg_branches.{{i}}.{2 * j}.{{leaf}}',
        )
    controller = 'controller.layers.{i}.{leaf}'
    yield controller, f'mask_head.{controller}'
    yield (
        'reid_embed_head.layers.{i}.{leaf}',
        'track_head.embed.layers.{i}.{leaf}',
    )
    for theirs, ours in (
        ('lay3', 'fuse_convs.0'),
        ('lay4', 'fuse_convs.1'),
        ('dcn', 'fuse_convs.2'),  # an ordinary convolution
        ('lay1', 'out_convs.0'),
        ('lay2', 'out_convs.1'),
    ):
        yield (
            f'mask_head.{theirs}.{{leaf}}',
            f'mask_head.mask_branch.{ours}.{{leaf}}',
        )


def _norm_conv(theirs: str, ours: str) -> Iterator[Rule]:
    yield f'detr.{theirs}.0.{{leaf}}', f'detector.{ours}.conv.{{leaf}}'
    yield f'detr.{theirs}.1.{{leaf}}', f'detector.{ours}.gn.{{leaf}}'


def _resnet_rules() -> Iterator[Rule]:
    units = [('stem.conv1', 'conv1', 'bn1')]
    for stage in range(2, 6):
        theirs, ours = f'res{stage}.{{i}}', f'layer{stage - 1}.{{i}}'
        for c in range(1, 4):
            units.append(
                (f'{theirs}.conv{c}', f'{ours}.conv{c}', f'{ours}.bn{c}')
            )
        shortcut = f'{ours}.downsample'
        units.append((f'{theirs}.shortcut', f'{shortcut}.0', f'{shortcut}.1'))
    for unit, conv, norm in units:
        theirs = BACKBONE + unit
        yield f'{theirs}.weight', f'{_OUR_BACKBONE}{conv}.weight'
        yield f'{theirs}.norm.{{leaf}}', f'{_OUR_BACKBONE}{norm}.{{leaf}}'


def _swin_rules() -> Iterator[Rule]:
    block = 'layers.{i}.blocks.{j}', 'stages.{i}.blocks.{j}'
    for owner, theirs, ours in (
        (('', ''), 'patch_embed.proj', 'patch_embed.projection'),
        (('', ''), 'patch_embed.norm', 'patch_embed.norm'),
        (('', ''), 'norm{i}', 'norm{i}'),
        (block, '.norm1', '.norm1'),
        (block, '.norm2', '.norm2'),
        (block, '.attn', '.attn.w_msa'),  # bias table and its index
        (block, '.attn.qkv', '.attn.w_msa.qkv'),
        (block, '.attn.proj', '.attn.w_msa.proj'),
        (block, '.mlp.fc1', '.ffn.layers.0.0'),
        (block, '.mlp.fc2', '.ffn.layers.1'),
        (('layers.{i}', 'stages.{i}'), *['.downsample.reduction'] * 2),
        (('layers.{i}', 'stages.{i}'), *['.downsample.norm'] * 2),
    ):
        yield (
            f'{BACKBONE}{owner[0]}{theirs}.{{leaf}}',
            f'{_OUR_BACKBONE}{owner[1]}{ours}.{{leaf}}',
        )


def _transformer_rules() -> Iterator[Rule]:
    theirs, ours = 'detr.transformer.', 'detector.'
    yield f'{theirs}level_embed', f'{ours}level_embed'
    yield (
        f'{theirs}reference_points.{{leaf}}',
        f'{ours}reference_points_fc.{{leaf}}',
    )
    decoder = 'decoder.layers.{i}.self_attn'
    for name in ('{leaf}', 'out_proj.{leaf}'):
        yield f'{theirs}{decoder}.{name}', f'{ours}{decoder}.attn.{name}'
    # Ours are numbered in the order they are applied in; their decoder
    # numbers cross attention first but runs self attention first.
    for part, attention, norms in (
        ('encoder', 'self_attn', ('norm1', 'norm2')),
        ('decoder', 'cross_attn', ('norm2', 'norm1', 'norm3')),
    ):
        layer = part + '.layers.{i}.'
        for name in (
            'sampling_offsets',
            'attention_weights',
            'value_proj',
            'output_proj',
        ):
            same = f'{layer}{attention}.{name}.{{leaf}}'
            yield theirs + same, ours + same
        pairs = [(norm, f'norms.{k}') for k, norm in enumerate(norms)]
        pairs += [('linear1', 'ffn.layers.0.0'), ('linear2', 'ffn.layers.1')]
        for old, new in pairs:
            yield (
                f'{theirs}{layer}{old}.{{leaf}}',
                f'{ours}{layer}{new}.{{leaf}}',
            )


def _compiled(source: str) -> 're.Pattern[str]':
    parts = re.split(r'\{(\w+)\}', source)
    text = ''.join(
        f'(?P<{part}>{_PLACES[part]})' if k % 2 else re.escape(part)
        for k, part in enumerate(parts)
    )
    return re.compile(text)


def compile_rules(rules: Iterable[Rule]) -> List[CompiledRule]:
    """Prepare rules for :func:`rename`.

    Args:
        rules (Iterable[tuple[str, str]]): Templates of old and new names,
            with the places {i}, {j} (numbers) and {leaf} (last part).

    Returns:
        list[tuple[re.Pattern, str]]: In the same order.
    """
    return [(_compiled(old), new) for old, new in rules]


def rename(name: str, rules: Iterable[CompiledRule]) -> Optional[str]:
    """Rename by the first rule that fits the whole name.

    Args:
        name (str): Any name.
        rules (Iterable[tuple[re.Pattern, str]]): Of :func:`compile_rules`.

    Returns:
        str | None: New name; None if no rule fits.
    """
    for pattern, target in rules:
        match = pattern.fullmatch(name)
        if match:
            return target.format(**match.groupdict())
    return None


_FORTH = compile_rules(_rules())
_BACK = compile_rules((ours, theirs) for theirs, ours in _rules())
