"""Parts of a run that whole runs do not reach."""

import numpy as np
import pytest

from pmvis_mm.apis.inference_options import InferenceOptions, read_options
from pmvis_mm.apis.result_outputs import PictureSink, unique_names
from pmvis_mm.apis.video_run import VideoRun, open_journal
from pmvis_mm.models.vis.clip_walk import ClipWalk
from pmvis_mm.models.vis.inference import build_frame_pipeline, init_vis_model
from pmvis_mm.structures.frame_stream import open_stream
from pmvis_mm.testing.scripted_vis import scripted_config
from pmvis_mm.utils.errors import FrameError, OutputError

LEFT, RIGHT = (0, 0, 4, 4), (5, 4, 9, 8)
FRAMES = [np.full((8, 10, 3), 20 * t, np.uint8) for t in range(9)]


@pytest.fixture
def model(tmp_path):
    rows = [(0.9, 0, LEFT, 0), (0.8, 1, RIGHT, 1)]
    return init_vis_model(scripted_config(tmp_path / 'c.py', [rows] * 9))


def start(model, path, with_images=True, frames=FRAMES, **kwargs):
    walk = ClipWalk(model, build_frame_pipeline(model.cfg), 4, 2)
    journal = open_journal(path, dict(a=1), True, 0.0)
    return VideoRun(walk, open_stream(frames), journal, with_images, **kwargs)


@pytest.mark.parametrize('with_images', [True, False])
@pytest.mark.parametrize('stop', [1, 4, 5, 7, 8])
def test_windows_go_on_after_a_break(model, tmp_path, stop, with_images):
    whole = [item.instances.masks for item in start(model, None)]
    run = start(model, tmp_path / 'j', with_images)
    for _ in range(stop):
        next(run)
    run.close()
    run.journal.close()
    model.seen.clear()
    again = start(model, tmp_path / 'j', with_images)
    done = again.journal.next_frame
    assert done == (4 if stop <= 4 else 6 if stop <= 6 else 8)
    items = list(again)
    assert model.seen[:2] == [done - 2, done - 1]  # what clips share
    assert [item.frame for item in items] == list(range(9))
    assert [item.instances.masks for item in items] == whole
    for item, frame in zip(items, FRAMES):
        if with_images:
            assert np.array_equal(item.image, frame)
        else:
            assert item.image is None
    assert [t.frames.tolist() for t in again.tracks] == [list(range(9))] * 2
    model.seen.clear()
    again.journal.close()
    third = start(model, tmp_path / 'j', with_images)  # it was over
    assert len(list(third)) == 9 and model.seen == []


def test_a_shorter_video_than_the_journal_knows(model, tmp_path):
    run = start(model, tmp_path / 'j')
    for _ in range(5):
        next(run)
    run.journal.close()
    for with_images in (True, False):
        short = start(model, tmp_path / 'j', with_images, FRAMES[:3])
        with pytest.raises(
            FrameError, match='journal knows 6 frames, but the video has only'
        ):
            list(short)
        short.journal.close()


def test_most_frames(model):
    run = start(model, None, max_frames=5)
    assert [item.frame for item in run] == list(range(5))
    assert run.length == 5 and len(list(run.tracks)) == 2


def test_journals_are_begun_anew_if_asked(tmp_path):
    journal = open_journal(tmp_path / 'j', dict(a=1), True)
    journal.close()
    with pytest.raises(OutputError, match='something else: a 1, not 2'):
        open_journal(tmp_path / 'j', dict(a=2), True)
    assert open_journal(tmp_path / 'j', dict(a=2), False).next_frame == 0


def test_names_of_files_are_unique():
    assert unique_names(['a', 'b', 'a', 'a_2', 'a']) == (
        'a',
        'b',
        'a_3',
        'a_2',
        'a_4',
    )
    assert unique_names([]) == ()


def test_pictures_are_not_kept_unless_asked_for(model):
    found = next(start(model, None)).instances
    for keep in (False, True):
        sink = PictureSink(show=False, keep=keep)
        sink.start(open_stream(FRAMES).info, ('x', 'y'))
        sink.add_frame(0, found, FRAMES[0])
        assert len(sink.pictures) == keep and not sink.closed


def test_defaults_of_options():
    assert read_options({}) == InferenceOptions()
    assert read_options(dict(batch_size=4)).batch_size == 4
