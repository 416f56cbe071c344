import numpy as np
import pytest

from pmvis_mm.labeling.selection.quality_cues import CUES
from pmvis_mm.labeling.selection.quality_table import (
    CueTable,
    collect_cues,
    keep_sources,
)
from pmvis_mm.testing.moving_shape import make_moving_shape

EMPTY = np.zeros((96, 128), bool)


class CountingFrames:
    def __init__(self, video):
        self.video, self.read = video, []

    def __len__(self):
        return len(self.video)

    def __getitem__(self, frame):
        self.read.append(frame)
        return self.video[frame]


def column(table, cue):
    return table.values[..., CUES.index(cue)]


def test_frames_are_read_once_in_order_for_all_instances():
    video = make_moving_shape(4)
    frames = CountingFrames(video)
    mine = {n: video.track(video.masks, n) for n in 'ab'}
    tables = collect_cues(frames, [mine, mine], [video.boxes] * 2)
    assert frames.read == [0, 1, 2, 3]
    assert [t.names for t in tables] == [['a', 'b']] * 2
    np.testing.assert_array_equal(tables[0].values, tables[1].values)


def test_numbers_that_can_be_checked_by_hand():
    video = make_moving_shape(3)
    top = [mask & (np.arange(96)[:, None] < 48) for mask in video.masks]
    tracks = dict(
        whole=video.track(video.masks, 'whole'), top=video.track(top, 'top')
    )
    (table,) = collect_cues(video, [tracks], [video.boxes])
    # The L has 40 * 14 + 26 * 14 pixels, its first 20 rows 20 * 14.
    np.testing.assert_allclose(table.ious[0, 1], 280 / 924)
    np.testing.assert_allclose(table.ious[0, 0], 1)
    # 20 x 14 of 40 x 40.
    np.testing.assert_allclose(table.fits, [[1] * 3, [0.175] * 3])
    np.testing.assert_allclose(column(table, 'fit')[1], 0.175 / 0.9)
    assert table.present.all() and table.covered == {}


def test_static_video_is_perfectly_stable():
    video = make_moving_shape(1)
    for name in ('images', 'masks', 'boxes'):
        setattr(video, name, getattr(video, name) * 3)
    track = video.track(video.masks, 'a')
    (table,) = collect_cues(video, [dict(a=track)], [video.boxes])
    np.testing.assert_allclose(column(table, 'stable'), 1)


def test_absent_masks_and_boxes():
    video = make_moving_shape(4)
    masks = [video.masks[0], EMPTY, video.masks[2], video.masks[3]]
    boxes = [*video.boxes[:3], None]
    tracks = dict(a=video.track(masks, 'a'), b=video.track([EMPTY] * 4, 'b'))
    (table,) = collect_cues(video, [tracks], [boxes])
    np.testing.assert_array_equal(table.present, [[1, 0, 1, 0], [0, 0, 0, 0]])
    assert np.isnan(table.values[~table.present]).all()
    # No two frames in a row: nothing to compare with.
    assert np.isnan(column(table, 'stable')).all()
    filled = table.filled()
    assert not np.isnan(filled).any()
    assert (filled[1] == 0.5).all()  # nothing known of the source
    fit = CUES.index('fit')
    assert filled[0, 1, fit] == np.nanmean(table.values[0, :, fit])


def test_one_frame_and_no_instance():
    video = make_moving_shape(1)
    track = dict(a=video.track(video.masks, 'a'))
    (table,) = collect_cues(video, [track], [video.boxes])
    assert not np.isnan(table.filled()).any()
    assert collect_cues(video, [], []) == []
    (nothing,) = collect_cues(video, [{}], [video.boxes])
    assert nothing.names == [] and nothing.present.shape == (0, 1)


def test_first_frame_borrows_its_motion():
    video = make_moving_shape(3)
    track = dict(a=video.track(video.masks, 'a'))
    (table,) = collect_cues(video, [track], [video.boxes])
    motion = column(table, 'motion')[0]
    assert motion[0] == motion[1] > 0.9


def test_mask_far_outside_the_box():
    video = make_moving_shape(2)
    away = EMPTY.copy()
    away[:5, :5] = True
    track = dict(a=video.track([away] * 2, 'a'))
    (table,) = collect_cues(video, [track], [video.boxes])
    assert table.present.all()
    assert np.nansum(table.values) == 0


def test_neighbours_that_share_pixels_are_noted():
    video = make_moving_shape(2)
    top = [mask & (np.arange(96)[:, None] < 48) for mask in video.masks]
    first = dict(
        whole=video.track(video.masks, 'whole'), top=video.track(top, 'top')
    )
    second = dict(whole=video.track(top, 'whole'))
    tables = collect_cues(video, [first, second], [video.boxes] * 2)
    share = tables[0].covered[1]
    assert share.shape == (2, 1, 2)
    np.testing.assert_allclose(share[:, 0], [[280 / 924] * 2, [1] * 2])
    np.testing.assert_allclose(tables[1].covered[0], 1)
    kept = keep_sources(tables, ['top'])
    assert kept[0].names == ['top'] and kept[1].names == []
    assert kept[0].covered[1].shape == (1, 0, 2)
    both = keep_sources(tables, ['top', 'whole'])
    np.testing.assert_array_equal(both[0].values, tables[0].values[::-1])
    np.testing.assert_allclose(both[0].covered[1][:, 0, 0], [1, 280 / 924])


def test_small_and_large_videos_have_like_cues():
    video = make_moving_shape(3)
    (small,) = collect_cues(
        video, [dict(a=video.track(video.masks, 'a'))], [video.boxes]
    )
    large = make_moving_shape(3)
    large.images = [i.repeat(4, 0).repeat(4, 1) for i in video.images]
    large.masks = [m.repeat(4, 0).repeat(4, 1) for m in video.masks]
    large.boxes = [tuple(4 * v for v in box) for box in video.boxes]
    (table,) = collect_cues(
        large, [dict(a=large.track(large.masks, 'a'))], [large.boxes]
    )
    gap = np.abs(small.filled() - table.filled()).mean((0, 1))
    # Motion is in pixels of the frame, so that it grows.
    plain = [i for i, c in enumerate(CUES) if not c.startswith('motion_')]
    assert gap[plain].max() < 0.2


def test_measuring_twice_gives_the_same():
    video = make_moving_shape(3)
    track = dict(a=video.track(video.masks, 'a'))
    one, two = (
        collect_cues(video, [track], [video.boxes])[0].values for _ in range(2)
    )
    np.testing.assert_array_equal(one, two)


def test_table_starts_empty():
    table = CueTable(['a'], 2)
    assert not table.present.any() and np.isnan(table.values).all()
    assert table.filled() == pytest.approx(0.5)
