import copy
from typing import List

import pytest
import torch

from pmvis_mm.models.trackers import (
    IDOLTracker,
    mask_nms,
    temporal_embedding,
)
from pmvis_mm.registry import MODELS
from pmvis_mm.utils.errors import ConfigError, FrameError, PMVISError


def _masks(*columns: int) -> torch.Tensor:
    """Logits of masks that fill one column of 8x8 each."""
    logits = torch.full((len(columns), 8, 8), -5.0)
    for row, column in enumerate(columns):
        logits[row, :, column] = 5
    return logits


def _axes(*axes: int, length: float = 5.0) -> torch.Tensor:
    """Embeddings along coordinate axes; their products are 25 or 0."""
    return length * torch.eye(8)[list(axes)]


def _track(tracker, frame, scores, axes) -> List[int]:
    ids = tracker.track(
        frame, torch.tensor(scores), _axes(*axes), _masks(*range(len(axes)))
    )
    assert ids.dtype == torch.int64
    return ids.tolist()


def _live_memory(tracker: IDOLTracker, track_id: int) -> torch.Tensor:
    return tracker._tracks[track_id].memory


def test_built_from_registry_without_parameters():
    tracker = MODELS.build(dict(type='IDOLTracker', new_score_thr=0.3))
    assert isinstance(tracker, IDOLTracker)
    assert not isinstance(tracker, torch.nn.Module)
    assert tracker.new_score_thr == 0.3
    assert tracker.live_ids == []


def test_case_12_temporal_embedding():
    embeds = torch.tensor([[1.0, 0], [0, 1], [1, 1]])
    scores = torch.tensor([0.9, 0.5, 0.7])
    # Weights .9 + 1/3, .5 + 2/3, .7 + 1 of sum 4.1.
    expected = torch.tensor([0.715447, 0.699187])
    torch.testing.assert_close(
        temporal_embedding(embeds, scores), expected, atol=1e-6, rtol=0
    )


@pytest.mark.parametrize(
    'temporal, expected',
    [(True, (0.715447, 0.699187)), (False, (0.84, 0.96))],
)
def test_case_12_memory_of_a_track(temporal, expected):
    tracker = IDOLTracker(temporal_weight=temporal)
    embeds = [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
    for frame, (embed, score) in enumerate(zip(embeds, (0.9, 0.5, 0.7))):
        # Alone in both softmaxes: the similarity is 1.
        ids = tracker.track(
            frame, torch.tensor([score]), torch.tensor([embed]), _masks(0)
        )
        assert ids.tolist() == [0]
    torch.testing.assert_close(
        _live_memory(tracker, 0), torch.tensor(expected), atol=1e-6, rtol=0
    )


def test_memory_holds_the_last_three_only():
    tracker = IDOLTracker()
    frame_embeds = torch.randn(20, 1, 4)
    for frame, embed in enumerate(frame_embeds):
        tracker.track(frame, torch.tensor([0.5]), embed, _masks(0))
    track = tracker._tracks[0]
    assert torch.equal(track.embeds, frame_embeds[-3:, 0])
    assert track.hits == 20
    assert track.embeds.untyped_storage().nbytes() <= 4 * 4 * 4


def test_a_new_track_does_not_keep_the_frame_tensor():
    tracker = IDOLTracker()
    tracker.track(0, torch.tensor([0.9, 0.8]), torch.eye(2), _masks(0, 1))
    for track in tracker._tracks.values():
        assert track.embeds.untyped_storage().nbytes() == 2 * 4


def test_case_14_empty_masks_overlap_fully():
    logits = torch.full((3, 4, 4), -9.0)
    logits[1, 0] = 9
    assert mask_nms(logits, 0.5).tolist() == [0, 1]


def test_mask_nms_is_greedy_in_the_order_given():
    # Rows of 8, 6, 4 cells, nested: IoU .75, .67, .5 and a bit (epsilon).
    logits = torch.full((3, 1, 8), -5.0)
    for row, count in enumerate((8, 6, 4)):
        logits[row, 0, :count] = 5
    assert mask_nms(logits, 0.5).tolist() == [0]
    # The first drops the second; dropped ones drop nobody.
    assert mask_nms(logits, 0.6).tolist() == [0, 2]
    assert mask_nms(logits, 0.7).tolist() == [0, 2]
    assert mask_nms(logits, 0.8).tolist() == [0, 1, 2]
    assert mask_nms(logits[:0], 0.5).tolist() == []


def test_probability_one_half_is_outside():
    # sigmoid(0) is 0.5, which is not above it: both masks are empty.
    logits = torch.stack([torch.zeros(4, 4), torch.full((4, 4), -1.0)])
    assert mask_nms(logits, 0.5).tolist() == [0]


def test_duplicates_get_no_track():
    tracker = IDOLTracker()
    ids = tracker.track(
        0, torch.tensor([0.9, 0.8, 0.7]), _axes(0, 1, 2), _masks(3, 3, 4)
    )
    assert ids.tolist() == [0, -1, 1]


def test_births_need_more_than_the_threshold():
    tracker = IDOLTracker(init_score_thr=0.2, new_score_thr=0.3)
    # Empty memory: 0.2 as float32 is not above 0.2.
    assert _track(tracker, 0, [0.15, 0.1], (0, 1)) == [-1, -1]
    assert _track(tracker, 1, [0.21, 0.2], (0, 1)) == [0, -1]
    # Now the other threshold; weak detections continue tracks all the same.
    assert _track(tracker, 2, [0.31, 0.3, 0.1], (1, 2, 0)) == [1, -1, 0]


def test_detections_follow_their_embedding():
    tracker = IDOLTracker()
    assert _track(tracker, 0, [0.9, 0.8, 0.7], (0, 1, 2)) == [0, 1, 2]
    assert _track(tracker, 1, [0.9, 0.8, 0.7], (2, 0, 1)) == [2, 0, 1]
    assert _track(tracker, 2, [0.9, 0.8], (1, 5)) == [1, 3]
    assert tracker.live_ids == [0, 1, 2, 3]


def test_the_better_score_chooses_first():
    tracker = IDOLTracker()
    assert _track(tracker, 0, [0.9, 0.8], (0, 1)) == [0, 1]
    # Both look like track 0: similarity (1 + 1/2) / 2 each.
    assert _track(tracker, 1, [0.6, 0.5], (0, 0)) == [0, 2]
    # Now 0 and 2 look alike: (1/2 + 1) / 2 each, track 0 has more hits.
    assert _track(tracker, 2, [0.4], (0,)) == [0]


@pytest.mark.parametrize('gap', [False, True])
def test_expiry_after_ten_frames(gap):
    tracker = IDOLTracker(memory_frames=10)
    _track(tracker, 0, [0.9], (0,))
    for frame in range(1, 10):
        if not gap:
            assert _track(tracker, frame, [], ()) == []
    # Last seen 9 frames before the frame that ended: still alive.
    assert tracker.live_ids == [0]
    assert _track(tracker, 10, [0.15], (0,)) == [0]
    if not gap:
        for frame in range(11, 21):
            _track(tracker, frame, [], ())
        assert tracker.live_ids == []
    # Ids are not reused; with an empty memory 0.15 starts nothing.
    assert _track(tracker, 21, [0.25, 0.15], (0, 1)) == [1, -1]


def _look_alikes(frame_weight: bool) -> int:
    """Show tracks A (4 hits) and B (1 hit) to a detection closer to B."""
    tracker = IDOLTracker(frame_weight=frame_weight)
    far = torch.tensor([[0.0, 40.0]])
    near = torch.tensor([[1.0, 0.0]])
    for frame in range(3):
        tracker.track(frame, torch.tensor([0.9]), near, _masks(0))
    both = torch.cat([near, far])
    ids = tracker.track(3, torch.tensor([0.9, 0.8]), both, _masks(0, 1))
    assert ids.tolist() == [0, 1]
    # Products 0.1 with A, 0.4 with B: over tracks .4256 and .5744, over
    # the one detection 1: similarity .71 and .79. Hits 4 and 1.
    query = torch.tensor([[0.1, 0.01]])
    ids = tracker.track(4, torch.tensor([0.9]), query, _masks(0))
    return int(ids)


def test_hit_counts_decide_between_likely_tracks():
    assert _look_alikes(frame_weight=True) == 0
    assert _look_alikes(frame_weight=False) == 1


def test_hit_counts_do_not_matter_for_one_likely_track():
    tracker = IDOLTracker()
    for frame in range(5):
        _track(tracker, frame, [0.9], (0,))
    assert _track(tracker, 5, [0.9, 0.8], (0, 1)) == [0, 1]
    # Both detections there: each likes one track only, 6 hits or not.
    assert _track(tracker, 6, [0.9, 0.8], (1, 0)) == [1, 0]


def test_softmax_ignores_other_detections():
    # One track: softmax over tracks is 1 for every detection.
    for metric, expected in (('softmax', [0, 1]), ('bisoftmax', [1, 0])):
        tracker = IDOLTracker(match_metric=metric)
        start = torch.tensor([[1.0, 0.0]])
        tracker.track(0, torch.tensor([0.9]), start, _masks(0))
        embeds = torch.tensor([[-90.0, 0.0], [90.0, 0.0]])
        ids = tracker.track(1, torch.tensor([0.9, 0.8]), embeds, _masks(0, 1))
        # bisoftmax: (1 + 0) / 2 is not above the threshold, (1 + 1) / 2 is.
        assert ids.tolist() == expected


def test_cosine_needs_a_likeness():
    tracker = IDOLTracker(match_metric='cosine')
    start = torch.tensor([[3.0, 0.0]])
    tracker.track(0, torch.tensor([0.9]), start, _masks(0))
    far = torch.tensor([[0.49, 0.8717]])  # cosine .49
    assert tracker.track(1, torch.tensor([0.1]), far, _masks(0)) == -1
    near = torch.tensor([[0.51, 0.8602]])
    assert tracker.track(2, torch.tensor([0.1]), near, _masks(0)) == 0


def test_frames_without_detections():
    tracker = IDOLTracker()
    assert _track(tracker, 0, [], ()) == []
    assert _track(tracker, 1, [0.9], (0,)) == [0]
    assert _track(tracker, 2, [], ()) == []
    assert _track(tracker, 3, [0.1], (0,)) == [0]


def test_reset_and_frame_order():
    tracker = IDOLTracker()
    _track(tracker, 0, [0.9], (0,))
    with pytest.raises(FrameError, match='frame 0 comes after frame 0'):
        _track(tracker, 0, [0.9], (0,))
    tracker.reset()
    assert tracker.live_ids == []
    assert _track(tracker, 0, [0.9], (3,)) == [0]


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(init_score_thr=1.5), 'init_score_thr=1.5 is out of range'),
        (dict(new_score_thr=-0.1), 'new_score_thr=-0.1 is out of range'),
        (dict(mask_nms_thr=2), 'mask_nms_thr=2 is out of range'),
        (dict(match_score_thr=-1), 'match_score_thr=-1 is out of range'),
        (dict(memory_momentum=1.1), 'memory_momentum=1.1 is out of range'),
        (dict(memory_frames=0), 'memory_frames=0 is out of range'),
        (dict(memory_len=1.5), 'memory_len=1.5 is out of range'),
        (dict(match_metric='l2'), "match_metric='l2' is unknown"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ConfigError, match=message):
        IDOLTracker(**options)


def test_bad_detections():
    tracker = IDOLTracker()
    with pytest.raises(PMVISError, match=r'scores are not sorted .*frame 3'):
        tracker.track(3, torch.tensor([0.1, 0.2]), _axes(0, 1), _masks(0, 1))
    with pytest.raises(PMVISError, match=r'embeds \(1, 8\) .* do not fit'):
        tracker.track(0, torch.tensor([0.2, 0.1]), _axes(0), _masks(0, 1))
    with pytest.raises(PMVISError, match=r'mask logits \(8, 8\) .*do not fit'):
        tracker.track(0, torch.tensor([0.2]), _axes(0), _masks(0)[0])
    with pytest.raises(PMVISError, match=r'scores \(\), .* do not fit'):
        tracker.track(0, torch.tensor(0.2), _axes(0), _masks(0))
    # Nothing of the refused frames was remembered.
    assert _track(tracker, 0, [0.9], (0,)) == [0]


def test_half_precision_input_is_compared_in_float32():
    tracker = IDOLTracker()
    scores = torch.tensor([0.9, 0.8]).bfloat16()
    for frame in range(2):
        ids = tracker.track(
            frame, scores, _axes(0, 1).bfloat16(), _masks(0, 1).bfloat16()
        )
        assert ids.tolist() == [0, 1]
    assert _live_memory(tracker, 0).dtype == torch.float32


def test_copies_although_embeddings_had_gradients():
    tracker = IDOLTracker()
    embeds = _axes(0).requires_grad_() * 1
    tracker.track(0, torch.tensor([0.9]), embeds, _masks(0))
    twin = copy.deepcopy(tracker)
    assert _track(twin, 1, [0.9], (0,)) == [0]
    assert tracker._last_frame == 0


@pytest.mark.parametrize('temporal_weight', [True, False])
def test_state_lets_another_tracker_go_on(temporal_weight):
    shown = [(0, 1, 2), (2, 1), (0,), (), (3, 2, 0), (1, 3)]
    scores = [0.9, 0.8, 0.7]

    def play(tracker, frames):
        return [
            _track(tracker, t, scores[: len(shown[t])], shown[t])
            for t in frames
        ]

    options = dict(temporal_weight=temporal_weight, memory_frames=3)
    whole = IDOLTracker(**options)
    expected = play(whole, range(6))
    for stop in range(6):
        first = IDOLTracker(**options)
        play(first, range(stop))
        state = first.state_dict()
        other = IDOLTracker(**options)
        other.load_state_dict(state, 'cpu')
        assert play(other, range(stop, 6)) == expected[stop:]
        assert other.live_ids == whole.live_ids
        for key in whole.live_ids:
            assert torch.equal(
                _live_memory(other, key), _live_memory(whole, key)
            )
        # The first tracker is left as it was.
        assert first.state_dict()['ids'] == state['ids']
