"""Errors that say where and what helps, also across processes."""

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from pmvis_mm.utils import errors
from pmvis_mm.utils.errors import PMVISError

KINDS = [
    errors.PMVISError,
    errors.AnnotationError,
    errors.FrameError,
    errors.MaskSetError,
    errors.OutputError,
    errors.ConfigError,
    errors.CheckpointError,
]


def fail():
    raise errors.FrameError('cut off', file='a.jpg', frame=0, fix='copy it')


@pytest.mark.parametrize(
    'where, text',
    [
        ({}, 'bad'),
        (dict(file='a.json'), 'bad [file a.json]'),
        (
            dict(instance=0, frame=0, video=0, file='a.json'),
            'bad [file a.json, video 0, frame 0, instance 0]',
        ),
        (dict(fix='do this'), 'bad. Fix: do this'),
        (dict(video='v', fix='do this'), 'bad [video v]. Fix: do this'),
    ],
)
def test_message(where, text):
    error = PMVISError('bad', **where)
    assert str(error) == text
    assert error.args == (text,)
    assert error.problem == 'bad'
    for key in ('file', 'video', 'frame', 'instance', 'fix'):
        assert getattr(error, key) == where.get(key)


def test_place_is_named_by_keyword_only():
    with pytest.raises(TypeError):
        PMVISError('bad', 'a.json')


@pytest.mark.parametrize('kind', KINDS)
def test_every_kind_is_a_value_error_and_pickles(kind):
    error = kind('bad', file='a.json', video=3, frame=1, instance=7, fix='x')
    assert isinstance(error, ValueError) and isinstance(error, PMVISError)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error) and again.args == error.args
    assert again.__dict__ == error.__dict__


def test_error_of_another_process():
    context = get_context('fork')
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        with pytest.raises(errors.FrameError) as info:
            pool.submit(fail).result()
    assert str(info.value) == 'cut off [file a.jpg, frame 0]. Fix: copy it'
    assert (info.value.file, info.value.frame) == ('a.jpg', 0)
