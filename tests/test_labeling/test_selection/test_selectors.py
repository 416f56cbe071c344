import cv2
import numpy as np
import pytest

from pmvis_mm.labeling.label_video import LabelVideo
from pmvis_mm.labeling.selection import QualityModel
from pmvis_mm.labeling.selection.quality_corpus import make_corpus
from pmvis_mm.labeling.selection.quality_fit import (
    compare_rules,
    draw_candidates,
)
from pmvis_mm.labeling.selection.quality_weights import QUALITY_MODEL
from pmvis_mm.labeling.selection.selectors import SHQM, QualitySelector
from pmvis_mm.registry import TASK_UTILS
from pmvis_mm.structures.rle import mask_iou
from pmvis_mm.testing.moving_shape import make_moving_shape

VIDEO = make_moving_shape(6)
EMPTY = [np.zeros_like(VIDEO.masks[0])] * 6


def dilated(masks, side):
    kernel = np.ones((side, side), np.uint8)
    return [cv2.dilate(m.astype(np.uint8), kernel) > 0 for m in masks]


def ellipses(scale=1.0):
    result = []
    for x0, y0, x1, y1 in VIDEO.boxes:
        y, x = np.mgrid[:96, :128] + 0.5
        x = (2 * x - x0 - x1) / (x1 - x0)
        y = (2 * y - y0 - y1) / (y1 - y0)
        result.append(x**2 + y**2 <= scale**2)
    return result


def drifted(masks):
    """A good tracker: a pixel off, another way in every frame."""
    return [np.roll(m, t % 2, t % 2) for t, m in enumerate(masks)]


def select(selector, require=(), **masks):
    tracks = {name: VIDEO.track(mine, name) for name, mine in masks.items()}
    video = LabelVideo(VIDEO.info, [], VIDEO)
    target = VIDEO.track(EMPTY, 'none')
    (track,) = selector.select(video, [target], [tracks], require)
    return track


def test_both_are_registered():
    assert isinstance(TASK_UTILS.build(dict(type='SHQM')), SHQM)
    selector = TASK_UTILS.build(dict(type='QualitySelector', switch_cost=0.2))
    assert isinstance(selector, QualitySelector)
    assert selector.switch_cost == 0.2


def test_two_weak_sources_that_agree_do_not_outvote_a_good_one():
    weak = dilated(VIDEO.masks, 13)
    masks = dict(
        good=drifted(VIDEO.masks),
        weak=weak,
        also_weak=dilated([np.roll(m, 1, 1) for m in weak], 3),
    )
    assert 'good' not in select(SHQM(), **masks).sources
    assert select(QualitySelector(), **masks).sources == ['good'] * 6


def test_masks_made_from_the_box_do_not_win_by_fitting_it():
    masks = dict(
        good=drifted(VIDEO.masks), ellipse=ellipses(), round=ellipses(0.96)
    )
    assert 'good' not in select(SHQM(), **masks).sources
    assert select(QualitySelector(), **masks).sources == ['good'] * 6


def test_scores_are_predicted_ious():
    masks = dict(good=VIDEO.masks, weak=ellipses())
    track = select(QualitySelector(), **masks)
    assert track.sources == ['good'] * 6
    (bad,) = {None} ^ {
        *select(QualitySelector(), weak=ellipses()).sources,
        None,
    }
    assert bad == 'weak'
    alone = select(QualitySelector(), weak=ellipses())
    assert all(0 <= score <= 1 for score in track.scores + alone.scores)
    real = mask_iou([alone.masks[0]], [track.masks[0]])[0, 0]
    assert np.mean(track.scores) > np.mean(alone.scores) + 0.2
    assert abs(np.mean(alone.scores) - real) < 0.25


def test_one_source_keeps_its_masks():
    masks = [*VIDEO.masks[:3], EMPTY[0], *VIDEO.masks[4:]]
    track = select(QualitySelector(), only=masks)
    assert track.masks == VIDEO.track(masks, 'only').masks
    assert track.sources[3] is None and track.scores[3] is None
    assert track.boxes == VIDEO.boxes


def test_all_empty_and_no_source():
    for masks in (dict(a=EMPTY, b=EMPTY), {}):
        track = select(QualitySelector(), **masks)
        assert track.num_masks == 0 and track.scores == [None] * 6


def test_source_that_is_absent_in_some_frames():
    masks = dict(
        good=[*VIDEO.masks[:3], *EMPTY[3:]], weak=dilated(VIDEO.masks, 13)
    )
    track = select(QualitySelector(), **masks)
    assert track.sources == ['good'] * 3 + ['weak'] * 3


def test_required_source_holds_frames_back():
    masks = dict(
        good=VIDEO.masks, weak=[*EMPTY[:2], *dilated(VIDEO.masks, 13)[2:]]
    )
    track = select(QualitySelector(), require=['weak'], **masks)
    assert track.sources == [None] * 2 + ['good'] * 4
    track = select(QualitySelector(), require=['missing'], good=VIDEO.masks)
    assert track.num_masks == 0


def test_one_frame():
    video = make_moving_shape(1)
    tracks = {
        'good': video.track(video.masks, 'good'),
        'weak': video.track(dilated(video.masks, 13), 'weak'),
    }
    target = video.track([EMPTY[0]], 'none')
    (track,) = QualitySelector().select(
        LabelVideo(video.info, [], video), [target], [tracks]
    )
    assert track.sources == ['good'] and np.isfinite(track.scores[0])


def test_no_instance():
    video = LabelVideo(VIDEO.info, [], VIDEO)
    assert QualitySelector().select(video, [], []) == []
    assert SHQM().select(video, [], []) == []


def test_choice_is_repeatable():
    masks = dict(a=dilated(VIDEO.masks, 5), b=drifted(VIDEO.masks))
    first, second = (select(QualitySelector(), **masks) for _ in range(2))
    assert first == second


def test_own_model():
    fit_only = dict(own={}, own_bias=0.0, joint=dict(fit=1.0))
    selector = QualitySelector(model=fit_only)
    track = select(selector, good=VIDEO.masks)
    assert track.scores == [1.0] * 6


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match='switch_cost=-1 is negative'):
        QualitySelector(switch_cost=-1)
    with pytest.raises(ValueError, match='model is malformed.*fit_quality'):
        QualitySelector(model=dict(own=dict(nope=1.0), own_bias=0.0))
    with pytest.raises(ValueError, match='malformed'):
        QualitySelector(model=dict(weights=1))


def test_unseen_videos_are_selected_better_than_by_shqm():
    """Another seed, size and length than those of the fit."""
    known = list(make_corpus(4, 77, (96, 160), 5))
    drawn = list(draw_candidates(known, np.random.default_rng(0), 8))
    figures = compare_rules(QualityModel(**QUALITY_MODEL), drawn, 0.05)
    assert figures['quality'] > figures['shqm'] + 0.01
    assert figures['oracle'] - figures['quality'] < 0.08
    assert figures['correlation'] > 0.6
