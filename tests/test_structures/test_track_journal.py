import os
import signal
import sqlite3
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from pmvis_mm.structures import track_journal
from pmvis_mm.structures.journal_file import remove_journal
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.structures.track_journal import TrackJournal
from pmvis_mm.utils.errors import MaskSetError, OutputError

HEIGHT, WIDTH = 8, 10


def instances(*rows, boxes=True):
    """Rows (id, label, score, box); a box of no area is an empty mask."""
    found = InstanceData(
        instances_id=torch.tensor([r[0] for r in rows], dtype=torch.long),
        labels=torch.tensor([r[1] for r in rows], dtype=torch.long),
        scores=torch.tensor([r[2] for r in rows], dtype=torch.float32),
        masks=[box_rle(r[3], HEIGHT, WIDTH) for r in rows],
    )
    if boxes:
        corners = torch.tensor([r[3] for r in rows], dtype=torch.float32)
        found.bboxes = corners.reshape(-1, 4) + 0.25
    return found


# Track 3: frames 0, 1, 3. Track 1: frames 1, 2; an empty mask in frame 3.
FRAMES = [
    instances((3, 0, 0.9, (0, 0, 4, 4))),
    instances((3, 1, 0.3, (1, 0, 5, 4)), (1, 2, 0.7, (5, 5, 9, 8))),
    instances((1, 2, 0.5, (5, 4, 9, 8))),
    instances((1, 0, 0.1, (0, 0, 0, 0)), (3, 1, 0.6, (2, 0, 6, 4))),
    instances(),
]


def fill(journal, frames=FRAMES):
    for frame, found in enumerate(frames, journal.length):
        journal.add(frame, found)


def same(one, two):
    assert one.masks == two.masks
    for name in ('instances_id', 'labels', 'scores', 'bboxes'):
        assert torch.equal(one.get(name), two.get(name))
        assert one.get(name).dtype == two.get(name).dtype


def test_frames_come_back_as_they_were():
    journal = TrackJournal()
    fill(journal)
    found = list(journal.iter_frames())
    assert [frame for frame, _ in found] == list(range(5))
    for (_, one), two in zip(found, FRAMES):
        same(one, two)
    assert [frame for frame, _ in journal.iter_frames(3)] == [3, 4]
    assert [frame for frame, _ in journal.iter_frames(1, 2)] == [1]
    folder = journal.path.parent
    assert folder.is_dir()
    del journal, found
    assert not folder.exists()  # goes with the object


def test_tracks_without_verdicts():
    journal = TrackJournal()
    fill(journal)
    journal.finish()
    one, three = journal.iter_tracks()
    assert (one.id, three.id) == (1, 3)
    assert one.frames.tolist() == [1, 2]  # frame 3 shows nothing
    assert three.frames.tolist() == [0, 1, 3]
    assert one.frames.dtype == np.int64 and one.start_frame == 0
    # Two of three frames say label 2; the mean also counts the empty one.
    assert one.labels == (2,)
    assert one.scores == pytest.approx(((0.7 + 0.5 + 0.1) / 3,))
    assert three.labels == (1,)
    assert three.scores == pytest.approx((0.6,))
    shown = (FRAMES[0].masks[0], FRAMES[1].masks[0], FRAMES[3].masks[1])
    assert three.masks == shown
    np.testing.assert_array_equal(one.bboxes[0], [5.25, 5.25, 9.25, 8.25])
    assert one.bboxes.dtype == one.frame_scores.dtype == np.float32
    np.testing.assert_allclose(three.frame_scores, [0.9, 0.3, 0.6])


def test_ties_of_labels_go_to_the_higher_mean_score():
    journal = TrackJournal()
    box = (0, 0, 2, 2)
    fill(journal, [instances((0, 4, 0.2, box)), instances((0, 1, 0.3, box))])
    (track,) = journal.iter_tracks()
    assert track.labels == (1,)


def test_tracks_with_verdicts():
    journal = TrackJournal()
    fill(journal)
    verdicts = InstanceData(
        instances_id=torch.tensor([3, 3, 8]),
        labels=torch.tensor([0, 5, 1]),
        scores=torch.tensor([0.25, 0.75, 0.5]),
        start_frames=torch.tensor([1, 1, 0]),
    )
    journal.finish(verdicts)
    (track,) = journal.iter_tracks()  # 1 was given up, 8 has no mask
    assert track.id == 3 and track.start_frame == 1
    assert track.frames.tolist() == [1, 3]
    assert track.labels == (5, 0) and track.scores == (0.75, 0.25)
    empty = TrackJournal()
    fill(empty)
    empty.finish(verdicts[:0])
    assert list(empty.iter_tracks()) == []


def test_nothing_found_and_no_frames():
    journal = TrackJournal()
    journal.finish()
    assert list(journal.iter_tracks()) == list(journal.iter_frames()) == []
    assert journal.finished and journal.length == 0


def test_boxes_default_to_those_of_the_masks():
    journal = TrackJournal()
    journal.add(0, instances((0, 0, 0.5, (1, 2, 4, 6)), boxes=False))
    ((_, found),) = journal.iter_frames()
    assert found.bboxes.tolist() == [[1, 2, 4, 6]]


def test_a_mask_under_two_classes_is_one():
    journal = TrackJournal()
    box = (0, 0, 2, 2)
    journal.add(0, instances((0, 1, 0.8, box), (0, 2, 0.3, box)))
    journal.finish()
    (track,) = journal.iter_tracks()
    assert track.frames.tolist() == [0] and track.labels == (1,)


def test_only_what_was_committed_is_there_again(tmp_path):
    path = tmp_path / 'new' / 'a.tracks.sqlite'
    journal = TrackJournal(path, dict(model='m', size=(1, 2)))
    fill(journal, FRAMES[:2])
    journal.commit(b'state')
    fill(journal, FRAMES[2:4])
    assert journal.length == 4
    journal.close()
    again = TrackJournal(path, dict(size=[1, 2], model='m'))
    assert again.next_frame == again.length == 2
    assert again.state == b'state' and not again.finished
    fill(again, FRAMES[2:])
    again.finish()
    whole = TrackJournal()
    fill(whole)
    whole.finish()
    third = TrackJournal(path)
    assert third.finished and third.state is None and third.length == 5
    for one, two in zip(third.iter_tracks(), whole.iter_tracks()):
        assert one.scores == two.scores and one.masks == two.masks


def test_killed_in_the_middle_of_a_write(tmp_path):
    """What was not committed had gone to the disk already."""
    path = tmp_path / 'a.tracks.sqlite'
    script = (
        'import sys, os, signal\n'
        'from test_track_journal import FRAMES, fill\n'
        'from pmvis_mm.structures.track_journal import TrackJournal\n'
        f'journal = TrackJournal({str(path)!r}, dict(a=1))\n'
        'journal._connection.execute("PRAGMA cache_size = 2")\n'
        'fill(journal)\n'
        'journal.commit(b"five")\n'
        'fill(journal, FRAMES * 400)\n'
        'os.kill(os.getpid(), signal.SIGKILL)\n'
    )
    folder = os.path.dirname(__file__)
    root = os.path.dirname(os.path.dirname(folder))
    env = dict(os.environ, PYTHONPATH=os.pathsep.join([folder, root]))
    done = subprocess.run([sys.executable, '-c', script], env=env)
    assert done.returncode == -signal.SIGKILL
    left = os.listdir(tmp_path)
    assert any(name.endswith('-journal') for name in left)  # to be undone
    journal = TrackJournal(path, dict(a=1))
    assert journal.length == 5 and journal.state == b'five'
    assert len(list(journal.iter_tracks())) == 2
    rows = journal._connection.execute('SELECT MAX(frame) FROM found')
    assert rows.fetchone() == (3,)


def test_commits_are_due_after_a_while(tmp_path):
    journal = TrackJournal(tmp_path / 'a', commit_interval=3600)
    assert not journal.due
    journal.commit_interval = 0
    assert journal.due


def test_suspended_journals_open_again(tmp_path):
    journal = TrackJournal()
    fill(journal)
    journal.finish()
    journal.suspend()
    assert len(list(journal.iter_frames())) == 5


def test_another_fingerprint_is_refused(tmp_path):
    path = tmp_path / 'a'
    TrackJournal(path, dict(model='m', video='v')).close()
    with pytest.raises(
        OutputError, match=r"something else: model 'm', not 'n' .*resume=False"
    ):
        TrackJournal(path, dict(model='n', video='v'))
    with pytest.raises(OutputError, match='extra None, not 1'):
        TrackJournal(path, dict(model='m', video='v', extra=1))
    assert TrackJournal(path).next_frame == 0  # whatever it is about


def test_bad_files(tmp_path):
    path = tmp_path / 'a'
    path.write_text('this is no database, but a text of some length' * 50)
    with pytest.raises(OutputError, match=r'no journal of tracks \[file .*a'):
        TrackJournal(path)
    remove_journal(path)
    remove_journal(path)  # nothing left
    TrackJournal(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE facts SET value = 9 WHERE key = 'version'")
    with pytest.raises(OutputError, match='journal of version 9, not 1'):
        TrackJournal(path)
    with pytest.raises(OutputError, match='cannot be written'):
        TrackJournal(tmp_path)  # a folder


def test_two_runs_into_one_journal(tmp_path, monkeypatch):
    monkeypatch.setattr(track_journal, '_PATIENCE', 0.1)
    one = TrackJournal(tmp_path / 'a')
    two = TrackJournal(tmp_path / 'a')
    one.add(0, FRAMES[0])
    with pytest.raises(OutputError, match='another run writes.*locked'):
        two.add(0, FRAMES[0])
    one.commit()
    with pytest.raises(OutputError, match='cannot be written: UNIQUE'):
        two.add(0, FRAMES[0])
    assert TrackJournal(tmp_path / 'a').length == 1


def test_bad_frames():
    journal = TrackJournal()
    with pytest.raises(OutputError, match=r'frame 1 where frame 0 is next'):
        journal.add(1, FRAMES[0])
    nameless = InstanceData(masks=[])
    with pytest.raises(MaskSetError, match=r'no ids .*frame 0'):
        journal.add(0, nameless)
    # A frame that failed is not half there.
    fill(journal, FRAMES[:1])
    assert journal.length == 1


def test_a_journal_with_a_damaged_page(tmp_path):
    path = tmp_path / 'j'
    with TrackJournal(path) as journal:
        fill(journal)
        journal.finish()
        assert len(list(journal.iter_tracks())) == 2
    content = path.read_bytes()
    path.write_bytes(content[:-4096] + b'\x55' * 4096)
    with TrackJournal(path) as journal:
        with pytest.raises(OutputError, match='damaged.*Fix: remove it'):
            list(journal.iter_tracks())


def test_a_journal_that_cannot_be_removed(tmp_path):
    (tmp_path / 'j').mkdir()
    with pytest.raises(OutputError, match='old journal cannot be removed'):
        remove_journal(tmp_path / 'j')
