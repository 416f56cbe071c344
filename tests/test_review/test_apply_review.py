"""From decisions to the final masks."""

import pytest

from pmvis_mm.review import Decision, apply_decisions
from pmvis_mm.structures import BoxTrack, MaskTrack, PseudoMaskSet, VideoInfo
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.utils.errors import MaskSetError, ReviewError

LENGTH = 4
SIZE = (20, 30)
BOX = (2.0, 2.0, 12.0, 12.0)


def mask(width):
    return box_rle((2, 2, 2 + width, 12), *SIZE)


def make_set(name, width, tracks=(0, 1, 2), absent=(), video=5):
    """Tracks with masks of a width that tells sets apart."""
    names = tuple(f'v/{t}.jpg' for t in range(LENGTH))
    info = VideoInfo(video, SIZE[1], SIZE[0], names)
    made = []
    for key in tracks:
        track = MaskTrack.empty_like(BoxTrack(key, video, 1, [BOX] * LENGTH))
        for t in range(LENGTH):
            if t not in absent:
                track.set(t, mask(width), name, width / 10)
        made.append(track)
    categories = [dict(id=1, name='a')]
    return PseudoMaskSet({video: info}, categories, {video: made}, name)


@pytest.fixture
def final():
    return make_set('final', 5)


def decide(track, action, source=None, frames=None, video=5):
    return Decision(track, video, action, source, frames)


def by_id(masks):
    return {track.id: track for track in masks}


def widths(track):
    """Width of the mask of each frame, None where there is none."""
    known = {mask(w)['counts']: w for w in range(1, 11)}
    return [m and known[m['counts']] for m in track.masks]


def test_no_decision_changes_nothing(final):
    found, counts = apply_decisions(final, [], {})
    assert found.tracks == final.tracks
    assert counts.tracks == dict(open=3, accepted=0, rejected=0, changed=0)
    assert (counts.tracks_out, counts.masks_in, counts.masks_out) == (
        3,
        12,
        12,
    )


def test_rejected_track_is_dropped_and_the_input_stays(final):
    made = [decide(1, 'reject'), decide(0, 'accept')]
    found, counts = apply_decisions(final, made, {})
    assert sorted(by_id(found)) == [0, 2]
    assert widths(by_id(found)[0]) == [5] * LENGTH
    assert counts.tracks == dict(open=1, accepted=1, rejected=1, changed=0)
    assert (counts.masks_in, counts.masks_out) == (12, 8)
    assert final.num_masks == 12


def test_rejected_track_can_stay_empty(final):
    found, counts = apply_decisions(
        final, [decide(1, 'reject')], {}, rejected='keep-empty'
    )
    track = by_id(found)[1]
    assert track.masks == track.sources == track.scores == [None] * LENGTH
    assert track.boxes == [BOX] * LENGTH
    assert counts.rejected_masks == LENGTH and counts.masks_out == 8
    # As a file, too.
    again = PseudoMaskSet.from_json(found.to_json(), 'x')
    assert by_id(again)[1].boxes == [BOX] * LENGTH


def test_rejected_frames_lose_their_mask(final):
    found, counts = apply_decisions(
        final, [decide(0, 'reject', frames=(1, 2))], {}
    )
    track = by_id(found)[0]
    assert widths(track) == [5, None, None, 5]
    assert track.scores == [0.5, None, None, 0.5]
    assert counts.tracks['changed'] == 1 and counts.rejected_masks == 2


def test_masks_of_a_chosen_source_come_with_its_name_and_score(final):
    flow = make_set('anything', 8, absent=[2])
    made = [decide(2, 'choose', 'flow', (1, 2))]
    found, counts = apply_decisions(final, made, dict(flow=flow))
    track = by_id(found)[2]
    # The source has no mask in frame 2: neither has the result.
    assert widths(track) == [5, 8, None, 5]
    assert track.sources == ['final', 'flow', None, 'final']
    assert track.scores == [0.5, 0.8, None, 0.5]
    assert counts.chosen_masks == dict(flow=1)
    assert counts.masks_out == 11


def test_the_last_decision_holds(final):
    sources = {'a, raw': make_set('a', 3), 'b': make_set('b', 7)}
    made = [
        decide(0, 'reject'),
        decide(0, 'choose', 'a, raw', (0, 2)),
        decide(0, 'choose', 'b', (2, 3)),
        decide(0, 'clear', frames=(3, 3)),
        decide(1, 'reject'),
        decide(1, 'clear'),
    ]
    found, counts = apply_decisions(final, made, sources)
    assert widths(by_id(found)[0]) == [3, 3, 7, 5]
    assert widths(by_id(found)[1]) == [5] * LENGTH
    assert counts.tracks == dict(open=2, accepted=0, rejected=0, changed=1)


def test_only_accepted_drops_what_nobody_looked_at(final):
    made = [decide(0, 'accept'), decide(1, 'reject', frames=(0, 0))]
    found, counts = apply_decisions(final, made, {}, only_accepted=True)
    assert sorted(by_id(found)) == [0, 1]
    assert counts.tracks['open'] == 1 and counts.tracks_out == 2


def test_a_source_is_chosen_for_a_track_without_final_masks(final):
    flow = make_set('flow', 8, tracks=[0, 9])
    made = [decide(9, 'choose', 'flow', (0, 1))]
    found, counts = apply_decisions(final, made, dict(flow=flow))
    track = by_id(found)[9]
    assert widths(track) == [8, 8, None, None]
    assert (track.video_id, track.category_id) == (5, 1)
    assert counts.tracks_out == 4


def test_sources_are_read_from_files_and_only_those_chosen(final, tmp_path):
    make_set('x', 8).dump(tmp_path / 'flow.json')
    sources = dict(flow=tmp_path / 'flow.json', other=tmp_path / 'no.json')
    made = [decide(0, 'choose', 'flow', (0, 0))]
    found, _ = apply_decisions(final, made, sources)
    assert widths(by_id(found)[0])[0] == 8
    made.append(decide(0, 'choose', 'other', (1, 1)))
    with pytest.raises(MaskSetError, match='file does not exist'):
        apply_decisions(final, made, sources)


def test_tracks_that_no_longer_exist(final):
    made = [
        decide(77, 'reject'),
        decide(77, 'accept'),
        decide(1, 'reject', video=6),  # another video has this id now
        decide(0, 'reject'),
    ]
    with pytest.raises(ReviewError, match='2 tracks with decisions') as caught:
        apply_decisions(final, made, {}, file='review.json')
    assert '[1, 77]' in str(caught.value)
    assert 'file review.json' in str(caught.value)
    assert '--missing skip' in str(caught.value)
    found, counts = apply_decisions(final, made, {}, missing='skip')
    assert counts.skipped == 3
    assert sorted(by_id(found)) == [1, 2]


def test_sources_that_do_not_fit(final):
    made = [decide(0, 'choose', 'flow')]
    with pytest.raises(ReviewError, match=r'--sources "flow=PATH"'):
        apply_decisions(final, made, {}, file='review.json')
    other = make_set('flow', 8)
    other.videos[5] = VideoInfo(5, 31, 20, other.videos[5].file_names)
    with pytest.raises(MaskSetError, match='size, length or frames differ'):
        apply_decisions(final, made, dict(flow=other))


def test_frames_that_do_not_exist(final):
    with pytest.raises(ReviewError, match='of a video with 4 frames'):
        apply_decisions(final, [decide(0, 'reject', frames=(2, 4))], {})


@pytest.mark.parametrize('name', ['rejected', 'missing'])
def test_unknown_options(final, name):
    with pytest.raises(ValueError, match=f'`{name}` must be one of'):
        apply_decisions(final, [], {}, **{name: 'maybe'})


def test_table_of_counts(final):
    _, counts = apply_decisions(
        final,
        [decide(0, 'choose', 'flow'), decide(1, 'reject')],
        dict(flow=make_set('flow', 8)),
    )
    assert dict(counts.rows()) == {
        'tracks open': 1,
        'tracks accepted': 0,
        'tracks rejected': 1,
        'tracks changed': 1,
        'tracks decided that have no mask': 0,
        'tracks written': 2,
        'masks before': 12,
        'masks rejected in tracks that stay': 0,
        "masks taken from 'flow'": 4,
        'masks written': 8,
        'decisions skipped': 0,
    }


def test_verdicts_on_tracks_that_never_had_a_mask(final):
    made = [
        Decision(77, 5, 'reject', no_masks=True),
        Decision(78, 5, 'accept', no_masks=True),
        Decision(78, 5, 'reject', no_masks=True),
        decide(0, 'reject'),
    ]
    found, counts = apply_decisions(final, made, {})
    assert sorted(by_id(found)) == [1, 2]
    assert (counts.without_masks, counts.skipped) == (2, 0)
    made[0] = Decision(77, 6, 'reject', no_masks=True)  # no such video
    with pytest.raises(ReviewError, match='1 tracks with decisions'):
        apply_decisions(final, made, {})


def test_a_choice_for_a_track_without_masks_may_be_cleared(final):
    flow = make_set('flow', 8, tracks=[9])
    made = [
        Decision(9, 5, 'choose', 'flow', no_masks=True),
        Decision(9, 5, 'clear', no_masks=True),
    ]
    found, _ = apply_decisions(final, made, dict(flow=flow))
    assert sorted(by_id(found)) == [0, 1, 2]
