"""Deciding through the review server."""

import json
import sys
import threading
import urllib.error
import urllib.request

import pytest

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
from pmvis_mm.testing.review_client import get, post
from pmvis_mm.testing.review_page import FRAMES
from pmvis_mm.utils.errors import ConfigError, ReviewError


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
        other = urllib.request.Request(url, headers={'Host': 'evil.test'})
        with pytest.raises(urllib.error.HTTPError, match='400'):
            urllib.request.urlopen(other, timeout=20)
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
