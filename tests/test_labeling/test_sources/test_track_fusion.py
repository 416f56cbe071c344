"""Fusion of tracks: distances, scores and means by hand."""

import numpy as np
import pytest

from pmvis_mm.labeling.sources.track_fusion import (
    MeanFusion,
    SoftMask,
    best_track,
    mask_of,
    nearest_track,
    pack,
    prob_of,
    unpack,
)
from pmvis_mm.structures.rle import box_rle

SIZE = (2, 3)


def soft(*values):
    prob = np.array(values, np.float32).reshape(SIZE)
    return SoftMask(prob > 0.5, prob)


def mean_of(fusion, frame=0, given=None):
    found = fusion.resolve(frame, given or {})
    return {i: mask.astype(int).ravel().tolist() for i, mask in found.items()}


def test_masks_and_probabilities():
    mask = np.array([[True, False]])
    assert mask_of(mask) is mask
    assert prob_of(mask).dtype == np.float32
    assert prob_of(mask).tolist() == [[1, 0]]
    both = SoftMask(mask, np.array([[0.75, 0.25]]))
    assert mask_of(both) is mask
    assert prob_of(both).tolist() == [[0.75, 0.25]]


def test_nearest_is_the_first_of_equals():
    assert nearest_track([4, 2, 3, 2]) == 1
    assert nearest_track([7]) == 0


def test_best_track():
    box = (2.0, 1.0, 6.0, 5.0)
    masks = [box_rle((x, 1, x + 4, 5), 6, 12) for x in (3, 2, 1)]
    # Fits: 3/5, 1, 3/5.
    assert best_track(masks, box, None, [0, 3, 1]) == 1
    # SCM with a mask at 1: fits times 2/6, 3/5, 1 times its own fit 3/5:
    # 0.12, 0.36, 0.36. The better fit decides.
    reference = box_rle((1, 1, 5, 5), 6, 12)
    assert best_track(masks, box, reference, [0, 3, 1]) == 1
    # With a mask at 0 (fit 2/6): 3/5 * 1/7, 1 * 2/6, 3/5 * 3/5 = 0.36.
    reference = box_rle((0, 1, 4, 5), 6, 12)
    assert best_track(masks, box, reference, [0, 3, 1]) == 2
    # All else equal the nearest, then the first.
    twins = [masks[0], masks[2], masks[2]]
    assert best_track(twins, box, None, [2, 1, 1]) == 1


def test_pack_keeps_the_crop_in_steps():
    prob = np.zeros((40, 50), np.float32)
    prob[10:20, 5:9] = np.linspace(0.01, 1, 40).reshape(10, 4)
    kept = pack(prob)
    assert kept.corner == (10, 5) and kept.size == (10, 4)
    found = unpack(kept, (40, 50))
    assert found.dtype == np.float32
    assert np.abs(found - prob).max() <= 1 / 510 + 1e-6
    assert (found[prob == 1] == 1).all() and (found[prob == 0] == 0).all()
    # Storing it again loses nothing more.
    assert pack(found) == kept


def test_pack_of_nothing():
    kept = pack(np.full((4, 5), 1 / 600, np.float32))
    assert kept.data == b''
    assert not unpack(kept, (4, 5)).any()


def test_soft_masks_take_little_room():
    """A round object of 200 pixels in a frame of 480 x 854."""
    y, x = np.mgrid[:480, :854]
    radius = np.hypot(y - 240, x - 400)
    prob = 1 / (1 + np.exp(np.clip(radius - 100, -20, 20)))
    assert len(pack(prob).data) < 10_000  # 1.6 MB as float32


@pytest.mark.parametrize('at_once', [True, False])
def test_weights_fall_with_the_distance(at_once):
    fusion = MeanFusion(SIZE, False)
    # Weights 1/2 and 1/4: means 2/3 a + 1/3 b.
    a, b = soft(1, 1, 0.8, 0, 0.6, 0), soft(0, 0.1, 0, 1, 0.4, 0)
    if at_once:
        fusion.add(0, 7, [(a, 1), (b, 3)])
    else:
        fusion.add(0, 7, [(a, 1)])
        fusion.add(0, 7, [(b, 3)])
    # 0.67, 0.70, 0.53, 0.33, 0.53, 0
    assert mean_of(fusion) == {7: [1, 1, 1, 0, 1, 0]}
    # It is gone then.
    assert mean_of(fusion) == {}


def test_frames_do_not_mix():
    fusion = MeanFusion(SIZE, False)
    fusion.add(0, 0, [(soft(1, 0, 0, 0, 0, 0), 1)])
    fusion.add(1, 0, [(soft(0, 1, 0, 0, 0, 0), 1)])
    assert mean_of(fusion, 1) == {0: [0, 1, 0, 0, 0, 0]}
    assert mean_of(fusion, 0) == {0: [1, 0, 0, 0, 0, 0]}


def test_objects_and_background_compete():
    fusion = MeanFusion(SIZE, True)
    fusion.add(0, 2, [(soft(0.4, 0.4, 0.9, 0.3, 0, 0.2), 1)])
    fusion.add(0, 5, [(soft(0.3, 0.1, 0.8, 0.3, 0, 0.6), 1)])
    # Left for the background: 0.3, 0.5, -0.7, 0.4, 1, 0.2.
    assert mean_of(fusion) == {
        2: [1, 0, 1, 0, 0, 0],
        5: [0, 0, 0, 0, 0, 1],
    }


def test_without_competition_half_decides():
    fusion = MeanFusion(SIZE, False)
    fusion.add(0, 2, [(soft(0.4, 0.4, 0.9, 0.3, 0, 0.2), 1)])
    fusion.add(0, 5, [(soft(0.3, 0.1, 0.8, 0.3, 0, 0.6), 1)])
    assert mean_of(fusion) == {
        2: [0, 0, 1, 0, 0, 0],
        5: [0, 0, 1, 0, 0, 1],
    }


def test_one_pass_gives_what_it_gave():
    """The mean of one pass is the argmax of its probabilities."""
    rng = np.random.default_rng(0)
    prob = rng.dirichlet([1.0] * 4, (20, 30)).transpose(2, 0, 1)
    labels = prob.argmax(0)
    top = np.sort(prob, 0)
    clear = top[-1] - top[-2] > 4 / 510  # beyond all rounding
    assert clear.mean() > 0.9
    fusion = MeanFusion((20, 30), True)
    for i in range(3):
        fusion.add(0, i, [(SoftMask(labels == i + 1, prob[i + 1]), 4)])
    for i, mask in fusion.resolve(0, {}).items():
        assert np.array_equal(mask[clear], (labels == i + 1)[clear])


def test_given_masks_compete_but_are_not_returned():
    given = {1: np.array([[1, 1, 0], [0, 0, 0]], bool)}
    fusion = MeanFusion(SIZE, True)
    fusion.add(0, 0, [(soft(0.9, 0, 0.9, 0, 0, 0), 1)])
    # What the others say of it does not count there.
    fusion.add(0, 1, [(soft(0, 0, 1, 0, 0, 0), 1)])
    assert mean_of(fusion, 0, given) == {0: [0, 0, 1, 0, 0, 0]}
    free = MeanFusion(SIZE, False)
    free.add(0, 0, [(soft(0.9, 0, 0.9, 0, 0, 0), 1)])
    assert mean_of(free, 0, given) == {0: [1, 0, 1, 0, 0, 0]}


def test_nothing_tracked():
    assert MeanFusion(SIZE, True).resolve(3, {}) == {}
    given = {0: np.ones(SIZE, bool)}
    assert MeanFusion(SIZE, True).resolve(3, given) == {}
