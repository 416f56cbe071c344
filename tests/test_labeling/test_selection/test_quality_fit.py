import numpy as np
import pytest

from pmvis_mm.labeling.selection import shqm
from pmvis_mm.labeling.selection.quality_cues import CUES
from pmvis_mm.labeling.selection.quality_fit import (
    RELATED,
    compare_rules,
    draw_candidates,
    fit_quality,
    shqm_path,
)
from pmvis_mm.labeling.selection.quality_table import CueTable, collect_cues
from pmvis_mm.testing.moving_shape import make_moving_shape


def make_known(number, seed, names='abcde', frames=6):
    """IoU is 0.2 + 0.5 * motion + 0.3 * mean contrast; the rest is noise."""
    rng = np.random.default_rng(seed)
    known = []
    for _ in range(number):
        table = CueTable(list(names), frames)
        table.values[:] = rng.random(table.values.shape)
        table.present[:] = rng.random(table.present.shape) < 0.9
        table.values[~table.present] = np.nan
        table.fits[:] = 0.9 * table.present
        motion = table.values[..., CUES.index('motion')]
        contrast = table.values[..., CUES.index('contrast')]
        truth = 0.2 + 0.5 * motion + 0.3 * np.nanmean(contrast, 1)[:, None]
        # What the others say is worth nothing.
        table.ious[:] = np.eye(len(names))[..., None]
        known.append(([table], [np.where(table.present, truth, np.nan)]))
    return known


def test_fit_finds_the_weights():
    model = fit_quality(make_known(60, 0), ridge=1e-6)
    assert model.own['motion'] == pytest.approx(0.5, abs=0.02)
    assert model.own['mean_contrast'] == pytest.approx(0.3, abs=0.05)
    rest = set(model.own) - {'motion', 'mean_contrast'}
    assert all(model.own[name] < 0.03 for name in rest)
    assert all(w > 0 for w in [*model.own.values(), *model.joint.values()])


def test_cue_that_misleads_gets_no_weight():
    known = make_known(20, 0)
    for tables, truths in known:
        misleading = 1 - np.nan_to_num(truths[0])
        tables[0].values[..., CUES.index('edge')] = misleading
    assert 'edge' not in fit_quality(known).own


def test_left_out_features_stay_out():
    model = fit_quality(make_known(10, 0), leave_out=['motion', 'explains'])
    assert 'motion' not in model.own and 'motion' not in model.joint
    assert 'explains' not in model.joint


def test_ridge_evens_out_the_weights():
    known = make_known(20, 0)
    share = [
        model.own['motion'] / sum(model.own.values())
        for model in (fit_quality(known, r) for r in (0.01, 10.0))
    ]
    assert share[1] < 0.8 * share[0]


def test_predictions_are_on_the_scale_of_iou():
    """Ridge shrinks them, the linear map in the end undoes it."""
    model = fit_quality(make_known(60, 0), ridge=1.0)
    predicted, true = [], []
    for tables, truths in make_known(20, 1):
        here = tables[0].present
        predicted.append(model.predict(tables)[0][here])
        true.append(truths[0][here])
    predicted, true = np.concatenate(predicted), np.concatenate(true)
    assert np.mean(predicted) == pytest.approx(np.mean(true), abs=0.02)
    slope = np.cov(predicted, true)[0, 1] / predicted.var()
    assert slope == pytest.approx(1, abs=0.1)


def test_nothing_to_fit_to():
    with pytest.raises(ValueError, match='no candidates'):
        fit_quality([])
    empty = CueTable(['a', 'b'], 2)
    with pytest.raises(ValueError, match='no candidates'):
        fit_quality([([empty], [np.full((2, 2), np.nan)])])


def test_draws_are_sets_of_two_to_five():
    names = [*'uvwxyz', *RELATED[0]]
    known = make_known(2, 0, names)
    drawn = list(draw_candidates(known, np.random.default_rng(0), 20))
    sizes = {len(tables[0].names) for tables, _ in drawn}
    assert sizes <= {2, 3, 4, 5} and len(sizes) > 2
    related = [set(RELATED[0]) <= set(t[0].names) for t, _ in drawn]
    assert any(related) and not all(related)
    for tables, truths in drawn:
        source = known[0] if len(truths) else known[1]
        assert truths[0].shape == tables[0].present.shape
        rows = [source[0][0].names.index(n) for n in tables[0].names]
        assert any(
            np.array_equal(truths[0], k[1][0][rows], equal_nan=True)
            for k in known
        )


def test_rules_are_compared_on_unseen_videos():
    model = fit_quality(make_known(40, 0))
    figures = compare_rules(model, make_known(20, 1), 0.0)
    # Sources that share nothing: SHQM takes the last.
    assert figures['shqm'] < figures['quality'] <= figures['oracle']
    assert figures['oracle'] - figures['quality'] < 0.01
    assert figures['correlation'] > 0.95


def test_shqm_of_a_table_is_shqm():
    video = make_moving_shape(3)
    masks = dict(
        a=video.masks,
        b=[np.roll(m, 3, 1) for m in video.masks],
        c=[np.roll(m, 4, 0) for m in video.masks],
        d=[np.zeros_like(m) for m in video.masks],
    )
    tracks = {name: video.track(m, name) for name, m in masks.items()}
    (table,) = collect_cues(video, [tracks], [video.boxes])
    expected = [
        shqm([t.masks[k] for t in tracks.values()], video.boxes[k])[0]
        for k in range(3)
    ]
    assert shqm_path(table).tolist() == expected
    assert shqm_path(CueTable(['a'], 2)).tolist() == [-1, -1]
