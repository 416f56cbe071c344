"""Runs that were killed go on; finished ones need no model."""

import csv
import gc
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import torch

from pmvis_mm.apis import VISInferencer
from pmvis_mm.structures.track_journal import TrackJournal
from pmvis_mm.testing.tiny_idol import tiny_idol_inferencer
from pmvis_mm.testing.videos import (
    count_frames,
    moving_frames,
    plain_prediction,
    write_mp4,
)
from pmvis_mm.utils.errors import FrameError, OutputError

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/idol/idol_r18_1xb4-2k_own.py'
FRAMES = moving_frames(12)
# Small and fast: OpenCV's VP9 encoder is slow.
MP4 = dict(type='mp4', codecs=['mp4v'], min_height=0)


@pytest.fixture(scope='module')
def inferencer():
    return tiny_idol_inferencer(CONFIG, seed=2)


_SCRIPT = """
import os, signal, sys
sys.path.insert(0, {root!r})
from pmvis_mm.structures.track_journal import TrackJournal
from pmvis_mm.testing.tiny_idol import tiny_idol_inferencer
TrackJournal.due = True
inferencer = tiny_idol_inferencer({config!r}, seed=2)
for item in inferencer.iterate({video!r}, {out!r}, batch_size=2):
    if item.frame == 7:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_and_continued_is_as_unbroken(inferencer, tmp_path):
    video = write_mp4(tmp_path / 'clip.mp4', FRAMES)
    out = tmp_path / 'broken'
    script = _SCRIPT.format(
        root=str(ROOT),
        config=str(CONFIG),
        video=video,
        out=str(out),
    )
    done = subprocess.run([sys.executable, '-c', script], env=dict(os.environ))
    assert done.returncode == -signal.SIGKILL
    seen = []
    forward = inferencer.model.test_step

    def spy(data):
        (clip,) = data['data_samples']
        seen.extend(sample.frame_id for sample in clip)
        return forward(data)

    inferencer.model.test_step = spy
    formats = ('json', 'csv', 'mots', 'png', MP4)
    try:
        again = inferencer(video, out, formats, batch_size=2)
    finally:
        del inferencer.model.test_step
    assert seen == [8, 9, 10, 11]  # nothing is predicted twice
    whole = inferencer(video, tmp_path / 'whole', formats, batch_size=2)
    assert plain_prediction(again['predictions'][0]) == plain_prediction(
        whole['predictions'][0]
    )
    for one, two in zip(again['outputs'], whole['outputs']):
        assert one.name == two.name
        files = [two] if two.is_file() else sorted(two.iterdir())
        assert files
        for file in files:
            other = one if two.is_file() else one / file.name
            assert file.read_bytes() == other.read_bytes()


def test_finished_journals_need_no_model(inferencer, tmp_path):
    first = inferencer(FRAMES, tmp_path, ['json'])
    forward = inferencer.model.test_step
    inferencer.model.test_step = None  # would fail
    try:
        again = inferencer(FRAMES, tmp_path, ['csv', MP4])
    finally:
        inferencer.model.test_step = forward
        del inferencer.model.test_step
    assert plain_prediction(again['predictions'][0]) == plain_prediction(
        first['predictions'][0]
    )
    assert count_frames(again['outputs'][1]) == 12
    other = [frame[::-1].copy() for frame in FRAMES]
    with pytest.raises(OutputError, match=r'something else: video .*resume'):
        inferencer(other, tmp_path, ['json'])
    with pytest.raises(OutputError, match=r'precision .fp32., not .bf16.'):
        inferencer(FRAMES, tmp_path, ['json'], precision='bf16')
    assert inferencer(other, tmp_path, ['json'], resume=False)['outputs']
    with torch.no_grad():
        weight = inferencer.model.track_head.embed.layers[0].bias
        weight += 1
    inferencer._digest = None
    with pytest.raises(OutputError, match='something else: model'):
        inferencer(other, tmp_path, ['json'])
    with torch.no_grad():
        weight -= 1
    inferencer._digest = None


def test_unknown_state_begins_anew(tmp_path):
    config = ROOT / 'tests/data/configs/tiny_mask_track_rcnn.py'
    torch.manual_seed(0)
    inferencer = VISInferencer(config, device='cpu', show_progress=False)
    tracker = inferencer.model.tracker

    class Own(type(tracker)):
        """May remember what only it knows."""

    tracker.__class__ = Own
    run = inferencer.iterate(FRAMES, tmp_path)
    run.journal.commit_interval = 0
    next(run), next(run)
    run.close()
    run.journal.close()
    again = inferencer.iterate(FRAMES, tmp_path)
    assert again.journal.next_frame == 0
    assert [item.frame for item in again] == list(range(12))


def test_generators_have_nothing_to_go_on_with(inferencer, tmp_path):
    for seed in (0, 1):  # other videos, one journal: it begins anew
        frames = iter(moving_frames(2, seed=seed))
        (found,) = inferencer(frames, tmp_path, ['json'])['predictions']
        assert found.length == 2


def test_failures_leave_no_files_but_the_journal(inferencer, tmp_path):
    def frames():
        yield from FRAMES[:3]
        yield FRAMES[3][:-2]

    with pytest.raises(FrameError, match=r'first is 96x64 .*frame 3'):
        inferencer(frames(), tmp_path, ['json', 'mots', MP4])
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        'video.tracks.sqlite'
    ]


def test_iterators_that_are_left_lock_nothing(inferencer, tmp_path):
    for _ in range(2):
        run = inferencer.iterate(FRAMES, tmp_path)
        next(run)
        next(run)
        run.close()
        assert run.length == run.journal.next_frame
    gc.disable()  # it may come at any time
    try:
        for item in inferencer.iterate(FRAMES, tmp_path):
            if item.frame == 2:
                break
        run = inferencer.iterate(FRAMES, tmp_path)
    finally:
        gc.enable()
    run.close()
    run = inferencer.iterate(FRAMES, tmp_path)
    next(run)

    def fail(data):
        raise KeyboardInterrupt

    forward = inferencer.model.test_step
    inferencer.model.test_step = fail
    try:
        with pytest.raises(KeyboardInterrupt):
            list(run)
    finally:
        inferencer.model.test_step = forward
    assert len(list(inferencer.iterate(FRAMES, tmp_path))) == 12


def test_what_the_user_ended_is_begun_anew(inferencer, tmp_path):
    run = inferencer.iterate(FRAMES, tmp_path)
    for item in run:
        if item.frame == 3:
            run.stop()
    assert run.length == 4 and len(list(run.tracks)) > 0
    run.close()
    (prediction,) = inferencer(FRAMES, tmp_path, [])['predictions']
    assert prediction.length == 12


def test_killed_before_the_verdict_is_kept(inferencer, tmp_path, monkeypatch):
    whole = inferencer(FRAMES)['predictions'][0]

    def fail(*args, **kwargs):
        raise OutputError('the disk is full')

    with monkeypatch.context() as patch:
        patch.setattr(TrackJournal, 'due', True)
        patch.setattr(TrackJournal, 'finish', fail)
        with pytest.raises(OutputError, match='disk is full'):
            inferencer(FRAMES, tmp_path, [])
    again = inferencer(FRAMES, tmp_path, [])['predictions'][0]
    assert plain_prediction(again) == plain_prediction(whole)


def test_reading_leaves_no_open_file_and_names_what_is_gone(
    inferencer, tmp_path
):
    (prediction,) = inferencer(FRAMES, tmp_path / 'o', [])['predictions']
    tracks = list(prediction.tracks)
    again = prediction.tracks  # one reader within another
    pairs = [(one.id, two.id) for one in again for two in again]
    assert len(pairs) == len(tracks) ** 2
    assert prediction.journal._opened is None
    shutil.rmtree(tmp_path / 'o')
    for read in (prediction.frames, prediction.tracks.__iter__):
        with pytest.raises(OutputError, match='journal is gone.*Fix: keep'):
            list(read())
    assert not (tmp_path / 'o').exists()


def test_other_frames_behind_the_same_first_one(inferencer, tmp_path):
    inferencer(FRAMES, tmp_path, [])
    other = [FRAMES[0]] + [255 - frame for frame in FRAMES[1:]]
    with pytest.raises(OutputError, match='about something else.*pixels'):
        inferencer(other, tmp_path, [])
    folder = tmp_path / 'images'
    folder.mkdir()
    for t, frame in enumerate(FRAMES[:3]):
        cv2.imwrite(str(folder / f'{t}.png'), frame)
    inferencer(folder, tmp_path, [])
    cv2.imwrite(str(folder / '2.png'), FRAMES[2] // 64)
    with pytest.raises(OutputError, match='about something else.*files'):
        inferencer(folder, tmp_path, [])


def test_times_of_frames_come_from_the_video(inferencer, tmp_path):
    ffmpeg = shutil.which('ffmpeg')
    if ffmpeg is None:
        pytest.skip('ffmpeg is not installed')
    video, path = tmp_path / 'even.mp4', tmp_path / 'v.mp4'
    write_mp4(video, moving_frames(20))
    keep = 'select=not(between(mod(n\\,10)\\,3\\,8))'  # 0 1 2 9 10 11 12 19
    subprocess.run(
        [ffmpeg, '-v', 'error', '-i', video, '-vf', keep]
        + ['-vsync', 'vfr', '-c:v', 'mpeg4', path],
        check=True,
    )
    expected = [t / 25 for t in (0, 1, 2, 9, 10, 11, 12, 19)]
    for _ in range(2):  # the second time from the journal
        result = inferencer(str(path), tmp_path / 'out', ['csv'])
        (table,) = result['outputs']
        with open(table, newline='') as file:
            rows = list(csv.DictReader(file))
        assert rows
        for row in rows:
            wanted = expected[int(row['frame'])]
            assert float(row['time']) == pytest.approx(wanted, abs=1e-3)
        table.unlink()
