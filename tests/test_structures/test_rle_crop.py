import numpy as np
import pytest

from pmvis_mm.structures import rle
from pmvis_mm.structures.rle_crop import decode_tight, decode_tight_any


@pytest.mark.parametrize('seed', range(20))
def test_decoding_the_tight_box_only(seed):
    rng = np.random.default_rng(seed)
    mask = np.zeros(rng.integers(1, 30, 2), bool)
    y0, x0 = rng.integers(0, mask.shape)
    part = mask[y0:, x0 : x0 + 7]
    part[:] = rng.random(part.shape) < rng.random()
    part[0, 0] = True
    rows, columns = np.nonzero(mask)
    x, y, tight = decode_tight(rle.encode(mask))
    assert (x, y) == (columns.min(), rows.min())
    expected = mask[y : rows.max() + 1, x : columns.max() + 1]
    np.testing.assert_array_equal(tight, expected)
    assert tight.dtype == bool


def test_decoding_the_tight_box_of_extremes():
    assert decode_tight(rle.encode(np.zeros((5, 6), bool))) is None
    for shape in ((1, 1), (5, 1), (1, 5), (5, 6)):
        x, y, tight = decode_tight(rle.encode(np.ones(shape, bool)))
        assert (x, y) == (0, 0) and tight.shape == shape and tight.all()
    # Runs of nothing, and counts as bytes.
    found = decode_tight(
        dict(size=[2, 3], counts=rle.encode(np.eye(2, 3))['counts'].encode())
    )
    np.testing.assert_array_equal(found[2], np.eye(2, dtype=bool))


FORMS = (
    lambda mask: rle.encode(mask),
    lambda mask: dict(
        size=list(mask.shape),
        counts=rle.run_lengths([rle.encode(mask)])[0].tolist(),
    ),
    lambda mask: dict(
        size=list(mask.shape), counts=rle.encode(mask)['counts'].encode()
    ),
)


@pytest.mark.parametrize('form', FORMS)
def test_any_form_is_that_of_from_any(form):
    rng = np.random.default_rng(0)
    for density in (0, 0.05, 0.5, 1):
        mask = rng.random((9, 7)) < density
        given = form(mask)
        found = decode_tight_any(given, 9, 7)
        canonical = rle.from_any(given, 9, 7)
        if canonical is None:
            assert found is None and not mask.any()
            continue
        x, y, crop = found
        full = np.zeros((9, 7), bool)
        full[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
        np.testing.assert_array_equal(full, rle.decode(canonical))


def test_runs_of_length_zero():
    # Columns 0 and 1 of three rows: 0 off, 3 on, 0 off, 3 on, 3 off.
    given = dict(size=[3, 3], counts=[0, 3, 0, 3, 3])
    x, y, crop = decode_tight_any(given, 3, 3)
    assert (x, y) == (0, 0) and crop.shape == (3, 2) and crop.all()


def test_polygons_and_nothing():
    square = [[1.0, 1.0, 4.0, 1.0, 4.0, 3.0, 1.0, 3.0]]
    x, y, crop = decode_tight_any(square, 5, 6)
    assert (x, y) == (1, 1) and crop.shape == (2, 3) and crop.all()
    assert decode_tight_any(None, 5, 6) is None
    assert decode_tight_any([], 5, 6) is None


@pytest.mark.parametrize(
    'mask, message',
    [
        (dict(size=[6, 4], counts=[24]), r'mask size \[6, 4\] differs'),
        (dict(size=[4, 6], counts=[23]), 'counts add up to 23'),
        (dict(size=[4, 6], counts=[30, -6]), 'negative run'),
        (dict(size=[4, 6], counts='~'), 'neither a list nor a COCO string'),
        ('mask', 'not a segmentation: str'),
    ],
)
def test_malformed_masks_are_refused(mask, message):
    with pytest.raises(ValueError, match=message):
        decode_tight_any(mask, 4, 6)
