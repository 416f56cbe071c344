"""Errors name the place and the fix, and travel between processes."""

import pickle

from pmvis_mm.utils.errors import FrameError, PMVISError


def test_message_has_everything_that_is_known():
    error = FrameError(
        'truncated', file='a.jpg', video=0, frame=3, instance=7, fix='copy it'
    )
    assert str(error) == (
        'truncated [file a.jpg, video 0, frame 3, instance 7]. Fix: copy it'
    )
    assert str(PMVISError('bad')) == 'bad'
    assert isinstance(error, ValueError)


def test_pickling_keeps_all_fields():
    error = pickle.loads(
        pickle.dumps(FrameError('gone', file='a.jpg', frame=0, fix='look'))
    )
    assert type(error) is FrameError
    assert (error.file, error.frame, error.video) == ('a.jpg', 0, None)
    assert str(error) == 'gone [file a.jpg, frame 0]. Fix: look'
