"""Tiny data and models of a whole pipeline, run in this process."""

import json

import pytest
from mmengine.config import Config

from pmvis_mm.apis.pipeline import Launcher, Pipeline
from pmvis_mm.testing.tiny_vis import write_tiny_vis
from pmvis_mm.utils.fileio import dump_json


@pytest.fixture
def data(tmp_path):
    """Two tiny videos: boxes, masks and frames."""
    write_tiny_vis(tmp_path / 'data')
    content = json.loads((tmp_path / 'data/instances.json').read_text())
    for annotation in content['annotations']:
        del annotation['segmentations']
    dump_json(content, tmp_path / 'data/boxes.json')
    return tmp_path / 'data'


@pytest.fixture(scope='session')
def world(tmp_path_factory, config_root):
    """Variables of the PM-VIS pipeline with tiny models, see the helper."""
    pytest.importorskip('mmcv.ops', exc_type=ImportError)
    from pmvis_mm.testing.tiny_pipeline import write_tiny_pipeline

    root = tmp_path_factory.mktemp('world')
    return write_tiny_pipeline(root, config_root)


@pytest.fixture(scope='session')
def recipe_config(config_root, world):
    """Function that gives the tiny PM-VIS pipeline config."""

    def make(**variables):
        cfg = Config.fromfile(config_root / 'labeling/pipeline_pm-vis_own.py')
        for name, value in {**world, **variables}.items():
            cfg[name] = value
        return cfg

    return make


@pytest.fixture
def tools(monkeypatch, repo_root):
    """Run tools in this process; gives the (tool, stage) pairs that ran."""
    from pmvis_mm.testing.tiny_runs import run_tool

    ran = []

    def call(self, tool, words):
        folder = words[words.index('--work-dir') + 1]
        ran.append((tool, folder.name))
        if run_tool(repo_root / 'tools' / tool, *words):
            raise RuntimeError(f'{tool} failed')

    monkeypatch.setattr(Launcher, 'call', call)
    return ran


@pytest.fixture
def build(data):
    """Function that builds a pipeline of some stages over tiny data."""

    def make(stages, work_dir=None, ann_file=None, **variables):
        return Pipeline(
            Config(dict(stages=stages, **variables)),
            work_dir or data.parent / 'work',
            ann_file or data / 'boxes.json',
            data / 'JPEGImages',
            truth_file=data / 'instances.json',
        )

    return make
