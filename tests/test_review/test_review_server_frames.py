"""Frames that the review server sends."""

import io
import json

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('flask', reason='the page is served by Flask')

from pmvis_mm.review import (
    build_index,
    create_app,
)
from pmvis_mm.structures import PseudoMaskSet
from pmvis_mm.testing.review_client import get
from pmvis_mm.testing.review_page import SIZE


def test_frames_are_jpegs_of_the_frames(client, review_data):
    answer = client.get('/api/frames/2/3.jpg')
    assert answer.status_code == 200 and answer.mimetype == 'image/jpeg'
    # Another review at this address has other frames, so a browser asks.
    assert answer.headers['Cache-Control'] == 'no-cache'
    known = {'If-None-Match': answer.headers['ETag']}
    assert client.get('/api/frames/2/3.jpg', headers=known).status_code == 304
    other = client.get('/api/frames/2/4.jpg', headers=known)
    assert other.status_code == 200 and other.data != answer.data
    shown = np.asarray(Image.open(io.BytesIO(answer.data)), int)
    path = review_data / 'JPEGImages/v2/00003.png'
    real = np.asarray(Image.open(path), int)
    assert shown.shape == (*SIZE, 3)
    assert np.abs(shown - real).mean() < 4
    small = client.get('/api/frames/2/3.jpg?width=48')
    assert Image.open(io.BytesIO(small.data)).size == (48, 32)
    large = client.get('/api/frames/2/3.jpg?width=999')
    assert Image.open(io.BytesIO(large.data)).size == SIZE[::-1]


@pytest.fixture
def own_frames(review_data, tmp_path):
    """A review of frames of its own, in jpeg."""
    data = json.loads((review_data / 'final.json').read_text())
    for video in data['videos']:
        names = [name.replace('.png', '.jpg') for name in video['file_names']]
        video['file_names'] = names
    (tmp_path / 'final.json').write_text(json.dumps(data))
    folder = tmp_path / 'JPEGImages' / 'v0'
    folder.mkdir(parents=True)
    for t in range(4):
        size = SIZE[::-1] if t != 2 else (50, 40)
        image = Image.new('RGB', size, (20 * t, 90, 40))
        image.save(folder / f'{t:05d}.jpg', quality=95)
    path = folder / '00003.jpg'
    path.write_bytes(path.read_bytes()[:300])
    masks = PseudoMaskSet.load(tmp_path / 'final.json')
    build_index(tmp_path / 'index', masks, {}, None, tmp_path / 'JPEGImages')
    app = create_app(tmp_path / 'index', tmp_path / 'review.json')
    return app.test_client()


def test_a_jpeg_is_sent_as_it_is(own_frames, tmp_path):
    for t in (0, 1):
        path = tmp_path / f'JPEGImages/v0/{t:05d}.jpg'
        sent = own_frames.get(f'/api/frames/0/{t}.jpg').data
        assert sent == path.read_bytes()
    small = own_frames.get('/api/frames/0/0.jpg?width=30').data
    assert Image.open(io.BytesIO(small)).size == (30, 20)


def test_jpegs_that_browsers_show_otherwise(own_frames, tmp_path):
    path = tmp_path / 'JPEGImages/v0/00000.jpg'
    image = Image.new('RGB', SIZE[::-1], (250, 20, 20))
    image.paste((20, 20, 250), (0, 0, SIZE[1], 20))  # a blue top
    turned = Image.Exif()
    turned[0x0112] = 3  # upside down
    image.save(path, exif=turned, quality=95)
    sent = own_frames.get('/api/frames/0/0.jpg').data
    shown = Image.open(io.BytesIO(sent))
    assert 0x0112 not in shown.getexif()
    assert shown.getpixel((5, 5))[0] > 200  # red, as everywhere else
    content = path.read_bytes()
    image.save(path, quality=95)
    path.write_bytes(path.read_bytes()[:-20])  # a head, but not all rows
    found = get(own_frames, '/api/frames/0/0.jpg', 404)
    assert 'frame is truncated' in found['error']
    path.write_bytes(content + bytes(7))  # padding does no harm
    assert own_frames.get('/api/frames/0/0.jpg').status_code == 200
    image.convert('CMYK').save(path)
    sent = own_frames.get('/api/frames/0/0.jpg').data
    assert Image.open(io.BytesIO(sent)).mode == 'RGB'


@pytest.mark.parametrize(
    ('url', 'message'),
    [
        ('0/2.jpg', 'frame is 50x40 pixels but the annotation says 96x64'),
        ('0/3.jpg?width=30', 'frame is truncated or not an image'),
        ('0/4.jpg', 'frame does not exist'),
        ('0/8.jpg', 'frame 8 of a video with 8 frames'),
        ('9/0.jpg', 'no such video'),
    ],
)
def test_frames_that_cannot_be_shown(own_frames, url, message):
    assert message in get(own_frames, f'/api/frames/{url}', 404)['error']


def test_width_that_makes_no_sense(own_frames):
    found = get(own_frames, '/api/frames/0/0.jpg?width=0', 400)
    assert "width='0'" in found['error']


def test_review_without_frames(tmp_path, review_data):
    masks = PseudoMaskSet.load(review_data / 'final.json')
    build_index(tmp_path / 'i', masks, {})
    app = create_app(tmp_path / 'i', tmp_path / 'r.json')
    found = get(app.test_client(), '/api/frames/0/0.jpg', 404)
    assert 'built without frames' in found['error']
    frames = review_data / 'JPEGImages'
    app = create_app(tmp_path / 'i', tmp_path / 'r.json', frames)
    answer = app.test_client().get('/api/frames/0/0.jpg')
    assert answer.status_code == 200
