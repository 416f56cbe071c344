import numpy as np
import pytest

from pmvis_mm.datasets.stratification import stratify


def make_counts(num_units, num_kinds, seed):
    """Few of some kinds, many of others, 1 to 4 in each unit."""
    rng = np.random.RandomState(seed)
    shares = rng.dirichlet(np.full(num_kinds, 0.5))
    return np.stack(
        [rng.multinomial(rng.randint(1, 5), shares) for _ in range(num_units)]
    )


def cost(counts, chosen, share):
    """Chi-square of what is chosen, written out."""
    total = 0.0
    for column in counts.T:
        if column.sum():
            expected = share * column.sum()
            total += (column[chosen].sum() - expected) ** 2 / column.sum()
    return total


def test_two_of_each_kind_are_halved():
    counts = np.array([[1, 0], [0, 1], [1, 0], [0, 1]])
    chosen = stratify(counts, np.ones(4, int), 2)
    assert counts[chosen].sum(0).tolist() == [1, 1]


def test_large_units_count_by_what_they_hold():
    # Half of eight things: the one unit with four, or the four with one.
    counts = np.array([[4], [1], [1], [1], [1]])
    chosen = stratify(counts, np.array([4, 1, 1, 1, 1]), 4)
    assert counts[chosen].sum() == 4
    assert chosen.tolist() in ([True] + [False] * 4, [False] + [True] * 4)


def test_a_kind_that_only_one_unit_has_stays_in_the_larger_part():
    counts = np.array([[1, 1], [1, 0], [1, 0], [1, 0], [1, 0]])
    assert stratify(counts, np.ones(5, int), 1)[0] == np.False_
    assert stratify(counts, np.ones(5, int), 4)[0] == np.True_


@pytest.mark.parametrize('target', [1, 7, 40, 79])
def test_single_items_meet_the_target(target):
    counts = make_counts(80, 6, 1)
    chosen = stratify(counts, np.ones(80, int), target)
    assert chosen.sum() == target


def test_units_of_many_items_come_close():
    sizes = np.random.RandomState(0).randint(1, 9, 60)
    chosen = stratify(make_counts(60, 5, 2), sizes, 30)
    assert abs(int(sizes[chosen].sum()) - 30) <= 2


def test_neither_part_is_empty():
    for sizes, target in (([9, 1], 5), ([9, 9], 1), ([9, 9], 17)):
        chosen = stratify(np.ones((2, 1), int), np.array(sizes), target)
        assert chosen.sum() == 1


def test_nothing_to_stratify():
    chosen = stratify(np.zeros((10, 3), int), np.ones(10, int), 3)
    assert chosen.sum() == 3
    assert stratify(np.zeros((4, 0), int), np.ones(4, int), 1).sum() == 1


@pytest.mark.parametrize('share', [0.1, 0.3, 0.5])
@pytest.mark.parametrize('seed', [0, 1])
def test_better_than_the_best_of_many_random_splits(share, seed):
    counts = make_counts(400, 40, seed)
    target = int(400 * share)
    chosen = stratify(counts, np.ones(400, int), target)
    rng = np.random.RandomState(9)
    costs = []
    for _ in range(200):
        other = np.zeros(400, bool)
        other[rng.permutation(400)[:target]] = True
        costs.append(cost(counts, other, share))
    assert cost(counts, chosen, share) < 0.5 * min(costs)


def test_every_kind_has_its_share():
    counts = make_counts(400, 40, 3)
    chosen = stratify(counts, np.ones(400, int), 100)
    assert (np.abs(counts[chosen].sum(0) - counts.sum(0) / 4) <= 1.5).all()


def test_bad_input_is_named():
    with pytest.raises(ValueError, match='cannot divide 1 units'):
        stratify(np.ones((1, 1), int), np.ones(1, int), 1)
    for target in (0, 3):
        with pytest.raises(ValueError, match=r'in 1 ... 2, got'):
            stratify(np.ones((3, 1), int), np.ones(3, int), target)
