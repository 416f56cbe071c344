"""Defects of names of frames."""

import pytest

from pmvis_mm.structures.frame_path import video_frame_path


def names(data, video=0):
    return data['videos'][video]['file_names']


def test_frame_twice(data, one):
    names(data)[3] = 'v0/00001.png'
    place, problem = one(data, 'frame-duplicate')
    assert place == (1, 1, None)
    assert problem == "'v0/00001.png' listed more than once"


def test_frame_in_two_videos(data, one):
    names(data, 1)[:] = [f'v0/{t:05d}.png' for t in range(3, 7)]
    place, problem = one(data, 'frame-shared')
    assert place == (2, 0, None)
    assert problem == "1 frames are also in video 1, such as 'v0/00003.png'"


def test_one_video_twice(data, one):
    names(data, 1)[:] = names(data)
    place, problem = one(data, 'video-duplicate')
    assert place == (2, None, None) and problem == 'has the frames of video 1'


@pytest.mark.parametrize('stem', ['v0/{}.png', 'v0/{}a/im.png', 'clip.mp4#{}'])
def test_order(data, one, stem):
    # As strings they are sorted.
    names(data)[:] = [stem.format(t) for t in (1, 10, 2, 3)]
    place, problem = one(data, 'frame-order')
    assert place == (1, 2, None)
    assert problem == f'{stem.format(2)!r} comes after {stem.format(10)!r}'


def test_order_of_other_names(data, one, found_in):
    names(data)[:] = ['a1/b1', 'a2/b2', 'a2/b10', 'a3/b']
    found_in(data)
    names(data)[:] = ['a1/b1', 'a2/b10', 'a2/b2', 'a3/b']
    assert one(data, 'frame-order')[0] == (1, 2, None)


def test_gap(data, one, found_in):
    names(data)[:] = [f'v0/{t}.png' for t in (0, 5, 10, 15)]
    found_in(data)
    names(data)[:] = [f'v0/{t}.png' for t in (0, 5, 20, 25)]
    place, problem = one(data, 'frame-gap')
    assert place == (1, None, None)
    assert problem == 'numbers of frames go up by 5 to 15'


@pytest.mark.parametrize(
    'folder,code',
    [
        ('/data/v0/', 'frame-absolute-path'),
        ('C:/data/v0/', 'frame-absolute-path'),
        ('../v0/', 'frame-parent-path'),
        ('v0/../v0/', 'frame-parent-path'),
        ('v0\\', 'frame-backslash'),
    ],
)
def test_paths(data, one, folder, code):
    names(data)[:] = [f'{folder}{t:05d}.png' for t in range(4)]
    place, problem = one(data, code)
    assert place == (1, 0, None)
    assert repr(names(data)[0]) in problem


def test_names_with_dots_lead_nowhere(data, found_in):
    names(data)[:] = [f'v..0/{t}..png' for t in range(4)]
    names(data, 1)[:] = [video_frame_path('ä b.mp4', t) for t in range(4)]
    found_in(data)
