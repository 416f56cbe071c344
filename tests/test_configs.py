"""Every shipped config parses, keeps the rules and builds its model."""

import ast
from pathlib import Path
from typing import List

import pytest

pytest.importorskip('mmdet')

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from pmvis_mm.testing.tiny_runs import plain_config_text

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted(
    path
    for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.parts
)
BASES = sorted((ROOT / 'configs' / '_base_').rglob('*.py'))


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT / 'configs'))


def _bases(path: Path) -> List[Path]:
    """Files that a config names in ``_base_``, read without mmengine."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == '_base_' for t in node.targets
        ):
            value = ast.literal_eval(node.value)
            names = [value] if isinstance(value, str) else value
            return [(path.parent / name).resolve() for name in names]
    return []


def _depth(path: Path) -> int:
    return 1 + max((_depth(base) for base in _bases(path)), default=0)


def test_there_are_configs():
    assert CONFIGS and BASES


@pytest.mark.parametrize('path', CONFIGS, ids=_name)
def test_config_parses_under_our_scope(path):
    cfg = Config.fromfile(path)
    assert cfg.default_scope == 'pmvis_mm'
    with plain_config_text():
        text = cfg.pretty_text
    # A foreign base would write its scope into everything it defines.
    assert '_scope_' not in text
    # The dump is what a run leaves in its work dir: it must parse again.
    again = Config.fromstring(text, '.py')
    assert again.default_scope == 'pmvis_mm'


@pytest.mark.parametrize('path', CONFIGS, ids=_name)
def test_inheritance_is_shallow_and_stays_inside(path):
    assert _depth(path) <= 3
    for base in _bases(path):
        assert base.is_file(), f'{path} names a missing base {base}'
        assert (ROOT / 'configs') in base.parents


@pytest.mark.parametrize('path', CONFIGS + BASES, ids=_name)
def test_no_path_of_a_private_machine(path):
    strings = [
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert not [s for s in strings if s.startswith(('/', '~'))]


def _leave(*args, **kwargs):
    """Return the tensor that was to be initialised."""
    return args[0] if args else kwargs['tensor']


@pytest.mark.parametrize('path', CONFIGS, ids=_name)
def test_model_builds(path, monkeypatch):
    monkeypatch.chdir(ROOT)  # configs name each other from the root
    for name in ('kaiming_uniform_', 'uniform_', 'normal_'):
        # Values do not matter here, and large models take seconds to draw.
        monkeypatch.setattr(torch.nn.init, name, _leave)
    cfg = Config.fromfile(path)
    if 'model' not in cfg:
        pytest.skip('config has no model')
    if cfg.model.type in ('VISModelSource', 'DeAOTSource'):
        cfg.model.checkpoint = None  # not part of the package
    device = 'cpu'
    if cfg.model.type == 'HQSAMSource':
        cfg.model.checkpoint = None  # downloaded by the user
        device = 'meta'  # ViT-H would take 2.6 GB
    scope = DefaultScope.overwrite_default_scope(cfg.default_scope)
    with scope, torch.device(device):
        model = MODELS.build(cfg.model)
    assert type(model).__name__ == cfg.model.type


@pytest.mark.parametrize('path', CONFIGS, ids=_name)
def test_training_keeps_the_common_hooks(path):
    cfg = Config.fromfile(path)
    if 'train_dataloader' not in cfg:
        pytest.skip('config does not train')
    hooks = [hook.type for hook in cfg.custom_hooks]
    # A list in a config replaces that of its base: it must repeat them.
    for name in (
        'CheckSupervisionHook',
        'LossWarmupHook',
        'NonFiniteLossHook',
    ):
        assert name in hooks


def test_depth_counts_files(tmp_path):
    (tmp_path / 'a.py').write_text('x = 1\n')
    (tmp_path / 'b.py').write_text("_base_ = './a.py'\n")
    (tmp_path / 'c.py').write_text("_base_ = ['./b.py', './a.py']\n")
    assert [_depth(tmp_path / f'{n}.py') for n in 'abc'] == [1, 2, 3]
