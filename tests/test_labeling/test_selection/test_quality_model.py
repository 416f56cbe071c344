import numpy as np
import pytest

from pmvis_mm.labeling.selection.quality_cues import CUES
from pmvis_mm.labeling.selection.quality_model import (
    JOINT_FEATURES,
    OWN_FEATURES,
    WINDOW,
    QualityModel,
    agreement_features,
    alone_features,
    derived,
    local_mean,
)
from pmvis_mm.labeling.selection.quality_table import CueTable


def make_table(values, ious=None):
    """All cues of a source are alike: values (S, T), NaN where absent."""
    values = np.asarray(values, float)
    table = CueTable([f's{i}' for i in range(len(values))], values.shape[1])
    table.present = ~np.isnan(values)
    table.values[:] = values[..., None]
    table.fits = np.nan_to_num(values)
    if ious is not None:
        both = table.present[:, None] & table.present[None]
        table.ious = np.asarray(ious, float)[..., None] * both
    return table


def test_means_count_what_is_there():
    present = np.array([[1, 1, 0], [0, 0, 0]], bool)
    values = np.array([[0.2, 0.4, 9.0], [9.0, 9.0, 9.0]])
    mean = local_mean(np.stack([values, 2 * values], 2), present)
    near = np.exp(-0.5 / WINDOW**2)
    by_hand = [
        (0.2 + 0.4 * near) / (1 + near),
        (0.2 * near + 0.4) / (1 + near),
    ]
    np.testing.assert_allclose(mean[0, :2, 0], by_hand)
    np.testing.assert_allclose(mean[0, :2, 1], 2 * np.array(by_hand))
    np.testing.assert_array_equal(mean[0, 2], 0)
    np.testing.assert_array_equal(mean[1], 0)


def test_means_forget_what_is_far():
    length = int(10 * WINDOW)
    present = np.ones((1, length), bool)
    values = np.arange(length)[None, :, None] < length // 2
    mean = local_mean(values.astype(float), present)[0, :, 0]
    assert mean[0] > 0.999 and mean[-1] < 0.001
    np.testing.assert_allclose(mean + mean[::-1], 1)
    # A lone mask has no record but itself.
    lone = np.zeros((1, 900), bool)
    lone[0, 500] = True
    mean = local_mean(np.full((1, 900, 1), 0.7), lone)
    assert mean[0, 500, 0] == pytest.approx(0.7)
    assert mean.sum() == pytest.approx(0.7)


def test_own_step_by_hand():
    model = QualityModel(dict(fit=0.5, mean_motion=0.25), 0.1)
    table = make_table([[0.2, 0.6], [np.nan, 0.8]])
    expected = model.expected(table)
    near = np.exp(-0.5 / WINDOW**2)
    mean = (0.2 + 0.6 * near) / (1 + near)
    assert expected[0, 0] == pytest.approx(0.5 * 0.2 + 0.25 * mean + 0.1)
    assert expected[1, 1] == pytest.approx(0.5 * 0.8 + 0.25 * 0.8 + 0.1)


def test_agreement_by_hand():
    ious = [[1, 0.6, 0.2], [0.6, 1, 0.4], [0.2, 0.4, 1]]
    table = make_table(np.full((3, 1), 0.5), ious)
    expected = np.array([[0.5], [0.3], [0.9]])
    result = agreement_features(table, expected, trust=0.0)[:, 0]
    # Without trust, the plain mean of the others.
    np.testing.assert_allclose(result[:, 0], [0.4, 0.5, 0.3])
    # Shortfalls of source 0: 0.3 - 0.6 < 0 and 0.9 - 0.2; of 1: 0.5 - 0.6
    # < 0 and 0.9 - 0.4; of 2: 0.5 - 0.2 and 0.3 - 0.4 < 0.
    np.testing.assert_allclose(result[:, 1], [0.65, 0.75, 0.85])
    trusting = agreement_features(table, expected, trust=50.0)[:, 0]
    np.testing.assert_allclose(trusting[:2, 0], [0.2, 0.4], atol=1e-4)


def test_two_weak_sources_that_agree_do_not_explain_a_good_one():
    """The pattern on which SHQM fails."""
    ious = [[1, 0.8, 0.45], [0.8, 1, 0.45], [0.45, 0.45, 1]]
    table = make_table(np.full((3, 1), 0.5), ious)
    expected = np.array([[0.5], [0.5], [0.9]])
    explains = agreement_features(table, expected, 8.0)[:, 0, 1]
    assert explains[2] > explains[0] and explains[2] > explains[1]
    # SHQM takes one of the two: 1.25 and 1.25 to 0.9.
    assert table.ious[..., 0].sum(1).argmax() != 2


def test_witness_counts_while_it_looks_good():
    """A tracker that is lost later still speaks at its keyframe."""
    ious = [[1, 0.9, 0.2], [0.9, 1, 0.3], [0.2, 0.3, 1]]
    table = make_table(np.full((3, 2), 0.5), ious)
    expected = np.array([[0.5, 0.5], [0.9, 0.1], [0.5, 0.5]])
    trusted = agreement_features(table, expected, 50.0)[0, :, 0]
    np.testing.assert_allclose(trusted, [0.9, 0.2], atol=1e-4)


def test_copies_are_no_witnesses():
    ious = np.array([[1, 1, 0.5], [1, 1, 0.5], [0.5, 0.5, 1]])
    frames = np.stack([ious, np.full((3, 3), 0.6)], 2)
    np.testing.assert_array_equal(
        derived(frames), [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    )
    table = make_table(np.full((3, 1), 0.5), ious)
    result = agreement_features(table, np.full((3, 1), 0.7), 0.0)[:, 0]
    # Each copy hears the third alone; the third hears one voice, not two.
    np.testing.assert_allclose(result[:, 0], 0.5)
    np.testing.assert_allclose(result[:, 1], 0.8)


def test_copies_of_copies_are_linked():
    ious = np.eye(3)[..., None].repeat(2, 2)
    ious[0, 1, 0] = ious[1, 0, 0] = 1
    ious[1, 2, 1] = ious[2, 1, 1] = 1
    assert derived(ious).all()


def test_alone_without_others():
    table = make_table([[0.5, np.nan]], [[1]])
    result = agreement_features(table, np.full((1, 2), 0.5), 8.0)
    np.testing.assert_allclose(result[0, 0], [0.5, 0.8])


def test_masks_that_reach_into_a_neighbour():
    tables = [make_table(np.full((2, 1), 0.5), np.eye(2)) for _ in range(2)]
    tables[0].covered[1] = np.array([[[0.0], [0.5]], [[0.2], [0.0]]])
    free = alone_features(tables, [np.full((2, 1), 0.5)] * 2, 8.0)
    np.testing.assert_allclose(free[0][:, 0], [0.75, 0.9])
    np.testing.assert_allclose(free[1], 1)
    # The second source of the neighbour looks better: its word counts.
    expected = [np.full((2, 1), 0.5), np.array([[0.0], [1.0]])]
    free = alone_features(tables, expected, 50.0)
    np.testing.assert_allclose(free[0][:, 0], [0.5, 1])


def test_prediction_is_clipped_and_0_where_absent():
    table = make_table([[0.0, 1.0, np.nan]])
    (low,) = QualityModel({}, 0.0, dict(fit=3.0), -1.0).predict([table])
    np.testing.assert_allclose(low, [[0, 1, 0]])


@pytest.mark.parametrize('cue', CUES)
def test_better_cue_never_lowers_what_is_expected(cue):
    model = QualityModel(dict.fromkeys(OWN_FEATURES, 0.05), 0.0)
    table = make_table(np.full((1, 3), 0.5))
    before = model.expected(table)[0]
    table.values[0, 1, CUES.index(cue)] += 0.3
    gain = model.expected(table)[0] - before
    # Its own 0.05 * 0.3, and a good third of it by way of the mean.
    assert gain[1] == pytest.approx(0.015 + 0.005, abs=5e-4)
    # The frames beside it have the mean alone.
    np.testing.assert_allclose(gain[[0, 2]], 0.005, atol=5e-4)


def test_json_round_trip():
    model = QualityModel(dict(fit=0.123456), 0.5, dict(alone=0.2), -0.1)
    data = model.to_json()
    assert data['own'] == dict(fit=0.1235)
    assert QualityModel(**data).to_json() == data
    assert 'mean_alone' in JOINT_FEATURES and 'alone' not in OWN_FEATURES


@pytest.mark.parametrize('weights', [dict(nope=1.0), dict(fit=-0.1)])
def test_bad_weights_are_refused(weights):
    with pytest.raises(ValueError, match='non-negative and named'):
        QualityModel(weights, 0.0)


def test_video_without_instances():
    assert QualityModel({}, 0.0).predict([]) == []
