"""What the review server tells, with Flask's test client."""

import numpy as np
import pytest

pytest.importorskip('flask', reason='the page is served by Flask')

from pmvis_mm.structures import PseudoMaskSet
from pmvis_mm.structures.rle import decode
from pmvis_mm.testing.review_client import dense, get
from pmvis_mm.testing.review_page import FRAMES, SIZE


def test_page_and_its_files(client):
    page = client.get('/')
    assert page.status_code == 200 and page.mimetype == 'text/html'
    assert page.headers['Cache-Control'] == 'no-cache'
    assert client.get('/static/review.css').mimetype == 'text/css'
    assert client.get('/static/no.js').status_code == 404
    assert client.get('/static/../server.py').status_code == 404


def test_summary(client, decisions):
    assert get(client, '/api/summary') == dict(
        title='Tiny review',
        num_videos=4,
        num_tracks=8,
        sources=['good', 'bad'],
        categories={'3': 'square', '0': 'bar'},
        counts=dict(open=8, accepted=0, rejected=0, changed=0),
        decisions_path=str(decisions),
    )


def test_list(client):
    found = get(client, '/api/tracks')
    assert (found['total'], found['offset']) == (8, 0)
    values = [row['suspicion'] for row in found['rows']]
    assert values == sorted(values, reverse=True)
    assert found['rows'][0] == dict(
        id=2,
        video_id=1,
        video_name='v1',
        category='square',
        category_id=3,
        num_frames=FRAMES,
        num_boxes=FRAMES,
        num_masks=FRAMES,
        suspicion=values[0],
        score=0.5,
        agreement=0.1429,
        overflow=0.75,
        area_jump=0,
        flicker=0,
        missing=0,
        status='open',
    )
    found = get(client, '/api/tracks?sort=id&order=asc&offset=2&limit=3')
    assert [row['id'] for row in found['rows']] == [2, 3, 4]
    found = get(client, '/api/tracks?category=0&search=v3&status=all')
    assert [row['id'] for row in found['rows']] == [7]


@pytest.mark.parametrize(
    'column',
    'suspicion agreement area_jump overflow flicker missing score'.split(),
)
@pytest.mark.parametrize('order', ['asc', 'desc'])
def test_every_column_sorts(client, column, order):
    found = get(client, f'/api/tracks?sort={column}&order={order}')
    values = [row[column] for row in found['rows']]
    assert values == sorted(values, reverse=order == 'desc')


@pytest.mark.parametrize(
    ('query', 'message'),
    [
        ('sort=beauty', "unknown sort='beauty'"),
        ('sort=id;DROP', "unknown sort='id;DROP'"),
        ('order=up', "unknown order='up'"),
        ('status=done', "unknown status='done'"),
        ('limit=many', "limit='many'"),
        ('offset=-1', "offset='-1'"),
        ('category=dog', "category='dog'"),
    ],
)
def test_wrong_queries(client, query, message):
    assert message in get(client, f'/api/tracks?{query}', 400)['error']


def test_track(client):
    track = get(client, '/api/tracks/3')
    frames = track.pop('frames')
    for name in ('suspicion', 'agreement', 'flicker', 'area_jump'):
        assert track.pop(name) is not None
    assert track == dict(
        id=3,
        video_id=1,
        video_name='v1',
        category='bar',
        category_id=0,
        width=SIZE[1],
        height=SIZE[0],
        num_frames=FRAMES,
        num_boxes=FRAMES - 1,
        num_masks=FRAMES - 1,
        score=0.5,
        overflow=0,
        missing=0,
        status='open',
        neighbours=[2],
        sources=['good', 'bad'],
    )
    assert frames[0] == dict(
        frame=0,
        box=[30, 10, 34, 26],
        source='bad',
        score=0.5,
        agreement=1,
        overflow=0,
        area_jump=None,
        flicker=None,
        available=['good', 'bad'],
        decision=None,
    )
    assert frames[-1]['box'] is frames[-1]['source'] is None
    assert frames[-1]['available'] == []
    for key in ('99', '-1', '9' * 40):
        found = get(client, f'/api/tracks/{key}', 400)
        assert 'no such track' in found['error']


def test_masks(client, review_data):
    masks = PseudoMaskSet.load(review_data / 'final.json')
    final = {track.id: track for track in masks}
    found = get(client, '/api/tracks/3/masks')
    assert found['size'] == list(SIZE)
    assert found['masks'][-1] is None
    for runs, mask in zip(found['masks'][:-1], final[3].masks):
        np.testing.assert_array_equal(dense(runs, SIZE), decode(mask))
    part = get(client, '/api/tracks/3/masks?source=bad&start=2&stop=5')
    assert part['masks'] == found['masks'][2:5]
    assert get(client, '/api/tracks/3/masks?start=8')['masks'] == []


@pytest.mark.parametrize(
    ('url', 'message'),
    [
        ('/api/tracks/99/masks', 'no such track'),
        ('/api/tracks/1/masks?source=x', "unknown source 'x'"),
        ('/api/tracks/1/masks?start=0&stop=9', 'frames 0 to 9 of a video'),
        ('/api/tracks/1/masks?start=3&stop=2', 'frames 3 to 2 of a video'),
        ('/api/tracks/1/masks?start=-1', "start='-1'"),
        ('/api/tracks/1/masks?stop=x', "stop='x'"),
    ],
)
def test_wrong_requests_for_masks(client, url, message):
    assert message in get(client, url, 400)['error']
