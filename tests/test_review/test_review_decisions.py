"""The review json and what its decisions mean."""

import json

import pytest

from pmvis_mm.review.decisions import (
    Decision,
    DecisionLog,
    apply_marks,
    check_final,
    check_range,
    load_decisions,
    now,
    parse_decision,
    track_status,
)
from pmvis_mm.utils.errors import OutputError, ReviewError

FINAL = dict(file='final.json', sha256='ab' * 32)


def decide(action, source=None, frames=None, track=1):
    return Decision(track, 7, action, source, frames, now())


# --------------------------------------------------------------------- marks
def test_later_decisions_override_frame_by_frame():
    made = [
        decide('accept'),
        decide('choose', 'flow', (1, 3)),
        decide('reject', frames=(3, 4)),
        decide('clear', frames=(0, 0)),
    ]
    marks = [None, 'flow', 'flow', 'reject', 'reject', 'accept']
    assert apply_marks(made, 6) == marks
    assert apply_marks(made[:1], 2) == ['accept'] * 2
    assert apply_marks([], 3) == [None] * 3
    assert apply_marks([*made, decide('clear')], 6) == [None] * 6


@pytest.mark.parametrize(
    ('marks', 'status'),
    [
        ([None, None, None], 'open'),
        (['accept', 'accept', 'accept'], 'accepted'),
        (['accept', None, None], 'open'),  # half done
        # The last frame does not matter: neither box nor mask.
        (['accept', 'accept', None], 'accepted'),
        (['reject', 'reject', None], 'rejected'),
        (['reject', 'reject', 'reject'], 'rejected'),
        (['reject', None, None], 'changed'),
        (['reject', 'accept', 'accept'], 'changed'),
        (['flow', None, None], 'changed'),
        ([None, None, 'flow'], 'changed'),
    ],
)
def test_status(marks, status):
    assert track_status(marks, [True, True, False]) == status


def test_status_of_a_track_without_boxes_counts_all_frames():
    assert track_status(['reject', None], [False, False]) == 'changed'
    assert track_status(['reject'] * 2, [False, False]) == 'rejected'


# ------------------------------------------------------------------- parsing
def test_decisions_survive_json():
    for decision in (
        decide('accept'),
        decide('choose', 'a, raw', (0, 5)),
        decide('reject', frames=(2, 2), track=0),
    ):
        entry = json.loads(json.dumps(decision.to_json()))
        assert parse_decision(entry) == decision


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        ([], 'a decision is list, not an object'),
        (dict(action='accept'), 'about track None'),
        (dict(track='1', action='accept'), "about track '1'"),
        (dict(track=True, action='accept'), 'about track True'),
        (dict(track=1, video='x', action='accept'), "of video 'x'"),
        (dict(track=1, action='delete'), "unknown action 'delete'"),
        (dict(track=1), 'unknown action None'),
        (dict(track=1, action='choose'), 'the source None'),
        (dict(track=1, action='reject', frames=3), 'frames 3 are no range'),
        (dict(track=1, action='reject', frames=[3, 2]), 'no range'),
        (dict(track=1, action='reject', frames=[-1, 2]), 'no range'),
        (dict(track=1, action='reject', frames=[0, 1.5]), 'no range'),
        (dict(track=1, action='reject', frames=[0, 1, 2]), 'no range'),
    ],
)
def test_malformed_decisions(entry, message):
    with pytest.raises(ReviewError, match='Fix: ') as caught:
        parse_decision(entry)
    assert message in str(caught.value)


def test_range_outside_of_the_video():
    check_range(decide('reject', frames=(0, 7)), 8)
    with pytest.raises(ReviewError, match=r'\[5, 8\] of a video with 8'):
        check_range(decide('reject', frames=(5, 8)), 8, 'r.json')


# ----------------------------------------------------------------------- log
def test_log_is_saved_after_every_step(tmp_path):
    path = tmp_path / 'review.json'
    log = DecisionLog(path, FINAL)
    assert not path.exists()
    made = [decide('accept'), decide('reject', track=2)]
    for number, decision in enumerate(made, 1):
        log.append(decision)
        assert load_decisions(path) == (FINAL, made[:number])
    again = DecisionLog(path, FINAL)
    assert again.decisions == made
    assert again.of_track(2) == made[1:] and again.of_track(9) == []
    assert again.undo() == made[1]
    assert again.tracks == [1]
    assert load_decisions(path) == (FINAL, made[:1])
    again.undo()
    assert again.tracks == [] and load_decisions(path) == (FINAL, [])
    with pytest.raises(ReviewError, match='there is no decision to undo'):
        again.undo()


def test_what_cannot_be_saved_is_not_decided(tmp_path):
    path = tmp_path / 'folder' / 'review.json'
    log = DecisionLog(path, FINAL)
    (tmp_path / 'folder').write_text('a file where the folder should be')
    with pytest.raises(OutputError, match='cannot write here'):
        log.append(decide('accept'))
    assert log.decisions == [] and log.tracks == []


def test_a_second_server_loses_no_decision_of_the_first(tmp_path):
    path = tmp_path / 'review.json'
    first, second = DecisionLog(path, FINAL), DecisionLog(path, FINAL)
    first.append(decide('accept'))
    with pytest.raises(ReviewError, match='another program has changed'):
        second.append(decide('reject'))
    assert second.decisions == []
    first.append(decide('reject', track=3))
    path.unlink()
    with pytest.raises(ReviewError, match='another program has changed'):
        first.undo()
    assert len(first.decisions) == 2


def test_file_says_what_it_is_about(tmp_path):
    log = DecisionLog(tmp_path / 'r.json', FINAL)
    log.append(decide('choose', 'flow', (1, 2)))
    data = json.loads((tmp_path / 'r.json').read_text())
    assert data == log.to_json()
    assert data['version'] == 1 and data['final'] == FINAL
    time = data['decisions'][0].pop('time')
    assert time.endswith('+00:00')
    assert data['decisions'] == [
        dict(track=1, video=7, action='choose', source='flow', frames=[1, 2])
    ]


# ----------------------------------------------------------------- bad files
def write(tmp_path, data):
    path = tmp_path / 'review.json'
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def test_file_cut_in_half(tmp_path):
    path = tmp_path / 'review.json'
    DecisionLog(path, FINAL).append(decide('accept'))
    path.write_text(path.read_text()[:40])
    with pytest.raises(ReviewError, match='not a json file'):
        DecisionLog(path, FINAL)


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        ([], 'not the decisions of a label review'),
        (dict(videos=[]), 'not the decisions of a label review'),
        (dict(version=2, decisions=[]), 'version 2 is not known'),
        (dict(version=1, decisions=[]), 'should be a list and "final"'),
        (dict(version=1, final={}, decisions={}), 'should be a list'),
        (dict(version=1, final={}, decisions=[3]), 'a decision is int'),
    ],
)
def test_files_of_another_kind(tmp_path, data, message):
    path = write(tmp_path, data)
    with pytest.raises(ReviewError) as caught:
        load_decisions(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(ReviewError, match='file does not exist'):
        load_decisions(tmp_path / 'no.json')


def test_decisions_about_other_masks(tmp_path):
    path = tmp_path / 'review.json'
    DecisionLog(path, FINAL).append(decide('accept'))
    with pytest.raises(ReviewError, match="content of 'final.json'"):
        DecisionLog(path, dict(FINAL, sha256='cd' * 32))
    # Renamed, or never a file: nothing speaks against them.
    assert DecisionLog(path, dict(FINAL, file='x.json')).decisions
    check_final(FINAL, dict(file='x', sha256=None), path)
