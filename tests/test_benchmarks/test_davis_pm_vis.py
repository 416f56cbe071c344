"""The benchmark on real video: its stages, its figures, its picture."""

import importlib
import json
import sys
from argparse import Namespace
from dataclasses import replace
from types import ModuleType

import pytest
from mmengine.config import Config

from pmvis_mm.apis import Pipeline
from pmvis_mm.structures import PseudoMaskSet
from pmvis_mm.structures.video_annotations import VideoAnnotations
from pmvis_mm.testing.tiny_vis import write_tiny_vis


@pytest.fixture
def benchmark(repo_root, monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(repo_root / 'benchmarks'))
    yield importlib.import_module('davis_pm_vis')
    for name in ('davis_pm_vis', '_curves'):
        sys.modules.pop(name, None)


@pytest.fixture
def data(tmp_path):
    write_tiny_vis(tmp_path / 'data')
    return tmp_path / 'data'


def test_stages_pass_the_checks_of_a_pipeline(benchmark, data):
    args = Namespace(iters=100, batch_size=2, scale=[64, 48])
    backbone = data / 'mobilenet.pth'
    stages = benchmark.label_stages(data)
    stages += benchmark.model_stages(args, backbone)
    truth = data / 'instances.json'
    prefix = data / 'JPEGImages'
    Pipeline(Config(dict(stages=stages)), data / 'out', truth, prefix, truth)

    # Options name what the config has: they must change it, not add to it.
    train = next(stage for stage in stages if stage['type'] == 'train')
    folder = benchmark.ROOT / 'configs'
    cfg = Config.fromfile(folder / train['config'])
    cfg.merge_from_dict(train['options'])
    assert cfg.param_scheduler[1].end == 100
    assert cfg.train_dataloader.batch_size == 2
    pipeline = cfg.train_dataloader.dataset.pipeline
    resize = pipeline[1].transforms[2]
    assert (resize.type, resize.scale) == ('Resize', '(64,48)')
    assert cfg.model.detector.backbone.init_cfg == dict(
        type='Pretrained', checkpoint=str(backbone)
    )
    cfg.merge_from_dict(stages[5]['options'])
    resize = cfg.test_dataloader.dataset.pipeline[0].transforms[1]
    assert (resize.type, resize.scale) == ('Resize', '(64,48)')


def test_ap_of_masks(benchmark, data):
    truth = VideoAnnotations.from_file(
        data / 'instances.json', with_masks=True
    )
    masks = PseudoMaskSet.load(data / 'instances.json')
    assert benchmark.ap_of_masks(masks, truth) == pytest.approx(1.0)
    for tracks in masks.tracks.values():
        tracks[:] = [
            replace(track, masks=[None] * len(track.masks)) for track in tracks
        ]
    assert benchmark.ap_of_masks(masks, truth) == 0


def test_picture(benchmark, tmp_path):
    path = tmp_path / 'model/20260101_000000/vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    names = ['loss', 'd0.loss_cls', *(f'loss_{i}' for i in range(9))]
    rows = [dict({n: 1.0 for n in names}, step=step) for step in (20, 40)]
    path.write_text(''.join(json.dumps(row) + '\n' for row in rows))
    assert benchmark.draw(tmp_path).read_bytes()[:4] == b'\x89PNG'
