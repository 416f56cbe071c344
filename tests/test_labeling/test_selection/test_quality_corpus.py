import numpy as np
import pytest

from pmvis_mm.labeling.selection.quality_corpus import COMMON, make_corpus


@pytest.fixture(scope='module')
def corpus():
    return list(make_corpus(2, seed=3, size=(64, 96), num_frames=3))


def test_every_source_is_there(corpus):
    for tables, truths in corpus:
        assert len(tables) == len(truths) > 0
        names = tables[0].names
        assert set(COMMON) | {'grabcut', 'flow', 'tracker_2'} <= set(names)
        assert sum(name.startswith('like_') for name in names) == 2
        for table in tables:
            assert table.names == names


def test_truth_is_known_where_there_is_a_mask(corpus):
    for tables, truths in corpus:
        for table, truth in zip(tables, truths):
            np.testing.assert_array_equal(np.isnan(truth), ~table.present)
            assert np.nanmin(truth) >= 0 and np.nanmax(truth) <= 1
            assert not np.isnan(table.filled()).any()


def test_sources_differ_in_quality(corpus):
    means = {}
    for tables, truths in corpus:
        for table, truth in zip(tables, truths):
            for name, values in zip(table.names, truth):
                means.setdefault(name, []).extend(values[~np.isnan(values)])
    assert np.mean(means['tracker']) > np.mean(means['ellipse']) + 0.1


def test_same_seed_same_corpus(corpus):
    again = next(make_corpus(1, seed=3, size=(64, 96), num_frames=3))
    np.testing.assert_array_equal(again[1][0], corpus[0][1][0])
    np.testing.assert_array_equal(again[0][0].values, corpus[0][0][0].values)
