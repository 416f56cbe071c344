import pytest

from pmvis_mm.labeling.label_video import LabelResult, LabelVideo
from pmvis_mm.labeling.sources import StoredMasks
from pmvis_mm.registry import MODELS
from pmvis_mm.structures import BoxTrack, MaskTrack, VideoInfo
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.utils.errors import ConfigError

BOX = (1.0, 2.0, 5.0, 6.0)
INFO = VideoInfo(3, 10, 8, ('a.png', 'b.png', 'c.png'))
FULL, SMALL = box_rle(BOX, 8, 10), box_rle((1, 2, 3, 4), 8, 10)


def make_video(priors):
    tracks = [
        BoxTrack(0, 3, 1, [BOX, None, BOX]),
        BoxTrack(7, 3, 2, [BOX] * 3),
    ]
    return LabelVideo(INFO, tracks, [], priors)


def stored_track(number=0, category=1):
    """Masks in all three frames; the source of the third is not known."""
    return MaskTrack(
        number,
        3,
        category,
        masks=[FULL, FULL, SMALL],
        boxes=[BOX] * 3,
        sources=['theirs', 'theirs', None],
        scores=[0.5, None, 0.25],
    )


def test_masks_are_taken_with_source_and_score():
    source = MODELS.build(dict(type='StoredMasks', name='imported'))
    video = make_video(dict(imported={0: stored_track()}))
    (result,) = source.test_step([video])
    first, second = result.tracks
    # Frame 1 has no box, so it gets no mask either.
    assert first.masks == [FULL, None, SMALL]
    assert first.sources == ['theirs', None, 'imported']
    assert first.scores == [0.5, None, 0.25]
    assert first.boxes == [BOX, None, BOX]
    # An instance without stored masks stays, empty.
    assert (second.id, second.category_id) == (7, 2)
    assert second.masks == [None] * 3


def test_prior_is_not_changed():
    prior = stored_track()
    video = make_video(dict(imported={0: prior}))
    result = StoredMasks('imported').label(video)
    result.tracks[0].set(0, None, 'x')
    assert prior.masks[0] == FULL and prior.sources[0] == 'theirs'


def test_unknown_prior_is_named():
    with pytest.raises(ConfigError) as caught:
        StoredMasks('imported').label(make_video(dict(other={})))
    message = str(caught.value)
    assert "no masks named 'imported'; known are ['other']" in message
    assert '[video 3]' in message
    assert 'priors=dict(imported="FILE.json")' in message


def test_stages_have_names_of_their_own():
    result = LabelResult(INFO, [])
    tracks = [stored_track()]
    result.commit('raw', [])
    result.commit('doob', tracks)
    assert result.tracks is tracks and list(result.stages) == ['raw', 'doob']
    with pytest.raises(ConfigError, match=r"two stages are named 'doob'"):
        result.commit('doob', tracks)
