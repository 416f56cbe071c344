import pickle
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from pmvis_mm.structures.frame_reader import FrameReader, read_frame
from pmvis_mm.structures.video_annotations import VideoInfo
from pmvis_mm.utils.errors import FrameError


@pytest.fixture
def video(tmp_path):
    """Three 4x6 frames; frame t has blue = 10 t, green = 100, red = 200."""
    folder = tmp_path / 'clip'
    folder.mkdir()
    names = []
    for t in range(3):
        rgb = np.full((4, 6, 3), (200, 100, 10 * t), np.uint8)
        Image.fromarray(rgb).save(folder / f'{t:05d}.png')
        names.append(f'clip/{t:05d}.png')
    return VideoInfo(0, 6, 4, tuple(names))


def test_frames_are_bgr_uint8(video, tmp_path):
    reader = FrameReader(video, str(tmp_path))
    assert len(reader) == 3
    frame = reader[2]
    assert frame.dtype == np.uint8 and frame.shape == (4, 6, 3)
    assert frame[0, 0].tolist() == [20, 100, 200]
    assert (reader[-1] == frame).all()
    assert [f[0, 0, 0] for f in reader] == [0, 10, 20]
    with pytest.raises(IndexError, match='frame 3 of video 0'):
        reader[3]


def test_cache_is_bounded_and_safe_to_write(video, tmp_path):
    reader = FrameReader(video, str(tmp_path), cache_size=1)
    reader[0][:] = 255
    assert reader[0][0, 0].tolist() == [0, 100, 200]
    reader[1]
    assert list(reader._cache) == [1]
    (tmp_path / 'clip/00001.png').unlink()
    assert reader[1][0, 0, 0] == 10  # from memory
    with pytest.raises(FrameError):
        pickle.loads(pickle.dumps(reader))[1]  # the copy starts without


def test_no_cache(video, tmp_path):
    reader = FrameReader(video, str(tmp_path), cache_size=0)
    assert reader[1][0, 0, 0] == 10
    assert not reader._cache
    with pytest.raises(ValueError, match='`cache_size` must be >= 0'):
        FrameReader(video, cache_size=-1)


def test_pickled_reader_reads_the_same(video, tmp_path):
    reader = FrameReader(video, str(tmp_path))
    again = pickle.loads(pickle.dumps(reader))
    assert (again[1] == reader[1]).all()


def test_missing_frame(video, tmp_path):
    reader = FrameReader(video, str(tmp_path))
    reader.check_exists()
    (tmp_path / 'clip/00001.png').unlink()
    for act in (reader.check_exists, lambda: reader[1]):
        with pytest.raises(FrameError, match='does not exist') as info:
            act()
        assert '00001.png' in str(info.value)
        assert 'video 0, frame 1' in str(info.value)
        assert 'Fix: check the image folder' in str(info.value)


def test_missing_folder(video, tmp_path):
    reader = FrameReader(video, str(tmp_path / 'nowhere'))
    with pytest.raises(FrameError, match=r'video 0, frame 0'):
        reader.check_exists()


@pytest.mark.parametrize('suffix', ['jpg', 'png'])
def test_truncated_frame(suffix, tmp_path):
    noise = np.random.RandomState(0).randint(0, 255, (64, 64, 3), np.uint8)
    path = tmp_path / f'a.{suffix}'
    Image.fromarray(noise).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    reader = FrameReader(VideoInfo(7, 64, 64, (path.name,)), str(tmp_path))
    with pytest.raises(FrameError, match='truncated') as info:
        reader[0]
    assert 'video 7, frame 0' in str(info.value)
    assert 'Fix: extract' in str(info.value)


def test_file_that_is_no_image(tmp_path):
    (tmp_path / 'a.jpg').write_bytes(b'')
    reader = FrameReader(VideoInfo(7, 4, 4, ('a.jpg',)), str(tmp_path))
    with pytest.raises(FrameError, match='not an image'):
        reader[0]


def test_folder_instead_of_frame(tmp_path):
    (tmp_path / 'a.jpg').mkdir()
    reader = FrameReader(VideoInfo(7, 4, 4, ('a.jpg',)), str(tmp_path))
    with pytest.raises(FrameError, match='cannot be read'):
        reader[0]


def test_other_size_names_both(video, tmp_path):
    wrong = VideoInfo(0, 4, 6, video.file_names)
    with pytest.raises(
        FrameError, match='6x4 pixels but the annotation says 4x6'
    ):
        FrameReader(wrong, str(tmp_path))[0]


def test_exif_orientation_is_applied(tmp_path):
    rgb = np.zeros((2, 3, 3), np.uint8)
    rgb[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    Image.fromarray(rgb).save(tmp_path / 'a.png', exif=exif)
    reader = FrameReader(VideoInfo(1, 3, 2, ('a.png',)), str(tmp_path))
    assert np.argwhere(reader[0].any(2)).tolist() == [[1, 2]]


def test_grey_frame_has_three_channels(tmp_path):
    Image.fromarray(np.full((2, 2), 9, np.uint8)).save(tmp_path / 'a.png')
    reader = FrameReader(VideoInfo(1, 2, 2, ('a.png',)), str(tmp_path))
    assert (reader[0] == 9).all() and reader[0].shape == (2, 2, 3)


def test_import_needs_no_torch():
    code = (
        'import sys, pmvis_mm.structures.frame_reader;'
        'print("mmcv" in sys.modules, "mmdet" in sys.modules)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True
    )
    assert done.stdout.split() == ['False', 'False'], done.stderr


def test_grey_of_16_bits_is_scaled(tmp_path):
    grey = np.arange(0, 65536, 1024, dtype=np.uint16).reshape(8, 8)
    for suffix in ('png', 'tif', 'pgm'):
        path = str(tmp_path / f'deep.{suffix}')
        assert cv2.imwrite(path, grey)
        found = read_frame(path)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found[..., 0], grey >> 8)
        np.testing.assert_array_equal(found[..., 2], grey >> 8)


def test_floats_are_no_frame(tmp_path):
    path = str(tmp_path / 'float.tif')
    assert cv2.imwrite(path, np.full((8, 8), 0.5, np.float32))
    with pytest.raises(FrameError, match='mode F, not of 8 or 16 bits'):
        read_frame(path)
