"""Every route of the review server, with Flask's test client."""

import io
import json
import sys
import threading
import urllib.request

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('flask', reason='the page is served by Flask')

from pmvis_mm.review import (
    apply_decisions,
    build_index,
    create_app,
    load_decisions,
    serve,
    session,
)
from pmvis_mm.structures import PseudoMaskSet, VideoAnnotations
from pmvis_mm.structures.rle import decode
from pmvis_mm.testing.review_page import FRAMES, SIZE
from pmvis_mm.utils.errors import ConfigError, ReviewError


@pytest.fixture
def client(review_data, decisions):
    return create_app(review_data / 'review.sqlite', decisions).test_client()


@pytest.fixture(scope='module')
def final(review_data):
    masks = PseudoMaskSet.load(review_data / 'final.json')
    return {track.id: track for track in masks}


def get(client, url, status=200):
    answer = client.get(url)
    assert answer.status_code == status, answer.text
    return answer.json


def post(client, status=200, **entry):
    answer = client.post('/api/decisions', json=entry)
    assert answer.status_code == status, answer.text
    return answer.json


def dense(runs, size):
    """Paint run lengths, column by column."""
    assert sum(runs) == size[0] * size[1]
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(size[1], size[0]).T


# ------------------------------------------------------------------- reading
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


def test_masks(client, final):
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


# -------------------------------------------------------------------- frames
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


# ------------------------------------------------------------------ deciding
def test_decide_and_undo(client, decisions):
    answer = post(client, track=2, action='accept')
    assert answer == dict(
        track=2,
        status='accepted',
        decisions=['accept'] * FRAMES,
        counts=dict(open=7, accepted=1, rejected=0, changed=0),
    )
    answer = post(
        client, track=2, action='choose', source='good', frames=[2, 4]
    )
    assert answer['status'] == 'changed'
    assert answer['decisions'][1:6] == ['accept'] + ['good'] * 3 + ['accept']
    saved = json.loads(decisions.read_text())
    assert saved == get(client, '/api/decisions')
    assert [d['action'] for d in saved['decisions']] == ['accept', 'choose']
    assert [d['video'] for d in saved['decisions']] == [1, 1]
    frames = get(client, '/api/tracks/2')['frames']
    assert [f['decision'] for f in frames] == answer['decisions']

    undone = client.post('/api/undo').json
    assert undone['undone']['action'] == 'choose'
    assert (undone['track'], undone['status']) == (2, 'accepted')
    assert len(json.loads(decisions.read_text())['decisions']) == 1
    assert client.post('/api/undo').json['status'] == 'open'
    nothing = client.post('/api/undo')
    assert nothing.status_code == 400
    assert 'no decision to undo' in nothing.json['error']


def test_statuses_show_in_list_and_summary(client):
    post(client, track=0, action='reject')
    post(client, track=1, action='reject', frames=[0, 1])
    post(client, track=4, action='accept')
    post(client, track=5, action='reject')
    assert post(client, track=5, action='clear')['status'] == 'open'
    counts = get(client, '/api/summary')['counts']
    assert counts == dict(open=5, accepted=1, rejected=1, changed=1)
    for status, expected in (
        ('rejected', [0]),
        ('changed', [1]),
        ('accepted', [4]),
        ('open', [2, 3, 5, 6, 7]),
    ):
        url = f'/api/tracks?status={status}&sort=id&order=asc'
        rows = get(client, url)['rows']
        assert [row['id'] for row in rows] == expected
        assert {row['status'] for row in rows} == {status}


def test_rejecting_all_frames_that_have_a_box_rejects_the_track(client):
    answer = post(client, track=3, action='reject', frames=[0, FRAMES - 2])
    assert answer['status'] == 'rejected'


def test_reviewed_masks(client):
    post(client, track=2, action='reject', frames=[0, 1])
    post(client, track=2, action='choose', source='good', frames=[3, 4])
    post(client, track=2, action='accept', frames=[5, 5])
    shown = get(client, '/api/tracks/2/masks?source=reviewed')['masks']
    final = get(client, '/api/tracks/2/masks')['masks']
    good = get(client, '/api/tracks/2/masks?source=good')['masks']
    expected = [None, None, final[2], *good[3:5], *final[5:]]
    assert shown == expected and good[3] != final[3]
    part = get(client, '/api/tracks/2/masks?source=reviewed&start=1&stop=4')
    assert part['masks'] == expected[1:4]


def test_server_started_again_knows_the_decisions(
    client, review_data, decisions
):
    post(client, track=2, action='reject')
    post(client, track=3, action='choose', source='good', frames=[1, 1])
    again = create_app(review_data / 'review.sqlite', decisions).test_client()
    assert get(again, '/api/summary') == get(client, '/api/summary')
    assert get(again, '/api/tracks/3') == get(client, '/api/tracks/3')


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        (dict(track=99, action='accept'), 'no such track'),
        (dict(track=1, action='destroy'), "unknown action 'destroy'"),
        (dict(track=1, action='choose'), 'the source None'),
        (dict(track=1, action='choose', source='x'), "unknown source 'x'"),
        (dict(track=1, action='reject', frames=[0, 8]), 'with 8 frames'),
        (dict(track=1, action='reject', frames=[4, 2]), 'are no range'),
        (
            dict(track=1, action='choose', source='good', frames=[7, 7]),
            "source 'good' has no mask in frames 7 to 7",
        ),
    ],
)
def test_wrong_decisions(client, decisions, entry, message):
    assert message in post(client, 400, **entry)['error']
    assert not decisions.exists()


def test_what_is_no_json(client):
    answer = client.post('/api/decisions', data='{"track": 1}')
    assert answer.status_code == 400
    assert 'application/json' in answer.json['error']
    answer = client.post('/api/decisions', json=[1])
    assert 'a decision is list' in answer.json['error']


def test_pages_of_other_sites_may_not_decide(client, decisions):
    entry = dict(track=1, action='reject')
    for url in ('/api/decisions', '/api/undo'):
        for origin in ('http://evil.example', 'null'):
            answer = client.post(url, json=entry, headers=dict(Origin=origin))
            assert answer.status_code == 403
            assert 'may not decide here' in answer.json['error']
    assert not decisions.exists()
    own = dict(Origin='http://localhost')
    answer = client.post('/api/decisions', json=entry, headers=own)
    assert answer.status_code == 200


def test_a_full_disk_is_told_and_changes_nothing(review_data, tmp_path):
    (tmp_path / 'file').write_text('')
    path = tmp_path / 'file' / 'review.json'
    app = create_app(review_data / 'review.sqlite', path)
    client = app.test_client()
    found = post(client, 400, track=1, action='accept')
    assert 'cannot write here' in found['error']
    assert get(client, '/api/summary')['counts']['open'] == 8


# ------------------------------------------------------------------ bad files
def test_decisions_that_do_not_fit_the_index(review_data, decisions, client):
    post(client, track=1, action='choose', source='good', frames=[1, 2])
    data = json.loads(decisions.read_text())
    path = review_data / 'review.sqlite'
    for change, message in (
        (dict(track=77), 'a track that does not exist'),
        (dict(source='other'), "unknown source 'other'"),
        (dict(frames=[1, 8]), 'of a video with 8 frames'),
    ):
        changed = [dict(data['decisions'][0], **change)]
        decisions.write_text(json.dumps(dict(data, decisions=changed)))
        with pytest.raises(ReviewError, match=message):
            create_app(path, decisions)
    data['final']['sha256'] = '0' * 64
    decisions.write_text(json.dumps(data))
    with pytest.raises(ReviewError, match='about another content'):
        create_app(path, decisions)


def test_without_flask(review_data, decisions, monkeypatch):
    monkeypatch.setitem(sys.modules, 'flask', None)
    with pytest.raises(ConfigError, match=r'pmvis_mm\[optional\]'):
        create_app(review_data / 'review.sqlite', decisions)


# ------------------------------------------------------------------- serving
def test_it_listens_on_this_machine_only(review_data, decisions):
    app = create_app(review_data / 'review.sqlite', decisions)
    server = serve(app, port=0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        assert server.host == '127.0.0.1' and server.port > 0
        url = f'http://127.0.0.1:{server.port}/api/summary'
        with urllib.request.urlopen(url, timeout=20) as answer:
            assert json.load(answer)['num_tracks'] == 8
        with pytest.raises(ConfigError, match='cannot listen on'):
            serve(app, port=server.port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_many_people_at_once(client, review_data, decisions):
    app = client.application
    failed = []

    def decide(track):
        mine = app.test_client()
        for _ in range(5):
            entry = dict(track=track, action='accept')
            answer = mine.post('/api/decisions', json=entry)
            shown = mine.get(f'/api/tracks/{track}')
            if answer.status_code != 200 or shown.status_code != 200:
                failed.append(track)

    threads = [threading.Thread(target=decide, args=[t]) for t in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert get(client, '/api/summary')['counts']['accepted'] == 8
    assert len(json.loads(decisions.read_text())['decisions']) == 40


def test_verdicts_on_tracks_without_final_masks_can_be_applied(
    review_data, decisions, tmp_path
):
    masks = PseudoMaskSet.load(review_data / 'final.json')
    masks.tracks[1] = []
    masks.dump(tmp_path / 'final.json')
    masks.name = str(tmp_path / 'final.json')
    boxes = VideoAnnotations.from_file(review_data / 'instances.json')
    build_index(tmp_path / 'i', masks, {}, boxes)
    client = create_app(tmp_path / 'i', decisions).test_client()
    post(client, track=2, action='reject')
    post(client, track=3, action='accept', frames=[0, 1])
    post(client, track=0, action='accept')
    _, made = load_decisions(decisions)
    assert [decision.no_masks for decision in made] == [True, True, False]
    found, counts = apply_decisions(masks, made, {})
    assert (counts.without_masks, counts.skipped) == (2, 0)
    assert {t.id for t in found} == {0, 1, 4, 5, 6, 7}
    # A server started again still knows them.
    again = create_app(tmp_path / 'i', decisions).test_client()
    assert get(again, '/api/summary')['counts']['rejected'] == 1


def test_the_last_status_wins_whoever_is_slower(client, monkeypatch):
    """A thread that sleeps between reading and writing changes nothing."""
    app = client.application
    slow, fast = threading.Event(), threading.Event()

    def judge(marks, matters, real=session.track_status):
        if 'accept' in marks and not slow.is_set():
            slow.set()
            fast.wait(1)  # is not set before it if there is a lock
        return real(marks, matters)

    monkeypatch.setattr(session, 'track_status', judge)
    entry = dict(track=1, action='accept')
    first = threading.Thread(
        target=lambda: app.test_client().post('/api/decisions', json=entry)
    )
    first.start()
    assert slow.wait(10)
    post(client, track=1, action='reject')
    fast.set()
    first.join()
    assert get(client, '/api/summary')['counts']['rejected'] == 1


def test_category_id_of_more_than_64_bits(client):
    assert get(client, f'/api/tracks?category={2**70}') == dict(
        total=0, offset=0, rows=[]
    )


def test_an_index_that_is_built_again_needs_a_new_server(
    review_data, decisions, tmp_path
):
    masks = PseudoMaskSet.load(review_data / 'final.json')
    build_index(tmp_path / 'i', masks, {})
    client = create_app(tmp_path / 'i', decisions).test_client()
    post(client, track=1, action='accept')
    masks.tracks[0].pop(0)
    build_index(tmp_path / 'i', masks, {})
    for url in ('/api/tracks', '/api/tracks/1', '/api/tracks/1/masks'):
        assert (
            'start the review server again' in get(client, url, 400)['error']
        )
    assert (
        'built again' in post(client, 400, track=2, action='accept')['error']
    )
    (tmp_path / 'i').unlink()
    assert 'built again' in get(client, '/api/tracks', 400)['error']
    assert len(json.loads(decisions.read_text())['decisions']) == 1
