"""The whole recipe of PM-VIS, with random weights, end to end."""

import json
import os
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from pmvis_mm.apis.pipeline import Launcher, Pipeline
from pmvis_mm.structures import PseudoMaskSet, VideoAnnotations
from pmvis_mm.testing.tiny_runs import run_tool

LABELLING = ['hq-sam', 'idol-boxinst-masks', 'track-multi']
ALL = [
    ('test.py', 'hq-sam'),
    ('train.py', 'idol-boxinst'),
    ('test.py', 'idol-boxinst-masks'),
    ('test.py', 'track-multi'),
    ('train.py', 'pm-vis'),
    ('test.py', 'evaluation'),
]


def ran_in(call_log, repo_root, dies_before=None):
    def call(self, tool, words):
        folder = words[words.index('--work-dir') + 1]
        if folder.name == dies_before:
            raise KeyboardInterrupt
        call_log.append((tool, folder.name))
        if run_tool(repo_root / 'tools' / tool, *words):
            raise RuntimeError(f'{tool} failed')

    return call


@pytest.fixture(scope='module')
def full(recipe_config, repo_root, tmp_path_factory):
    """The recipe, killed once between two stages and started again."""
    work_dir = tmp_path_factory.mktemp('work')
    ran = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Launcher, 'call', ran_in(ran, repo_root, 'track-multi'))
        with pytest.raises(KeyboardInterrupt):
            Pipeline(recipe_config(), work_dir).run()
        patch.setattr(Launcher, 'call', ran_in(ran, repo_root))
        outputs = Pipeline(recipe_config(), work_dir).run()
    return work_dir, outputs, ran


@pytest.mark.slow
def test_a_kill_repeats_nothing_that_was_finished(full):
    assert full[2] == ALL


@pytest.mark.slow
def test_final_masks(full, world):
    work_dir, outputs, _ = full
    annotations = VideoAnnotations.from_file(world['ann_file'])
    masks = {name: PseudoMaskSet.load(outputs[name]) for name in LABELLING}
    for found in masks.values():
        found.validate(annotations)
    final = masks['track-multi']
    # As many as IDOL-BoxInst has (Fig. 6), here fewer than boxes.
    assert 0 < final.num_masks <= masks['idol-boxinst-masks'].num_masks
    assert masks['hq-sam'].num_masks <= annotations.num_boxes
    names = set(final.source_counts())
    assert names <= {'prompted', 'predicted', 'track_1', 'track_2'}
    assert names & {'track_1', 'track_2'}
    # Two keyframes for a video of four frames.
    raw = PseudoMaskSet.load(work_dir / 'track-multi/stages/raw.json')
    assert set(raw.source_counts()) == {'track'}


@pytest.mark.slow
def test_training_evaluation_and_report(full):
    work_dir, outputs, _ = full
    folder = work_dir / 'track-multi-shqm'
    assert outputs['pm-vis'] == str(folder / 'pm-vis/iter_2.pth')
    metrics = json.loads(Path(outputs['evaluation']).read_text())
    assert {'vis/AP', 'vis/AP50', 'vis/AR1'} <= set(metrics)
    stats = json.loads((folder / 'filtered/stats.json').read_text())
    final = PseudoMaskSet.load(outputs['track-multi'])
    missing = stats['missing_data']
    assert missing['before'] - missing['removed'] == final.num_masks
    assert stats['ria']['before'] == final.num_masks
    html = Path(outputs['report']).read_text()
    for source in ('prompted, raw', 'prompted', 'predicted, raw', 'track'):
        assert f'{source}<' in html
    assert 'one keyframe' not in html
    assert list((folder / 'overlay_masks').glob('*.mp4'))
    assert list((folder / 'overlay_predictions').glob('*.mp4'))


@pytest.mark.slow
def test_models_start_from_the_weights_that_are_named(full, world):
    """Two iterations at a tiny rate hardly move IDOL-BoxInst."""
    start = torch.load(world['boxinst_options']['load_from'])['state_dict']
    trained = torch.load(full[1]['idol-boxinst'], weights_only=False)
    name = 'detector.bbox_head.cls_branches.0.bias'
    assert torch.allclose(trained['state_dict'][name], start[name], atol=1e-4)


@pytest.mark.slow
def test_skip_logic_goes_by_content(
    full, recipe_config, world, beside_copy, tmp_path
):
    work_dir, _, _ = full

    def states(**variables):
        rows = Pipeline(recipe_config(**variables), work_dir).plan()
        return {r.name: (r.state, r.why) for r in rows}

    done = {state for state, _ in states().values()}
    assert done == {'up to date', 'not needed'}
    os.utime(world['hqsam_checkpoint'])
    os.utime(world['ann_file'])
    assert states() == {**states(), 'hq-sam': ('up to date', '')}
    # The same weights elsewhere, then other weights in the same place.
    copy = beside_copy(world['deaot_checkpoint'], tmp_path / 'copy.pth')
    found = states(deaot_checkpoint=copy)
    assert found['track-multi'] == ('up to date', '')
    weights = torch.load(copy)
    weights['mask_head.conv_out.bias'] += 1
    torch.save(weights, copy)
    found = states(deaot_checkpoint=copy)
    assert found['track-multi'] == ('would run', 'changed: model.checkpoint')
    assert found['pm-vis'] == ('would run', 'after track-multi')
    assert found['evaluation'] == ('would run', 'after pm-vis')
    assert found['idol-boxinst-masks'] == ('up to date', '')
    # An option reaches its stage and what comes after.
    found = states(keyframe_interval=1)
    assert found['track-multi'] == ('would run', 'changed: model')
    found = states(ria_threshold=0.5)
    assert found['filtered'] == ('would run', 'changed: ria')
    assert found['pm-vis'][0] == 'up to date'
    assert found['report'] == ('would run', 'after filtered')
    found = states(final_options={'train_cfg.max_iters': 3})
    assert found['idol-boxinst'][0] == 'up to date'
    assert 'train_cfg' in found['pm-vis'][1]


@pytest.fixture
def beside_copy():
    def copy(source, target):
        target.write_bytes(Path(source).read_bytes())
        return str(target)

    return copy


@pytest.mark.slow
@pytest.mark.parametrize(
    'recipe, more',
    [
        ('hqsam', []),
        ('ibm-scm', []),
        ('track', [('test.py', 'track-single')]),
        ('track-shqm', []),
    ],
)
def test_another_row_shares_what_is_there(
    full, recipe_config, tools, recipe, more
):
    work_dir, _, _ = full
    cfg = recipe_config(recipe=recipe, val_ann_file=None, truth_file=None)
    outputs = Pipeline(cfg, work_dir).run()
    assert tools == [*more, ('train.py', 'pm-vis')]
    trained = Path(outputs['pm-vis'])
    assert trained == work_dir / recipe / 'pm-vis/iter_2.pth'
    assert 'evaluation' not in outputs
    if recipe == 'track':
        raw = PseudoMaskSet.load(work_dir / 'track-single/stages/raw.json')
        assert set(raw.source_counts()) == {'track'}


@pytest.mark.slow
def test_pixel_supervision(full, recipe_config, tools):
    work_dir, _, _ = full
    cfg = recipe_config(supervision='pixel', ria_threshold=0.0)
    outputs = Pipeline(cfg, work_dir).run()
    assert tools == [('train.py', 'pm-vis-pixel'), ('test.py', 'evaluation')]
    folder = work_dir / 'track-multi-shqm'
    assert outputs['pm-vis-pixel'] == str(folder / 'pm-vis-pixel/iter_2.pth')
    config = (
        work_dir / 'configs/track-multi-shqm/pm-vis-pixel.py'
    ).read_text()
    assert str(folder / 'filtered/annotations.json') in config


@pytest.mark.slow
def test_results_for_a_server(full, recipe_config, world, tools, tmp_path):
    """Videos without masks are not an error: nobody has them."""
    content = json.loads(Path(world['val_ann_file']).read_text())
    content['annotations'] = None
    (tmp_path / 'valid.json').write_text(json.dumps(content))
    cfg = recipe_config(val_ann_file=str(tmp_path / 'valid.json'))
    outputs = Pipeline(cfg, full[0]).run()
    assert ('test.py', 'evaluation') in tools
    assert json.loads(Path(outputs['evaluation']).read_text()) == {}
    results = Path(outputs['evaluation']).with_name('predictions.results.json')
    assert isinstance(json.loads(results.read_text()), list)


@pytest.mark.slow
def test_two_processes_write_the_same_masks(
    full, recipe_config, world, tmp_path
):
    """Gloo, through torchrun; labelling stages from trained weights."""
    work_dir, outputs, _ = full
    cfg = recipe_config(boxinst_checkpoint=outputs['idol-boxinst'])
    pipeline = Pipeline(cfg, tmp_path / 'two', num_processes=2)
    pipeline.stages = [s for s in pipeline.stages if s['name'] in LABELLING]
    found = pipeline.run()
    for name in LABELLING:
        for file in ('masks.json', 'stages/raw.json'):
            one = (work_dir / name / file).read_bytes()
            assert (Path(found[name]).parent / file).read_bytes() == one
