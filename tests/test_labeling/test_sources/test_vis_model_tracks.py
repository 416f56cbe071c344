"""Which predictions count, and copies of one mask (golden P6, P18)."""

import numpy as np
import pytest

from pmvis_mm.labeling.sources import vis_model
from pmvis_mm.registry import MODELS
from pmvis_mm.structures.rle import decode
from pmvis_mm.testing.scripted_vis import (
    SIZE,
    make_video,
    prior_of,
    scripted_config,
)
from pmvis_mm.utils.errors import ConfigError

LEFT, RIGHT = (0, 0, 4, 8), (6, 0, 10, 8)
# Track 5 stands, 6 flickers and is given up, 7 starts anew in frame 2.
SCRIPT = [
    [(0.9, 0, (0, 0, 4, 6), 5), (0.9, 0, LEFT, 6), (0.9, 0, RIGHT, 7)],
    [(0.01, 0, LEFT, 5)],
    [(0.9, 0, LEFT, 5), (0.9, 0, RIGHT, 7)],
]
VERDICT = [(5, 0, 1, 0.6), (5, 0, 0, 0.3), (7, 2, 0, 0.2)]


@pytest.fixture
def write_config(tmp_path):
    def write(script, **kwargs):
        return scripted_config(tmp_path / 'scripted.py', script, **kwargs)

    return write


def dense(x0, y0, x1, y1):
    mask = np.zeros(SIZE, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def build(config, **kwargs):
    source = dict(type='VISModelSource', config=config, **kwargs)
    return MODELS.build(source).eval()


def label(source, video):
    (result,) = source.test_step([video])
    return result.tracks


@pytest.mark.parametrize('clip_length', [1, 2, None])
@pytest.mark.parametrize('mode', ['auto', 'tracks'])
def test_only_tracks_that_stand_count(write_config, mode, clip_length):
    video = make_video([[LEFT] * 3, [RIGHT] * 3])
    config = write_config(SCRIPT, verdict=VERDICT)
    source = build(config, mode=mode, clip_length=clip_length)
    left, right = label(source, video)
    # Track 6 fits better in frame 0, and would be taken frame by frame.
    assert (decode(left.masks[0]) == dense(0, 0, 4, 6)).all()
    # A frame of a track that stands needs no score of its own.
    assert (decode(left.masks[1]) == dense(*LEFT)).all()
    # What track 7 did before it was found again does not count.
    assert [m is None for m in right.masks] == [True, True, False]
    by_frame = build(config, mode='per_frame', clip_length=clip_length)
    left, right = label(by_frame, video)
    assert (decode(left.masks[0]) == dense(*LEFT)).all()
    assert [m is None for m in left.masks] == [False, True, False]
    assert [m is None for m in right.masks] == [False, True, False]


def test_tracks_need_the_score_once(write_config):
    video = make_video([[LEFT] * 3, [RIGHT] * 3])
    config = write_config(SCRIPT, verdict=VERDICT)
    left, right = label(build(config, score_thr=0.4), video)
    assert left.num_masks == 3 and right.num_masks == 0
    nothing = build(config, score_thr=0.7)
    assert [t.num_masks for t in label(nothing, video)] == [0, 0]
    silent = build(write_config(SCRIPT, verdict=[]))
    assert [t.num_masks for t in label(silent, video)] == [0, 0]


def test_tracks_of_frames_without_boxes(write_config):
    """Such frames are shown, and a track may live only there."""
    video = make_video([[None, LEFT, None]])
    verdict = [*VERDICT, (9, 0, 0, 0.9)]
    source = build(write_config(SCRIPT, verdict=verdict))
    (track,) = label(source, video)
    assert source.model.seen == [0, 1, 2]
    assert [m is None for m in track.masks] == [True, False, True]


def test_any_class_of_a_track_fits(write_config):
    # Labels 0 and 1 are categories 3 and 7; instance 0 is a 7, 1 is a 3.
    video = make_video([[LEFT] * 3, [RIGHT] * 3])
    options = dict(assign=dict(require_label=True), category_ids=(3, 7))
    config = write_config(SCRIPT, verdict=VERDICT)
    left, right = label(build(config, **options), video)
    # The frames of track 5 say label 0, the whole track 1 before 0.
    assert left.num_masks == 3 and right.num_masks == 1
    assert (left.category_id, right.category_id) == (7, 3)
    left, _ = label(build(config, score_thr=0.4, **options), video)
    assert left.num_masks == 3  # label 1 alone
    config = write_config(SCRIPT, verdict=VERDICT[1:])
    left, right = label(build(config, **options), video)
    assert left.num_masks == 0 and right.num_masks == 1


def test_categories_that_the_model_does_not_know(write_config, monkeypatch):
    messages = []
    monkeypatch.setattr(
        vis_model, 'print_log', lambda text, *_: messages.append(text)
    )
    video = make_video([[LEFT] * 3, [RIGHT] * 3])  # categories 7 and 3
    options = dict(assign=dict(require_label=True), category_ids=(3, 4))
    source = build(write_config(SCRIPT, verdict=VERDICT), **options)
    for _ in range(2):
        left, right = label(source, video)
        assert left.num_masks == 0 and right.num_masks == 1
    assert messages == [
        'require_label=True, but the model knows no categories [7]: their '
        'instances get no mask'
    ]


# P6: two instances and, per prediction, the box that its mask fills.
P6_SIZE = (64, 64)
P6_BOXES = [(8, 8, 28, 32), (24, 10, 52, 40)]
P0, P1, P2 = (9, 9, 27, 31), (10, 8, 50, 40), (24, 11, 51, 40)


def p6_video():
    video = make_video([[box] for box in P6_BOXES], size=P6_SIZE)
    masks = np.zeros((2, *P6_SIZE), bool)
    masks[0, 8:32, 8:28] = masks[1, 12:40, 26:52] = True
    video.priors['prompted'] = prior_of(video, [[m] for m in masks])
    return video


@pytest.mark.parametrize('mode', ['tracks', 'per_frame'])
@pytest.mark.parametrize(
    'copies', [(), (P0,), (P0, P0, P2), (P1,)], ids=['P6', 'p0', 'p0p2', 'p1']
)
def test_p6_p18_through_the_source(write_config, mode, copies):
    boxes = [P0, P1, P2, *copies]
    script = [[(0.9, n % 3, box, n) for n, box in enumerate(boxes)]]
    verdict = [(n, 0, n % 3, 0.9) for n in range(len(boxes))]
    config = write_config(script, size=P6_SIZE, verdict=verdict)
    source = build(config, mode=mode, reference='prompted')
    one, two = label(source, p6_video())
    assert one.scores == [pytest.approx(0.68062, abs=1e-5)]
    assert two.scores == [pytest.approx(0.69729, abs=1e-5)]
    for track, (x0, y0, x1, y1) in ((one, P0), (two, P2)):
        mask = decode(track.masks[0])
        assert mask[y0:y1, x0:x1].all() and mask.sum() == (
            (x1 - x0) * (y1 - y0)
        )


@pytest.mark.parametrize('method', ['hungarian', 'greedy', 'union'])
def test_p18_copies_do_not_serve_two_instances(write_config, method):
    """The mask over both fits each a little; it is one prediction."""
    script = [[(0.9, k, P1, 4) for k in (0, 1, 2)]]
    config = write_config(
        script, size=P6_SIZE, verdict=[(4, 0, k, 0.9) for k in (0, 1, 2)]
    )
    options = dict(reference='prompted', assign=dict(method=method))
    for mode in ('tracks', 'per_frame'):
        one, two = label(build(config, mode=mode, **options), p6_video())
        assert one.masks == [None]
        assert two.scores == [pytest.approx(0.25375, abs=1e-5)]


def test_video_without_boxes_is_not_shown(write_config):
    source = build(write_config(SCRIPT))
    tracks = label(source, make_video([[None] * 3]))
    assert tracks[0].num_masks == 0 and source.model.seen == []


def test_mode_must_suit_the_model(write_config):
    with pytest.raises(ConfigError, match=r"mode='all' is unknown.*per_frame"):
        build(write_config(SCRIPT), mode='all')
    video = make_video([[LEFT] * 3])
    no_verdict = build(write_config(SCRIPT), mode='tracks')
    with pytest.raises(ConfigError, match=r'judges no tracks.*\[video 4\]'):
        label(no_verdict, video)
    no_ids = write_config(SCRIPT, verdict=VERDICT, with_ids=False)
    with pytest.raises(ConfigError, match='no "instances_id".*per_frame'):
        label(build(no_ids, mode='tracks'), video)
    (track,) = label(build(no_ids, mode='per_frame'), video)
    assert track.num_masks == 2
