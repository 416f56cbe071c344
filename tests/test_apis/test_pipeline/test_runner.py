"""The pipeline: order, checks before work, nothing done twice."""

import json
import os
from pathlib import Path

import pytest
from mmengine.config import Config

from pmvis_mm.apis.pipeline import Launcher, Pipeline, PipelineError
from pmvis_mm.apis.pipeline.checks import Problems
from pmvis_mm.review.work_dir import find_review_inputs
from pmvis_mm.structures import PseudoMaskSet
from pmvis_mm.utils.errors import (
    AnnotationError,
    ConfigError,
    FrameError,
    OutputError,
)
from pmvis_mm.utils.fileio import dump_json

LABEL = dict(name='a', type='label', config='labeling/grabcut_doob.py')


@pytest.mark.parametrize(
    'stages, message',
    [
        ([dict(LABEL, type='dream')], "unknown stage type 'dream'"),
        ([LABEL, LABEL], "'a' is missing or taken"),
        ([dict(LABEL, name='')], 'missing or taken'),
        ([dict(LABEL, priors=dict(x='@b'))], "uses '@b', which no earlier"),
        ([dict(LABEL, config='$model')], "no variable 'model'"),
    ],
)
def test_bad_configs_are_found_at_once(build, data, stages, message):
    with pytest.raises(ConfigError, match=message) as info:
        build(stages)
    assert 'Fix: ' in str(info.value)
    assert not (data.parent / 'work').exists()


def test_missing_config(build, data):
    pipeline = build([dict(LABEL, config='no/such.py')])
    with pytest.raises(ConfigError, match="config of stage 'a' not found"):
        pipeline.run()
    assert not (data.parent / 'work/a').exists()


def test_missing_frame_is_found_before_work(build, data):
    frame = next((data / 'JPEGImages').rglob('*.png'))
    frame.unlink()
    with pytest.raises(FrameError, match=frame.name):
        build([LABEL]).run()
    assert not (data.parent / 'work/a').exists()


def test_bad_annotation_file_is_found_before_work(build, data):
    with pytest.raises(AnnotationError, match='does not exist'):
        build([LABEL], ann_file=data / 'nothing.json').run()


def test_work_dir_that_cannot_be_written(build, data):
    (data.parent / 'file').write_text('')
    with pytest.raises(OutputError, match='cannot write'):
        build([LABEL], work_dir=data.parent / 'file/below').run()


def test_all_problems_are_listed(build, data):
    next((data / 'JPEGImages').rglob('*.png')).unlink()
    (data / 'instances.json').write_text('{')
    with pytest.raises(PipelineError) as info:
        build([LABEL, dict(LABEL, name='b', config='no/such.py')]).run()
    kinds = [type(problem) for problem in info.value.problems]
    assert kinds == [FrameError, AnnotationError, ConfigError]
    assert str(info.value).startswith('3 problems:\n  1. frame does not')
    assert '\n  3. config of stage' in str(info.value)


def test_data_of_the_config_and_of_the_call(data):
    cfg = Config(
        dict(
            stages=[LABEL],
            ann_file=str(data / 'boxes.json'),
            img_prefix=str(data / 'other'),
            truth_file=str(data / 'instances.json'),
        )
    )
    found = Pipeline(cfg, data.parent / 'w', img_prefix=data / 'JPEGImages')
    assert found.data.ann_file == str(data / 'boxes.json')
    assert found.data.img_prefix == str(data / 'JPEGImages')
    # Without videos to test on, those with real masks serve.
    assert found.data.val_ann_file == str(data / 'instances.json')
    assert found.data.val_img_prefix == str(data / 'JPEGImages')
    bare = Pipeline(cfg, data.parent / 'w', truth_file='none').data
    assert bare.truth_file is None and bare.val_ann_file is None
    cfg.ann_file = None
    with pytest.raises(ConfigError, match='ann_file is not named'):
        Pipeline(cfg, data.parent / 'w')


def test_stages_run_once_until_an_input_changes(build, data, capfd):
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
    outputs = build(stages, ria=0.5).run()
    masks = PseudoMaskSet.load(outputs['a'])
    assert masks.num_masks > 0
    stats = json.loads((data.parent / 'work/filtered/stats.json').read_text())
    assert set(stats) == {'missing_data', 'ria'}
    assert len(list((data.parent / 'work/videos').glob('*.mp4'))) == 1
    inputs = find_review_inputs(data.parent / 'work')
    assert Path(inputs.final).samefile(outputs['a'])
    assert Path(inputs.sources['grabcut']).is_file()
    html = (data.parent / 'work/report/report.html').read_text()
    assert 'grabcut' in html and 'data:image/png' in html
    before = os.stat(outputs['a']).st_mtime_ns
    capfd.readouterr()

    build(stages, ria=0.5).run()
    assert os.stat(outputs['a']).st_mtime_ns == before
    out = ''.join(capfd.readouterr())
    assert out.count('is up to date') == 4

    # The filter depends on the variable and on nothing after it.
    build(stages[:3], ria=0.9).run()
    out = ''.join(capfd.readouterr())
    assert 'stage filtered took' in out and out.count('is up to date') == 2


def states(pipeline):
    return {row.name: (row.state, row.why) for row in pipeline.plan()}


def test_plan_says_why(build, data, tools):
    stages = [LABEL, dict(name='f', type='filter', pseudo='@a', ria=0.5)]
    stages += [dict(name='t', type='label', lazy=True, config='x')]
    assert states(build(stages)) == dict(
        a=('would run', 'never run'),
        f=('would run', 'after a'),
        t=('not needed', ''),
    )
    build(stages).run()
    assert states(build(stages))['f'] == ('up to date', '')

    frame = next((data / 'JPEGImages').rglob('*.png'))
    os.utime(frame)
    os.utime(data / 'boxes.json')
    assert states(build(stages))['a'] == ('up to date', '')
    frame.write_bytes(frame.read_bytes() + b'0')
    assert states(build(stages))['a'] == ('would run', 'changed: frames')
    frame.write_bytes(frame.read_bytes()[:-1])

    stages[0] = dict(LABEL, options={'model.num_iters': 1})
    assert states(build(stages))['a'] == ('would run', 'changed: model')
    stages[0] = LABEL
    stages[1]['ria'] = 0.7
    assert states(build(stages))['f'] == ('would run', 'changed: ria')
    stages[1]['ria'] = 0.5
    (data.parent / 'work/a/masks.json').unlink()
    assert states(build(stages)) == dict(
        a=('would run', 'its output is gone'),
        f=('would run', 'after a'),
        t=('not needed', ''),
    )


def test_work_dir_may_be_moved(build, data, tools):
    build([LABEL]).run()
    (data.parent / 'work').rename(data.parent / 'moved')
    pipeline = build([LABEL], work_dir=data.parent / 'moved')
    assert states(pipeline)['a'] == ('up to date', '')
    assert pipeline.run()['a'] == str(data.parent / 'moved/a/masks.json')


def test_corrected_masks_are_taken_up(build, data, tools):
    """Masks that somebody edits are kept; what uses them runs again."""
    stages = [LABEL, dict(name='f', type='filter', pseudo='@a', ria=None)]
    build(stages).run()
    path = data.parent / 'work/a/masks.json'
    content = json.loads(path.read_text())
    content['annotations'][0]['segmentations'][0] = None
    content['annotations'][0]['bboxes'][0] = None
    content['annotations'][0]['areas'][0] = None
    dump_json(content, path)
    assert states(build(stages)) == dict(
        a=('up to date', ''), f=('would run', 'changed: pseudo')
    )


@pytest.fixture
def trainings(monkeypatch):
    """Trainings that would have run, with the checkpoint they resume."""
    seen = []

    def train(self, tool, words):
        folder = words[words.index('--work-dir') + 1]
        seen.append(
            words[words.index('--resume') + 1].name
            if '--resume' in words
            else None
        )
        checkpoint = folder / f'iter_{len(seen)}.pth'
        checkpoint.write_text('')
        (folder / 'last_checkpoint').write_text(str(checkpoint))
        if len(seen) == 1:
            raise RuntimeError('killed')

    monkeypatch.setattr(Launcher, 'call', train)
    # Weights are not looked at here.
    monkeypatch.setattr(Pipeline, 'check', lambda self: Problems())
    return seen


def test_training_resumes_only_its_own_config_and_inputs(
    build, data, trainings
):
    config = 'pm_vis/pm-vis_r18_1xb4-2k_own-pseudo.py'
    pseudo = data / 'masks.json'
    pseudo.write_text('1')
    stage = dict(name='t', type='train', config=config, pseudo=str(pseudo))
    folder = data.parent / 'work/t'
    with pytest.raises(RuntimeError, match='killed'):
        build([stage]).run()
    assert states(build([stage]))['t'] == ('would run', 'not finished')
    build([stage]).run()  # goes on
    build([stage]).run()  # is up to date
    assert trainings == [None, 'iter_1.pth']

    pseudo.write_text('2')  # better masks under the same name
    outputs = build([stage]).run()
    assert trainings[2:] == [None]
    assert outputs['t'] == str(folder / 'iter_3.pth')
    assert (folder.with_name('t.old1') / 'iter_2.pth').is_file()

    stage['options'] = {'train_cfg.max_iters': 3}
    build([stage]).run()
    assert trainings[3:] == [None]
    assert (folder.with_name('t.old2') / 'iter_3.pth').is_file()


def test_first_training_keeps_the_initial_weights(build, data, monkeypatch):
    """With --resume, the tool would drop load_from."""
    calls = []

    def call(self, tool, words):
        calls.append(words)
        raise RuntimeError('enough')

    monkeypatch.setattr(Launcher, 'call', call)
    monkeypatch.setattr(Pipeline, 'check', lambda self: Problems())
    config = 'pm_vis/pm-vis_r50_8xb4-12k_youtubevis2019-pseudo.py'
    stage = dict(name='t', type='train', config=config, pseudo='p.json')
    with pytest.raises(RuntimeError, match='enough'):
        build([stage]).run()
    (words,) = calls
    assert '--resume' not in words
    cfg = Config.fromfile(words[0])
    assert cfg.load_from == 'checkpoints/idol_r50_coco.pth'
    assert cfg.train_dataloader.dataset.ann_file == str(data / 'boxes.json')
    assert cfg.train_dataloader.dataset.pseudo_ann_file == 'p.json'
    assert cfg.val_dataloader is None


def test_failing_stage_keeps_the_finished_ones(build, data, monkeypatch):
    broken = dict(LABEL, name='b', options={'model.type': 'NoSuchSource'})
    with pytest.raises(ConfigError, match="stage 'b': NoSuchSource is not"):
        build([LABEL, broken]).run()
    monkeypatch.setattr(Pipeline, 'check', lambda self: Problems())
    pipeline = build([LABEL, broken])
    with pytest.raises(RuntimeError, match='Finished stages are kept'):
        pipeline.run()
    assert (data.parent / 'work/a/masks.json').is_file()
    assert not (data.parent / 'work/b/stage.json').exists()


def test_boxes_outside_are_clipped_on_request_only(build, data, tools):
    content = json.loads((data / 'boxes.json').read_text())
    boxes = content['annotations'][0]['bboxes']
    frame = next(t for t, box in enumerate(boxes) if box)
    boxes[frame] = [boxes[frame][0], boxes[frame][1], 500, 500]
    dump_json(content, data / 'boxes.json')
    with pytest.raises(AnnotationError, match='sticks out'):
        build([LABEL]).run()
    cfg = Config(dict(stages=[LABEL]))
    outputs = Pipeline(
        cfg,
        data.parent / 'work',
        data / 'boxes.json',
        data / 'JPEGImages',
        clip_boxes=True,
    ).run()
    assert PseudoMaskSet.load(outputs['a']).num_masks > 0
