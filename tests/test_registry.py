"""Plain names of mmdet and of pmvis_mm resolve under our default scope."""

import pytest

pytest.importorskip('mmdet')

from mmengine.config import Config
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import Registry

import pmvis_mm.registry as registries
from pmvis_mm.registry import METRICS, MODELS, TASK_UTILS, TRANSFORMS


@pytest.mark.parametrize('name', registries.__all__)
def test_every_registry_is_a_child_of_mmdets_node(name):
    from mmdet import registry as mmdet_registry

    ours = getattr(registries, name)
    assert isinstance(ours, Registry)
    assert ours.parent is getattr(mmdet_registry, name)
    assert ours.scope == 'pmvis_mm'
    # mmdet's own modules must be imported before ours can be looked up.
    assert ours._locations[0].startswith('mmdet')


@pytest.mark.parametrize(
    'name', ['Resize', 'RandomFlip', 'LoadAnnotations', 'RandomCrop']
)
def test_transforms_resolve_to_mmdets_subclasses(name):
    # mmcv has classes of the same names that know no gt_masks.
    cls = TRANSFORMS.get(name)
    assert cls.__module__.startswith('mmdet.'), cls


def test_transform_names_resolve_in_a_fresh_process():
    import subprocess
    import sys

    code = (
        'from mmengine.registry import TRANSFORMS, DefaultScope\n'
        "DefaultScope.get_instance('x', scope_name='pmvis_mm')\n"
        "t = TRANSFORMS.build(dict(type='Resize', scale=(8, 8)))\n"
        'print(type(t).__module__)'
    )
    out = subprocess.run(
        [sys.executable, '-c', code],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert out.splitlines()[-1].startswith('mmdet.'), out


def test_parents_are_reachable_by_plain_names():
    assert MODELS.get('RetinaNet').__module__.startswith('mmdet.')
    assert TASK_UTILS.get('MaxIoUAssigner').__module__.startswith('mmdet.')
    assert METRICS.get('YouTubeVISMetric').__module__.startswith('mmdet.')
    assert TRANSFORMS.get('LoadImageFromFile').__module__.startswith('mmcv.')
    assert MODELS.get('Conv2d').__name__ == 'Conv2d'


def test_unknown_name_is_an_error(default_scope):
    with pytest.raises(KeyError, match='NoSuchDetector'):
        MODELS.build(dict(type='NoSuchDetector'))


def test_default_arguments_inside_mmdet_build_without_prefix(default_scope):
    # FCOSHead names its losses and coder without a scope in its signature.
    head = ROOT_MODELS.build(
        dict(type='FCOSHead', num_classes=2, in_channels=32, feat_channels=32)
    )
    assert type(head.loss_cls).__name__ == 'FocalLoss'
    assert type(head.loss_cls).__module__.startswith('mmdet.')


def test_tiny_config_builds_through_the_root_registry(
    default_scope, repo_root
):
    cfg = Config.fromfile(
        repo_root / 'tests' / 'data' / 'configs' / 'tiny_retinanet.py'
    )
    assert '_scope_' not in cfg.pretty_text
    assert type(ROOT_MODELS.build(cfg.model)).__name__ == 'RetinaNet'
