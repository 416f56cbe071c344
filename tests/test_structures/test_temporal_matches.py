import pytest
import torch

from pmvis_mm.structures.mask_targets import MaskTargets
from pmvis_mm.structures.temporal_matches import RowPairs, TemporalMatches
from pmvis_mm.utils.errors import PMVISError


def matches(**fields):
    """Three pairs of one clip of two frames of one row of four pixels."""
    values = dict(
        shape=(2, 1, 4),
        connections=[(0, 1), (1, 0)],
        counts=torch.tensor([[2, 1]]),
        centers=torch.tensor([4, 7, 0]),
        partners=torch.tensor([[1], [-1], [5]]),
    )
    return TemporalMatches(**dict(values, **fields))


def pairs():
    return RowPairs(
        matches(),
        torch.tensor([0, 2, 2]),
        [[0, 1, 2], [2, 2, 3]],
        torch.tensor([[2.0, 1], [0, 1]]),
        torch.tensor([0, 1]),
    )


def test_length_is_the_number_of_pairs():
    assert len(matches()) == 3
    none = torch.zeros(0, dtype=torch.long)
    empty = matches(
        connections=[],
        counts=torch.zeros(2, 0).long(),
        centers=none,
        partners=none[:, None],
    )
    assert len(empty) == 0


def test_partners_between_pixels_need_shares():
    partners = torch.zeros(3, 2, dtype=torch.long)
    with pytest.raises(PMVISError, match=r'mix .*None, not \(3, 2\)'):
        matches(partners=partners)
    mix = torch.full((3, 2), 0.5)
    assert matches(partners=partners, mix=mix).mix is mix


@pytest.mark.parametrize(
    'fields, message',
    [
        (dict(partners=torch.zeros(2, 1).long()), r'partners .*\(2, 1\)'),
        (
            dict(partners=torch.zeros(3).long()),
            r'partners .*\(3,\), not \(3, 1',
        ),
        (dict(counts=torch.tensor([3])), r'counts .*\(1,\), not \(1, 2\)'),
        (dict(counts=torch.tensor([[2, 2]])), 'add up to 4, but .* 3 pairs'),
        (dict(weights=torch.ones(2)), r'weights .*\(2,\).*Fix: give one row'),
        (dict(mix=torch.ones(3, 2)), r'mix .*\(3, 2\), not \(3, 1\)'),
    ],
)
def test_shapes_that_do_not_fit_are_refused(fields, message):
    with pytest.raises(PMVISError, match=message):
        matches(**fields)


def test_rows_of_pairs_are_taken_without_a_copy():
    found = pairs()
    taken = found.take(torch.tensor([1, 1, 0]))
    assert len(found) == 2
    assert len(taken) == 3
    assert taken.rows.tolist() == [1, 1, 0]
    assert taken.ids is found.ids
    assert taken.matches is found.matches
    assert taken.take(torch.tensor([2])).rows.tolist() == [0]
    assert len(taken.take(torch.zeros(0, dtype=torch.long))) == 0


def test_targets_gather_pairs_with_the_other_fields():
    targets = MaskTargets(torch.rand(2, 2, 1, 4), pairs=pairs())
    rows = targets.gather(torch.tensor([1, 0, 1]))
    assert rows.pairs.rows.tolist() == [1, 0, 1]
    kept = targets.gather(torch.tensor([False, True]))
    assert kept.pairs.rows.tolist() == [1]
    with pytest.raises(PMVISError, match='2 rows for 1 box masks.*gather'):
        MaskTargets(torch.rand(1, 2, 1, 4), pairs=pairs())
