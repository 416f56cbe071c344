"""Box supervision never sees a mask."""

from pathlib import Path

import pytest
from mmengine import Config

from pmvis_mm.registry import DATASETS
from pmvis_mm.structures import MaskTrack, PseudoMaskSet, VideoAnnotations
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.testing.leak import find_masks
from pmvis_mm.testing.tiny_coco import write_tiny_coco_clips
from pmvis_mm.testing.tiny_vis import write_tiny_vis

pytestmark = pytest.mark.usefixtures('default_scope')

CONFIGS = Path(__file__).parents[1] / 'configs'
BOX_CONFIGS = sorted(
    path.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.rglob('*.py')
    if 'box' in path.relative_to(CONFIGS).as_posix()
)
PSEUDO_CONFIGS = sorted(
    path.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.rglob('*-pseudo.py')
)


@pytest.fixture
def tiny(tmp_path):
    write_tiny_vis(tmp_path, with_masks=True)
    write_tiny_coco_clips(tmp_path / 'coco', with_masks=True)
    return tmp_path


def build(root, supervision, pipeline, kind='VISDataset'):
    cfg = dict(
        type=kind, ann_file='', supervision=supervision, pipeline=pipeline
    )
    retarget(cfg, root)
    return DATASETS.build(cfg)


def pipeline(name):
    config = Config.fromfile(CONFIGS / f'_base_/pipelines/{name}.py')
    return config.train_pipeline


def retarget(dataset, root):
    """Point every dataset of a config, also wrapped ones, to tiny files.

    Datasets of images read the images, the others the videos.
    """
    if isinstance(dataset, (list, tuple)):
        for item in dataset:
            retarget(item, root)
        return
    for key in ('dataset', 'datasets'):
        if key in dataset:
            retarget(dataset[key], root)
    if 'ann_file' in dataset:
        images = 'JPEGImages'
        if dataset['type'] == 'COCOClipDataset':
            root, images = root / 'coco', 'images'
        dataset['ann_file'] = str(root / 'instances.json')
        dataset['data_root'] = ''
        dataset['data_prefix'] = dict(img_path=str(root / images))
        for key in ('version', 'metainfo'):
            dataset.pop(key, None)


@pytest.mark.parametrize('name', BOX_CONFIGS)
def test_train_sample_of_box_config_has_no_mask(name, tiny):
    config = Config.fromfile(CONFIGS / name)
    if config.get('train_dataloader'):
        cfg = config.train_dataloader.dataset
        retarget(cfg, tiny)
        dataset = DATASETS.build(cfg)
        dataset.full_init()
    elif config.get('train_pipeline'):
        kind = 'COCOClipDataset' if 'coco' in name else 'VISDataset'
        dataset = build(tiny, 'box', config.train_pipeline, kind)
    else:
        pytest.skip('config does not train')
    boxes = 0
    for index in range(len(dataset)):
        sample = dataset[index]
        assert find_masks(sample) == []
        boxes += sum(len(s.gt_instances) for s in sample['data_samples'])
    assert boxes > 0


def test_there_is_a_box_pipeline():
    assert '_base_/pipelines/box.py' in BOX_CONFIGS
    assert '_base_/pipelines/coco_box.py' in BOX_CONFIGS


def test_the_search_finds_masks_of_full_supervision(tiny):
    found = find_masks(build(tiny, 'full', pipeline('full'))[0])
    assert 'data_samples.video_data_samples[0].gt_instances.masks' in found


def test_the_dataset_protects_even_a_pipeline_that_loads_masks(tiny):
    dataset = build(tiny, 'box', pipeline('pseudo'))
    for frame in dataset[0]['data_samples']:
        assert not frame.gt_instances.masks.masks.any()
        assert not frame.gt_instances.masks_valid.any()


def test_the_raw_data_list_has_no_mask(tiny):
    assert find_masks(build(tiny, 'box', []).get_data_info(0)) == []
    assert find_masks(build(tiny, 'full', []).get_data_info(0)) == [
        f'images[{t}].instances[{i}].mask'
        for t, i in ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0))
    ]


def test_images_are_searched_too(tiny):
    kind = 'COCOClipDataset'
    found = find_masks(build(tiny, 'full', pipeline('coco_full'), kind)[0])
    assert 'data_samples.video_data_samples[0].gt_instances.masks' in found
    protected = build(tiny, 'box', pipeline('coco_full'), kind)
    for frame in protected[0]['data_samples']:
        assert not frame.gt_instances.masks.masks.any()
        assert not frame.gt_instances.masks_valid.any()


def test_wrapped_datasets_are_retargeted_by_their_kind(tiny):
    image = dict(type='COCOClipDataset', ann_file='a', supervision='box')
    video = dict(type='VISDataset', ann_file='b', version='ovis')
    cfg = dict(
        type='ConcatDataset',
        datasets=[dict(type='RepeatDataset', dataset=image, times=2), video],
    )
    retarget(cfg, tiny)
    assert image['ann_file'] == str(tiny / 'coco/instances.json')
    assert image['data_prefix'] == dict(img_path=str(tiny / 'coco/images'))
    assert video['ann_file'] == str(tiny / 'instances.json')
    assert 'version' not in video


def test_mmdets_packer_would_have_leaked(tiny):
    """The trap: raw annotations travel in its metainfo."""
    steps = pipeline('box')
    steps[-1] = dict(type='PackTrackInputs')
    found = find_masks(build(tiny, 'full', steps)[0])
    assert any('.instances[0].mask' in path for path in found)


@pytest.mark.parametrize('name', PSEUDO_CONFIGS)
def test_pseudo_config_sees_pseudo_masks_only(name, tiny):
    """Boxes in, pseudo masks in: a real mask beside the boxes stays out."""
    boxes = VideoAnnotations.from_file(tiny / 'instances.json')
    masks = PseudoMaskSet.empty_like(boxes)
    for annotated in boxes:
        track = MaskTrack.empty_like(annotated)
        masks.tracks[track.video_id].append(track)
        if track.video_id == 0:
            for t, box in enumerate(track.boxes):
                if box is not None:  # two columns of the annotated box
                    strip = (box[0], box[1], box[0] + 2, box[3])
                    track.set(t, box_rle(strip, 32, 48), 'test', 1.0)
    masks.dump(tiny / 'masks.json')
    cfg = Config.fromfile(CONFIGS / name).train_dataloader.dataset
    retarget(cfg, tiny)
    cfg.pseudo_ann_file = str(tiny / 'masks.json')
    loading = cfg.pipeline[1]
    cfg.pipeline = [cfg.pipeline[0], loading, dict(type='PackVISInputs')]
    loading.transforms = loading.transforms[:2]  # no augmentation
    dataset = DATASETS.build(cfg)
    for frame in dataset[0]['data_samples']:
        gt = frame.gt_instances
        widths = gt.masks.masks.any(axis=1).sum(axis=-1)
        assert len(widths) and (widths == 2).all()
    if not cfg.get('drop_unmasked'):
        for frame in dataset[1]['data_samples']:
            assert len(frame.gt_instances) > 0
            assert not frame.gt_instances.masks.masks.any()
            assert not frame.gt_instances.masks_valid.any()
