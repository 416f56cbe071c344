"""Fixtures for all tests: no network, one thread, small synthetic data."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict, Iterator

import numpy as np
import pytest

# Before any test imports a library that reads them.
os.environ.update(HF_HUB_OFFLINE='1', NO_ALBUMENTATIONS_UPDATE='1')
os.environ.setdefault('MPLBACKEND', 'Agg')
os.environ.setdefault('OMP_NUM_THREADS', '1')


def pytest_configure() -> None:
    """Keep tests from fighting for the cores."""
    try:
        import torch
    except ImportError:  # the offline half runs without torch
        return
    torch.set_num_threads(1)


@pytest.fixture(scope='session')
def repo_root() -> Path:
    """Root of the checkout."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope='session')
def config_root(repo_root: Path) -> Path:
    """Folder of the shipped configs."""
    return repo_root / 'configs'


@pytest.fixture
def default_scope() -> Iterator[None]:
    """Resolve names in pipelines as a config of ours does."""
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope('pmvis_mm'):
        yield


@pytest.fixture(autouse=True)
def _forget_default_scope() -> Iterator[None]:
    """Drop the process-wide default scope that a runner leaves behind."""
    yield
    registry = sys.modules.get('mmengine.registry')
    if registry is not None:
        registry.DefaultScope._instance_dict.clear()


@pytest.fixture(scope='session')
def write_tiny_coco() -> Callable[[Path], Path]:
    """Function that writes a COCO set of four 64x64 images into a folder."""
    return _write_tiny_coco


def _write_tiny_coco(root: Path) -> Path:
    import cv2

    (root / 'images').mkdir(parents=True)
    data: Dict[str, list] = dict(
        images=[], annotations=[], categories=[dict(id=1, name='square')]
    )
    for index in range(4):
        frame = np.full((64, 64, 3), 60, np.uint8)
        x, y, side = 4 + 8 * index, 10, 24
        frame[y : y + side, x : x + side] = (40, 200, 230)
        name = f'{index:03d}.png'
        cv2.imwrite(str(root / 'images' / name), frame)
        data['images'].append(
            dict(id=index, file_name=name, height=64, width=64)
        )
        data['annotations'].append(
            dict(
                id=index + 1,
                image_id=index,
                category_id=1,
                bbox=[x, y, side, side],
                area=side * side,
                iscrowd=0,
            )
        )
    (root / 'annotations.json').write_text(json.dumps(data))
    return root


@pytest.fixture(scope='session')
def source_copy(repo_root: Path, tmp_path_factory) -> Path:
    """What a fresh checkout holds of the package and its build."""
    copy = tmp_path_factory.mktemp('source')
    skip = shutil.ignore_patterns('__pycache__', '*.pyc', '.mim')
    for name in ('pmvis_mm', 'configs', 'demo', 'tools', 'requirements'):
        shutil.copytree(repo_root / name, copy / name, ignore=skip)
    for name in (
        'setup.py',
        'pyproject.toml',
        'README.md',
        'LICENSE',
        'MANIFEST.in',
        'model-index.yml',
    ):
        shutil.copy(repo_root / name, copy / name)
    return copy


@pytest.fixture(scope='session')
def wheel(source_copy: Path, tmp_path_factory) -> Path:
    """The wheel that pip builds from the copy."""
    pytest.importorskip('wheel')
    folder = tmp_path_factory.mktemp('wheel')
    subprocess.run(
        [sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps']
        + ['--no-build-isolation', '--no-index', '-w', folder, source_copy],
        check=True,
    )
    (file,) = folder.glob('*.whl')
    return file
