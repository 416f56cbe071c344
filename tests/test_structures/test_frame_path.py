import pytest

from pmvis_mm.structures.frame_path import split_frame_path, video_frame_path


@pytest.mark.parametrize('video', ['a.mp4', 'c d/ü.MOV', 'a#1.mp4', 'x.y.avi'])
def test_there_and_back(video):
    path = video_frame_path(video, 17)
    assert path == f'{video}#17'
    assert split_frame_path(path) == (video, 17)


@pytest.mark.parametrize(
    'path',
    ['a.jpg', 'a#1.jpg', 'a.mp4', 'a.mp4#', 'a.mp4#x', 'a.mp4#-1', 'a.jpg#1'],
)
def test_paths_of_images(path):
    assert split_frame_path(path) is None
