"""Files that hold boxes and nothing else."""

import copy

import pytest
from mmengine.config import Config
from pycocotools.coco import COCO

from pmvis_mm.datasets.box_view import drop_masks, drop_masks_file
from pmvis_mm.registry import DATASETS
from pmvis_mm.structures import VideoAnnotations
from pmvis_mm.testing.leak import find_masks
from pmvis_mm.testing.tiny_downloads import write_tiny_download
from pmvis_mm.utils.errors import AnnotationError, ConfigError
from pmvis_mm.utils.fileio import dump_json, load_json

pytestmark = pytest.mark.usefixtures('default_scope')

VIDEOS = dict(
    info=dict(note='mask area 12'),
    videos=[
        dict(id=1, width=9, height=8, length=2, file_names=['a/0', 'a/1']),
    ],
    categories=[dict(id=3, name='dog', supercategory='animal', color=[1])],
    annotations=[
        dict(
            id=5,
            video_id=1,
            category_id=3,
            iscrowd=0,
            bboxes=[[1, 2, 3.5, 4], None],
            interpolated=[0, 0],
            segmentations=[dict(size=[8, 9], counts='04'), None],
            areas=[4, None],
            scores=[0.5, None],
            sources=['hq-sam', None],
            occlusion=['no_occlusion', None],
            contour=[[1, 2]],
        ),
    ],
)


def test_white_list_of_videos():
    before = copy.deepcopy(VIDEOS)
    content, removed = drop_masks(VIDEOS)
    assert before == VIDEOS
    assert content == dict(
        videos=VIDEOS['videos'],
        categories=[dict(id=3, name='dog', supercategory='animal')],
        annotations=[
            dict(
                id=5,
                video_id=1,
                category_id=3,
                iscrowd=0,
                bboxes=[[1, 2, 3.5, 4], None],
                interpolated=[0, 0],
            )
        ],
    )
    assert removed == {
        'info': 1,
        'categories.color': 1,
        'annotations.segmentations': 1,
        'annotations.areas': 1,
        'annotations.scores': 1,
        'annotations.sources': 1,
        'annotations.occlusion': 1,
        'annotations.contour': 1,
    }
    again, nothing = drop_masks(content)
    assert again == content and not nothing


def test_white_list_of_images():
    content, removed = drop_masks(
        dict(
            images=[dict(id=0, file_name='0.jpg', width=9, height=8, x=1)],
            categories=[dict(id=1, name='cat')],
            annotations=[
                dict(
                    id=1,
                    image_id=0,
                    category_id=1,
                    bbox=[0, 0, 4, 4],
                    area=9.5,
                    segmentation=[[0, 0, 4, 0, 4, 4]],
                    iscrowd=0,
                )
            ],
        )
    )
    assert content['annotations'] == [
        dict(id=1, image_id=0, category_id=1, bbox=[0, 0, 4, 4], iscrowd=0)
    ]
    assert removed == {
        'images.x': 1,
        'annotations.area': 1,
        'annotations.segmentation': 1,
    }


@pytest.mark.parametrize('annotations', [None, []])
def test_file_without_annotations(annotations):
    content = dict(VIDEOS, annotations=annotations)
    assert drop_masks(content)[0]['annotations'] == []


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(bboxes=None), 'None is no box'),
        (dict(bboxes=[[1, 2, 3], None]), r'\[1, 2, 3\] is no box'),
        (dict(bboxes=[dict(size=[8, 9]), None]), 'is no box'),
        (dict(source_id=dict(size=[8, 9])), '"source_id" is {'),
        (dict(interpolated=[[1, 2], 0]), '"interpolated" is no list'),
    ],
)
def test_what_could_hide_a_mask_is_refused(changes, message):
    content = copy.deepcopy(VIDEOS)
    content['annotations'][0].update(changes)
    with pytest.raises(AnnotationError, match=message) as info:
        drop_masks(content, 'f.json')
    assert info.value.file == 'f.json'


@pytest.mark.parametrize(
    'content', [[], {}, dict(videos=[]), dict(videos={'a': 1})]
)
def test_other_files_are_refused(content):
    with pytest.raises(AnnotationError, match='name a json of YouTube-VIS'):
        drop_masks(content)


def test_entry_that_is_no_object():
    with pytest.raises(AnnotationError, match='entry of "annotations" is 7'):
        drop_masks(dict(VIDEOS, annotations=[7]))


def test_the_same_file_is_refused(tmp_path):
    dump_json(VIDEOS, tmp_path / 'a.json')
    with pytest.raises(ConfigError, match='name another file'):
        drop_masks_file(tmp_path / 'a.json', tmp_path / '.' / 'a.json')
    assert load_json(tmp_path / 'a.json') == VIDEOS


@pytest.mark.parametrize(
    ('name', 'file'),
    [
        ('youtube_vis_2019', 'train.json'),
        ('ovis', 'annotations_train.json'),
        ('bdd100k_mots', 'annotations/mots_train.json'),
        ('coco', 'annotations/instances_train2017.json'),
    ],
)
def test_no_mask_is_left_of_public_files(name, file, tmp_path):
    root = write_tiny_download(name, tmp_path)
    assert find_masks(load_json(root / file)) != []
    removed = drop_masks_file(root / file, root / 'boxes.json')
    assert removed
    content = load_json(root / 'boxes.json')
    assert find_masks(content) == []
    text = (root / 'boxes.json').read_text()
    for word in ('counts', 'segm', 'area', 'occlusion'):
        assert word not in text
    if name == 'coco':  # read as before by COCO's own code
        coco = COCO(str(root / 'boxes.json'))
        assert len(coco.getAnnIds()) == len(content['annotations'])
        return
    boxes = VideoAnnotations.from_file(root / 'boxes.json')
    real = VideoAnnotations.from_file(root / file)
    assert [t.boxes for t in boxes] == [t.boxes for t in real]


@pytest.mark.parametrize(
    ('config', 'name'),
    [
        ('idol_boxinst/idol-boxinst_r50_8xb2-12k_ovis-box', 'ovis'),
        ('idol_boxinst/idol-boxinst_r50_8xb4-59k_coco-box', 'coco'),
    ],
)
def test_box_config_trains_on_it(
    config, name, tmp_path, config_root, monkeypatch
):
    root = write_tiny_download(name, tmp_path / 'data')
    monkeypatch.chdir(tmp_path)
    cfg = Config.fromfile(config_root / f'{config}.py')
    part = cfg.train_dataloader.dataset
    with_masks = DATASETS.build(part)
    drop_masks_file(root / part.ann_file, root / 'boxes.json')
    without = DATASETS.build(dict(part, ann_file='boxes.json'))
    assert len(without) == len(with_masks)
    for index in range(len(without)):
        # The same data with or without masks in the file.
        assert without.get_data_info(index) == with_masks.get_data_info(index)
    sample = without[0]
    assert find_masks(sample) == []
    assert sum(len(s.gt_instances) for s in sample['data_samples']) > 0


def test_boxes_of_pseudo_masks_are_the_annotated_ones():
    # "bboxes" of a set of masks are null where there is no mask.
    (entry,) = VIDEOS['annotations']
    boxes = [[1, 2, 3.5, 4], [0, 0, 2, 2]]
    masked = dict(entry, annotated_bboxes=boxes)
    content, removed = drop_masks(dict(VIDEOS, annotations=[masked]))
    assert content['annotations'][0]['bboxes'] == boxes
    assert removed['annotations.annotated_bboxes'] == 1


@pytest.mark.parametrize(
    ('name', 'key'),
    [('videos', 'width'), ('categories', 'name'), ('annotations', 'id')],
)
def test_no_mask_hides_behind_a_known_key(name, key):
    odd = copy.deepcopy(VIDEOS)
    odd[name][0][key] = dict(size=[8, 9], counts='04')
    with pytest.raises(AnnotationError, match=f'"{key}" is '):
        drop_masks(odd)
    odd = copy.deepcopy(VIDEOS)
    odd['videos'][0]['file_names'][1] = [1, 2, 3]
    with pytest.raises(AnnotationError, match='"file_names" is '):
        drop_masks(odd)
