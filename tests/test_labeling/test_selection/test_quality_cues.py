"""Each cue prefers the true mask to one spoiled in the way it watches."""

import cv2
import numpy as np
import pytest

from pmvis_mm.labeling.selection.quality_cues import (
    CUES,
    MOTION_CUES,
    box_fit_cue,
    measure_cues,
    overlap,
    separation,
)
from pmvis_mm.labeling.selection.quality_table import collect_cues
from pmvis_mm.labeling.selection.quality_view import CropGrid, InstanceView
from pmvis_mm.testing.moving_shape import HEIGHT, WIDTH, make_moving_shape


def morph(change, side):
    kernel = np.ones((side, side), np.uint8)
    return lambda mask, box, t: change(mask.astype(np.uint8), kernel) > 0


def fill_box(mask, box, t):
    x0, y0, x1, y1 = (int(v) for v in box)
    result = np.zeros_like(mask)
    result[y0:y1, x0:x1] = True
    return result


def fill_ellipse(mask, box, t):
    x = (np.arange(WIDTH) + 0.5 - (box[0] + box[2]) / 2) / 20
    y = (np.arange(HEIGHT) + 0.5 - (box[1] + box[3]) / 2) / 20
    return x[None] ** 2 + y[:, None] ** 2 <= 1


SPOILERS = dict(
    good=lambda mask, box, t: mask,
    dilated=morph(cv2.dilate, 9),
    eroded=morph(cv2.erode, 9),
    shifted=lambda mask, box, t: np.roll(mask, 8, 1),
    half=lambda mask, box, t: mask & (np.arange(WIDTH)[None] < box[0] + 20),
    jumping=lambda mask, box, t: mask if t % 2 else np.roll(mask, 6, 0),
    box=fill_box,
    ellipse=fill_ellipse,
)


@pytest.fixture(scope='module')
def means():
    """Mean of each cue over the frames, by kind of mask."""
    video = make_moving_shape()
    tracks = {
        name: video.track(
            [
                spoil(mask, box, t)
                for t, (mask, box) in enumerate(zip(video.masks, video.boxes))
            ],
            name,
        )
        for name, spoil in SPOILERS.items()
    }
    (table,) = collect_cues(video, [tracks], [video.boxes])
    assert not np.isnan(table.values).any()
    return {
        name: dict(zip(CUES, values.mean(0)))
        for name, values in zip(table.names, table.values)
    }


@pytest.mark.parametrize(
    'cue, worse',
    [
        ('fit', 'dilated eroded shifted half jumping'),
        ('tangent', 'box'),
        ('not_ellipse', 'ellipse'),
        ('stable', 'jumping dilated'),
        ('edge', 'dilated eroded shifted ellipse jumping'),
        ('contrast', 'dilated eroded shifted ellipse jumping'),
        ('color_gap', 'eroded ellipse'),
        ('histogram', 'dilated eroded shifted half jumping box ellipse'),
        ('motion', 'eroded shifted half jumping box ellipse'),
        ('motion_contrast', 'dilated eroded shifted half jumping box ellipse'),
        ('motion_gap', 'eroded shifted half jumping box ellipse'),
    ],
)
def test_cue_prefers_the_good_mask(means, cue, worse):
    for name in worse.split():
        assert means['good'][cue] > means[name][cue] + 0.005, name


def test_all_cues_are_tested_and_lie_between_0_and_1(means):
    assert set(means['good']) == set(CUES)
    assert all(0 <= v <= 1 for cues in means.values() for v in cues.values())


def test_made_from_the_box_fits_for_nothing(means):
    for name in ('box', 'ellipse'):
        assert means[name]['fit'] == means['good']['fit'] == 1
    # What gives them away instead.
    assert means['box']['tangent'] == pytest.approx(0)
    assert means['ellipse']['not_ellipse'] < 0.1


def test_fit_saturates():
    assert box_fit_cue(0.95) == box_fit_cue(1.0) == 1
    assert box_fit_cue(0.45) == pytest.approx(0.5)
    assert box_fit_cue(0.0) == 0


def test_separation_is_the_chance_to_win():
    values = np.array([[0.0, 1.0, 2.0, 3.0]])
    pick = lambda *where: np.isin(np.arange(4), where)[None]  # noqa: E731
    assert separation(values, pick(2, 3), pick(0, 1)) == 1
    assert separation(values, pick(0, 1), pick(2, 3)) == 0
    # 3 beats both, 0 beats none.
    assert separation(values, pick(0, 3), pick(1, 2)) == 0.5
    # Ties count half: 1 of 2, and 3 of 4 with the winner.
    same = np.array([[1.0, 1.0, 0.0, 1.0]])
    assert separation(same, pick(0, 1), pick(2, 3)) == 0.75
    assert separation(values, pick(), pick(1)) == 0.5
    assert separation(np.ones((1, 4)), pick(0), pick(1)) == 0.5


def test_overlap_by_hand():
    first = np.array([1, 1, 0, 0], bool)
    assert overlap(first, np.array([0, 1, 1, 0], bool)) == pytest.approx(1 / 3)
    assert overlap(first & False, first & False) == 0


def view_of(image, flow=None):
    box = (10.0, 10.0, 30.0, 30.0)
    return InstanceView(image, box, CropGrid.around(box, 60, 60), flow)


def test_empty_mask_gets_nothing():
    view = view_of(np.zeros((60, 60, 3), np.uint8))
    cues = measure_cues(np.zeros(view.inside.shape, bool), view)
    assert set(cues) == set(CUES) - {'fit', 'stable'}
    assert set(cues.values()) == {0.0}


def test_mask_that_fills_the_crop():
    view = view_of(np.zeros((60, 60, 3), np.uint8))
    cues = measure_cues(np.ones(view.inside.shape, bool), view)
    assert cues['edge'] == cues['contrast'] == cues['tangent'] == 0


def test_without_motion_motion_cues_are_unknown():
    image = np.random.default_rng(0).integers(0, 255, (60, 60, 3), np.uint8)
    view = view_of(image)
    cues = measure_cues(view.ellipse, view)
    unknown = {name for name, value in cues.items() if np.isnan(value)}
    assert unknown == set(MOTION_CUES)


def test_color_difference_by_hand():
    """Black in white: 100 units of lightness apart at every outline pixel."""
    image = np.full((60, 60, 3), 255, np.uint8)
    image[10:30, 10:30] = 0
    view = view_of(image)
    cues = measure_cues(view.inside, view)
    # 100 / (100 + 12) is more than the 0.64 of a true outline.
    assert cues['contrast'] == 1 and cues['color_gap'] == 1
    flat = view_of(np.full((60, 60, 3), 90, np.uint8))
    assert measure_cues(flat.inside, flat)['contrast'] < 1e-3
