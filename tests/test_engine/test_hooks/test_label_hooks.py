import numpy as np
import pytest

from pmvis_mm.engine.hooks import DOOBHook, SelectHook, SHQMHook
from pmvis_mm.labeling.label_video import LabelResult, LabelVideo
from pmvis_mm.registry import HOOKS
from pmvis_mm.structures import BoxTrack, MaskTrack, VideoInfo
from pmvis_mm.structures.rle import area, box_rle
from pmvis_mm.testing.moving_shape import make_moving_shape
from pmvis_mm.utils.errors import ConfigError

SIZE = (10, 30)
BOX = (0.0, 0.0, 10.0, 10.0)
INFO = VideoInfo(4, SIZE[1], SIZE[0], ('a.png', 'b.png'))


def rect(x0, y0, x1, y1):
    return box_rle((x0, y0, x1, y1), *SIZE)


FULL, HALF, THIRD = rect(0, 0, 10, 10), rect(0, 0, 5, 10), rect(0, 0, 3, 10)


def mask_track(number, masks, boxes=None, source='src', scores=None):
    track = MaskTrack.empty_like(
        BoxTrack(number, 4, 1, list(boxes or [BOX] * len(masks)))
    )
    for frame, mask in enumerate(masks):
        score = scores[frame] if scores else None
        track.set(frame, mask, source, score)
    return track


def run(hook, result, priors=None):
    video = LabelVideo(INFO, [], [], priors or {})
    hook.after_label(None, video=video, result=result)
    return result.tracks


def shqm_input(**priors):
    """One instance; priors by name: masks of its two frames."""
    return {name: {0: mask_track(0, masks)} for name, masks in priors.items()}


# ------------------------------------------------------------------- DOOB
def doob_result():
    """Two boxes that touch at column 10; masks that do not care."""
    left, right = BOX, (10.0, 0.0, 20.0, 10.0)
    first = mask_track(
        0, [rect(0, 0, 14, 10), FULL], [left, left], scores=[0.5, 0.25]
    )
    second = mask_track(
        1, [rect(10, 0, 22, 10), rect(0, 0, 9, 10)], [right, right]
    )
    result = LabelResult(INFO, [])
    result.commit('raw', [first, second])
    return result


def test_doob_cleans_every_frame():
    result = doob_result()
    first, second = run(HOOKS.build(dict(type='DOOBHook')), result)
    # Frame 0: the overlap, columns 10 to 13, lies in the right box.
    assert first.masks[0] == FULL
    assert second.masks[0] == rect(10, 0, 20, 10)
    # Frame 1: the second mask lies in the left box only: nothing is left.
    assert first.masks[1] == FULL
    assert second.masks[1] is None and second.sources[1] is None
    assert first.sources == ['src', 'src'] and first.scores == [0.5, 0.25]


def test_doob_leaves_the_stage_before_as_it_was():
    result = doob_result()
    tracks = run(DOOBHook(stage='clean'), result)
    assert list(result.stages) == ['raw', 'clean']
    assert result.stages['clean'] is tracks
    assert result.stages['raw'][0].masks[0] == rect(0, 0, 14, 10)
    assert result.stages['raw'][1].masks[1] == rect(0, 0, 9, 10)


def test_doob_options_arrive():
    result = doob_result()
    first, _ = run(DOOBHook(margin=2), result)
    # The overlap is gone before the margin could keep it.
    assert first.masks[0] == FULL
    alone = LabelResult(INFO, [mask_track(0, [rect(0, 0, 14, 10), None])])
    (track,) = run(DOOBHook(margin=2), alone)
    assert track.masks == [rect(0, 0, 12, 10), None]
    with pytest.raises(ValueError, match="got 'nope'"):
        run(DOOBHook(overlap='nope'), doob_result())


@pytest.mark.parametrize('crop_first', [False, True])
def test_doob_crop_first_decides_on_what_is_left(crop_first):
    small, large = [BOX] * 2, [(0.0, 0.0, 30.0, 10.0)] * 2
    tracks = [
        mask_track(0, [rect(0, 0, 20, 10), None], small),
        mask_track(1, [rect(8, 0, 30, 10), None], large),
    ]
    hook = DOOBHook(crop_first=crop_first)
    first, second = run(hook, LabelResult(INFO, tracks))
    if crop_first:
        # Overlap 8 to 10: IoU 2 / 10 with the small box, else 2 / 30.
        assert first.masks[0] == FULL
        assert second.masks[0] == rect(10, 0, 30, 10)
    else:
        # Overlap 8 to 20: IoU 2 / 20 with the small box, else 12 / 30.
        assert first.masks[0] == rect(0, 0, 8, 10)
        assert second.masks[0] == rect(8, 0, 30, 10)


def test_doob_on_a_video_without_instances():
    assert run(DOOBHook(), LabelResult(INFO, [])) == []


# ------------------------------------------------------------------- SHQM
def test_shqm_takes_who_agrees_most():
    # The tight boxes are the masks. SCM of the pairs in the box of 10 x 10:
    # FULL-HALF .5 * 1 * .5 = .25, FULL-THIRD .3 * .3 = .09,
    # HALF-THIRD .6 * .5 * .3 = .09. Sums: .34, .34, .18.
    priors = shqm_input(a=[THIRD, None], b=[HALF, None])
    result = LabelResult(INFO, [mask_track(0, [FULL, None])])
    hook = HOOKS.build(dict(type='SHQMHook', candidates=['a', 'b']))
    (track,) = run(hook, result, priors)
    # A tie: the last candidate, the current mask, wins. Score .34 / 2.
    assert track.masks == [FULL, None]
    assert track.sources == ['track', None]
    assert track.scores == [0.17, None]
    assert list(result.stages) == ['shqm']


def test_shqm_priority_settles_ties():
    priors = shqm_input(a=[THIRD, None], b=[HALF, None])
    result = LabelResult(INFO, [mask_track(0, [FULL, None])])
    hook = SHQMHook(['a', 'b'], priority=['b'], stage='picked')
    (track,) = run(hook, result, priors)
    assert track.masks == [HALF, None] and track.sources == ['b', None]
    assert list(result.stages) == ['picked']


def test_shqm_without_own_ignores_the_current_masks():
    priors = shqm_input(a=[HALF, FULL], b=[HALF, None])
    result = LabelResult(INFO, [mask_track(0, [FULL, FULL])])
    (track,) = run(SHQMHook(['a', 'b'], own=None), result, priors)
    # IoU 1, both tight boxes fill half of the box; the last wins the tie.
    assert track.masks == [HALF, FULL]
    assert track.sources == ['b', 'a']
    assert track.scores == [0.25, 0.0]


def keyframe_result():
    """Fused is THIRD; its two tracks are both FULL."""
    result = LabelResult(INFO, [mask_track(0, [THIRD, THIRD])])
    result.candidates = dict(
        flow_1={0: mask_track(0, [FULL, FULL])},
        flow_2={0: mask_track(0, [FULL, None])},
    )
    return result


def test_shqm_all_tracks_outvote_the_priors():
    priors = shqm_input(a=[HALF, HALF], b=[HALF, HALF])
    hook = SHQMHook(['a', 'b'], own='flow', tracks='all')
    (track,) = run(hook, keyframe_result(), priors)
    # Frame 0: FULL gets 1 + 2 * .25, HALF .25 + 2 * .25. Frame 1: one FULL
    # gets 2 * .25, HALF .25 + .25: a tie, the last candidate wins.
    assert track.masks == [FULL, FULL]
    assert track.sources == ['flow_2', 'flow_1']
    assert track.scores == [0.5, 0.25]


def test_shqm_fused_is_one_candidate():
    priors = shqm_input(a=[HALF, HALF], b=[HALF, HALF])
    hook = SHQMHook(['a', 'b'], own='flow', tracks='fused')
    (track,) = run(hook, keyframe_result(), priors)
    # HALF gets .25 + .09, THIRD 2 * .09.
    assert track.masks == [HALF, HALF]
    assert track.sources == ['b', 'b']


def test_shqm_single_keyframe_competes_under_its_own_name():
    priors = shqm_input(a=[THIRD, THIRD])
    result = keyframe_result()
    del result.candidates['flow_2']
    (track,) = run(SHQMHook(['a'], own='flow'), result, priors)
    assert track.sources == ['flow', 'flow']
    assert track.masks == [THIRD, THIRD]


def test_shqm_require_holds_frames_back():
    priors = shqm_input(a=[FULL, FULL], b=[FULL, None])
    result = LabelResult(INFO, [mask_track(0, [FULL, FULL])])
    (track,) = run(SHQMHook(['a', 'b'], require=['b']), result, priors)
    assert track.masks == [FULL, None]
    own = LabelResult(INFO, [mask_track(0, [None, FULL])])
    hook = SHQMHook(['a', 'b'], own='me', tracks='fused', require=['me'])
    assert run(hook, own, priors)[0].masks == [None, FULL]


def test_shqm_instance_that_a_source_lacks():
    priors = dict(a={}, b={1: mask_track(1, [HALF, None])})
    result = LabelResult(INFO, [mask_track(i, [None, None]) for i in (0, 1)])
    first, second = run(SHQMHook(['a', 'b']), result, priors)
    assert first.masks == [None, None] and first.boxes == [BOX, BOX]
    assert second.masks == [HALF, None] and second.scores == [0.0, None]
    held = LabelResult(INFO, [mask_track(1, [FULL, FULL])])
    (track,) = run(SHQMHook(['a', 'b'], require=['a']), held, priors)
    assert track.num_masks == 0


def test_shqm_options_arrive():
    priors = shqm_input(a=[FULL, None])
    scores = {}
    for rule in ('half_open', 'inclusive'):
        result = LabelResult(INFO, [mask_track(0, [FULL, None])])
        (track,) = run(SHQMHook(['a'], box_rule=rule), result, priors)
        scores[rule] = track.scores[0]
    # Tight boxes without their last row and column: (81 / 100) ** 2.
    assert scores == dict(half_open=1.0, inclusive=0.6561)
    assert area(track.masks[0]) == 100


def test_shqm_unknown_prior_is_named():
    result = LabelResult(INFO, [mask_track(0, [FULL, None])])
    with pytest.raises(ConfigError, match=r"no masks named 'b'.*video 4"):
        run(SHQMHook(['a', 'b']), result, shqm_input(a=[FULL, FULL]))


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(candidates=[]), r"two candidates or more, got \['track'\]"),
        (dict(candidates=['a'], own=None), r"or more, got \['a'\]"),
        (dict(candidates=['a'], own='a'), r"have one name: \['a', 'a'\]"),
        (
            dict(candidates=['a', 'b'], require=['c']),
            r"requires \['c'\].*Fix: choose from \['a', 'b'\]",
        ),
        # Several tracks of one video have names of their own.
        (
            dict(candidates=['a', 'b'], own='me', require=['me']),
            r"requires \['me'\]",
        ),
    ],
)
def test_shqm_bad_names_are_refused(kwargs, message):
    with pytest.raises(ConfigError, match=message):
        SHQMHook(**kwargs)


def test_shqm_unknown_tracks_are_refused():
    with pytest.raises(ValueError, match="got 'both'"):
        SHQMHook(['a', 'b'], tracks='both')


# ----------------------------------------------------------------- select
def test_select_is_shqm_by_default():
    priors = shqm_input(a=[THIRD, None], b=[HALF, None])
    tracks = [
        run(hook, LabelResult(INFO, [mask_track(0, [FULL, None])]), priors)
        for hook in (SelectHook(['a', 'b']), SHQMHook(['a', 'b']))
    ]
    assert tracks[0] == tracks[1]
    result = LabelResult(INFO, [mask_track(0, [FULL, None])])
    run(SelectHook(['a'], stage='picked'), result, priors)
    assert list(result.stages) == ['picked']


def test_select_options_reach_the_selector():
    hook = SelectHook(['a', 'b'], selector=dict(type='SHQM', priority=['b']))
    assert hook.selector.priority == ['b']
    hook = HOOKS.build(
        dict(
            type='SelectHook',
            candidates=['a', 'b'],
            selector=dict(type='QualitySelector', switch_cost=0.5),
        )
    )
    assert hook.selector.switch_cost == 0.5
    with pytest.raises(ConfigError, match='QualitySelector needs two'):
        SelectHook(['a'], None, selector=dict(type='QualitySelector'))


def quality_video():
    video = make_moving_shape(3)
    blank = np.zeros_like(video.masks[0])
    filled = []
    for x0, y0, x1, y1 in video.boxes:
        mask = blank.copy()
        mask[int(y0) : int(y1), int(x0) : int(x1)] = True
        filled.append(mask)
    priors = dict(
        box={7: video.track(filled, 'box')},
        good={7: video.track([*video.masks[:2], blank], 'good')},
    )
    return LabelVideo(video.info, [], video, priors), video, blank


def test_quality_selector_chooses_in_the_hook():
    video, shape, blank = quality_video()
    result = LabelResult(shape.info, [shape.track([blank] * 3, 'none')])
    hook = SelectHook(
        ['box', 'good'], own=None, selector=dict(type='QualitySelector')
    )
    hook.after_label(None, video=video, result=result)
    (track,) = result.tracks
    assert track.sources == ['good', 'good', 'box']
    assert all(0 < score <= 1 for score in track.scores)
    assert result.stages['selected'] is result.tracks


def test_quality_selector_sees_current_tracks_and_requirements():
    video, shape, _ = quality_video()
    own = shape.track(shape.masks, 'flow')
    result = LabelResult(shape.info, [own])
    hook = SelectHook(
        ['box', 'good'],
        own='flow',
        require=['good'],
        selector=dict(type='QualitySelector'),
    )
    hook.after_label(None, video=video, result=result)
    (track,) = result.tracks
    # Equal masks: the last candidate wins.
    assert track.sources == ['flow', 'flow', None]
    assert own.num_masks == 3
