import numpy as np
import pytest
import torch

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks

from pmvis_mm.datasets.transforms import PackVISInputs, PackVOSInputs
from pmvis_mm.visualization.overlay import track_color
from pmvis_mm.visualization.pipeline_view import (
    FrameView,
    draw_clip,
    summarize,
    view_sample,
)

SIZE = (40, 60)
CLASSES = ('bar', 'square')


def frame(t, **changes):
    """Of two instances, the second one a crowd."""
    masks = np.zeros((2, *SIZE), np.uint8)
    masks[0, 10:20, 5 + t : 15 + t] = 1
    masks[1, 30:38, 40:50] = 1
    values = dict(
        img=np.full((*SIZE, 3), 100 + t, np.uint8),
        img_shape=SIZE,
        frame_id=t,
        gt_bboxes=np.array(
            [[5 + t, 10, 15 + t, 20], [40, 30, 50, 38]], np.float32
        ),
        gt_bboxes_labels=np.array([1, 0]),
        gt_instances_ids=np.array([3, 8]),
        gt_ignore_flags=np.array([False, True]),
        gt_masks=BitmapMasks(masks, *SIZE),
        key_frame_flags=t == 2,
        img_id=t,
    )
    return dict(values, **changes)


def clip(*frames):
    return {key: [f[key] for f in frames] for key in frames[0]}


def check_instances(view, t):
    assert view.ids == [3, 8]
    assert view.labels == ['square 3', 'bar 8 crowd']
    assert view.boxes == [(5 + t, 10, 15 + t, 20), (40, 30, 50, 38)]
    assert view.masks[0].sum() == 100 and view.masks[0][10:20, 5 + t].all()
    assert view.masks[1].sum() == 80


def test_view_of_a_clip_copies():
    sample = clip(frame(1), frame(2, flip=True))
    sample['flip'] = [False, True]
    view = view_sample(sample, CLASSES)
    sample['img'][0][:] = 0
    sample['gt_masks'][0].masks[:] = 0
    assert [f.title for f in view.frames] == [
        'frame 1',
        'frame 2, key, flipped',
    ]
    for t, one in zip((1, 2), view.frames):
        assert (one.image == 100 + t).all()
        check_instances(one, t)


def test_view_of_one_frame_with_box_structures():
    sample = frame(1, gt_bboxes=HorizontalBoxes(frame(1)['gt_bboxes']))
    view = view_sample(sample, CLASSES, single=True)
    assert len(view.frames) == 1
    check_instances(view.frames[0], 1)


def test_view_of_a_packed_clip():
    wide = frame(2, img=np.full((40, 80, 3), 102, np.uint8))
    wide['img_shape'] = (40, 80)
    sample = PackVISInputs()(clip(frame(1), wide))
    assert sample['inputs'].dtype == torch.uint8
    first, second = view_sample(sample, CLASSES).frames
    assert first.title == 'frame 1, 60x40 in'
    assert second.title == 'frame 2, key'
    # Padded with zeros at the right, and its masks with it.
    assert first.image.shape == (40, 80, 3)
    assert (first.image[:, :60] == 101).all() and not first.image[:, 60:].any()
    assert first.masks[0].shape == (40, 80)
    check_instances(first, 1)
    check_instances(second, 2)


def test_view_of_label_maps():
    labels = np.zeros(SIZE, np.uint8)
    labels[5:10, 5:10], labels[20:30, 20:30], labels[:, 50:] = 1, 2, 255
    frames = [
        dict(
            img=np.full((*SIZE, 3), 90.6, np.float32),
            gt_seg_map=labels,
            video_id=0,
            frame_id=t,
        )
        for t in range(2)
    ]
    sample = clip(*frames)
    packed = PackVOSInputs()(sample)
    assert summarize(sample)[-1] == 'masks: gt_seg_map'
    assert summarize(packed)[-1] == 'masks: data_samples.gt_label_maps'
    for view in (*view_sample(sample).frames, *view_sample(packed).frames):
        assert view.title in ('frame 0', 'frame 1')
        assert (view.image == 91).all()
        assert view.labels == ['1', '2', 'ignored']
        assert view.boxes == [None] * 3
        assert [int(mask.sum()) for mask in view.masks] == [25, 100, 400]


def test_views_of_what_is_not_there_yet():
    video = dict(video_id=1, images=[dict(img_path='a.png')])
    (view,) = view_sample(video).frames
    assert view.image is None and view.ids == []
    bare = dict(img=[np.zeros((*SIZE, 3), np.uint8)], frame_id=[4])
    (view,) = view_sample(bare).frames
    assert view.title == 'frame 4' and view.masks == []
    grey = dict(img=np.full(SIZE, 7, np.uint8))
    assert (view_sample(grey).frames[0].image == np.full((*SIZE, 3), 7)).all()


def test_boxes_without_masks_and_labels_beyond_the_classes():
    sample = frame(0, gt_masks=None, gt_bboxes_labels=np.array([1, 5]))
    del sample['gt_instances_ids'], sample['gt_ignore_flags']
    (view,) = view_sample(sample, CLASSES).frames
    assert view.masks == [None, None]
    assert view.labels == ['square 0', 'class 5 1']


def test_empty_frames():
    nothing = frame(
        0,
        gt_bboxes=np.zeros((0, 4), np.float32),
        gt_bboxes_labels=np.zeros(0, np.int64),
        gt_instances_ids=np.zeros(0, np.int64),
        gt_ignore_flags=np.zeros(0, bool),
        gt_masks=BitmapMasks(np.zeros((0, *SIZE), np.uint8), *SIZE),
    )
    for sample in (clip(nothing), PackVISInputs()(clip(nothing))):
        (view,) = view_sample(sample, CLASSES).frames
        assert view.ids == view.labels == view.boxes == view.masks == []


def test_picture_has_frames_side_by_side():
    view = view_sample(clip(frame(1), frame(2)), CLASSES)
    painted = draw_clip(view.frames, 'title', alpha=0.5, min_height=0)
    # Where frames begin: below heading and title, 8 pixels apart.
    height, width = painted.shape[:2]
    assert width == 2 * (60 + 8) + 8
    top = height - 40 - 8
    for t, left in ((1, 8), (2, 8 + 68)):
        one = painted[top : top + 40, left : left + 60].astype(float)
        expected = (100 + t + np.array(track_color(3))) / 2
        assert np.abs(one[15, 10 + t] - expected).max() <= 1
        assert (one[10, 5 + t] == track_color(3)).all()
        # Between the box of the crowd and the border nothing is painted.
        assert (one[39, 30:] == 100 + t).all()
    assert (painted[-8:] == 40).all()
    assert (painted[0] == 255).all() and (painted[:20] < 128).any()


def test_pictures_of_long_clips_wrap():
    frames = [
        FrameView(np.full((*SIZE, 3), 10 * t, np.uint8)) for t in range(7)
    ]
    painted = draw_clip(frames, '', min_height=0)
    assert painted.shape[1] == 5 * 68 + 8
    (row,) = {(painted[y] == 60).all(axis=1).sum() for y in (-10, -20)}
    assert row == 60  # frame 6 is in the second row
    assert draw_clip([FrameView()], 'no image') is None
    assert draw_clip([], 'no frame') is None


def test_summary_tells_shapes_types_and_masks():
    sample = clip(frame(1), frame(2))
    lines = summarize(sample)
    assert 'img: list of 2: ndarray uint8 (40, 60, 3)' in lines
    assert 'gt_bboxes: list of 2: ndarray float32 (2, 4)' in lines
    assert 'gt_masks: list of 2: BitmapMasks (2, 40, 60)' in lines
    assert 'frame_id: list of 2: 1, 2' in lines
    assert lines[-1] == 'masks: gt_masks'
    del sample['gt_masks']
    assert summarize(sample)[-1] == 'masks: none'
    packed = summarize(PackVISInputs()(sample))
    assert 'inputs: Tensor uint8 (2, 3, 40, 60)' in packed
    assert '        bboxes: Tensor float32 (1, 4)' in packed
    assert packed[-1] == 'masks: none'
