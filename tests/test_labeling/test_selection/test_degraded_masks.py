import numpy as np
import pytest

from pmvis_mm.labeling.selection.degraded_masks import (
    DEGRADERS,
    UNCLIPPED,
    ExactTrack,
    degrade,
    imitate,
)
from pmvis_mm.testing.moving_shape import make_moving_shape


def make_track(num_frames=6, absent=()):
    video = make_moving_shape(num_frames)
    other = [np.roll(mask, 20, 1) for mask in video.masks]
    masks = [
        None if t in absent else mask for t, mask in enumerate(video.masks)
    ]
    boxes = [None if t in absent else b for t, b in enumerate(video.boxes)]
    return ExactTrack(masks, boxes, [other], video.images)


def iou(first, second):
    return (first & second).sum() / (first | second).sum()


# Lowest and highest mean IoU with the truth over ten draws.
BOUNDS = dict(
    tracker=(0.6, 0.99),
    lost_tracker=(0.2, 0.9),
    model=(0.5, 0.97),
    saliency=(0.4, 0.95),
    lasting_leak=(0.4, 0.99),
    lasting_miss=(0.1, 0.99),
    color=(0.1, 0.95),
    eroded=(0.2, 0.95),
    dilated=(0.5, 0.98),
    shifted=(0.2, 0.9),
    thin_lost=(0.4, 1.0),
    hull=(0.6, 0.9),
    box=(0.57, 0.58),  # 924 of 1600 pixels
    ellipse=(0.2, 0.6),
    neighbour=(0.0, 0.4),
    background=(0.0, 0.0),
)


@pytest.mark.parametrize('kind', sorted(DEGRADERS))
def test_masks_are_as_bad_as_meant(kind):
    track = make_track()
    values = []
    for seed in range(10):
        spoiled = degrade(kind, track, np.random.default_rng(seed))
        for t, mask in enumerate(spoiled):
            if mask is None:
                values.append(0.0)
                continue
            values.append(iou(mask, track.mask(t)))
            x0, y0, x1, y1 = (int(v) for v in track.boxes[t])
            outside = mask.copy()
            outside[y0:y1, x0:x1] = False
            assert kind in UNCLIPPED or not outside.any()
    low, high = BOUNDS[kind]
    assert low <= np.mean(values) <= high


@pytest.mark.parametrize('kind', sorted(DEGRADERS))
def test_absent_frames_stay_absent_and_seeds_repeat(kind):
    track = make_track(4, absent=(0, 2))
    first = degrade(kind, track, np.random.default_rng(3))
    again = degrade(kind, track, np.random.default_rng(3))
    assert first[0] is None and first[2] is None
    for one, two in zip(first, again):
        np.testing.assert_array_equal(one, two)


def test_without_neighbours():
    track = make_track()
    track.others = []
    for kind in DEGRADERS:
        spoiled = degrade(kind, track, np.random.default_rng(0))
        assert kind != 'neighbour' or spoiled == [None] * 6


def test_one_frame():
    for kind in DEGRADERS:
        assert len(degrade(kind, make_track(1), np.random.default_rng(0))) == 1


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="got 'nope'"):
        degrade('nope', make_track(), np.random.default_rng(0))


def test_imitation_repeats_the_mistakes():
    track = make_track(4, absent=(1,))
    rng = np.random.default_rng(0)
    weak = degrade('box', track, rng)
    copies = imitate(weak, track.boxes, rng)
    assert copies[1] is None
    for mask, copy in zip(weak, copies):
        if mask is not None:
            assert 0.8 < iou(mask, copy) < 1
