import json
import shutil
import subprocess

import cv2
import numpy as np
import pytest

from pmvis_mm.formats import RESULT_WRITERS, OverlayVideoWriter
from pmvis_mm.structures import StreamInfo
from pmvis_mm.utils.errors import FrameError, OutputError
from pmvis_mm.visualization import track_color


def _probe(path):
    if shutil.which('ffprobe') is None:
        pytest.skip('ffprobe is not installed')
    command = ['ffprobe', '-v', 'error', '-count_frames', '-of', 'json']
    command += ['-show_streams', '-show_format', str(path)]
    done = subprocess.run(command, check=True, capture_output=True)
    data = json.loads(done.stdout)
    (stream,) = data['streams']
    return stream, data['format']


@pytest.mark.parametrize('name', ['mp4', 'webm'])
def test_ffprobe_reads_it(clip, write, tmp_path, name):
    path = write(dict(type=name, path=tmp_path / f'bear.{name}'), clip)
    assert [p.name for p in tmp_path.iterdir()] == [f'bear.{name}']
    stream, container = _probe(path)
    assert stream['codec_name'] in ('vp8', 'vp9', 'mpeg4')
    assert stream['codec_type'] == 'video'
    assert int(stream['nb_read_frames']) == 4
    assert stream['avg_frame_rate'] == '25/2'
    # 24 rows are enlarged ten times, to be legible.
    assert (stream['width'], stream['height']) == (320, 240)
    assert name in container['format_name']


def test_masks_are_painted_in_the_colour_of_the_track(clip, write, tmp_path):
    clip.images = np.full((4, 24, 32, 3), 100, np.uint8)
    clip.info = StreamInfo('bear', 24, 32)
    config = dict(type='mp4', path=tmp_path / 'a.mp4', with_labels=False)
    config.update(alpha=1.0, with_boxes=True, fps=5.0)
    reader = cv2.VideoCapture(str(write(config, clip)))
    assert reader.get(cv2.CAP_PROP_FPS) == pytest.approx(5.0)
    frames = [reader.read()[1] for _ in range(4)]
    reader.release()
    first, second = (np.array(track_color(n), float) for n in (0, 2))
    # Ten times enlarged; codecs change colours a little.
    np.testing.assert_allclose(frames[1][40, 60], first, atol=25)
    np.testing.assert_allclose(frames[1][140, 180], second, atol=25)
    np.testing.assert_allclose(frames[2][40, 80], first, atol=25)
    np.testing.assert_allclose(frames[3][220, 20], [100] * 3, atol=12)
    # The pixel scores 0.125 and is not drawn.
    np.testing.assert_allclose(frames[2][235, 315], [100] * 3, atol=12)


def test_texts_have_class_number_and_score(clip, tmp_path, monkeypatch):
    drawn = []

    def draw(image, masks, ids, labels, boxes, **kwargs):
        drawn.append((ids, labels, boxes))
        return image

    module = 'pmvis_mm.formats.overlay_video.draw_instances'
    monkeypatch.setattr(module, draw)
    writer = OverlayVideoWriter(tmp_path / 'a.mp4', score_thr=0.6)
    writer.start(clip.info, ('cat',))
    for frame in (1, 3):
        writer.add_frame(frame, clip.instances[frame], clip.images[frame])
    writer.abort()
    assert drawn[0] == ([2, 0], ['cat 3 0.88', 'class 1 1 0.75'], None)
    assert drawn[1] == ([0], ['class 1 1 0.75'], None)


def test_odd_sizes_are_padded(clip, write, tmp_path):
    clip.images = np.zeros((4, 23, 31, 3), np.uint8)
    clip.info = StreamInfo('bear', 23, 31, 10.0)
    clip.instances = [clip.make_instances([]) for _ in range(4)]
    config = dict(type='mp4', path=tmp_path / 'a.mp4', min_height=0)
    stream, _ = _probe(write(config, clip))
    assert (stream['width'], stream['height']) == (32, 24)


def test_without_frames_is_refused(clip, tmp_path):
    writer = RESULT_WRITERS.build(dict(type='mp4', path=tmp_path / 'a.mp4'))
    writer.start(clip.info, clip.classes)
    with pytest.raises(OutputError, match='at least one frame'):
        writer.finish([], 0)
    assert list(tmp_path.iterdir()) == []


def test_images_are_needed(clip, tmp_path):
    writer = OverlayVideoWriter(tmp_path / 'a.mp4')
    assert writer.needs_images
    writer.start(clip.info, clip.classes)
    with pytest.raises(FrameError, match='needs the images') as error:
        writer.add_frame(0, clip.instances[0])
    assert 'frame 0' in str(error.value)
    writer.abort()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match='no video was begun'):
        writer.add_frame(0, clip.instances[0], clip.images[0])


def test_masks_of_another_size_are_refused(clip, write, tmp_path):
    clip.images = np.zeros((4, 26, 32, 3), np.uint8)
    with pytest.raises(FrameError, match='a mask is 32x24 pixels, but') as e:
        write(dict(type='mp4', path=tmp_path / 'a.mp4'), clip)
    assert f'video {clip.info.name}, frame 0' in str(e.value)


def test_unknown_codec_is_refused(clip, write, tmp_path):
    config = dict(type='mp4', path=tmp_path / 'a.mp4', codecs=['zzzz'])
    with pytest.raises(OutputError, match="none of the codecs.*'zzzz'"):
        write(config, clip)
