import cv2
import numpy as np
import pytest

from pmvis_mm.utils.errors import FrameError, OutputError
from pmvis_mm.visualization.video_writer import VideoFile, write_video


def _frame(value=0, size=(24, 32)):
    return np.full((*size, 3), value, np.uint8)


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def _read(path):
    reader = cv2.VideoCapture(str(path))
    frames = []
    while True:
        there, frame = reader.read()
        if not there:
            reader.release()
            return frames
        frames.append(frame)


@pytest.mark.parametrize('suffix', ['.mp4', '.webm'])
def test_a_video_appears_when_it_is_complete(tmp_path, suffix):
    path = tmp_path / f'new/a{suffix}'
    video = VideoFile(path, fps=5.0)
    for value in (0, 100, 200):
        video.add(_frame(value))
    assert video.count == 3
    assert _names(path.parent) == [f'.a{suffix}.part{suffix}']
    assert video.finish() == 3
    assert _names(path.parent) == [path.name]
    means = [frame.mean() for frame in _read(path)]
    assert means == pytest.approx([0, 100, 200], abs=4)
    video.abort()
    assert _names(path.parent) == [path.name]


def test_what_a_kill_left_is_replaced(tmp_path):
    VideoFile(tmp_path / 'a.mp4').add(_frame())  # never finished
    assert _names(tmp_path) == ['.a.mp4.part.mp4']
    assert write_video(tmp_path / 'a.mp4', [_frame()] * 2) == 2
    assert _names(tmp_path) == ['a.mp4']


def test_container_without_a_suffix(tmp_path):
    video = VideoFile(tmp_path / 'a', container='.webm')
    video.add(_frame())
    video.finish()
    assert (tmp_path / 'a').read_bytes()[:4] == b'\x1a\x45\xdf\xa3'  # EBML
    write_video(tmp_path / 'b', [_frame()])
    assert (tmp_path / 'b').read_bytes()[4:8] == b'ftyp'


def test_odd_sizes_are_padded_with_the_border(tmp_path):
    frame = _frame(0, (23, 31))
    frame[:, -1] = frame[-1] = 200
    write_video(tmp_path / 'a.mp4', [frame])
    (found,) = _read(tmp_path / 'a.mp4')
    assert found.shape == (24, 32, 3)
    assert found[23, 31].mean() > 150 and found[10, 10].mean() < 50


def test_bad_input(tmp_path):
    with pytest.raises(OutputError, match='at least one frame'):
        write_video(tmp_path / 'a.mp4', [])
    frames = [_frame(), _frame(size=(24, 34))]
    with pytest.raises(FrameError, match='34x24 .* first is 32x24.*frame 1'):
        write_video(tmp_path / 'a.mp4', frames)
    with pytest.raises(OutputError, match='none of the codecs'):
        write_video(tmp_path / 'a.mp4', [_frame()], codecs=['zzzz'])
    assert _names(tmp_path) == []
    with pytest.raises(OutputError, match='this is a folder'):
        VideoFile(tmp_path)
    (tmp_path / 'file').write_text('')
    with pytest.raises(OutputError, match='choose another output folder'):
        VideoFile(tmp_path / 'file' / 'a.mp4')


def test_a_file_that_does_not_read_back_is_refused(tmp_path, monkeypatch):
    module = 'pmvis_mm.visualization.video_writer._count_frames'
    monkeypatch.setattr(module, lambda path: 1)
    with pytest.raises(OutputError, match='wrote 2 frames, but 1 read back'):
        write_video(tmp_path / 'a.mp4', [_frame()] * 2)
    assert _names(tmp_path) == []
