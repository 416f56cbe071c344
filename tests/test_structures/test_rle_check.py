import numpy as np
import pytest

from pmvis_mm.structures.rle import box_rle, encode
from pmvis_mm.structures.rle_check import canonical_counts, read_many


def test_sound_counts_of_many_masks():
    rng = np.random.default_rng(0)
    masks = [rng.random((9, 40)) < p for p in (0, 0.01, 0.3, 0.7, 1)]
    masks.append(np.zeros((9, 40), bool))
    masks[-1][3:, 5:30] = True
    texts = [encode(mask)['counts'] for mask in masks]
    assert canonical_counts(texts, 360).all()
    assert not canonical_counts(texts, 361).any()
    assert canonical_counts([], 10).shape == (0,)


@pytest.mark.parametrize(
    'text',
    [
        '',
        'X20',  # 72 pixels, then a run of none
        'Wp',  # beyond the alphabet
        'W\n',
        '\xe9',
        'm',  # says that it goes on
        'o' * 9 + '0',  # longer than any count
        'X1',
        'Oi0Y2',  # a negative run
    ],
)
def test_one_bad_text_does_not_spoil_its_neighbours(text):
    good = box_rle((1, 1, 3, 3), 8, 9)['counts']
    found = canonical_counts([good, text, good, text], 72)
    assert found.tolist() == [True, False, True, False]
    assert canonical_counts([text], 72).tolist() == [False]


def test_a_first_run_of_length_zero_is_as_it_should_be():
    whole = box_rle((0, 0, 9, 8), 8, 9)['counts']
    assert whole[0] == '0'
    assert canonical_counts([whole], 72).tolist() == [True]


def test_read_many_asks_for_the_odd_ones_only():
    plain = box_rle((1, 1, 3, 4), 5, 6)
    empty = box_rle((0, 0, 0, 0), 5, 6)
    odd = [
        None,
        dict(plain, size=[6, 5]),
        dict(plain, counts='0'),
        dict(size=[5, 6], counts=[30]),
    ]
    asked = []

    def read(place, raw):
        asked.append((place, raw))
        return dict(found=place)

    given = [plain, odd[0], empty, *odd[1:], plain]
    masks = read_many(given, 5, 6, read)
    assert asked == [(1, odd[0]), *zip((3, 4, 5), odd[1:])]
    others = [dict(found=place) for place in (3, 4, 5)]
    assert masks == [plain, dict(found=1), None, *others, plain]
    assert read_many([], 5, 6, read) == []
