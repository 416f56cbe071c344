import pytest

from pmvis_mm.formats.readers.track_collector import TrackCollector
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.utils.errors import AnnotationError

BOX = (1, 2, 3, 4)


@pytest.fixture
def tracks():
    return TrackCollector('a.txt', 'walk')


def test_entries_in_any_order(tracks):
    mask = box_rle(BOX, 8, 8)
    tracks.add('b', 4, BOX, score=0.5, interpolated=True)
    tracks.add(0, 1, BOX, 'cat', mask, iscrowd=True)
    tracks.add('b', 2, None)
    tracks.add('b', 3, BOX, 'dog')
    first, second = tracks.tracks
    assert (first.id, first.category) == ('b', 'dog')
    assert first.boxes == {4: BOX, 2: None, 3: BOX}
    assert (first.scores, first.interpolated) == ({4: 0.5}, {4})
    assert (second.id, second.iscrowd, second.masks) == (0, True, {1: mask})
    assert not first.iscrowd


def test_the_same_again_counts_once(tracks):
    tracks.add(1, 0, BOX, score=0.5)
    tracks.add(1, 0, BOX, score=0.75)
    tracks.add(1, 0, None)
    (track,) = tracks.tracks
    assert (track.boxes, track.scores) == ({0: BOX}, {0: 0.5})


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(box=(1, 2, 3, 5)), 'two objects with one id in a frame'),
        (dict(mask=box_rle(BOX, 8, 8)), 'two objects with one id'),
        (dict(category='dog'), "the class changes from 'cat' to 'dog'"),
        (dict(box=(1, 2, 1, 4)), 'no positive width and height'),
        (dict(box=(1, 5, 3, 4)), 'no positive width and height'),
        (dict(box=(1, 2, float('nan'), 4)), 'no finite number'),
        (dict(box=(1, 2, float('inf'), 4)), 'no finite number'),
        (dict(score=1.5), r'score 1.5 is not in \[0, 1\]'),
        (dict(score=float('nan')), r'score nan is not in \[0, 1\]'),
    ],
)
def test_bad_entries(tracks, kwargs, message):
    tracks.add(7, 3, BOX, 'cat')
    with pytest.raises(AnnotationError, match=message) as info:
        tracks.add(7, 3, kwargs.pop('box', BOX), where='line 9', **kwargs)
    text = str(info.value)
    assert '[file a.txt, video walk, frame 3, instance 7]. Fix: ' in text
