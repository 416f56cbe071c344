"""The outline measure, against counts by hand and pairs of pixels."""

import math

import numpy as np
import pytest

from pmvis_mm.evaluation.functional import boundary_f, boundary_map

# Its diagonal is 500 pixels: the tolerance is 4.
FRAME = (300, 400)


def square(x, y, side=20, size=FRAME):
    mask = np.zeros(size, bool)
    mask[y : y + side, x : x + side] = True
    return mask


def by_pairs(guess, real, tolerance=0.008):
    """F from all distances between the pixels of two outlines."""
    outlines = [np.argwhere(slow_map(m)).astype(float) for m in (guess, real)]
    first, second = outlines
    if not len(first) or not len(second):
        return float(len(first) == len(second))
    radius = math.ceil(tolerance * math.sqrt(sum(n**2 for n in guess.shape)))
    gaps = np.linalg.norm(first[:, None] - second[None], axis=-1)
    near = gaps <= radius + 1e-9
    precision, recall = near.any(1).mean(), near.any(0).mean()
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def slow_map(mask):
    height, width = mask.shape
    result = np.zeros_like(mask)
    for y in range(height):
        for x in range(width):
            for v, u in ((y, x + 1), (y + 1, x), (y + 1, x + 1)):
                if v < height and u < width and mask[v, u] != mask[y, x]:
                    result[y, x] = True
    # In the last row only the right neighbour counts, in the last column
    # only the lower one.
    return result


def blobs(rng, size):
    """Some random ellipses, perhaps none, perhaps over the edge."""
    y, x = np.ogrid[: size[0], : size[1]]
    mask = np.zeros(size, bool)
    for _ in range(rng.integers(0, 4)):
        center = rng.uniform(0, 1, 2) * size
        radii = rng.uniform(0.5, 0.4 * max(size), 2)
        mask |= ((y - center[0]) / radii[0]) ** 2 + (
            (x - center[1]) / radii[1]
        ) ** 2 < 1
    return mask


def test_map_of_a_square():
    expected = np.zeros((6, 6), bool)
    expected[1:4, 1:4] = True
    expected[2, 2] = False
    assert np.array_equal(boundary_map(square(2, 2, 2, (6, 6))), expected)


def test_the_edge_of_the_frame_is_no_boundary():
    mask = np.zeros((4, 5), bool)
    mask[:, 3:] = True
    expected = np.zeros((4, 5), bool)
    expected[:, 2] = True
    assert np.array_equal(boundary_map(mask), expected)
    assert not boundary_map(np.ones((4, 5), bool)).any()


@pytest.mark.parametrize('size', [(1, 1), (1, 9), (9, 1), (7, 11)])
def test_map_of_random_masks(size):
    rng = np.random.default_rng(0)
    for _ in range(20):
        mask = rng.random(size) < 0.6
        assert np.array_equal(boundary_map(mask), slow_map(mask))


def test_identical_masks():
    assert boundary_f(square(30, 40), square(30, 40)) == 1.0


@pytest.mark.parametrize('shift', [1, 4])
def test_a_shift_within_the_tolerance_costs_nothing(shift):
    assert boundary_f(square(30 + shift, 40), square(30, 40)) == 1.0


def test_a_shift_beyond_the_tolerance():
    # The outline has 80 pixels: 4 sides of 21 that share corners. 5 pixels
    # to the right, the left side finds nothing (21). Of the right side, 5
    # pixels at each end have a horizontal side in reach: 21 - 10 find
    # nothing. P = R = (80 - 32) / 80.
    assert boundary_f(square(35, 40), square(30, 40)) == pytest.approx(0.6)


def test_disjoint_masks():
    assert boundary_f(square(200, 40), square(30, 40)) == 0.0


def test_a_larger_tolerance():
    # 0.02 of the diagonal: 10 pixels.
    assert boundary_f(square(40, 40), square(30, 40), 0.02) == 1.0
    assert boundary_f(square(41, 40), square(30, 40), 0.02) < 1.0
    one, other = (square(x, 20, size=(60, 80)) for x in (30, 31))
    assert boundary_f(one, one, 0.0) == 1.0
    assert boundary_f(one, other, 0.0) == by_pairs(one, other, 0.0) < 1


def test_precision_and_recall_differ():
    # Two squares where one is real: half the outline is right, all found.
    both = square(30, 40) | square(200, 40)
    assert boundary_f(both, square(30, 40)) == pytest.approx(2 / 3)
    assert boundary_f(square(30, 40), both) == pytest.approx(2 / 3)


def test_empty_masks():
    nothing = np.zeros(FRAME, bool)
    assert boundary_f(nothing, nothing) == 1.0
    assert boundary_f(nothing, square(30, 40)) == 0.0
    assert boundary_f(square(30, 40), nothing) == 0.0
    # A full frame has no outline either.
    assert boundary_f(~nothing, ~nothing) == 1.0


@pytest.mark.parametrize('size', [(1, 40), (33, 47), (60, 45)])
@pytest.mark.parametrize('tolerance', [0.008, 0.05])
def test_random_masks_by_pairs_of_pixels(size, tolerance):
    rng = np.random.default_rng(7)
    found = []
    for _ in range(25):
        guess, real = blobs(rng, size), blobs(rng, size)
        found.append(boundary_f(guess, real, tolerance))
        expected = by_pairs(guess, real, tolerance)
        assert found[-1] == pytest.approx(expected, abs=1e-12)
    assert any(0 < value < 1 for value in found)


def test_integer_masks_count_as_bool():
    guess, real = square(35, 40), square(30, 40)
    found = boundary_f(7 * guess.astype(np.uint8), real.astype(np.int64))
    assert found == boundary_f(guess, real)


def test_bad_input_is_refused():
    mask = np.zeros((4, 5), bool)
    with pytest.raises(ValueError, match=r'two masks.*\(4, 5\) and \(5, 4\)'):
        boundary_f(mask, mask.T)
    with pytest.raises(ValueError, match='two masks'):
        boundary_f(mask[None], mask[None])
    with pytest.raises(ValueError, match='`tolerance` must be >= 0, got -1'):
        boundary_f(mask, mask, -1)
