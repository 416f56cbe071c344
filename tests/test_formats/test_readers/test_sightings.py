import pytest

from pmvis_mm.formats.readers import sightings
from pmvis_mm.formats.readers.sightings import (
    Sighting,
    frame_at,
    join_sightings,
)
from pmvis_mm.utils.errors import AnnotationError

BOX = (1.0, 2.0, 3.0, 4.0)


def join(*found):
    return join_sightings(found, 'a.txt', 'bear')


def test_nothing_gives_no_tracks():
    assert join() == []


def test_frames_in_any_order():
    first, second = join(
        Sighting(5, 3, BOX, score=0.5),
        Sighting('x', 0, BOX),
        Sighting(5, 1, BOX),
    )
    assert first.id == 5 and first.boxes == {3: BOX, 1: BOX}
    assert first.scores == {3: 0.5}
    assert second.id == 'x' and second.category is None


def test_crowd_of_some_frames_becomes_a_track_of_its_own():
    tracks = join(
        Sighting(5, 0, BOX, 'ant'),
        Sighting(5, 1, BOX, 'bee', iscrowd=True),
        Sighting(6, 0, BOX, iscrowd=True),
    )
    found = {t.id: (t.category, t.iscrowd, list(t.boxes)) for t in tracks}
    assert found == {
        5: ('ant', False, [0]),
        '5 (ignored)': ('bee', True, [1]),
        6: (None, True, [0]),
    }


def test_class_is_that_of_most_frames(monkeypatch):
    messages = []
    monkeypatch.setattr(
        sightings, 'print_log', lambda text, *_: messages.append(text)
    )
    kinds = ('bee', 'ant', None, 'ant', 'bee', 'cat')
    (track,) = join(*(Sighting(5, t, BOX, n) for t, n in enumerate(kinds)))
    assert track.category == 'bee'  # the earlier one of two
    assert len(track.boxes) == 6
    assert messages == [
        'a.txt: track 5 of video bear changes its class (2 x bee, 2 x ant, '
        '1 x cat); it is taken for bee'
    ]


@pytest.mark.parametrize(
    'second', [Sighting(5, 0, BOX, iscrowd=True), Sighting(5, 0, (0, 0, 9, 9))]
)
def test_two_objects_with_one_id(second):
    with pytest.raises(AnnotationError, match='two objects with one') as error:
        join(Sighting(5, 0, BOX), second._replace(where='line 2'))
    text = str(error.value)
    assert 'line 2' in text
    assert 'file a.txt, video bear, frame 0, instance 5' in text


def test_the_same_twice_counts_once():
    (track,) = join(Sighting(5, 0, BOX), Sighting(5, 0, BOX, where='line 2'))
    assert track.boxes == {0: BOX}


def test_numbers_of_frames():
    assert frame_at(7, 1, None, 'line 2', 'a.txt', 'bear') == 6
    for number, first, length in ((0, 1, None), (5, 1, 4)):
        with pytest.raises(AnnotationError, match='^line 2: frame') as error:
            frame_at(number, first, length, 'line 2', 'a.txt', 'bear')
        assert '--first-frame' in str(error.value)
