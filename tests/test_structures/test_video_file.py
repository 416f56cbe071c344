import shutil
import struct
import subprocess

import cv2
import numpy as np
import pytest

from pmvis_mm.structures.video_file import (
    VideoCapture,
    VideoFacts,
    lacks_tail,
    scan_video,
)
from pmvis_mm.testing.videos import moving_frames, write_mp4
from pmvis_mm.utils.errors import FrameError

NUM_FRAMES = 20


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp('video') / 'clip.mp4'
    return write_mp4(path, moving_frames(NUM_FRAMES))


def test_frames_and_times(video):
    capture = VideoCapture(video)
    times = []
    while True:
        decoded = capture.read()
        if decoded is None:
            break
        times.append(decoded[1])
        assert decoded[0].shape == (64, 96, 3)
    capture.close()
    np.testing.assert_allclose(times, np.arange(NUM_FRAMES) / 25, atol=1e-3)


def test_scan_counts_what_is_decoded(video):
    facts = scan_video(video)
    assert facts.num_packets == NUM_FRAMES
    assert facts.fps == pytest.approx(25)
    assert facts.last_time == pytest.approx(19 / 25)
    assert facts.duration == pytest.approx(NUM_FRAMES / 25)
    assert not lacks_tail(facts, NUM_FRAMES, facts.last_time)


def test_containers_that_claim_too_much_are_not_believed(tmp_path):
    """As AVI files of MPEG-4 do: 100 frames at 50 fps where there are 50."""
    facts = VideoFacts(50, 1.96, 25.0, 100 / 50)
    assert not lacks_tail(facts, 50, 1.96)
    assert lacks_tail(facts, 23, 0.88)
    # Two frames that a decoder keeps for itself are no defect.
    assert not lacks_tail(facts, 48, 1.88)
    # No clock at all: packets count.
    still = VideoFacts(3, 0.0, 0.0, 0.0)
    assert lacks_tail(still, 2, 0.0) and not lacks_tail(still, 3, 0.0)


def test_variable_frame_rate(video, tmp_path):
    ffmpeg = shutil.which('ffmpeg')
    if ffmpeg is None:
        pytest.skip('ffmpeg is not installed')
    path = tmp_path / 'vfr.mp4'
    keep = 'select=not(between(mod(n\\,10)\\,3\\,8))'  # 0 1 2 9 10 11 12 19
    done = subprocess.run(
        [ffmpeg, '-v', 'error', '-i', video, '-vf', keep]
        + ['-vsync', 'vfr', '-c:v', 'mpeg4', str(path)]
    )
    assert done.returncode == 0
    facts = scan_video(path)
    assert facts.num_packets == 8
    assert facts.fps == pytest.approx(7 / (19 / 25))  # the mean rate
    capture = VideoCapture(str(path))
    times = [capture.read()[1] for _ in range(8)]
    expected = np.array([0, 1, 2, 9, 10, 11, 12, 19]) / 25
    np.testing.assert_allclose(times, expected, atol=1e-3)


def test_rotated_videos_come_upright(video, tmp_path):
    """The matrix in the track header of an mp4 turns by 90 degrees."""
    with open(video, 'rb') as file:
        content = bytearray(file.read())
    header = content.index(b'tkhd') + 4
    place = header + 40  # version 0: nine numbers, 16.16 and 2.30
    plain = struct.unpack_from('>9i', content, place)
    assert plain == (65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    turned = (0, 65536, 0, -65536, 0, 0, 64 << 16, 0, 1 << 30)
    struct.pack_into('>9i', content, place, *turned)
    path = tmp_path / 'turned.mp4'
    path.write_bytes(bytes(content))
    image, _ = VideoCapture(str(path)).read()
    upright, _ = VideoCapture(video).read()
    assert image.shape == (96, 64, 3)
    clockwise = cv2.rotate(upright, cv2.ROTATE_90_CLOCKWISE)
    assert np.abs(image.astype(int) - clockwise).mean() < 1


def test_bad_files(tmp_path):
    with pytest.raises(FrameError, match=r'does not exist \[file none.mp4\]'):
        VideoCapture('none.mp4')
    empty = tmp_path / 'empty.mp4'
    empty.touch()
    for opened in (VideoCapture, scan_video):
        with pytest.raises(FrameError, match=r'is empty.*empty\.mp4.*Fix'):
            opened(str(empty))
    text = tmp_path / 'text.mp4'
    text.write_text('no video' * 100)
    for opened in (VideoCapture, scan_video):
        with pytest.raises(FrameError, match=r'not a video.*text\.mp4.*Fix'):
            opened(str(text))
    with pytest.raises(FrameError, match='camera 99 cannot be opened'):
        VideoCapture(99)


def test_cut_before_its_index(video, tmp_path):
    with open(video, 'rb') as file:
        content = file.read()
    path = tmp_path / 'cut.mp4'
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(FrameError, match='cut off before its index'):
        VideoCapture(str(path))
