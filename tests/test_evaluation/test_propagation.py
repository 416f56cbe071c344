"""The protocol: what a propagator is given, what of its masks counts."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('mmcv.ops', reason='sources need the ops of mmdet')

from pmvis_mm.evaluation.functional import measure_jf
from pmvis_mm.evaluation.propagation import judge_propagation
from pmvis_mm.labeling.sources import FlowPropagator, PropagationSource
from pmvis_mm.labeling.sources.track_fusion import SoftMask
from pmvis_mm.structures import (
    MaskTrack,
    PseudoMaskSet,
    VideoAnnotations,
)
from pmvis_mm.structures.frame_reader import FrameReader
from pmvis_mm.structures.rle import decode, encode
from pmvis_mm.testing.tiny_vis import write_tiny_vis
from pmvis_mm.utils.errors import AnnotationError


class Repeater(PropagationSource):
    """Repeats the first mask; notes what it was given."""

    def __init__(self, soft=False, one_by_one=False, last=None):
        super().__init__('first')
        self.soft, self.one_by_one, self.last = soft, one_by_one, last
        self.calls, self.prepared = [], []

    def batches(self, seeds):
        if self.one_by_one:
            return [[number] for number in range(len(seeds))][::-1]
        return super().batches(seeds)

    def prepare(self, frames, sweeps):
        self.prepared += [list(seeds) for seeds, _ in sweeps]

    def propagate(self, frames, seeds, reverse):
        assert not reverse
        self.calls.append(list(seeds))
        stop = len(frames) if self.last is None else self.last + 1
        for t in range(min(seed.frame for seed in seeds), stop):
            masks = [
                decode(seed.mask) if t >= seed.frame else None
                for seed in seeds
            ]
            if self.soft:
                masks = [m if m is None else SoftMask(m, m) for m in masks]
            yield t, masks


@pytest.fixture
def data(tmp_path):
    write_tiny_vis(tmp_path, num_videos=1, num_frames=5)
    truth = VideoAnnotations.from_file(
        tmp_path / 'instances.json', with_masks=True
    )
    return truth, FrameReader(truth.videos[0], tmp_path / 'JPEGImages')


def test_by_hand(data):
    truth, frames = data
    source = Repeater()
    found = judge_propagation(source, frames, truth.tracks[0])
    # The square moves two pixels a frame: 6, 4 and 2 of 8 columns overlap.
    # The bar stands still. Neither the first nor the last frame counts.
    assert found.region == pytest.approx(
        {
            **{(0, 1): 6 / 10, (0, 2): 4 / 12, (0, 3): 2 / 14},
            **{(1, 1): 1, (1, 2): 1, (1, 3): 1},
        }
    )
    assert found.video_of == {0: 0, 1: 0}
    (seeds,) = source.calls
    assert source.prepared == source.calls
    assert [(s.instance, s.frame) for s in seeds] == [(0, 0), (1, 0)]
    assert [s.mask for s in seeds] == [
        track.segmentations[0] for track in truth.tracks[0]
    ]
    # No box may help.
    assert {box for s in seeds for box in s.boxes} == {None}
    assert all(len(s.boxes) == 5 for s in seeds)
    # The bar is absent in the last frame, where its mask is still repeated.
    whole = judge_propagation(
        Repeater(), frames, truth.tracks[0], skip_last=False
    )
    assert whole.region[1, 4] == 0 and len(whole.region) == 8


def test_same_numbers_as_for_a_stored_set(data):
    truth, frames = data
    masks = PseudoMaskSet.empty_like(truth)
    for track in truth.tracks[0]:
        repeated = MaskTrack.empty_like(track)
        for t in range(5):
            repeated.set(t, track.segmentations[0], 'x')
        masks.tracks[0].append(repeated)
    stored = measure_jf(masks, truth)
    for source in (Repeater(), Repeater(soft=True), Repeater(one_by_one=True)):
        found = judge_propagation(source, frames, truth.tracks[0])
        assert found.region == stored.region
        assert found.boundary == stored.boundary
    assert [len(call) for call in source.calls] == [1, 1]


def test_with_boxes(data):
    truth, frames = data
    source = Repeater()
    found = judge_propagation(
        source, frames, truth.tracks[0], with_boxes=True, skip_last=False
    )
    # Cut with the box, 6, 4, 2 and 0 of 8 columns are left.
    assert [found.region[0, t] for t in range(1, 5)] == [6 / 8, 0.5, 2 / 8, 0]
    # Without a box there is no mask.
    assert found.region[1, 4] == 1
    boxes = [list(seed.boxes) for seed in source.calls[0]]
    assert boxes == [track.boxes for track in truth.tracks[0]]


def test_objects_that_come_later_or_never(data):
    truth, frames = data
    square, bar = truth.tracks[0]
    late = [None, None, *bar.segmentations[2:]]
    tracks = [
        square,
        replace(bar, segmentations=[None] * 5),
        replace(bar, id=7, segmentations=late),
    ]
    source = Repeater(last=2)
    found = judge_propagation(source, frames, tracks)
    seeds = source.calls[0]
    assert [(s.instance, s.frame) for s in seeds] == [(0, 0), (2, 2)]
    # Frames that never come have no mask; the object that is never seen
    # does not count.
    assert found.region == pytest.approx(
        {(0, 1): 0.6, (0, 2): 1 / 3, (0, 3): 0, (7, 3): 0}
    )


def test_nothing_to_propagate(data):
    truth, frames = data
    track = replace(truth.tracks[0][0], segmentations=[None] * 5)
    for tracks in ([], [track]):
        for source in (Repeater(), FlowPropagator('first')):
            found = judge_propagation(source, frames, tracks)
            assert found.region == {}


def test_flow_follows(data):
    truth, frames = data
    found = judge_propagation(
        FlowPropagator('first'), frames, truth.tracks[0]
    ).per_object()
    still = judge_propagation(Repeater(), frames, truth.tracks[0]).per_object()
    assert found[1]['j_mean'] > 0.8
    assert found[0]['j_mean'] > still[0]['j_mean']


def test_untidy_masks_are_judged_as_they_are(data):
    truth, frames = data
    track = replace(
        truth.tracks[0][0],
        segmentations=[encode(np.ones((32, 48), bool))] * 5,
    )
    found = judge_propagation(Repeater(), frames, [track])
    assert set(found.region.values()) == set(found.boundary.values()) == {1.0}


def test_tracks_without_masks_are_refused(data):
    truth, frames = data
    track = replace(truth.tracks[0][0], segmentations=None)
    match = 'no mask to start from.*video 0, instance 0.*with_masks=True'
    with pytest.raises(AnnotationError, match=match):
        judge_propagation(Repeater(), frames, [track])
