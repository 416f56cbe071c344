import numpy as np
import pytest

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from pmvis_mm.registry import DATASETS
from pmvis_mm.structures.rle import decode
from pmvis_mm.testing.tiny_coco import write_tiny_coco_clips
from pmvis_mm.testing.tiny_vis import write_tiny_vis
from pmvis_mm.visualization.frame_truth import FrameTruth

pytestmark = pytest.mark.usefixtures('default_scope')


def videos(root, **kwargs):
    return dict(
        type='VISDataset',
        ann_file=str(root / 'instances.json'),
        data_prefix=dict(img_path=str(root / 'JPEGImages')),
        test_mode=True,
        pipeline=[],
        **kwargs,
    )


def test_truth_of_single_frames(tmp_path):
    write_tiny_vis(tmp_path)
    truth = FrameTruth(DATASETS.build(videos(tmp_path)))
    found = truth.find(str(tmp_path / 'JPEGImages/v1/00001.png'))
    np.testing.assert_array_equal(
        found.bboxes, [[6, 6, 14, 14], [30, 10, 34, 26]]
    )
    assert found.instances_ids.tolist() == [2, 3]
    assert found.labels.tolist() == [1, 0]  # categories 3 and 0
    square = np.zeros((32, 48), bool)
    square[6:14, 6:14] = True
    np.testing.assert_array_equal(decode(found.masks[0]), square)
    # The bar is absent in the last frame.
    last = truth.find(str(tmp_path / 'JPEGImages/v0/00002.png'))
    assert last.instances_ids.tolist() == [0]


def test_boxes_only_and_unknown_frames(tmp_path):
    write_tiny_vis(tmp_path)
    truth = FrameTruth(DATASETS.build(videos(tmp_path, supervision='box')))
    found = truth.find(str(tmp_path / 'JPEGImages/v0/00000.png'))
    assert len(found) == 2 and 'masks' not in found
    nothing = truth.find('elsewhere.png')
    assert nothing.bboxes.shape == (0, 4) and len(nothing.labels) == 0


def test_polygons_and_crowds_of_concatenated_images(tmp_path):
    write_tiny_vis(tmp_path)
    write_tiny_coco_clips(tmp_path / 'coco')
    images = dict(
        type='COCOClipDataset',
        ann_file=str(tmp_path / 'coco/instances.json'),
        data_prefix=dict(img_path=str(tmp_path / 'coco/images')),
        test_mode=True,
        pipeline=[],
        category_map=dict(square='square', triangle='bar'),
        metainfo=dict(classes=('bar', 'square')),
    )
    dataset = DATASETS.build(
        dict(
            type='ConcatDataset',
            ignore_keys=['category_ids'],
            datasets=[videos(tmp_path), images],
        )
    )
    truth = FrameTruth(dataset)
    found = truth.find(str(tmp_path / 'coco/images/001.png'))
    areas = [int(decode(mask).sum()) for mask in found.masks]
    assert areas[0] == 64 and areas[2] == 80
    video = truth.find(str(tmp_path / 'JPEGImages/v0/00000.png'))
    assert video.instances_ids.tolist() == [0, 1]
