"""Tiny trainings and converters that several tests run."""

import runpy
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from pmvis_mm.testing import tiny_joint, tiny_runs


@pytest.fixture(scope='module')
def tiny_data(tmp_path_factory):
    """Four videos to train on, two to test with; masks for PM-VIS."""
    root = tmp_path_factory.mktemp('shapes')
    tiny_runs.write_tiny_shapes(root)
    return root


@pytest.fixture(scope='module')
def tiny_configs(tiny_data, config_root, tmp_path_factory):
    """Tiny leaf configs of the three methods."""
    folder = tmp_path_factory.mktemp('configs')
    return tiny_runs.write_tiny_configs(folder, tiny_data, config_root)


@pytest.fixture(scope='module')
def joint_data(tmp_path_factory):
    """COCO and YouTube-VIS 2019, tiny."""
    root = tmp_path_factory.mktemp('joint_data')
    tiny_joint.write_tiny_joint(root)
    return root


@pytest.fixture(scope='module')
def joint_configs(joint_data, config_root, tmp_path_factory):
    """Tiny configs of MaskFreeVIS on both, by name."""
    folder = tmp_path_factory.mktemp('joint_configs')
    return {
        name: tiny_joint.write_tiny_config(
            name, folder, joint_data, config_root
        )
        for name in tiny_joint.CONFIGS
    }


@pytest.fixture(scope='module')
def tool(repo_root):
    """Function that runs a tool in this process; returns its exit code."""

    def run(name, *words):
        return tiny_runs.run_tool(repo_root / 'tools' / name, *words)

    return run


@pytest.fixture(scope='module')
def trained(tool, tiny_configs, tmp_path_factory):
    """Work dir of four iterations of IDOL-BoxInst, with validation."""
    work_dir = tmp_path_factory.mktemp('box')
    tiny_runs.train_tiny(
        tool, tiny_configs['box'], work_dir, 'train_cfg.max_iters=4'
    )
    return work_dir


@pytest.fixture
def converter(repo_root, monkeypatch):
    """Function of a converter's file name that returns its runner."""

    def choose(name):
        path = repo_root / 'tools/model_converters' / name

        def run(*arguments):
            monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
            runpy.run_path(str(path), run_name='__main__')

        return run

    return choose


@pytest.fixture
def refusing_converter(converter):
    """The same for runs that must fail; they return the message."""

    def choose(name):
        def run(*arguments):
            with pytest.raises(SystemExit) as info:
                converter(name)(*arguments)
            return str(info.value)

        return run

    return choose


@pytest.fixture(scope='module')
def mim(request, tmp_path_factory):
    """Command and environment under which mim finds the package."""
    command = Path(sys.executable).with_name('mim')
    if not command.exists():
        pytest.skip('mim is not installed')
    try:
        metadata.version('onedl-mim')
    except metadata.PackageNotFoundError:
        # openmim looks beside pip's metadata, where an editable install
        # has no package: give it an installed wheel.
        target = tmp_path_factory.mktemp('site')
        subprocess.run(
            [sys.executable, '-m', 'pip', 'install', '-q', '--no-deps']
            + ['--no-index', '--target', target]
            + [request.getfixturevalue('wheel')],
            check=True,
        )
        return [command], dict(PYTHONPATH=str(target))
    return [command], {}
