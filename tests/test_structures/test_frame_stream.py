import cv2
import numpy as np
import pytest

from pmvis_mm.structures.frame_sources import natural_key
from pmvis_mm.structures.frame_stream import open_stream
from pmvis_mm.testing.videos import moving_frames, write_mp4
from pmvis_mm.utils.errors import ConfigError, FrameError

FRAMES = moving_frames(12)


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp('video') / 'my clip.mp4'
    return write_mp4(path, FRAMES)


@pytest.fixture(scope='module')
def cut_video(tmp_path_factory):
    """An AVI file, whose index is not needed, of which half is missing."""
    folder = tmp_path_factory.mktemp('cut')
    whole = write_mp4(folder / 'whole.avi', moving_frames(40), codec='MJPG')
    with open(whole, 'rb') as file:
        content = file.read()
    path = folder / 'cut.avi'
    path.write_bytes(content[: len(content) // 2])
    return str(path)


def test_video_file(video):
    with open_stream(video) as stream:
        info = stream.info
        assert (info.name, info.height, info.width) == ('my clip', 64, 96)
        assert info.length == 12 and info.fps == pytest.approx(25)
        assert info.file_names is None
        found = list(stream)
    assert [item.frame for item in found] == list(range(12))
    assert found[3].timestamp == pytest.approx(3 / 25, abs=1e-3)
    for item, frame in zip(found, FRAMES):
        assert item.image.dtype == np.uint8
        assert np.abs(item.image.astype(int) - frame).mean() < 12  # lossy
    assert stream.position == 12


def test_skip_gives_the_frames_that_follow(video):
    whole = list(open_stream(video))
    for source in (video, [item.image for item in whole]):
        stream = open_stream(source)
        assert next(stream).frame == 0
        assert stream.skip(4) == 4
        item = next(stream)
        assert item.frame == 5
        assert np.array_equal(item.image, whole[5].image)
        assert stream.skip(100) == 6 and next(stream, None) is None
    fresh = open_stream(video)
    assert fresh.skip(0) == 0 and fresh.skip(3) == 3
    assert np.array_equal(next(fresh).image, whole[3].image)


def test_folder_in_natural_order(tmp_path):
    for number in (1, 2, 10):
        image = np.full((8, 10, 3), number, np.uint8)
        cv2.imwrite(str(tmp_path / f'{number}.png'), image)
    (tmp_path / 'notes.txt').write_text('no image')
    (tmp_path / '.hidden.png').write_text('no image')
    stream = open_stream(tmp_path)
    assert stream.info.file_names == ('1.png', '2.png', '10.png')
    assert stream.info.name == tmp_path.name and stream.info.length == 3
    assert [item.image[0, 0, 0] for item in stream] == [1, 2, 10]
    assert all(item.timestamp is None for item in open_stream(tmp_path))
    paths = [tmp_path / '10.png', str(tmp_path / '2.png')]
    assert [item.image[0, 0, 0] for item in open_stream(paths)] == [10, 2]
    (single,) = open_stream(tmp_path / '2.png', name='one')
    assert single.image[0, 0, 0] == 2
    assert sorted(['b2', 'B10', 'a', 'b1'], key=natural_key) == [
        'a',
        'b1',
        'b2',
        'B10',
    ]


def test_arrays_of_every_kind():
    rng = np.random.default_rng(0)
    color = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    grey = color[..., 1]
    mixed = [color, grey, grey[..., None], np.dstack([color, grey])]
    a, b, c, d = (item.image for item in open_stream(mixed))
    for image in (a, b, c, d):
        assert image.shape == (5, 6, 3) and image.flags.c_contiguous
    assert np.array_equal(a, color) and np.array_equal(d, color)
    assert np.array_equal(b, np.dstack([grey] * 3)) and np.array_equal(b, c)
    assert len(list(open_stream(np.stack([grey] * 4)))) == 4  # (T, H, W)
    assert len(list(open_stream(color))) == 1  # one frame
    assert open_stream(np.stack([color] * 2), fps=5).info.fps == 5


def test_generators_are_not_read_ahead():
    asked = []

    def frames():
        for t in range(3):
            asked.append(t)
            yield FRAMES[t]

    stream = open_stream(frames(), name='live')
    assert stream.info.length is None and stream.identity is None
    assert asked == [0]  # its size has to be known
    for item in stream:
        assert asked == list(range(item.frame + 1))


def test_identity_tells_videos_apart(video):
    first = open_stream(FRAMES).identity
    assert open_stream(FRAMES).identity == first
    assert open_stream(FRAMES[1:] + FRAMES[:1]).identity != first
    assert open_stream(FRAMES[:5]).identity != first
    assert open_stream(video).identity['file'] == 'my clip.mp4'


def test_cut_video_is_refused_at_once_or_used(cut_video):
    message = r'ends after (\d+) of about 40 frames.*cut\.avi, .*frame \1.*Fix'
    with pytest.raises(FrameError, match=message):
        open_stream(cut_video)
    frames = list(open_stream(cut_video, on_error='stop'))
    assert 10 < len(frames) < 30


def test_tail_that_does_not_decode(video):
    stream = open_stream(video)
    read = stream._source._capture.read

    def give_up():
        return None if stream.position >= 6 else read()

    stream._source._capture.read = give_up
    with pytest.raises(FrameError, match=r'ends after 6 of about 12.*frame 6'):
        list(stream)


def test_frames_of_another_size():
    frames = [*FRAMES[:2], FRAMES[2][:-2]]
    with pytest.raises(
        FrameError, match=r'frame is 96x62 .* first is 96x64 .*frame 2'
    ):
        list(open_stream(frames))


@pytest.mark.parametrize(
    'source, message',
    [
        ([], 'the video has no frame'),
        (iter(()), 'the video has no frame'),
        (np.zeros((0, 4, 4, 3), np.uint8), 'the video has no frame'),
        ([FRAMES[0] / 255], r'float64 array of shape.*video, frame 0.*uint8'),
        ([np.zeros((4, 4, 2), np.uint8)], r'shape \(4, 4, 2\)'),
        ([np.zeros((0, 4, 3), np.uint8)], r'shape \(0, 4, 3\)'),
        ([[1, 2]], 'frame is a list'),
        (np.zeros(4, np.uint8), r'shape \(4,\) is no video'),
        (None, 'NoneType is no video'),
        (True, 'bool is no video'),
        ({'a': FRAMES[0]}, 'dict is no video'),
        ('nowhere.mp4', 'does not exist'),
        (['nowhere.png'], r'frame does not exist.*nowhere\.png.*frame 0'),
    ],
)
def test_bad_sources(source, message):
    with pytest.raises(FrameError, match=message):
        list(open_stream(source))


def test_bad_folders_and_options(tmp_path):
    with pytest.raises(FrameError, match='no images in this folder'):
        open_stream(tmp_path)
    path = tmp_path / '0.png'
    cv2.imwrite(str(path), FRAMES[0])
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(FrameError, match=r'truncated .*0\.png.*frame 0'):
        open_stream(tmp_path)
    with pytest.raises(ConfigError, match="on_error='ignore' is unknown"):
        open_stream(FRAMES, on_error='ignore')
