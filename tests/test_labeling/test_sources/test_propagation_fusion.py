"""How tracks of several keyframes become one, with strips that shift."""

import numpy as np
import pytest

from pmvis_mm.engine.hooks.label_hooks import SHQMHook
from pmvis_mm.labeling.sources.track_fusion import SoftMask
from pmvis_mm.structures import MaskTrack
from pmvis_mm.structures.rle import areas
from pmvis_mm.testing.shifting import (
    OneToTheRight,
    left_edges,
    only,
    strip,
    strip_box,
)
from pmvis_mm.testing.shifting import shifting_video as make_video


def fusion_video():
    """Keyframes 0 and 5; that of frame 5 lies one pixel too far left."""
    boxes = [strip_box(2 + t, 6) for t in range(6)]
    seen = only(6, 0, strip(2, 6))
    seen[5] = strip(6, 6)
    return make_video([boxes], seen=[seen])


def test_nearest_keyframe_wins():
    source = OneToTheRight('seen', keyframe_interval=3, fusion='nearest')
    result = source.label(fusion_video())
    # From keyframe 0: 2 3 4, from keyframe 5: 4 5 6.
    assert left_edges(result.tracks[0].masks) == [2, 3, 4, 4, 5, 6]
    candidates = {
        name: left_edges(masks[0].masks)
        for name, masks in result.candidates.items()
    }
    assert candidates == {
        'track_1': [2, 3, 4, 5, 6, 7],
        'track_2': [1, 2, 3, 4, 5, 6],
    }


def test_equally_near_keyframes_the_earlier_wins():
    boxes = [strip_box(2 + t) for t in range(3)]
    seen = [strip(2), None, strip(4, 3)]
    source = OneToTheRight('seen', keyframe_interval=1)
    (track,) = source.label(make_video([boxes], seen=[seen])).tracks
    assert track.masks == [strip(2), strip(3), strip(4, 3)]


def test_best_fit_wins():
    source = OneToTheRight('seen', keyframe_interval=3, fusion='best')
    (track,) = source.label(fusion_video()).tracks
    # The mask of keyframe 5 is worse, but it stands there.
    assert left_edges(track.masks) == [2, 3, 4, 5, 6, 6]


def test_best_fusion_asks_the_reference_first():
    """From keyframe 0: 2 ... 7, which fits; from keyframe 5: 1 ... 6."""
    video = fusion_video()
    other = MaskTrack.empty_like(video.tracks[0])
    for frame, x in ((0, 2), (2, 3), (3, 5), (5, 6)):
        other.set(frame, strip(x, 6), 'other')
    video.priors['other'] = {0: other}
    source = OneToTheRight('seen', 'other', keyframe_interval=3, fusion='best')
    (track,) = source.label(video).tracks
    # Frame 2: SCM 1 * 5/7 * 5/7 = 0.51 with the one, which is equal, and
    # 5/7 * 1 * 5/7 = 0.51 with the other: the same, and the fit decides.
    # Frame 3: equal to the fitting one. Frames 1 and 4: the fit alone.
    assert left_edges(track.masks) == [2, 3, 4, 5, 6, 6]
    # One more pixel to the left: 5/7 * 5/7 * 4/8 = 0.26 with the one that
    # is a pixel nearer, 4/8 * 1 * 4/8 = 0.25 with the one that fits.
    other.set(2, strip(2, 6), 'other')
    (track,) = source.label(video).tracks
    assert left_edges(track.masks) == [2, 3, 3, 5, 6, 6]


class Soft(OneToTheRight):
    """Says 0.9 inside and 0.2 one column to the right."""

    exclusive = True

    def propagate(self, frames, seeds, reverse):
        assert self.is_soft
        for frame, masks in super().propagate(frames, seeds, reverse):
            soft = []
            for mask in masks:
                if mask is None:
                    soft.append(None)
                    continue
                edge = np.roll(mask, 1, axis=1) & ~mask
                prob = 0.9 * mask + 0.2 * edge
                soft.append(SoftMask(mask, prob.astype(np.float32)))
            yield frame, soft


def test_mean_fusion_of_masks_is_a_weighted_vote():
    source = OneToTheRight('seen', keyframe_interval=3, fusion='mean')
    result = source.label(fusion_video())
    (track,) = result.tracks
    # Weights in frame 1 are 1/2 and 1/5, in frame 4 vice versa: the heavier
    # one decides; frames 0 and 5 are keyframes. Frame 2: 1/3 against 1/4.
    assert left_edges(track.masks) == [2, 3, 4, 4, 5, 6]
    assert [areas([m])[0] for m in track.masks] == [24] * 6
    assert left_edges(result.candidates['track_1'][0].masks)[-1] == 7
    source = OneToTheRight(
        'seen', keyframe_interval=3, fusion='mean', crop_tracks=True
    )
    (track,) = source.label(fusion_video()).tracks
    # Frame 3 and on are one pixel too far left.
    assert left_edges(track.masks) == [2, 3, 4, 5, 6, 7]
    assert areas(track.masks).tolist() == [24, 24, 24, 20, 20, 20]


def test_mean_fusion_averages_probabilities():
    boxes = [strip_box(2 + t, 6) for t in range(3)]
    seen = only(3, 0, strip(2, 6))
    seen[2] = strip(3, 6)
    video = make_video([boxes], seen=[seen])
    source = Soft('seen', keyframe_interval=1, fusion='mean')
    (track,) = source.label(video).tracks
    # Frame 1: columns 3 ... 8 from keyframe 0 and 2 ... 7 from keyframe 2,
    # with equal weights. Column 2: 0.45, column 8: (0.9 + 0.2) / 2 = 0.55.
    assert track.masks[1] == strip(3, 6)
    assert track.masks[0] == strip(2, 6) and track.masks[2] == strip(3, 6)


def test_mean_fusion_lets_objects_compete():
    boxes = [[strip_box(2, 6)] * 2, [strip_box(8)] * 2]
    video = make_video(
        boxes, seen=[only(2, 0, strip(2, 6)), only(2, 0, strip(7))]
    )
    kwargs = dict(keyframe_interval=None, fusion='mean')
    first, second = Soft('seen', **kwargs).label(video).tracks
    # Both claim column 8 with 0.9, which goes to the first.
    assert first.masks[1] == strip(3, 6) and second.masks[1] == strip(9, 3)
    free = OneToTheRight('seen', **kwargs)
    first, second = free.label(video).tracks
    assert first.masks[1] == strip(3, 6) and second.masks[1] == strip(8)


def test_mean_fusion_respects_the_keyframes_of_others():
    boxes = [[strip_box(2, 6)] * 2, [strip_box(8)] * 2]
    video = make_video(
        boxes, seen=[only(2, 0, strip(2, 6)), only(2, 1, strip(7))]
    )
    kwargs = dict(keyframe_interval=None, fusion='mean')
    first, second = Soft('seen', **kwargs).label(video).tracks
    # The first one's 3 ... 8 meets the keyframe mask 7 ... 10.
    assert first.masks[1] == strip(3, 4) and second.masks[1] == strip(7)


@pytest.mark.parametrize('fusion', ['nearest', 'mean', 'best'])
def test_keyframe_masks_are_returned_unchanged(fusion):
    boxes = [strip_box(2 + t) for t in range(6)]
    # Neither fits its box nor follows from the others.
    seen = [None, strip(4, 3), None, strip(4, 2), strip(7, 3), None]
    video = make_video([boxes], seen=[seen])
    source = OneToTheRight('seen', keyframe_interval=2, fusion=fusion)
    result = source.label(video)
    for t in (1, 3, 4):
        assert result.tracks[0].masks[t] == seen[t]
    for rank, t in enumerate((1, 3, 4), 1):
        assert result.candidates[f'track_{rank}'][0].masks[t] == seen[t]


@pytest.mark.parametrize('fusion', ['nearest', 'mean', 'best'])
def test_boxes_outside_the_image(fusion):
    boxes = [strip_box(-3), strip_box(-2), strip_box(40), strip_box(30)]
    seen = [strip(0, 1), strip(0, 2), strip(3), None]
    video = make_video([boxes], seen=[seen])
    source = OneToTheRight('seen', fusion=fusion, crop_tracks=True)
    (track,) = source.label(video).tracks
    # The keyframe is frame 1 (half of its box), whose mask moves to the
    # left edge; nothing of the boxes of frames 2 and 3 is in the image.
    assert source.sweeps[0] == (False, [(0, 1)])
    assert track.masks[1] == strip(0, 2)
    assert track.masks[2] is None and track.masks[3] is None


def test_all_tracks_are_candidates_of_a_selector():
    source = OneToTheRight('seen', keyframe_interval=3)
    video = fusion_video()
    other = MaskTrack.empty_like(video.tracks[0])
    for frame in range(6):
        other.set(frame, strip(1 + frame, 6), 'other')
    video.priors['other'] = {0: other}
    chosen = {}
    for tracks in ('all', 'fused'):
        result = source.label(video)
        hook = SHQMHook(['seen', 'other'], own='track', tracks=tracks)
        hook.after_label(None, video, result)
        chosen[tracks] = left_edges(result.tracks[0].masks)
    # The second track and the other source agree and outvote the first
    # track, but in frame 0, where two sources stand on either side. One
    # fused track ties with the other source, and wins as the last.
    assert chosen['all'] == [2, 2, 3, 4, 5, 6]
    assert chosen['fused'] == [2, 3, 4, 4, 5, 6]


def test_lost_track_gives_way_to_another_or_none():
    source = OneToTheRight('seen', keyframe_interval=3, vanish_at=(1, 5))
    result = source.label(fusion_video())
    # The keyframe keeps its mask although the other track vanished there.
    assert left_edges(result.tracks[0].masks) == [2, None, 4, 4, 5, 6]
    assert left_edges(result.candidates['track_1'][0].masks)[5] is None
