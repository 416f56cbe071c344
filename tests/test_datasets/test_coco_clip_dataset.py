import json
import math
import pickle

import numpy as np
import pytest
from mmdet.datasets import BaseVideoDataset
from mmengine import Config

from pmvis_mm.datasets import COCOClipDataset
from pmvis_mm.registry import DATASETS, TRANSFORMS
from pmvis_mm.structures import rle
from pmvis_mm.testing.leak import find_masks
from pmvis_mm.testing.tiny_coco import write_tiny_coco_clips
from pmvis_mm.utils.errors import AnnotationError, ConfigError, FrameError
from pmvis_mm.utils.fileio import dump_json

pytestmark = pytest.mark.usefixtures('default_scope')


def build(root, data=None, **kwargs):
    if data is not None:
        dump_json(data, root / 'instances.json')
    kwargs = dict(
        dict(
            ann_file='instances.json',
            data_root=str(root),
            data_prefix=dict(img_path='images'),
        ),
        **kwargs,
    )
    return COCOClipDataset(**kwargs)


def pipeline(config_root, name):
    return Config.fromfile(
        config_root / f'_base_/pipelines/{name}.py'
    ).train_pipeline


def test_an_image_is_a_video_of_one_frame(tmp_path):
    write_tiny_coco_clips(tmp_path)
    dataset = build(tmp_path)
    assert isinstance(dataset, BaseVideoDataset)
    assert DATASETS.get('COCOClipDataset') is COCOClipDataset
    assert len(dataset) == 3
    # Labels in the order of the category ids, not of the file.
    assert dataset.metainfo['classes'] == ('square', 'triangle')
    assert dataset.metainfo['category_ids'] == (2, 7)
    video = dataset.get_data_info(1)
    assert (video['video_id'], video['video_length']) == (1, 1)
    (frame,) = video['images']
    for key, value in dict(
        img_id=1,
        video_id=1,
        frame_id=0,
        height=32,
        width=48,
        file_name='001.png',
        img_path=str(tmp_path / 'images/001.png'),
        is_video_data=True,
    ).items():
        assert frame[key] == value
    instances = frame['instances']
    assert [i['instance_id'] for i in instances] == [1, 2, 3]
    assert [i['bbox_label'] for i in instances] == [0, 1, 0]
    assert [i['ignore_flag'] for i in instances] == [0, 0, 1]
    assert [i['bbox'] for i in instances] == [
        [4, 6, 12, 14],
        [20, 4, 36, 20],
        [40, 8, 44, 28],
    ]
    # The raw forms.
    assert instances[1]['mask'] == [[20, 4, 20, 20, 36, 20]]
    assert instances[2]['mask']['counts'][:2] == [40 * 32 + 8, 20]
    assert dataset.get_data_info(2)['images'][0]['instances'] == []
    assert len(pickle.loads(pickle.dumps(dataset))) == 3


def test_polygons_and_rle_are_rasterised_when_loaded(tmp_path):
    write_tiny_coco_clips(tmp_path)
    frame = build(tmp_path).get_data_info(0)['images'][0]
    load = TRANSFORMS.build(dict(type='LoadPseudoMasks'))
    results = load(frame)
    square, triangle, crowd = results['gt_masks'].masks
    assert square[6:14, 4:12].all() and square.sum() == 64
    assert crowd[8:28, 40:44].all() and crowd.sum() == 80
    # Half of 16 x 16, below the diagonal from left above to right below.
    assert abs(int(triangle.sum()) - 128) <= 16
    assert triangle[18, 21:33].all() and not triangle[6, 28:36].any()
    assert results['gt_masks_valid'].tolist() == [True] * 3


def test_box_supervision_drops_masks_at_load(tmp_path, config_root):
    data = write_tiny_coco_clips(tmp_path)
    full = find_masks(build(tmp_path).get_data_info(0))
    assert full == [f'images[0].instances[{i}].mask' for i in range(3)]
    dataset = build(tmp_path, supervision='box')
    dataset.pipeline = TRANSFORMS.build(
        dict(type='Compose', transforms=pipeline(config_root, 'coco_box'))
    )
    for index in range(3):
        assert find_masks(dataset.get_data_info(index)) == []
        assert find_masks(dataset[index]) == []
    # Not even a broken mask can disturb: it is not read.
    data['annotations'][0]['segmentation'] = [[1, 2]]
    build(tmp_path, data, supervision='box')
    with pytest.raises(AnnotationError, match='at least 6 coordinates'):
        build(tmp_path, data)
    # Boxes alone are enough.
    write_tiny_coco_clips(tmp_path, with_masks=False)
    assert len(build(tmp_path, supervision='box')) == 3
    with pytest.raises(AnnotationError, match='no mask to train with'):
        build(tmp_path)


@pytest.mark.parametrize('name', ['box', 'full'])
def test_views_of_an_image_are_augmented_independently(
    name, tmp_path, config_root
):
    write_tiny_coco_clips(tmp_path, num_images=1, size=(64, 96))
    dataset = build(
        tmp_path,
        supervision=name,
        pipeline=pipeline(config_root, f'coco_{name}'),
    )
    np.random.seed(0)
    shapes, flips, lost = [], [], 0
    for _ in range(24):
        sample = dataset[0]
        views = sample['data_samples']
        assert len(views) == 2
        shapes.append([view.img_shape for view in views])
        flips.append([view.flip for view in views])
        for image, view in zip(sample['inputs'], views):
            height, width = view.img_shape
            gt = view.gt_instances
            ids = gt.instances_ids.tolist()
            lost += 2 - len(ids)
            assert set(ids) <= {1, 2}  # the crowd is ignored
            assert gt.labels.tolist() == [i - 1 for i in ids]
            assert (gt.bboxes >= 0).all()
            assert (gt.bboxes[:, 2] <= width).all()
            assert (gt.bboxes[:, 3] <= height).all()
            if name == 'full':
                _check_masks(image, gt)
            else:
                assert find_masks(view) == []
    differ = [first != second for first, second in shapes]
    assert 0 < sum(differ) < 25
    assert {tuple(pair) for pair in flips} == {
        (a, b) for a in (True, False) for b in (True, False)
    }
    assert lost  # crops do cut


def _check_masks(image, gt):
    """The square, painted blue, is where its mask and its box are."""
    assert len(gt.masks) == len(gt.masks_valid) == len(gt)
    for number, mask in zip(gt.instances_ids.tolist(), gt.masks.masks):
        if number == 1 and mask.sum() > 400:
            blue = image[0][: mask.shape[0], : mask.shape[1]].numpy() > 110
            union = np.count_nonzero(blue | (mask > 0))
            assert np.count_nonzero(blue & (mask > 0)) > 0.9 * union
            index = gt.instances_ids.tolist().index(1)
            tight = rle.tight_boxes([rle.encode(mask)])[0]
            assert np.abs(tight - gt.bboxes[index].numpy()).max() <= 8


def test_views_share_nothing(tmp_path):
    write_tiny_coco_clips(tmp_path)
    transforms = [
        dict(type='UniformRefFrameSample', num_ref_imgs=1),
        dict(
            type='TransformBroadcaster',
            transforms=[
                dict(type='LoadVISFrame'),
                dict(type='LoadPseudoMasks'),
            ],
        ),
    ]
    dataset = build(tmp_path, pipeline=transforms)
    results = dataset[0]
    assert results['frame_id'] == [0, 0] and results['video_id'] == [0, 0]
    for key in ('img', 'gt_bboxes', 'gt_instances_ids', 'gt_masks_valid'):
        first, second = results[key]
        assert np.array_equal(first, second)
        assert not np.shares_memory(first, second)
    first, second = (masks.masks for masks in results['gt_masks'])
    assert not np.shares_memory(first, second)
    first, second = results['instances']
    first[0]['bbox'][0] = -1
    first[0]['mask'][0][0] = -1
    assert second[0]['bbox'] == [4, 6, 12, 14]
    assert second[0]['mask'][0][0] == 4
    # Nor does the dataset change.
    assert dataset[0]['instances'][0][0]['bbox'] == [4, 6, 12, 14]


def test_image_without_instances_passes_every_pipeline(tmp_path, config_root):
    write_tiny_coco_clips(tmp_path)
    for name in ('box', 'full'):
        dataset = build(
            tmp_path,
            supervision=name,
            pipeline=pipeline(config_root, f'coco_{name}'),
        )
        for _ in range(8):
            sample = dataset[2]
            for view in sample['data_samples']:
                assert view.gt_instances.bboxes.shape == (0, 4)
                assert len(view.gt_instances) == 0


def test_filter_drops_images_without_instance(tmp_path):
    write_tiny_coco_clips(tmp_path)
    dataset = build(tmp_path, filter_cfg=dict(filter_empty_gt=True))
    ids = [dataset.get_data_info(i)['video_id'] for i in range(len(dataset))]
    assert ids == [0, 1]
    only = dict(classes=('triangle',))
    dataset = build(tmp_path, metainfo=only)
    (instance,) = dataset.get_data_info(0)['images'][0]['instances']
    assert (instance['instance_id'], instance['bbox_label']) == (2, 0)


def test_boxes_without_area_are_left_out(tmp_path):
    data = write_tiny_coco_clips(tmp_path)
    data['annotations'][0]['bbox'] = [4, 6, 1.03, 0.0]
    frame = build(tmp_path, data).get_data_info(0)['images'][0]
    assert [i['instance_id'] for i in frame['instances']] == [2, 3]


def test_test_mode_gives_whole_videos(tmp_path, config_root):
    write_tiny_coco_clips(tmp_path)
    config = Config.fromfile(config_root / '_base_/pipelines/coco_box.py')
    dataset = build(tmp_path, test_mode=True, pipeline=config.test_pipeline)
    sample = dataset[0]
    assert tuple(sample['inputs'].shape) == (1, 3, 640, 960)
    assert sample['data_samples'][0].ori_shape == (32, 48)
    assert sample['data_samples'][0].img_id == 0


def change(key, value, index=0, table='annotations'):
    def act(data):
        data[table][index][key] = value

    return act


@pytest.mark.parametrize(
    'act, message',
    [
        (change('bbox', [60, 0, 5, 5]), 'outside the 48x32 frame'),
        (change('bbox', [40, 0, 20, 5]), 'sticks out .* by 12.0 pixels'),
        (change('bbox', [0, 0, math.nan, 5]), 'no finite number'),
        (change('bbox', [4, 4, -2, 5]), 'no positive width and height'),
        (change('bbox', [4, 4, 2]), r'is not \[x, y, width, height\]'),
        (change('bbox', None), 'no "bbox"'),
        (change('category_id', 3), 'unknown category_id 3; known'),
        (change('image_id', 99), 'unknown image_id 99'),
        (change('id', 1), 'duplicate annotation id 1'),
        (change('id', [1]), 'annotation number 0 has no integer'),
        (change('image_id', [0]), r'unknown image_id \[0\]'),
        (change('id', 1, 2, 'images'), 'duplicate video id 1'),
        (change('height', 0, table='images'), '"height" is 0'),
        (change('file_name', None, table='images'), 'file name None'),
        (change('segmentation', [[1, 2, 3]]), 'at least 6 .* got 3'),
        (change('segmentation', [1, 2]), 'should hold polygons'),
        (change('segmentation', 'x'), 'not a segmentation: str'),
        (change('segmentation', dict(size=[1, 1])), 'needs "counts"'),
        (
            change('segmentation', dict(size=[48, 32], counts=[1])),
            r'mask size \[48, 32\] differs from the image size \[32, 48\]',
        ),
        (lambda data: data.update(images=[]), '"images" is missing, empty'),
        (lambda data: data.update(annotations=3), '"annotations" is miss'),
        (lambda data: data['images'].append(3), 'image number 3 is 3'),
        (lambda data: data.pop('categories'), '"categories" is missing'),
        (lambda data: data.update(annotations=None), 'no box to train with'),
    ],
)
def test_malformed_files(act, message, tmp_path):
    data = write_tiny_coco_clips(tmp_path)
    act(data)
    with pytest.raises(AnnotationError, match=message) as info:
        build(tmp_path, json.loads(json.dumps(data)))
    assert 'instances.json' in str(info.value)
    assert 'Fix: ' in str(info.value)


def test_errors_name_image_and_annotation(tmp_path):
    data = write_tiny_coco_clips(tmp_path)
    data['annotations'][4]['bbox'] = [60, 0, 5, 5]
    with pytest.raises(AnnotationError) as info:
        build(tmp_path, data)
    assert 'video 1, frame 0, instance 4' in str(info.value)
    data['annotations'][4]['bbox'] = [40, 0, 20, 5]
    frame = build(tmp_path, data, clip_boxes=True).get_data_info(1)
    instance = frame['images'][0]['instances'][1]
    assert instance['bbox'] == [40, 0, 48, 5]


def test_bad_values_of_a_mask_show_when_it_is_loaded(tmp_path):
    data = write_tiny_coco_clips(tmp_path)
    data['annotations'][2]['segmentation']['counts'][0] += 1
    data['annotations'][3]['segmentation'][0][2] = 'x'
    dataset = build(tmp_path, data)
    load = TRANSFORMS.build(dict(type='LoadPseudoMasks'))
    for index, message in (
        (0, 'counts add up to 1537, .*video 0, frame 0, instance 3'),
        (1, 'that is no number .*video 1, frame 0, instance 1'),
    ):
        with pytest.raises(AnnotationError, match=message):
            load(dataset.get_data_info(index)['images'][0])


def test_other_files(tmp_path):
    with pytest.raises(AnnotationError, match='does not exist'):
        build(tmp_path)
    with pytest.raises(AnnotationError, match='expected a json object'):
        build(tmp_path, [])
    with pytest.raises(AnnotationError, match='about videos') as info:
        build(tmp_path, dict(videos=[]))
    assert 'VISDataset' in str(info.value)


def test_missing_image(tmp_path):
    write_tiny_coco_clips(tmp_path)
    (tmp_path / 'images/001.png').unlink()
    with pytest.raises(FrameError, match=r'001.png, video 1, frame 0'):
        build(tmp_path)
    assert len(build(tmp_path, check_frames=False)) == 3


def test_the_image_folder_is_listed_once(tmp_path, monkeypatch):
    from pmvis_mm.structures import frame_reader

    write_tiny_coco_clips(tmp_path, num_images=5)
    listed = []
    listdir = frame_reader.os.listdir
    monkeypatch.setattr(
        frame_reader.os,
        'listdir',
        lambda path: listed.append(path) or listdir(path),
    )
    build(tmp_path)
    assert listed.count(str(tmp_path / 'images')) == 1


def test_unknown_supervision_class_and_version(tmp_path):
    write_tiny_coco_clips(tmp_path)
    with pytest.raises(ConfigError, match="supervision='pseudo' is unknown"):
        build(tmp_path, supervision='pseudo')
    with pytest.raises(ConfigError, match=r"unknown classes \['cat'\]"):
        build(tmp_path, metainfo=dict(classes=('cat',)))
    with pytest.raises(AnnotationError, match='not those of coco'):
        build(tmp_path, version='coco')
