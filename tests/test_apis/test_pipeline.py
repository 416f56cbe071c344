"""The pipeline: order, checks before work, nothing done twice."""

import json
import os

import pytest
from mmengine.config import Config

from pmvis_mm.apis import Pipeline
from pmvis_mm.apis.pipeline_config import resolve_references
from pmvis_mm.structures import PseudoMaskSet
from pmvis_mm.testing.tiny_vis import write_tiny_vis
from pmvis_mm.utils.errors import (
    AnnotationError,
    ConfigError,
    FrameError,
    OutputError,
)
from pmvis_mm.utils.fileio import dump_json

LABEL = dict(name='a', type='label', config='labeling/grabcut_doob.py')


@pytest.fixture
def data(tmp_path):
    write_tiny_vis(tmp_path / 'data')
    content = json.loads((tmp_path / 'data/instances.json').read_text())
    for annotation in content['annotations']:
        del annotation['segmentations']
    dump_json(content, tmp_path / 'data/boxes.json')
    return tmp_path / 'data'


def build(data, stages, work_dir=None, ann_file=None, **variables):
    cfg = Config(dict(stages=stages, **variables))
    return Pipeline(
        cfg,
        work_dir or data.parent / 'work',
        ann_file or data / 'boxes.json',
        data / 'JPEGImages',
        truth_file=data / 'instances.json',
    )


@pytest.mark.parametrize(
    'stages, message',
    [
        ([dict(LABEL, type='dream')], "unknown stage type 'dream'"),
        ([LABEL, LABEL], "'a' is missing or taken"),
        ([dict(LABEL, name='')], 'missing or taken'),
        ([dict(LABEL, priors=dict(x='@b'))], "uses '@b', which no earlier"),
        ([dict(LABEL, config='no/such.py')], 'config of stage .* not found'),
        ([dict(LABEL, config='$model')], "no variable 'model'"),
    ],
)
def test_bad_configs_are_found_before_work(data, stages, message):
    with pytest.raises(ConfigError, match=message) as info:
        build(data, stages)
    assert 'Fix: ' in str(info.value)
    assert not (data.parent / 'work/a').exists()


def test_missing_frame_is_found_before_work(data):
    frame = next((data / 'JPEGImages').rglob('*.png'))
    frame.unlink()
    with pytest.raises(FrameError, match=frame.name):
        build(data, [LABEL])


def test_bad_annotation_file_is_found_before_work(data):
    with pytest.raises(AnnotationError, match='does not exist'):
        build(data, [LABEL], ann_file=data / 'nothing.json')


def test_work_dir_that_cannot_be_written(data):
    (data.parent / 'file').write_text('')
    with pytest.raises(OutputError, match='cannot write'):
        build(data, [LABEL], work_dir=data.parent / 'file/below')


def test_references_are_replaced():
    outputs = dict(a='/w/a/masks.json')
    stage = dict(x='@a', y=['@a:stages/raw.json', '$z'], left_out='@b')
    assert resolve_references(stage, outputs) == dict(
        x='/w/a/masks.json', y=['/w/a/stages/raw.json', '$z']
    )


def test_stages_run_once_until_an_input_changes(data, capfd):
    stages = [
        LABEL,
        dict(name='filtered', type='filter', pseudo='@a', ria='$ria'),
        dict(name='videos', type='overlay', masks='@a', num_videos=1),
        dict(
            name='report',
            type='report',
            final='@a',
            sources=dict(grabcut='@a:stages/raw.json'),
            filtered='@filtered',
        ),
    ]
    outputs = build(data, stages, ria=0.5).run()
    masks = PseudoMaskSet.load(outputs['a'])
    assert masks.num_masks > 0
    stats = json.loads((data.parent / 'work/filtered/stats.json').read_text())
    assert set(stats) == {'missing_data', 'ria'}
    assert len(list((data.parent / 'work/videos').glob('*.mp4'))) == 1
    html = (data.parent / 'work/report/report.html').read_text()
    assert 'grabcut' in html and 'data:image/png' in html
    before = os.stat(outputs['a']).st_mtime_ns
    capfd.readouterr()

    build(data, stages, ria=0.5).run()
    assert os.stat(outputs['a']).st_mtime_ns == before
    out = ''.join(capfd.readouterr())
    assert out.count('is up to date') == 4

    # The filter depends on the variable and on nothing after it.
    build(data, stages[:3], ria=0.9).run()
    out = ''.join(capfd.readouterr())
    assert 'stage filtered took' in out and out.count('is up to date') == 2


@pytest.fixture
def trainings(monkeypatch):
    """Trainings that would have run, with the checkpoint they resume."""
    seen = []

    def train(self, tool, arguments, options):
        folder = arguments[arguments.index('--work-dir') + 1]
        last = folder / 'last_checkpoint'
        seen.append(last.read_text() if last.is_file() else None)
        assert arguments[-1] == '--resume'
        checkpoint = folder / f'iter_{len(seen)}.pth'
        checkpoint.write_text('')
        last.write_text(str(checkpoint))
        if len(seen) == 1:
            raise RuntimeError('killed')

    monkeypatch.setattr(Pipeline, '_call', train)
    return seen


def test_training_resumes_only_its_own_config_and_inputs(data, trainings):
    config = 'pm_vis/pm-vis_r18_1xb4-2k_own-pseudo.py'
    pseudo = data / 'masks.json'
    pseudo.write_text('1')
    stage = dict(name='t', type='train', config=config, pseudo=str(pseudo))
    folder = data.parent / 'work/t'
    with pytest.raises(RuntimeError, match='killed'):
        build(data, [stage]).run()
    build(data, [stage]).run()  # goes on
    build(data, [stage]).run()  # is up to date
    assert trainings == [None, str(folder / 'iter_1.pth')]

    pseudo.write_text('2')  # better masks under the same name
    outputs = build(data, [stage]).run()
    assert trainings[2:] == [None]
    assert outputs['t'] == str(folder / 'iter_3.pth')
    assert (folder.with_name('t.old1') / 'iter_2.pth').is_file()

    stage['options'] = {'train_cfg.max_iters': 3}
    build(data, [stage]).run()
    assert trainings[3:] == [None]
    assert (folder.with_name('t.old2') / 'iter_3.pth').is_file()


def test_failing_stage_keeps_the_finished_ones(data):
    broken = dict(
        LABEL, name='b', options={'model.type': 'NoSuchSource'}, priors={}
    )
    pipeline = build(data, [LABEL, broken])
    with pytest.raises(RuntimeError, match='Finished stages are kept'):
        pipeline.run()
    assert (data.parent / 'work/a/masks.json').is_file()
    assert not (data.parent / 'work/b/stage.json').exists()


def test_boxes_outside_are_clipped_on_request_only(data):
    content = json.loads((data / 'boxes.json').read_text())
    boxes = content['annotations'][0]['bboxes']
    frame = next(t for t, box in enumerate(boxes) if box)
    boxes[frame] = [boxes[frame][0], boxes[frame][1], 500, 500]
    dump_json(content, data / 'boxes.json')
    with pytest.raises(AnnotationError, match='sticks out'):
        build(data, [LABEL])
    cfg = Config(dict(stages=[LABEL]))
    outputs = Pipeline(
        cfg,
        data.parent / 'work',
        data / 'boxes.json',
        data / 'JPEGImages',
        clip_boxes=True,
    ).run()
    assert PseudoMaskSet.load(outputs['a']).num_masks > 0
