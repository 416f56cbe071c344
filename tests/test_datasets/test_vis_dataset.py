import pickle

import numpy as np
import pytest
from mmdet.datasets.samplers import TrackImgSampler
from mmengine import Config

from pmvis_mm.datasets import VISDataset
from pmvis_mm.registry import DATASETS
from pmvis_mm.structures import PseudoMaskSet, VideoAnnotations, rle
from pmvis_mm.structures.pseudo_mask_set import MaskTrack
from pmvis_mm.testing.tiny_vis import write_tiny_vis
from pmvis_mm.utils.errors import (
    AnnotationError,
    ConfigError,
    FrameError,
    MaskSetError,
)
from pmvis_mm.utils.fileio import dump_json

PIPELINE = [
    dict(type='UniformRefFrameSample', num_ref_imgs=1, frame_range=10),
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[
            dict(type='LoadVISFrame'),
            dict(type='LoadPseudoMasks', with_mask=False),
            dict(type='RandomFlip', prob=1.0),
            dict(type='FilterTrackInstances'),
        ],
    ),
    dict(type='PackVISInputs'),
]


pytestmark = pytest.mark.usefixtures('default_scope')


def build(root, data=None, **kwargs):
    if data is not None:
        dump_json(data, root / 'instances.json')
    kwargs = dict(
        dict(
            ann_file='instances.json',
            data_root=str(root),
            data_prefix=dict(img_path='JPEGImages'),
        ),
        **kwargs,
    )
    return VISDataset(**kwargs)


def pseudo_masks(root, keep):
    """Write a mask set that holds masks where keep(track, frame)."""
    annotations = VideoAnnotations.from_file(root / 'instances.json')
    result = PseudoMaskSet.empty_like(annotations)
    for track in annotations:
        masks = MaskTrack.empty_like(track)
        for t, box in enumerate(track.boxes):
            if box is not None and keep(track.id, t):
                masks.set(t, rle.box_rle(box, 32, 48), 'test')
        result.tracks[track.video_id].append(masks)
    result.dump(root / 'masks.json')
    return 'masks.json'


def instance(dataset, video, frame, number):
    return dataset.get_data_info(video)['images'][frame]['instances'][number]


def test_data_list_is_what_mmdet_expects(tmp_path):
    write_tiny_vis(tmp_path)
    dataset = build(tmp_path)
    assert len(dataset) == 2
    video = dataset.get_data_info(1)
    assert video['video_id'] == 1 and video['video_length'] == 3
    assert [image['img_id'] for image in video['images']] == [4, 5, 6]
    assert [image['frame_id'] for image in video['images']] == [0, 1, 2]
    first = video['images'][0]
    assert first['img_path'] == str(tmp_path / 'JPEGImages/v1/00000.png')
    assert (first['height'], first['width']) == (32, 48)
    square, bar = first['instances']
    # Sorted by id, 'bar' (0) is label 0 and 'square' (3) is label 1.
    assert square['bbox'] == [4.0, 6.0, 12.0, 14.0]
    assert square['bbox_label'] == 1 and square['instance_id'] == 2
    assert bar['bbox'] == [30.0, 10.0, 34.0, 26.0]
    assert bar['bbox_label'] == 0 and bar['ignore_flag'] == 0
    assert rle.area(square['mask']) == 64
    assert len(video['images'][2]['instances']) == 1


def test_id_zero_is_an_id(tmp_path):
    write_tiny_vis(tmp_path)
    dataset = build(tmp_path)
    assert dataset.get_data_info(0)['video_id'] == 0
    assert instance(dataset, 0, 0, 0)['instance_id'] == 0
    assert dataset.metainfo['category_ids'] == (0, 3)


def test_metainfo_belongs_to_the_instance(tmp_path):
    write_tiny_vis(tmp_path)
    full = build(tmp_path)
    subset = build(tmp_path, metainfo=dict(classes=('square',)))
    assert full.metainfo['classes'] == ('bar', 'square')
    assert subset.metainfo['classes'] == ('square',)
    assert subset.metainfo['category_ids'] == (3,)
    assert VISDataset.METAINFO == {}
    assert instance(subset, 0, 0, 0)['bbox_label'] == 0
    assert len(subset.get_data_info(0)['images'][0]['instances']) == 1
    assert len(full.metainfo['palette']) == 2
    palette = [(1, 2, 3), (4, 5, 6)]
    own = build(tmp_path, metainfo=dict(palette=palette))
    assert own.metainfo['palette'] == palette


def test_unknown_class(tmp_path):
    write_tiny_vis(tmp_path)
    with pytest.raises(ConfigError, match=r"unknown classes \['cat'\]"):
        build(tmp_path, metainfo=dict(classes=('cat',)))


def test_version_must_fit(tmp_path):
    write_tiny_vis(tmp_path)
    with pytest.raises(AnnotationError, match='not those of ovis'):
        build(tmp_path, version='ovis')


def test_box_supervision_drops_masks_at_load(tmp_path):
    write_tiny_vis(tmp_path)
    dataset = build(tmp_path, supervision='box')
    for video in range(2):
        for image in dataset.get_data_info(video)['images']:
            assert all('mask' not in i for i in image['instances'])
    # Not even a broken mask can disturb: it is not read.
    data = write_tiny_vis(tmp_path)
    data['annotations'][0]['segmentations'][0] = dict(size=[1, 1], counts=[1])
    build(tmp_path, data, supervision='box')
    with pytest.raises(AnnotationError, match='mask size'):
        build(tmp_path, data, supervision='full')


def test_boxes_only_file_yields_a_packed_sample(tmp_path):
    write_tiny_vis(tmp_path, with_masks=False)
    dataset = build(tmp_path, supervision='box', pipeline=PIPELINE)
    sample = dataset[0]
    assert sample['inputs'].shape == (2, 3, 32, 48)
    first = sample['data_samples'][0]
    assert first.gt_instances.bboxes[0].tolist()[1::2] == [6.0, 14.0]
    assert first.gt_instances.instances_ids.tolist() == [0, 1]
    assert 'masks' not in first.gt_instances
    assert first.flip and first.video_id == 0 and first.is_video_data


def test_works_with_mmdets_frame_sampler(tmp_path):
    write_tiny_vis(tmp_path)
    dataset = build(tmp_path, supervision='box', pipeline=PIPELINE)
    sampler = TrackImgSampler(dataset, seed=0)
    assert len(sampler) == 6
    frame = dataset[(1, 2)]['data_samples']
    assert 2 in [sample.frame_id for sample in frame]
    assert sorted(dataset.get_cat_ids((1, 0))) == [0, 1]
    assert dataset.num_all_imgs == 6


def test_test_mode_yields_whole_videos(tmp_path):
    write_tiny_vis(tmp_path)
    load = dict(
        type='TransformBroadcaster', transforms=[dict(type='LoadVISFrame')]
    )
    dataset = build(
        tmp_path, test_mode=True, pipeline=[load, dict(type='PackVISInputs')]
    )
    sample = dataset[1]
    assert sample['inputs'].shape == (3, 3, 32, 48)
    # The background of video 1, frame 2 is RGB (80, 80, 102).
    assert sample['inputs'][2, :, 0, 0].tolist() == [102, 80, 80]
    meta = sample['data_samples'][2].metainfo
    assert meta['frame_id'] == 2 and meta['ori_video_length'] == 3
    assert 'gt_bboxes' not in sample['data_samples'][2].gt_instances


def test_pseudo_masks_join_by_instance_and_frame(tmp_path):
    write_tiny_vis(tmp_path)
    masks = pseudo_masks(tmp_path, lambda track, t: (track, t) == (2, 1))
    dataset = build(tmp_path, supervision='pseudo', pseudo_ann_file=masks)
    assert 'mask' not in instance(dataset, 1, 0, 0)
    assert rle.area(instance(dataset, 1, 1, 0)['mask']) == 64
    assert instance(dataset, 1, 0, 0)['bbox'] == [4.0, 6.0, 12.0, 14.0]
    dropped = build(
        tmp_path,
        supervision='pseudo',
        pseudo_ann_file=masks,
        drop_unmasked=True,
    )
    counts = [
        len(image['instances'])
        for video in range(2)
        for image in dropped.get_data_info(video)['images']
    ]
    assert counts == [0, 0, 0, 0, 1, 0]


def test_mask_set_alone_has_the_annotated_boxes(tmp_path):
    write_tiny_vis(tmp_path)
    masks = pseudo_masks(tmp_path, lambda track, t: t == 0)
    dataset = build(tmp_path, ann_file=masks, supervision='pseudo')
    assert instance(dataset, 0, 1, 0)['bbox'] == [6.0, 6.0, 14.0, 14.0]
    assert 'mask' not in instance(dataset, 0, 1, 0)
    assert 'mask' in instance(dataset, 0, 0, 0)


def test_pseudo_masks_of_other_videos(tmp_path):
    write_tiny_vis(tmp_path)
    masks = pseudo_masks(tmp_path, lambda track, t: True)
    write_tiny_vis(tmp_path, num_videos=1)
    with pytest.raises(MaskSetError, match=r'videos \[1\] are only in one'):
        build(tmp_path, supervision='pseudo', pseudo_ann_file=masks)


def test_crowd_is_ignored_in_packing(tmp_path):
    data = write_tiny_vis(tmp_path)
    data['annotations'][0]['iscrowd'] = 1
    dataset = build(
        tmp_path, data, supervision='box', pipeline=PIPELINE, indices=[0]
    )
    sample = dataset[0]['data_samples'][0]
    assert sample.gt_instances.instances_ids.tolist() == [1]
    assert sample.ignored_instances.instances_ids.tolist() == [0]


def test_frames_without_annotation_are_kept(tmp_path):
    data = write_tiny_vis(tmp_path)
    data['annotations'] = data['annotations'][:1]
    data['annotations'][0]['bboxes'][1] = None
    dataset = build(tmp_path, data)
    assert [dataset.get_len_per_video(i) for i in range(2)] == [3, 3]
    dataset = build(
        tmp_path, data, filter_cfg=dict(filter_empty_gt=True, min_size=0)
    )
    assert len(dataset) == 1 and dataset.get_len_per_video(0) == 2
    frames = dataset.get_data_info(0)['images']
    assert [image['frame_id'] for image in frames] == [0, 2]
    with pytest.raises(AnnotationError, match='leaves no frame'):
        build(tmp_path, data, filter_cfg=dict(min_size=64))


@pytest.mark.parametrize('supervision', ['full', 'box', 'pseudo'])
def test_training_set_without_any_box(tmp_path, supervision):
    data = dict(write_tiny_vis(tmp_path), annotations=None)
    with pytest.raises(AnnotationError, match='no box to train with') as info:
        build(tmp_path, data, supervision=supervision)
    assert 'instances.json' in str(info.value)
    assert 'test_mode=True' in str(info.value)
    assert len(build(tmp_path, supervision=supervision, test_mode=True)) == 2


def test_training_set_without_any_mask(tmp_path):
    write_tiny_vis(tmp_path, with_masks=False)
    for drop in (False, True):
        with pytest.raises(AnnotationError, match='no mask to train') as info:
            build(tmp_path, drop_unmasked=drop)
        assert 'Fix: set supervision="box"' in str(info.value)
    masks = pseudo_masks(tmp_path, lambda track, t: False)
    with pytest.raises(AnnotationError, match='no mask to train') as info:
        build(tmp_path, supervision='pseudo', pseudo_ann_file=masks)
    assert 'masks.json' in str(info.value)


def test_missing_frame_is_found_at_once(tmp_path):
    write_tiny_vis(tmp_path)
    (tmp_path / 'JPEGImages/v1/00001.png').unlink()
    with pytest.raises(FrameError, match='does not exist') as info:
        build(tmp_path)
    text = str(info.value)
    assert '00001.png' in text and 'video 1, frame 1' in text
    assert 'Fix: ' in text
    assert len(build(tmp_path, check_frames=False)) == 2


def test_truncated_frame_is_found_when_read(tmp_path):
    write_tiny_vis(tmp_path, num_videos=1, num_frames=1)
    path = tmp_path / 'JPEGImages/v0/00000.png'
    path.write_bytes(path.read_bytes()[:60])
    # One frame only: the bar is absent in the last one, the square is not.
    dataset = build(tmp_path, pipeline=PIPELINE)
    with pytest.raises(FrameError, match='truncated') as info:
        dataset[0]
    assert 'video 0, frame 0' in str(info.value)


def test_frame_of_another_size(tmp_path):
    data = write_tiny_vis(tmp_path, with_masks=False)
    for video in data['videos']:
        video['width'] = 50
    dataset = build(tmp_path, data, supervision='box', pipeline=PIPELINE)
    with pytest.raises(FrameError, match=r'48x32 .* says 50x32'):
        dataset[0]


def test_contradicting_arguments(tmp_path):
    with pytest.raises(ConfigError, match="supervision='masks' is unknown"):
        build(tmp_path, supervision='masks')
    with pytest.raises(ConfigError, match='has no meaning'):
        build(tmp_path, supervision='box', pseudo_ann_file='a.json')
    with pytest.raises(ConfigError, match='would drop every box'):
        build(tmp_path, supervision='box', drop_unmasked=True)


def test_builds_from_the_registry_and_pickles(tmp_path):
    write_tiny_vis(tmp_path)
    dataset = DATASETS.build(
        dict(
            type='VISDataset',
            ann_file=str(tmp_path / 'instances.json'),
            data_prefix=dict(img_path=str(tmp_path / 'JPEGImages')),
            lazy_init=True,
        )
    )
    dataset.full_init()
    again = pickle.loads(pickle.dumps(dataset))
    assert again.get_data_info(1) == dataset.get_data_info(1)


@pytest.mark.parametrize('supervision', ['box', 'pseudo', 'full'])
@pytest.mark.parametrize('suffix', ['', '_720p'])
def test_pipelines_of_the_configs(tmp_path, config_root, supervision, suffix):
    write_tiny_vis(tmp_path)
    name = f'_base_/pipelines/{supervision}{suffix}.py'
    config = Config.fromfile(config_root / name)
    masks = None
    if supervision == 'pseudo':
        masks = pseudo_masks(tmp_path, lambda track, t: track % 2 == 0)
    dataset = build(
        tmp_path,
        supervision=supervision,
        pseudo_ann_file=masks,
        pipeline=config.train_pipeline,
    )
    np.random.seed(0)
    for _ in range(3):
        sample = dataset[0]
        key, reference = sample['data_samples']
        assert key.frame_id < reference.frame_id
        assert key.flip == reference.flip
        for frame in (key, reference):
            gt = frame.gt_instances
            ids = gt.instances_ids.tolist()
            # The bar (id 1) is absent in the last frame.
            assert ids == ([0] if frame.frame_id == 2 else [0, 1])
            assert gt.labels.tolist() == [1, 0][: len(ids)]
            assert ('masks' in gt) == (supervision != 'box')
            if supervision == 'pseudo':
                assert gt.masks_valid.tolist() == [i == 0 for i in ids]
            height, width = frame.img_shape
            assert (gt.bboxes[:, 2] <= width).all()
            assert (gt.bboxes[:, 3] <= height).all()
            # The square is as wide as high, the bar 4 times as high.
            sides = gt.bboxes[:, 2:] - gt.bboxes[:, :2]
            ratio = (sides[:, 1] / sides[:, 0]).tolist()
            assert ratio == pytest.approx([1, 4][: len(ids)], rel=0.05)
    test = build(tmp_path, test_mode=True, pipeline=config.test_pipeline)
    sample = test[0]
    side = config.test_scale[1]
    assert tuple(sample['inputs'].shape) == (3, 3, side, side * 48 // 32)


def test_independent_crops_of_a_clip_fit_together(tmp_path, config_root):
    write_tiny_vis(tmp_path, num_videos=1, num_frames=2, size=(420, 640))
    config = Config.fromfile(config_root / '_base_/pipelines/full.py')
    dataset = build(tmp_path, pipeline=config.train_pipeline)
    np.random.seed(0)
    ragged = lost = 0
    for _ in range(12):
        sample = dataset[0]
        frames = sample['data_samples']
        shapes = [frame.img_shape for frame in frames]
        ragged += shapes[0] != shapes[1]
        largest = tuple(max(side) for side in zip(*shapes))
        assert tuple(sample['inputs'].shape[-2:]) == largest
        for image, frame in zip(sample['inputs'], frames):
            height, width = frame.img_shape
            assert not image[:, height:].any()
            assert not image[:, :, width:].any()
            # any() of bytes is no bool in torch 2.1.
            assert (image[:, :height, :width] > 0).any(0).all()
            gt = frame.gt_instances
            lost += 2 - frame.frame_id - len(gt)
            assert len(gt.masks) == len(gt.masks_valid) == len(gt)
            assert gt.masks_valid.all()
            for box, mask in zip(gt.bboxes.tolist(), gt.masks.masks):
                x0, y0, x1, y1 = map(int, box)
                assert mask[y0:y1, x0:x1].all()
                assert mask.sum() == (x1 - x0) * (y1 - y0)
    assert ragged and lost
