import pytest

from pmvis_mm.formats.readers.frame_index import (
    FrameIndex,
    frame_of_number,
    number_in,
)


def test_last_number_of_a_name():
    assert number_in('cam2_frame_000017') == 17
    assert number_in('17') == 17
    assert number_in('bear') is None


def test_numbers_begin_somewhere():
    assert frame_of_number(0, 0, 3) == 0
    assert frame_of_number(3, 1, 3) == 2
    assert frame_of_number(10**9, 1, None) == 10**9 - 1


@pytest.mark.parametrize(
    'number, first, match',
    [
        (0, 1, 'frame 0 comes before the first one, which is 1'),
        (-1, 0, 'frame -1 comes before'),
        (3, 0, 'frame 3 does not exist: the 3 frames are numbered 0 to 2'),
        (4, 1, 'numbered 1 to 3'),
    ],
)
def test_numbers_outside(number, first, match):
    with pytest.raises(ValueError, match=match):
        frame_of_number(number, first, 3)


def test_images_are_found_by_name():
    index = FrameIndex(['a/00000.jpg', 'a/00005.jpg', 'a/00010.jpg'], 0)
    assert index.find('00005') == 1
    assert index.find('frame_10') == 2
    for name in ('00001', 'bear'):
        with pytest.raises(ValueError, match='no image is called'):
            index.find(name)


def test_a_number_that_several_names_have_finds_nothing():
    index = FrameIndex(['a/left_1.jpg', 'a/right_1.jpg'], 0)
    assert index.find('right_1') == 1
    with pytest.raises(ValueError, match="no image is called '1'"):
        index.find('1')


def test_frames_of_a_video_file_have_numbers():
    index = FrameIndex([f'clip.mp4#{t}' for t in range(3)], 1)
    assert index.find('clip_0003') == 2
    with pytest.raises(ValueError, match='comes before'):
        index.find('clip_0000')
    with pytest.raises(ValueError, match='no image is called'):
        index.find('clip')


def test_no_frames():
    with pytest.raises(ValueError, match='no image'):
        FrameIndex([], 0).find('1')
