import numpy as np
import pytest
from mmengine.registry import DefaultScope

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmdet.datasets import MultiImageMixDataset
from mmengine.dataset import BaseDataset, ConcatDataset

from pmvis_mm.registry import TRANSFORMS
from pmvis_mm.utils.errors import ConfigError
from pmvis_mm.visualization.pipeline_stages import (
    StageRecorder,
    choose_stages,
    last_frames,
)

pytestmark = pytest.mark.usefixtures('default_scope')


class Add(BaseTransform):
    """Adds a number."""

    def __init__(self, number=1):
        self.number = number

    def transform(self, results):
        results['x'] = results['x'] + self.number
        return results


class AddRandom(BaseTransform):
    """Adds a random number, shared if the wrapper says so."""

    @cache_randomness
    def draw(self):
        return int(np.random.randint(1000))

    def transform(self, results):
        results['x'] = results['x'] + self.draw()
        return results


class Split(BaseTransform):
    """Makes a clip of three frames."""

    def transform(self, results):
        return dict(x=[results['x'] + 10 * t for t in range(3)])


class Refuse(BaseTransform):
    """Refuses sample 0."""

    def transform(self, results):
        return None if results['x'] == 0 else results


class AddOther(BaseTransform):
    """Adds a second sample."""

    def get_indexes(self, dataset):
        return [1]

    def transform(self, results):
        results['x'] = results['x'] + results['mix_results'][0]['x']
        return results


@pytest.fixture(autouse=True, scope='module')
def registered():
    kinds = (Add, AddRandom, Split, Refuse, AddOther)
    for kind in kinds:
        TRANSFORMS.register_module(module=kind)
    yield
    for kind in kinds:
        TRANSFORMS._module_dict.pop(kind.__name__)


class Numbers(BaseDataset):
    """Samples x = 0, 100, 200."""

    def load_data_list(self):
        return [dict(x=100 * i) for i in range(3)]


def numbers(*pipeline):
    steps = [dict(type=s) if isinstance(s, str) else s for s in pipeline]
    return Numbers(pipeline=steps)


def recorder(dataset):
    return StageRecorder(dataset, lambda results, single: results['x'])


def told(stages):
    return [(stage.number, stage.name, stage.snapshots) for stage in stages]


def test_every_transform_is_a_stage():
    dataset = numbers('Add', dict(type='Add', number=5))
    sample, stages = recorder(dataset).record(1)
    assert sample['x'] == 106
    assert told(stages) == [(1, 'Add', [101]), (2, 'Add', [106])]
    assert all(s.applied and not s.per_frame for s in stages)


def broadcaster(*transforms, **kwargs):
    return dict(
        type='TransformBroadcaster', transforms=list(transforms), **kwargs
    )


def random_apply(prob, *transforms):
    return dict(type='RandomApply', prob=prob, transforms=list(transforms))


ADD = dict(type='Add')


def test_transforms_of_frames_are_stages_of_the_clip():
    dataset = numbers('Split', broadcaster(ADD, dict(type='Add', number=4)))
    found = recorder(dataset)
    assert found.names == [
        'Split',
        'TransformBroadcaster',
        'TransformBroadcaster/Add',
    ]
    for _ in range(2):  # again: frames are counted anew
        sample, stages = found.record(0)
        assert sample['x'] == [5, 15, 25]
        assert told(stages) == [
            (1, 'Split', [[0, 10, 20]]),
            (3, 'TransformBroadcaster/Add', [1, 11, 21]),
            (4, 'TransformBroadcaster/Add', [5, 15, 25]),
        ]
        assert [s.per_frame for s in stages] == [False, True, True]


@pytest.mark.parametrize('shared', [True, False])
def test_shared_randomness_stays_shared(shared):
    np.random.seed(0)
    dataset = numbers(
        'Split',
        broadcaster(dict(type='AddRandom'), share_random_params=shared),
    )
    _, stages = recorder(dataset).record(0)
    added = np.array(stages[-1].snapshots) - [0, 10, 20]
    assert (len(set(added.tolist())) == 1) == shared


def test_a_wrapper_that_was_not_applied_says_so():
    dataset = numbers(random_apply(0.0, ADD), 'Add')
    _, stages = recorder(dataset).record(0)
    assert told(stages) == [(1, 'RandomApply', [0]), (3, 'Add', [1])]
    assert [stage.applied for stage in stages] == [False, True]
    _, stages = recorder(numbers(random_apply(1.0, ADD), 'Add')).record(0)
    assert told(stages) == [(2, 'RandomApply/Add', [1]), (3, 'Add', [2])]


def test_frames_that_a_wrapper_let_pass():
    dataset = numbers('Split', broadcaster(ADD, random_apply(0.5, ADD), ADD))
    found = recorder(dataset)
    cases = set()
    for seed in range(8):
        np.random.seed(seed)
        sample, stages = found.record(0)
        by_number = {stage.number: stage for stage in stages}
        assert by_number[3].snapshots == [1, 11, 21]
        applied = [x - 10 * t == 3 for t, x in enumerate(sample['x'])]
        cases.add(tuple(applied))
        if any(applied):
            inner = by_number[5]
            assert inner.name == 'TransformBroadcaster/RandomApply/Add'
            assert inner.snapshots == [
                2 + 10 * t if flag else None for t, flag in enumerate(applied)
            ]
            assert last_frames(stages, 5) == {0: 1, 1: 11, 2: 21}
        else:
            assert not by_number[4].applied
    assert {len(set(case)) for case in cases} >= {2}  # some frames, not all


def test_branches_of_a_random_choice():
    choice = dict(
        type='RandomChoice',
        transforms=[[ADD], [dict(type='Add', number=7)]],
        prob=[0.0, 1.0],
    )
    sample, stages = recorder(numbers(choice)).record(0)
    assert sample['x'] == 7
    assert told(stages) == [(3, 'RandomChoice/Add', [7])]


def test_a_refused_sample_is_forgotten():
    np.random.seed(0)
    sample, stages = recorder(
        numbers('Add', dict(type='Add', number=-1), 'Refuse', 'Add')
    ).record(0)
    start = sample['x'] - 1
    assert start in (100, 200)
    assert told(stages) == [
        (1, 'Add', [start + 1]),
        (2, 'Add', [start]),
        (3, 'Refuse', [start]),
        (4, 'Add', [start + 1]),
    ]


def test_second_samples_are_shown_at_their_last_stage():
    with DefaultScope.overwrite_default_scope('pmvis_mm'):
        dataset = MultiImageMixDataset(
            numbers('Add', 'Add'), [dict(type='AddOther'), ADD]
        )
    sample, stages = recorder(dataset).record(2)
    assert sample['x'] == 202 + 102 + 1
    assert told(stages) == [
        (1, 'Add', [201]),
        (2, 'Add', [202]),
        (2, 'mixed in: Add', [102]),
        (3, 'AddOther', [304]),
        (4, 'Add', [305]),
    ]


def test_skipped_types_of_a_mixing_dataset_stay_skipped():
    dataset = MultiImageMixDataset(
        numbers('Add'), [dict(type='AddOther'), ADD], skip_type_keys=['Add']
    )
    sample, stages = recorder(dataset).record(0)
    assert sample['x'] == 1 + 101
    names = [stage.name for stage in stages]
    assert names == ['Add', 'mixed in: Add', 'AddOther']


def test_concatenated_datasets_have_their_own_stages():
    dataset = ConcatDataset([numbers('Add'), numbers('Add', 'Split')])
    found = recorder(dataset)
    assert found.names == ['Add', 'Split']
    assert told(found.record(1)[1]) == [(1, 'Add', [101])]
    assert told(found.record(4)[1]) == [
        (2, 'Add', [101]),
        (3, 'Split', [[101, 111, 121]]),
    ]


def test_an_empty_pipeline_has_no_stage():
    sample, stages = recorder(numbers()).record(1)
    assert sample['x'] == 100 and stages == []


def test_choosing_stages():
    names = ['Load', 'RandomApply', 'RandomApply/Crop', 'Flip']

    def chosen(*wanted):
        is_chosen = choose_stages(names, wanted)
        _, stages = recorder(numbers('Add')).record(0)
        picked = []
        for name in [*names, 'mixed in: Flip']:
            stages[0].name = name
            picked += [name] if is_chosen(stages[0]) else []
        return picked

    assert chosen('Crop') == ['RandomApply/Crop']
    assert chosen('RandomApply/Crop', 'Load') == ['Load', 'RandomApply/Crop']
    assert chosen('all') == [*names, 'mixed in: Flip']
    assert chosen('Flip') == ['Flip', 'mixed in: Flip']
    with pytest.raises(
        ConfigError,
        match="no stage 'rop' in this pipeline. Fix: choose.*Load, Random",
    ):
        choose_stages(names, ['rop'])
