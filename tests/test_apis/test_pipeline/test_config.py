"""References, variables, choices; every row of Table V."""

import pytest
from mmengine.config import Config

from pmvis_mm.apis.pipeline.config import (
    find_references,
    resolve_references,
    resolve_stages,
)
from pmvis_mm.utils.errors import ConfigError

HQSAM, BOXINST, IBM = 'hq-sam', 'idol-boxinst', 'idol-boxinst-masks'
SINGLE, MULTI = 'track-single', 'track-multi'
# Table V of PM-VIS: what has to run, and whose masks are the final ones.
ROWS = {
    'hqsam': ([HQSAM], '@hq-sam:stages/raw.json'),
    'hqsam-doob': ([HQSAM], '@hq-sam'),
    'ibm-scm': (
        [HQSAM, BOXINST, IBM],
        '@idol-boxinst-masks:stages/raw.json',
    ),
    'ibm-scm-doob': ([HQSAM, BOXINST, IBM], '@idol-boxinst-masks'),
    'track': (
        [HQSAM, BOXINST, IBM, SINGLE],
        '@track-single:stages/raw.json',
    ),
    'track-shqm': ([HQSAM, BOXINST, IBM, SINGLE], '@track-single'),
    'track-multi': (
        [HQSAM, BOXINST, IBM, MULTI],
        '@track-multi:stages/raw.json',
    ),
    'track-multi-shqm': ([HQSAM, BOXINST, IBM, MULTI], '@track-multi'),
}
TAIL = ['filtered', 'pm-vis', 'evaluation', 'overlay_masks']
TAIL += ['overlay_predictions', 'report']


def pipeline_config(config_root, name='ytvis19', **variables):
    cfg = Config.fromfile(config_root / f'labeling/pipeline_pm-vis_{name}.py')
    for key, value in variables.items():
        cfg[key] = value
    return cfg


def resolve(stages, **variables):
    return resolve_stages(Config(dict(stages=stages, **variables)))[0]


def test_references_are_replaced():
    outputs = dict(a='/w/a/masks.json')
    stage = dict(x='@a', y=['@a:stages/raw.json', '$z'], left_out='@b', n=None)
    assert resolve_references(stage, outputs) == dict(
        x='/w/a/masks.json', y=['/w/a/stages/raw.json', '$z'], n=None
    )
    assert find_references(stage) == ['@a', '@a:stages/raw.json', '@b']


def test_variables_stand_for_variables():
    (stage,) = resolve(
        [dict(name='a', type='report', x='$u', y='$none or $w', z=['$w'])],
        u='$w',
        w=3,
        none=None,
    )
    assert (stage['x'], stage['y'], stage['z']) == (3, 3, [3])


@pytest.mark.parametrize('value', ['$nothing', '$loop'])
def test_unknown_and_circular_variables(value):
    with pytest.raises(ConfigError, match=f"no variable '{value[1:]}'"):
        resolve([dict(name='a', type='report', x=value)], loop='$loop')


def test_unknown_choice_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"size='b' is unknown.*\['a'\]"):
        resolve([], size='b', choices=dict(size=dict(a=dict())))


def test_config_without_stages():
    with pytest.raises(ConfigError, match='no "stages" in this config'):
        resolve([])


def test_lazy_stages_run_for_others_only():
    stages = [
        dict(name='a', type='label', lazy=True),
        dict(name='b', type='label', lazy=True, priors=dict(x='@a')),
        dict(name='c', type='label', lazy=True, priors=dict(x='@a')),
        dict(name='d', type='report', final='@b', sources=dict(c='@c')),
    ]
    run, rest = resolve_stages(Config(dict(stages=stages)))
    assert [s['name'] for s in run] == ['a', 'b', 'd']
    assert [s['name'] for s in rest] == ['c']


@pytest.mark.parametrize('name', ['ytvis19', 'ytvis21', 'ovis', 'own'])
@pytest.mark.parametrize('recipe', ROWS)
def test_rows_of_table_5(config_root, name, recipe):
    cfg = pipeline_config(config_root, name, recipe=recipe)
    labelling, final = ROWS[recipe]
    stages, _ = resolve_stages(cfg)
    assert [s['name'] for s in stages] == labelling + TAIL
    by_name = {s['name']: s for s in stages}
    for user in ('filtered', 'pm-vis'):
        assert by_name[user]['pseudo'] == final
    assert by_name['overlay_masks']['masks'] == final
    assert by_name['report']['final'] == final
    assert by_name['evaluation']['checkpoint'] == '@pm-vis'
    # Results of one recipe do not overwrite those of another.
    assert {by_name[n].get('folder') for n in TAIL} == {recipe}
    for track in set(labelling) & {SINGLE, MULTI}:
        assert by_name[track]['priors'] == dict(
            prompted='@hq-sam', predicted='@idol-boxinst-masks'
        )
        interval = by_name[track]['options']['model.keyframe_interval']
        expected = None if track == SINGLE else 100 if name == 'ovis' else 10
        assert interval == expected


def test_the_default_is_the_full_recipe(config_root):
    stages, rest = resolve_stages(pipeline_config(config_root))
    assert [s['name'] for s in stages] == [HQSAM, BOXINST, IBM, MULTI, *TAIL]
    assert [s['name'] for s in rest] == [SINGLE, 'pm-vis-pixel']


def test_a_trained_idol_boxinst_is_not_trained_again(config_root):
    cfg = pipeline_config(config_root, boxinst_checkpoint='idol.pth')
    stages, rest = resolve_stages(cfg)
    assert BOXINST in [s['name'] for s in rest]
    masks = next(s for s in stages if s['name'] == IBM)
    assert masks['options']['model.checkpoint'] == 'idol.pth'


def test_pixel_supervision_trains_on_filtered_masks(config_root):
    cfg = pipeline_config(config_root, supervision='pixel')
    stages, rest = resolve_stages(cfg)
    by_name = {s['name']: s for s in stages}
    assert 'pm-vis' in [s['name'] for s in rest]
    training = by_name['pm-vis-pixel']
    assert training['annotations'] == '@filtered'
    assert 'pseudo' not in training
    assert training['config'].endswith('-pixel.py')
    assert by_name['evaluation']['checkpoint'] == '@pm-vis-pixel'
    assert by_name['evaluation']['config'] == training['config']


@pytest.mark.parametrize(
    'selector, hook', [('SHQM', 'SHQMHook'), ('QualitySelector', 'SelectHook')]
)
def test_selector(config_root, selector, hook):
    cfg = pipeline_config(config_root, selector=selector)
    stages, _ = resolve_stages(cfg)
    track = next(s for s in stages if s['name'] == MULTI)
    (found,) = track['options']['custom_hooks']
    assert found['type'] == hook
    assert found['candidates'] == ['prompted', 'predicted']
    assert found['require'] == ['predicted']
    if hook == 'SelectHook':
        assert found['selector'] == dict(type='QualitySelector')


@pytest.mark.parametrize(
    'name, value', [('recipe', 'all'), ('supervision', 'x'), ('selector', '')]
)
def test_bad_choices(config_root, name, value):
    cfg = pipeline_config(config_root, **{name: value})
    with pytest.raises(ConfigError, match=f'{name}={value!r} is unknown'):
        resolve_stages(cfg)
