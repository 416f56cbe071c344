"""The benchmark of mask sources: its rows, its selectors, its mistakes."""

import importlib
import json
import sys

import pytest
import torch

pytest.importorskip('mmcv.ops', reason='sources need the ops of mmdet')

from mmengine.registry import DefaultScope

from pmvis_mm.models.vos import DeAOT
from pmvis_mm.structures import PseudoMaskSet, VideoAnnotations
from pmvis_mm.testing import tiny_runs
from pmvis_mm.testing.tiny_vis import write_tiny_vis
from pmvis_mm.utils.fileio import dump_json

FIRST = 'SHQM, boxes only'


@pytest.fixture
def benchmark(repo_root, monkeypatch):
    monkeypatch.syspath_prepend(str(repo_root / 'benchmarks'))
    module = importlib.import_module('mask_sources')

    def run_tool(*words):
        # Tools in this process: starting one takes seconds.
        path = repo_root / 'tools/test.py'
        assert tiny_runs.run_tool(path, *words) == 0

    monkeypatch.setattr(module, 'run_tool', run_tool)
    yield module
    sys.modules.pop('mask_sources', None)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Boxes, real masks, and masks of another program: the filled boxes."""
    root = tmp_path_factory.mktemp('tiny')
    content = write_tiny_vis(root, num_videos=2, num_frames=4)
    for entry in content['annotations']:
        masks = entry.pop('segmentations')
        entry['areas'] = [m and 1 for m in masks]
    dump_json(content, root / 'boxes.json')
    real = PseudoMaskSet.load(root / 'instances.json')
    real.dump(root / 'filled.json')
    return root


@pytest.fixture
def run(benchmark, data, tmp_path, monkeypatch, capsys):
    def call(*words):
        argv = ['mask_sources.py', '--ann-file', data / 'boxes.json']
        argv += ['--img-prefix', data / 'JPEGImages']
        argv += ['--truth-file', data / 'instances.json']
        argv += ['--work-dir', tmp_path, *words]
        monkeypatch.setattr(sys, 'argv', [str(w) for w in argv])
        benchmark.main()
        return capsys.readouterr().out.splitlines()

    return call


def test_rows_with_one_and_more_keyframes(run, data, tmp_path):
    *output, last = run(
        *('--from-boxes', f'filled={data / "filled.json"}'),
        *('--single-keyframe', '--keyframe-interval', 2),
    )
    found = json.loads(last)
    rows = ['grabcut', 'grabcut + DOOB', 'filled', 'filled + DOOB']
    rows += ['flow', 'flow + DOOB', FIRST + ', all tracks']
    rows += [FIRST, 'oracle, boxes only', 'SHQM, all', 'oracle, all']
    rows += ['flow, n = 1', 'flow, n = 1 + DOOB']
    rows += [FIRST + ', n = 1', 'oracle, boxes only, n = 1']
    assert list(found['miou']) == list(found['boundary_f']) == rows
    assert found['miou']['filled'] == found['boundary_f']['filled'] == 1
    assert found['miou']['oracle, boxes only'] == 1
    assert list(found['cost']) == ['grabcut', 'flow', 'flow_n1']
    per_video = found['per_video']
    assert list(per_video['flow']) == ['v0', 'v1']
    # 4 and 3 boxes a video: the mean of videos is that of masks.
    for name, mean in found['miou'].items():
        parts = per_video[name].values()
        assert mean == pytest.approx(sum(parts) / 2, abs=1e-4)
    table = output[output.index(next(r for r in output if 'mean' in r)) :]
    assert [row[:36].strip() for row in table[1:]] == rows
    # Two keyframes of four frames against one.
    truth = VideoAnnotations.from_file(data / 'instances.json')
    kinds = dict(flow={'flow_1', 'flow_2'}, flow_n1={'flow'})
    for folder, names in kinds.items():
        masks = PseudoMaskSet.load(tmp_path / folder / 'stages/shqm.json')
        masks.validate(truth)
        sources = {s for t in masks for s in t.sources if s is not None}
        assert sources <= names | {'grabcut', 'filled'}
        assert sources & names
    folders = {path.name for path in tmp_path.iterdir()}
    assert {'shqm_3', 'shqm_3_n1', 'flow_doob', 'flow_n1_doob'} <= folders


def test_deaot_tracks(run, tmp_path):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('pmvis_mm'):
        network = DeAOT('deaott')
    torch.save(dict(state_dict=network.state_dict()), tmp_path / 'd.pth')
    last = run(
        *('--propagator', 'deaot', '--deaot-checkpoint', tmp_path / 'd.pth'),
        *('--track-options', 'fusion=best', 'propagator.max_long=64'),
    )[-1]
    found = json.loads(last)
    assert list(found['cost']) == ['grabcut', 'deaot']
    assert 'deaot + DOOB' in found['miou']
    # The keyframe keeps GrabCut's mask, whatever the network finds.
    masks = PseudoMaskSet.load(tmp_path / 'deaot/stages/raw.json')
    assert min(track.num_masks for track in masks) >= 1
    assert {s for t in masks for s in t.sources} == {'deaot', None}


def test_unknown_selectors_are_skipped(benchmark, capsys):
    names = ['SHQM', 'NoSelector']
    assert benchmark.known_selectors(names) == ['SHQM']
    message = 'NoSelector is skipped: no such selector'
    assert message in capsys.readouterr().err
    assert benchmark.known_selectors([]) == []


def test_other_selectors(run):
    found = json.loads(run('--selectors', 'SHQM', 'QualitySelector')[-1])
    name = 'QualitySelector, boxes only'
    assert 0 < found['miou'][name] <= found['miou']['oracle, boxes only']


@pytest.mark.parametrize(
    'words, message',
    [
        (['--propagator', 'deaot'], 'deaot needs --deaot-checkpoint'),
        (['--track-options', 'fusion'], 'should be KEY=VALUE: fusion'),
        (['--propagator', 'cutie'], "invalid choice: 'cutie'"),
    ],
)
def test_mistakes_end_with_one_line(run, capsys, words, message):
    with pytest.raises(SystemExit) as stop:
        run(*words)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
