"""Any frame in any order is the one that decoding in order gives."""

import multiprocessing
import os
import random
import shutil
import subprocess
import threading

import cv2
import numpy as np
import pytest

from pmvis_mm.structures import video_frames
from pmvis_mm.structures.frame_reader import FrameReader, read_frame
from pmvis_mm.structures.video_annotations import VideoInfo
from pmvis_mm.structures.video_file import packet_times
from pmvis_mm.structures.video_frames import VideoFrames, read_video_frame
from pmvis_mm.testing.videos import moving_frames, write_mp4
from pmvis_mm.utils.errors import FrameError

CODECS = {
    'b-frames.mp4': '-c:v libx264 -g 250 -bf 3',
    'open-gop.mp4': '-c:v libx264 -g 24 -bf 3 -x264-params open-gop=1',
    'refresh.mkv': '-c:v libx264 -g 24 -x264-params intra-refresh=1',
    'mpeg4.mp4': '-c:v mpeg4 -bf 2 -g 30',
    'mpeg2.mpg': '-c:v mpeg2video -bf 2 -g 15',
    'mpeg4.avi': '-c:v mpeg4 -bf 2 -g 30',
    'stream.ts': '-c:v libx264 -g 24 -bf 3',
    'variable.mp4': '-vf select=not(mod(n\\,3))+not(mod(n\\,7)) '
    '-vsync vfr -c:v libx264 -g 48 -bf 3',
}


def in_order(path):
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        found, image = capture.read()
        if not found:
            return frames
        frames.append(image)


def shuffled(number, seed=0):
    order = list(range(number))
    random.Random(seed).shuffle(order)
    return order


def make_with_ffmpeg(path, options):
    if shutil.which('ffmpeg') is None:
        pytest.skip('ffmpeg is not installed')
    source = 'testsrc2=size=96x64:rate=25:duration=6'
    done = subprocess.run(
        ['ffmpeg', '-v', 'error', '-f', 'lavfi', '-i', source]
        + [*options.split(), str(path)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f'this ffmpeg cannot: {done.stderr[-100:]}')


@pytest.fixture
def video(tmp_path):
    return write_mp4(tmp_path / 'clip.mp4', moving_frames(100))


@pytest.mark.parametrize('name', CODECS)
def test_every_frame_of_every_codec(name, tmp_path):
    path = tmp_path / name
    make_with_ffmpeg(path, CODECS[name])
    frames = in_order(path)
    assert len(frames) > 50
    reader = VideoFrames(str(path))
    for t in shuffled(len(frames)):
        np.testing.assert_array_equal(reader.read(t), frames[t], str(t))


def test_cut_into_the_middle_of_a_group(tmp_path):
    """Packets before the start of the edit list are not shown."""
    whole, path = tmp_path / 'whole.mp4', tmp_path / 'cut.mp4'
    make_with_ffmpeg(whole, CODECS['open-gop.mp4'])
    subprocess.run(
        ['ffmpeg', '-v', 'error', '-ss', '1.3', '-i', str(whole)]
        + ['-c', 'copy', str(path)],
        check=True,
    )
    frames = in_order(path)
    reader = VideoFrames(str(path))
    for t in shuffled(len(frames)):
        np.testing.assert_array_equal(reader.read(t), frames[t], str(t))


def test_seeking_is_used_and_right(video):
    frames = in_order(video)
    reader = VideoFrames(video)
    for t in shuffled(len(frames)):
        np.testing.assert_array_equal(reader.read(t), frames[t], str(t))
    # The file of OpenCV has key frames, and times that can be trusted.
    assert len(reader._times) == 100
    reader.close()


def test_without_times_frames_are_counted(video, monkeypatch):
    monkeypatch.setattr(video_frames, 'packet_times', lambda path: [0.0] * 100)
    frames = in_order(video)
    reader = VideoFrames(video)
    for t in (90, 40, 99, 0, 41):
        np.testing.assert_array_equal(reader.read(t), frames[t])
    assert reader._times == []


def test_wrong_places_are_noticed(video, monkeypatch):
    """A capture that always seeks beyond the frame."""
    frames = in_order(video)
    reader = VideoFrames(video)
    seek = type(reader._capture).seek
    monkeypatch.setattr(
        type(reader._capture), 'seek', lambda self, t: seek(self, t + 30)
    )
    for t in (50, 95, 60):
        np.testing.assert_array_equal(reader.read(t), frames[t])


def test_times_of_packets_ascend(video):
    times = packet_times(video)
    np.testing.assert_allclose(times, np.arange(100) / 25, atol=1e-6)


def test_the_same_frame_twice_is_a_copy(video):
    first = read_video_frame(video, 3)
    first[:] = 0
    assert read_video_frame(video, 3).any()


def test_beyond_the_end(video, tmp_path):
    with pytest.raises(FrameError, match='ends after 100 frames') as info:
        read_video_frame(video, 100)
    assert 'clip.mp4' in str(info.value) and 'frame 100' in str(info.value)
    assert read_video_frame(video, 99).any()  # and goes on


def test_reading_names_video_and_file(video, tmp_path):
    names = ('clip.mp4#0', 'clip.mp4#17', 'clip.mp4#200')
    reader = FrameReader(VideoInfo(5, 96, 64, names), str(tmp_path))
    reader.check_exists()
    frames = in_order(video)
    np.testing.assert_array_equal(reader[1], frames[17])
    with pytest.raises(FrameError, match='before frame 200') as info:
        reader[2]
    assert 'clip.mp4, video 5, frame 2]' in str(info.value)
    wrong = FrameReader(VideoInfo(5, 64, 64, names), str(tmp_path))
    with pytest.raises(FrameError, match='96x64 pixels but the annotation'):
        wrong[0]


def test_truncated_video(video, tmp_path):
    path = tmp_path / 'cut.avi'
    write_mp4(path, moving_frames(60), codec='MJPG')
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    frames = in_order(path)
    assert 10 < len(frames) < 50
    with pytest.raises(FrameError, match='the video ends after') as info:
        read_frame(f'{path}#55', video=1)
    assert 'video 1, frame 55' in str(info.value)


def test_missing_or_no_video(tmp_path):
    reader = FrameReader(VideoInfo(5, 96, 64, ('no.mp4#0',)), str(tmp_path))
    with pytest.raises(FrameError, match=r'frame does not exist .*no.mp4'):
        reader.check_exists()
    with pytest.raises(FrameError, match='video does not exist'):
        reader[0]
    (tmp_path / 'no.mp4').write_bytes(b'x' * 2000)
    reader.check_exists()
    with pytest.raises(FrameError, match='not a video that can be decoded'):
        reader[0]


def test_spaces_and_letters_of_the_world(video, tmp_path):
    folder = tmp_path / 'Füße und Händé #1'
    folder.mkdir()
    shutil.copy(video, folder / '視頻 a.mp4')
    image = read_frame(os.path.join(folder, '視頻 a.mp4#17'), (64, 96))
    np.testing.assert_array_equal(image, in_order(video)[17])


def test_few_files_stay_open(tmp_path):
    number = video_frames.MAX_OPEN + 3
    paths = [
        write_mp4(tmp_path / f'{i}.mp4', moving_frames(3, seed=i))
        for i in range(number)
    ]
    for path in paths + paths:
        read_video_frame(path, 1)
    assert len(video_frames._OPEN.videos) == video_frames.MAX_OPEN


def test_a_file_that_changes_is_opened_anew(tmp_path):
    path = write_mp4(tmp_path / 'a.mp4', moving_frames(3, seed=0))
    read_video_frame(path, 1)
    write_mp4(path, moving_frames(5, seed=1))
    np.testing.assert_array_equal(read_video_frame(path, 1), in_order(path)[1])


@pytest.mark.parametrize('method', ['fork', 'spawn'])
def test_workers_open_their_own(video, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f'no {method} on this system')
    frames = in_order(video)
    read_video_frame(video, 50)
    context = multiprocessing.get_context(method)
    with context.Pool(1) as pool:
        for t in (80, 3):
            found = pool.apply(read_video_frame, (video, t))
            np.testing.assert_array_equal(found, frames[t])
    np.testing.assert_array_equal(read_video_frame(video, 51), frames[51])


def test_threads_open_their_own(video):
    frames = in_order(video)
    wrong = []

    def read(seed):
        for t in shuffled(100, seed)[:20]:
            if not np.array_equal(read_video_frame(video, t), frames[t]):
                wrong.append(t)

    threads = [threading.Thread(target=read, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_other_backends_have_no_video_files(monkeypatch):
    options = dict(backend='http')
    with pytest.raises(FrameError, match='HTTPBackend gives no frames'):
        read_frame('http://localhost/a.mp4#3', backend_args=options)
