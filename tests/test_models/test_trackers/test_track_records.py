from typing import Dict, List

import pytest
import torch

from pmvis_mm.models import TrackRecords
from pmvis_mm.utils.errors import ConfigError, FrameError, PMVISError

_SCORES = (0.3, 0.06, 0.01)


def _add(records: TrackRecords, frame: int, hits: Dict[int, tuple]) -> None:
    scores = torch.tensor([list(s) for s in hits.values()]).reshape(-1, 3)
    records.add(frame, torch.tensor(list(hits), dtype=torch.long), scores)


def _play(frames_of: Dict[int, List[int]], length: int) -> TrackRecords:
    """Add a video in which ids hit the frames given."""
    records = TrackRecords()
    for frame in range(length):
        hits = {i: _SCORES for i, at in frames_of.items() if frame in at}
        _add(records, frame, hits)
    return records


def _starts(records: TrackRecords) -> Dict[int, int]:
    results = records.finish(multi_class=False)
    return dict(
        zip(results.instances_id.tolist(), results.start_frames.tolist())
    )


def test_case_23_deleted_at_frame_9_and_begun_again():
    frames = {0: range(12), 5: [2, 3, 11], 7: range(12)}
    records = _play({i: list(at) for i, at in frames.items()}, 10)
    assert records.ids == [0, 7]
    records = _play({i: list(at) for i, at in frames.items()}, 12)
    # At the end of the order, and hits before frame 11 are lost.
    assert records.ids == [0, 7, 5]
    assert _starts(records) == {0: 0, 7: 0, 5: 11}
    results = records.finish()
    assert results.instances_id.tolist() == [0, 0, 7, 7, 5, 5]
    assert results.labels.tolist() == [0, 1, 0, 1, 0, 1]
    torch.testing.assert_close(
        results.scores, torch.tensor([0.3, 0.06]).repeat(3)
    )
    assert results.scores.dtype == torch.float32


def test_lost_hits_do_not_count_in_the_mean():
    records = TrackRecords()
    for frame in range(12):
        hits = {}
        if frame in (2, 3):
            hits = {5: (0.9, 0.0, 0.0)}
        if frame == 11:
            hits = {5: (0.1, 0.7, 0.0)}
        _add(records, frame, hits)
    results = records.finish()
    assert results.labels.tolist() == [0, 1]
    torch.testing.assert_close(results.scores, torch.tensor([0.1, 0.7]))


@pytest.mark.parametrize(
    'hits, length, alive',
    [
        # Below ten frames nothing is ever deleted.
        ([0], 9, True),
        ([0], 10, False),
        # Two misses are needed: frame 9 sees only one of them.
        ([8], 10, True),
        ([8], 11, False),
        ([7], 10, False),
        # Two hits are not enough, three are.
        ([0, 1], 10, False),
        ([0, 1, 2], 30, True),
        # Hits between keep it until there are three.
        ([8, 10, 12], 20, True),
        ([8, 11, 12], 13, True),
        ([8, 11, 12], 14, True),
        ([8, 11, 12], 15, False),
    ],
)
def test_clean_up(hits, length, alive):
    records = _play({4: hits}, length)
    assert (records.ids == [4]) == alive


def test_a_third_hit_after_deletion_begins_anew():
    # Deleted after frame 10, so frame 11 is hit 1 of the new record.
    assert _starts(_play({4: [8, 11, 12]}, 14)) == {4: 11}
    assert _starts(_play({4: [8, 10, 12]}, 14)) == {4: 8}


def test_mean_and_max_over_present_frames():
    records = TrackRecords()
    _add(records, 0, {3: (0.2, 0.5, 0.0)})
    _add(records, 1, {})
    _add(records, 2, {3: (0.6, 0.3, 0.0), -1: (1.0, 1.0, 1.0)})
    mean = records.finish()
    assert mean.labels.tolist() == [0, 1]
    torch.testing.assert_close(mean.scores, torch.tensor([0.4, 0.4]))
    highest = records.finish(temporal='max')
    torch.testing.assert_close(highest.scores, torch.tensor([0.6, 0.5]))
    # Asking twice changes nothing.
    assert torch.equal(records.finish().scores, mean.scores)


def test_threshold_and_best_class():
    records = TrackRecords()
    _add(records, 0, {8: (0.04, 0.05, 0.01), 2: (0.0, 0.051, 0.5)})
    results = records.finish(score_thr=0.05)
    # 0.05 as float32 is not above 0.05; no class of track 8 is left.
    assert results.instances_id.tolist() == [2, 2]
    assert results.labels.tolist() == [1, 2]
    best = records.finish(multi_class=False, score_thr=0.05)
    assert best.instances_id.tolist() == [8, 2]
    assert best.labels.tolist() == [1, 2]
    torch.testing.assert_close(best.scores, torch.tensor([0.05, 0.5]))


def test_long_mean_agrees_with_float32_mean():
    torch.manual_seed(0)
    scores = torch.rand(2000, 3)
    records = TrackRecords()
    for frame, row in enumerate(scores):
        records.add(frame, torch.tensor([0]), row[None])
    results = records.finish(score_thr=0.0)
    torch.testing.assert_close(
        results.scores, scores.mean(0), atol=1e-6, rtol=0
    )


def test_records_keep_no_view_of_the_frame():
    records = TrackRecords()
    scores = torch.rand(50, 3)
    records.add(0, torch.tensor([0] + [-1] * 49), scores)
    scores.fill_(9)
    assert records.finish(score_thr=0.0).scores.max() <= 1
    total = records._records[0].total
    assert total.untyped_storage().nbytes() == 3 * 8


def test_memory_is_that_of_the_tracks():
    records = TrackRecords()
    for frame in range(200):
        _add(records, frame, {frame: _SCORES})
    # One hit each: only those of the last two frames are left.
    assert records.ids == [198, 199]


def test_empty_video():
    for records in (TrackRecords(), _play({}, 3)):
        for multi_class in (True, False):
            results = records.finish(multi_class)
            assert len(results) == 0
            assert results.instances_id.dtype == torch.int64
            assert results.start_frames.shape == (0,)
            assert results.labels.dtype == torch.int64
            assert results.scores.dtype == torch.float32


def test_bad_input():
    records = TrackRecords()
    with pytest.raises(FrameError, match='frame 1 where frame 0 is next'):
        _add(records, 1, {})
    with pytest.raises(PMVISError, match=r'ids \(2,\) and class scores'):
        records.add(0, torch.tensor([0, 1]), torch.rand(1, 3))
    with pytest.raises(PMVISError, match=r'\[4, -1, 4\] name a track twice'):
        records.add(0, torch.tensor([4, -1, 4]), torch.rand(3, 3))
    # A refused frame is not added; two frames without track are fine.
    records.add(0, torch.tensor([-1, -1]), torch.rand(2, 3))
    with pytest.raises(PMVISError, match='5 classes where earlier frames ha'):
        records.add(1, torch.tensor([0]), torch.rand(1, 5))
    with pytest.raises(ConfigError, match="temporal='sum' is unknown"):
        records.finish(temporal='sum')
    with pytest.raises(ConfigError, match='score_thr=-1 is out of range'):
        records.finish(score_thr=-1)


def test_state_lets_other_records_go_on():
    frames = {0: range(12), 5: [2, 3, 11], 7: range(4)}
    whole = _play({i: list(at) for i, at in frames.items()}, 12)
    for stop in (0, 1, 4, 10):
        first = _play({i: list(at) for i, at in frames.items()}, stop)
        state = first.state_dict()
        other = TrackRecords()
        other.load_state_dict(state)
        for frame in range(stop, 12):
            hits = {i: _SCORES for i, at in frames.items() if frame in at}
            _add(other, frame, hits)
        assert other.ids == whole.ids and _starts(other) == _starts(whole)
        assert torch.equal(other.finish().scores, whole.finish().scores)
        # Records that went on did not change those they came from.
        again = first.state_dict()
        assert torch.equal(again['total'], state['total'])
        assert again['ids'] == state['ids'] and again['num_frames'] == stop
