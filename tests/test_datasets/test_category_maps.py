import pytest

from pmvis_mm.datasets import COCOClipDataset, VISDataset
from pmvis_mm.datasets.category_maps import CATEGORY_MAPS, map_categories
from pmvis_mm.datasets.metainfo import COCO_CLASSES, DATASET_CLASSES
from pmvis_mm.registry import DATASETS
from pmvis_mm.testing.tiny_coco import write_tiny_coco_clips
from pmvis_mm.testing.tiny_vis import write_tiny_vis
from pmvis_mm.utils.errors import AnnotationError, ConfigError
from pmvis_mm.utils.fileio import dump_json

pytestmark = pytest.mark.usefixtures('default_scope')

# Ids of COCO that are not used.
GAPS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
COCO_IDS = [i for i in range(1, 91) if i not in GAPS]
CATEGORIES = [dict(id=i, name=name) for i, name in zip(COCO_IDS, COCO_CLASSES)]

# Id of COCO to id of YouTube-VIS, as the public code has them.
TO_2019 = {
    1: 1, 2: 21, 3: 6, 4: 21, 5: 28, 7: 17, 8: 29, 9: 34, 17: 14, 18: 8,
    19: 18, 21: 15, 22: 32, 23: 20, 24: 30, 25: 22, 35: 33, 36: 33, 41: 5,
    42: 27, 43: 40,
}  # fmt: skip
TO_2021 = {
    1: 26, 2: 23, 3: 5, 4: 23, 5: 1, 7: 36, 8: 37, 9: 4, 16: 3, 17: 6,
    18: 9, 19: 19, 21: 7, 22: 12, 23: 2, 24: 40, 25: 18, 34: 14, 35: 31,
    36: 31, 41: 29, 42: 33, 43: 34,
}  # fmt: skip


@pytest.mark.parametrize(
    'name, expected',
    [
        ('youtube_vis_2019', TO_2019),
        ('youtube_vis_2021', TO_2021),
        ('youtube_vis_2022', TO_2021),
    ],
)
def test_official_maps_by_id(name, expected):
    metainfo, labels = map_categories(CATEGORIES, name)
    assert metainfo['classes'] == DATASET_CLASSES[name]
    assert metainfo['category_ids'] == tuple(range(1, 41))
    ids = metainfo['category_ids']
    assert {old: ids[label] for old, label in labels.items()} == expected


def test_maps_name_what_there_is():
    for name, names in CATEGORY_MAPS.items():
        assert set(names) <= set(COCO_CLASSES)
        assert set(names.values()) <= set(DATASET_CLASSES[name])


def test_fewer_classes_in_another_order():
    metainfo, labels = map_categories(
        CATEGORIES, 'youtube_vis_2019', classes=('dog', 'sedan')
    )
    assert metainfo['classes'] == ('dog', 'sedan')
    assert metainfo['category_ids'] == (8, 6)
    assert labels == {3: 1, 18: 0}


def test_a_part_of_coco_is_enough():
    few = [dict(id=18, name='dog'), dict(id=90, name='toothbrush')]
    _, labels = map_categories(few, 'youtube_vis_2021')
    assert labels == {18: 8}


def test_a_map_of_ones_own():
    names = dict(dog='pet', cat='pet', person='human')
    metainfo, labels = map_categories(CATEGORIES, names)
    assert metainfo['classes'] == ('pet', 'human')
    assert labels == {1: 1, 17: 0, 18: 0}
    metainfo, labels = map_categories(CATEGORIES, names, ['human', 'x', 'pet'])
    assert metainfo['classes'] == ('human', 'x', 'pet')
    assert metainfo['category_ids'] == (1, 2, 3)
    assert labels == {1: 0, 17: 2, 18: 2}


@pytest.mark.parametrize(
    'category_map, classes, message',
    [
        ('ovis', None, "category_map='ovis' is unknown"),
        (dict(hound='dog'), None, r"\['hound'\] are not among the categ"),
        (dict(dog='dog'), ['cat'], r"\['dog'\] are not among the classes"),
        ('youtube_vis_2019', ['car'], r"\['car'\] are not among the class"),
    ],
)
def test_unknown_names(category_map, classes, message):
    with pytest.raises(ConfigError, match=message) as info:
        map_categories(CATEGORIES, category_map, classes, 'a.json')
    assert 'Fix: ' in str(info.value)


def test_a_file_without_any_of_the_categories():
    with pytest.raises(ConfigError, match='not among the categories'):
        map_categories([dict(id=1, name='a')], 'youtube_vis_2019', None, 'f')


@pytest.fixture
def coco(tmp_path):
    """Three images: a square and a triangle each, the last one empty.

    Categories are COCO's; squares are cars (3), triangles broccoli (56).
    """
    root = tmp_path / 'coco'
    data = write_tiny_coco_clips(root)
    data['categories'] = CATEGORIES
    ids = {2: 3, 7: 56}
    for entry in data['annotations']:
        entry['category_id'] = ids[entry['category_id']]
    # The second image shows broccoli only.
    data['annotations'] = [
        entry
        for entry in data['annotations']
        if entry['image_id'] == 0 or entry['category_id'] == 56
    ]
    dump_json(data, root / 'instances.json')
    return dict(
        ann_file=str(root / 'instances.json'),
        data_prefix=dict(img_path=str(root / 'images')),
    )


@pytest.fixture
def videos(tmp_path):
    root = tmp_path / 'videos'
    data = write_tiny_vis(root)
    data['categories'] = [
        dict(id=i + 1, name=name)
        for i, name in enumerate(DATASET_CLASSES['youtube_vis_2019'])
    ]
    for entry in data['annotations']:
        entry['category_id'] = 6  # sedans
    dump_json(data, root / 'instances.json')
    return dict(
        ann_file=str(root / 'instances.json'),
        data_prefix=dict(img_path=str(root / 'JPEGImages')),
        version='youtube_vis_2019',
        supervision='box',
    )


def test_dataset_leaves_out_what_has_no_class(coco):
    dataset = COCOClipDataset(
        **coco, version='coco', category_map='youtube_vis_2019'
    )
    frames = [dataset.get_data_info(i)['images'][0] for i in range(3)]
    # The square and the crowd of squares.
    assert [len(frame['instances']) for frame in frames] == [2, 0, 0]
    for instance in frames[0]['instances']:
        assert instance['bbox_label'] == 5  # sedan, the sixth
    assert [i['instance_id'] for i in frames[0]['instances']] == [1, 3]
    filtered = COCOClipDataset(
        **coco,
        category_map='youtube_vis_2019',
        filter_cfg=dict(filter_empty_gt=True),
    )
    assert len(filtered) == 1
    assert filtered.get_data_info(0)['video_id'] == 0


def test_dataset_with_names_of_its_own(coco):
    dataset = COCOClipDataset(
        **coco,
        category_map=dict(broccoli='tree'),
        metainfo=dict(classes=('house', 'tree'), palette=[(0, 0, 0)] * 2),
    )
    assert dataset.metainfo['classes'] == ('house', 'tree')
    assert dataset.metainfo['palette'] == [(0, 0, 0)] * 2
    (instance,) = dataset.get_data_info(1)['images'][0]['instances']
    assert instance['bbox_label'] == 1


def test_the_version_is_still_checked(coco):
    with pytest.raises(AnnotationError, match='not those of ovis'):
        COCOClipDataset(
            **coco, version='ovis', category_map='youtube_vis_2019'
        )


def test_nothing_left_to_train_with(coco):
    with pytest.raises(AnnotationError, match='no box to train with'):
        COCOClipDataset(**coco, category_map=dict(cat='cat'))


@pytest.mark.parametrize('kind', ['ConcatDataset', 'mmengine.ConcatDataset'])
def test_images_and_videos_concatenate(coco, videos, kind):
    images = dict(
        coco, type='COCOClipDataset', category_map='youtube_vis_2019'
    )
    dataset = DATASETS.build(
        dict(type=kind, datasets=[images, dict(videos, type='VISDataset')])
    )
    assert len(dataset) == 5
    alone = VISDataset(**videos)
    # One metainfo for both, not a list of two.
    for key in ('classes', 'palette', 'category_ids'):
        assert dataset.metainfo[key] == alone.metainfo[key]
    labels = [
        dataset.get_data_info(i)['images'][0]['instances'][0]['bbox_label']
        for i in (0, 3)
    ]
    assert labels == [5, 5]
