import pytest

from pmvis_mm.datasets.metainfo import (
    DATASET_CLASSES,
    OVIS_CLASSES,
    YOUTUBE_VIS_2019_CLASSES,
    YOUTUBE_VIS_2021_CLASSES,
    class_palette,
    resolve_categories,
)
from pmvis_mm.utils.errors import AnnotationError, ConfigError


def categories(*names):
    return [dict(id=i + 1, name=name) for i, name in enumerate(names)]


def test_sizes_and_spelling():
    assert len(YOUTUBE_VIS_2019_CLASSES) == 40
    assert len(YOUTUBE_VIS_2021_CLASSES) == 40
    assert len(OVIS_CLASSES) == 25
    assert OVIS_CLASSES[24] == 'Vehical'
    for classes in DATASET_CLASSES.values():
        assert len(set(classes)) == len(classes)


def test_same_coco_classes_as_mmdet():
    from mmdet.datasets import CocoDataset

    assert DATASET_CLASSES['coco'] == CocoDataset.METAINFO['classes']


@pytest.mark.parametrize('version', ['2019', '2021'])
def test_same_classes_as_mmdet(version):
    from mmdet.datasets import YouTubeVISDataset

    before = YouTubeVISDataset.METAINFO
    try:
        YouTubeVISDataset.set_dataset_classes(version)
        theirs = YouTubeVISDataset.METAINFO['classes']
    finally:
        YouTubeVISDataset.METAINFO = before
    assert DATASET_CLASSES[f'youtube_vis_{version}'] == theirs


def test_palette_is_stable_and_distinct():
    palette = class_palette(40)
    assert palette[:25] == class_palette(25)
    assert len(set(palette)) == 40
    assert all(0 <= v <= 255 for colour in palette for v in colour)
    assert class_palette(0) == []


def test_labels_follow_ids_not_the_order_of_the_file():
    found = resolve_categories([dict(id=7, name='b'), dict(id=0, name='a')])
    assert found['classes'] == ('a', 'b')
    assert found['category_ids'] == (0, 7)
    assert len(found['palette']) == 2


def test_subset_keeps_the_order_asked_for():
    found = resolve_categories(categories('a', 'b', 'c'), ['c', 'a'])
    assert found['classes'] == ('c', 'a')
    assert found['category_ids'] == (3, 1)


def test_unknown_class_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"unknown classes \['x'\]") as info:
        resolve_categories(categories('a', 'b'), ['a', 'x'], file='f.json')
    assert 'file f.json' in str(info.value)
    assert "Fix: choose from the names in the file: ['a', 'b']" in str(
        info.value
    )


def test_classes_twice_or_as_string():
    with pytest.raises(ConfigError, match='names a class twice'):
        resolve_categories(categories('a', 'b'), ['a', 'a'])
    with pytest.raises(ConfigError, match="is the string 'a'"):
        resolve_categories(categories('a', 'b'), 'a')


@pytest.mark.parametrize('version', sorted(DATASET_CLASSES))
def test_version_accepts_its_own_names(version):
    classes = DATASET_CLASSES[version]
    found = resolve_categories(categories(*classes), version=version)
    assert found['classes'] == classes
    assert found['category_ids'] == tuple(range(1, len(classes) + 1))


def test_version_refuses_other_names():
    corrected = [n.replace('Vehical', 'Vehicle') for n in OVIS_CLASSES]
    with pytest.raises(
        AnnotationError, match=r"not those of ovis: missing \['Vehical'\]"
    ) as info:
        resolve_categories(
            categories(*corrected), version='ovis', file='f.json'
        )
    text = str(info.value)
    assert "not expected ['Vehicle']" in text
    assert 'file f.json' in text and 'Fix: ' in text
    with pytest.raises(AnnotationError, match='youtube_vis_2019'):
        resolve_categories(
            categories(*YOUTUBE_VIS_2021_CLASSES), version='youtube_vis_2019'
        )


def test_unknown_version():
    with pytest.raises(ConfigError, match="unknown dataset version '2018'"):
        resolve_categories(categories('a'), version='2018')


def test_names_are_needed_and_unique():
    with pytest.raises(AnnotationError, match='category 4 has no name'):
        resolve_categories([dict(id=4)])
    with pytest.raises(AnnotationError, match='1 and 2 are both called'):
        resolve_categories(categories('a', 'a'))
