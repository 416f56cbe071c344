"""Wheel, editable install, metadata, and the check of mm versions."""

import os
import re
import subprocess
import sys
import zipfile
from email.parser import Parser
from importlib import metadata

import pytest
import yaml

import pmvis_mm
from pmvis_mm.utils import versions

MIM = ('configs', 'demo', 'tools', 'model-index.yml')


def _files(folder):
    return {
        str(path.relative_to(folder))
        for path in folder.rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    }


@pytest.fixture(scope='module')
def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope='module')
def info(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith('/METADATA')]
        return Parser().parsestr(archive.read(name).decode())


def test_wheel_has_every_module(source_copy, names):
    # A folder without __init__.py would silently be left out.
    modules = {
        f'pmvis_mm/{name}'
        for name in _files(source_copy / 'pmvis_mm')
        if name.endswith('.py')
    }
    assert modules <= names
    assert 'pmvis_mm/py.typed' in names


def test_wheel_has_no_tests_and_no_caches(names):
    tops = {name.split('/')[0] for name in names}
    assert tops == {'pmvis_mm', f'pmvis_mm-{pmvis_mm.__version__}.dist-info'}
    assert not [n for n in names if '__pycache__' in n]


def test_wheel_has_copies_for_mim(source_copy, names):
    for folder in ('configs', 'demo', 'tools'):
        for name in _files(source_copy / folder):
            assert f'pmvis_mm/.mim/{folder}/{name}' in names
    assert 'pmvis_mm/.mim/tools/train.py' in names
    assert 'pmvis_mm/.mim/model-index.yml' in names


def test_building_leaves_the_package_folder_alone(source_copy, wheel):
    assert wheel.exists()
    assert not (source_copy / 'pmvis_mm' / '.mim').exists()


def test_mm_packages_are_an_extra_and_not_required(info):
    requires = info.get_all('Requires-Dist')
    always = [r for r in requires if 'extra ==' not in r]
    named = {re.match(r'[\w.-]+', r).group() for r in always}
    assert 'numpy' in named
    assert not [n for n in named if n.startswith(('mm', 'onedl', 'torch'))]
    extra = [r for r in requires if 'extra == "mim"' in r.replace("'", '"')]
    assert any(r.startswith('onedl-mmdetection') for r in extra)


def test_one_version_everywhere(info, repo_root):
    assert info['Version'] == pmvis_mm.__version__
    citation = yaml.safe_load((repo_root / 'CITATION.cff').read_text())
    assert str(citation['version']) == pmvis_mm.__version__
    changelog = (repo_root / 'docs' / 'changelog.md').read_text()
    assert f'## {pmvis_mm.__version__}' in changelog


def test_editable_build_links_for_mim(source_copy, tmp_path):
    copy = tmp_path / 'editable'
    subprocess.run(['cp', '-r', source_copy, copy], check=True)
    for _ in range(2):  # the second time replaces the links
        subprocess.run(
            [sys.executable, 'setup.py', '-q', 'editable_wheel']
            + ['--dist-dir', str(tmp_path / 'dist')],
            cwd=copy,
            check=True,
            capture_output=True,
        )
        for name in MIM:
            link = copy / 'pmvis_mm' / '.mim' / name
            assert link.is_symlink(), name
            assert link.resolve() == (copy / name).resolve()
            assert not os.path.isabs(os.readlink(link))


def test_model_index_lists_every_metafile(repo_root):
    index = yaml.safe_load((repo_root / 'model-index.yml').read_text())
    found = (repo_root / 'configs').glob('*/metafile.yml')
    there = sorted(str(path.relative_to(repo_root)) for path in found)
    assert sorted(index['Import']) == there


def test_metafiles_name_existing_configs(repo_root):
    names = []
    for path in (repo_root / 'configs').glob('*/metafile.yml'):
        data = yaml.safe_load(path.read_text())
        for model in data.get('Models') or []:
            assert (repo_root / model['Config']).is_file(), model
            names.append(model['Name'])
        names += [c['Name'] for c in data.get('Collections') or []]
    assert len(names) == len(set(names))


def test_shell_scripts_parse(repo_root):
    scripts = [*(repo_root / 'tools').rglob('*.sh'), repo_root / '.ci/run']
    assert len(scripts) >= 6
    for script in scripts:
        subprocess.run(['bash', '-n', script], check=True)
        assert os.access(script, os.X_OK), script


def _fake_metadata(monkeypatch, **installed):
    def version(name):
        if name.replace('-', '_') in installed:
            return installed[name.replace('-', '_')]
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(versions.metadata, 'version', version)


@pytest.mark.parametrize(
    'installed',
    [
        dict(mmengine='0.10.7', mmcv='2.1.0', mmdet='3.3.0'),
        dict(
            onedl_mmengine='0.10.12',
            onedl_mmcv='2.3.6rc1',
            onedl_mmdetection='3.5.1',
        ),
        {},
    ],
)
def test_fitting_versions_pass(monkeypatch, installed):
    _fake_metadata(monkeypatch, **installed)
    assert versions.check_openmmlab_versions() is None


@pytest.mark.parametrize(
    'installed, message',
    [
        (
            dict(mmdet='3.2.0'),
            r'needs mmdet>=3\.3\.0,<4\.0\.0, but mmdet==3\.2\.0 is '
            r'installed\. Fix: pip install "mmdet>=3\.3\.0,<4\.0\.0"',
        ),
        (dict(mmcv='1.7.2'), r'mmcv==1\.7\.2'),
        (dict(onedl_mmcv='3.0.0'), r'onedl-mmcv==3\.0\.0.*onedl-mmcv>='),
        (dict(mmengine='0.9.1'), r'mmengine>=0\.10\.3'),
    ],
)
def test_unfit_version_is_named_with_its_fix(monkeypatch, installed, message):
    _fake_metadata(monkeypatch, **installed)
    with pytest.raises(ImportError, match=message):
        versions.check_openmmlab_versions()
