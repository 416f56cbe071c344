"""What other tools do not write, but people do."""

import pytest

from pmvis_mm.formats.readers import MOTReader
from pmvis_mm.utils.errors import AnnotationError


def read(tmp_path, text, **options):
    path = tmp_path / 'a.txt'
    path.write_text(text)
    (video,) = MOTReader(path, **options).videos()
    return video


def test_boxes_that_are_left_out_are_counted(tmp_path):
    text = '1,1,0,0,5,5,1,1,1\n1,2,0,0,5,5,0,8,1\n2,2,0,0,5,5,0,8,1\n'
    video = read(tmp_path, text)
    assert [track.id for track in video.tracks] == [1]
    assert video.dropped == {'boxes that are not judged (flag 0)': 2}
    assert not read(tmp_path, text, ignored='keep').dropped


def test_scores_that_are_left_out_are_counted(tmp_path):
    video = read(tmp_path, '1,1,0,0,5,5,87.5\n2,1,0,0,5,5,0.5\n')
    assert video.tracks[0].scores == {}
    assert video.dropped == {'scores, as some are not in [0, 1]': 2}


def test_long_ids_stay_apart(tmp_path):
    # As numbers of 64 bits with a point, both would be 2 ** 53.
    ids = [2**53, 2**53 + 1, 10**30]
    text = ''.join(f'{n},{key},0,0,5,5\n' for n, key in enumerate(ids, 1))
    tracks = read(tmp_path, text).tracks
    assert [track.id for track in tracks] == ids


@pytest.mark.parametrize(
    ('line', 'match'),
    [
        ('2,1,0,0,5,5,nan', 'line 2: flag or score nan is no finite number'),
        ('2,1,0,0,5,5,-inf', 'line 2: flag or score -inf is no finite'),
        ('1_0,1,0,0,5,5,1', "line 2: '1_0' is no number"),
        ('9' * 5000 + ',1,0,0,5,5,1', 'line 2: '),
    ],
)
def test_odd_numbers(tmp_path, line, match):
    with pytest.raises(AnnotationError, match=match) as caught:
        read(tmp_path, f'1,1,0,0,5,5,1\n{line}\n')
    assert len(str(caught.value)) < 1000
