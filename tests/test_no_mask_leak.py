"""Box supervision never sees a mask."""

import ast
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


def says_box(path):
    """Whether a config or one of its bases sets supervision='box'."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.keyword) and node.arg == 'supervision':
            if getattr(node.value, 'value', None) == 'box':
                return True
        if isinstance(node, ast.Assign) and any(
            getattr(target, 'id', '') == '_base_' for target in node.targets
        ):
            bases = ast.literal_eval(node.value)
            bases = [bases] if isinstance(bases, str) else bases
            if any(says_box((path.parent / b).resolve()) for b in bases):
                return True
    return False


def is_box_config(path):
    """Whether a name or a text says that only boxes are seen."""
    name = path.relative_to(CONFIGS).as_posix()
    if name.startswith(('_base_/datasets', 'labeling')):
        return False
    return 'box' in name or says_box(path)


BOX_CONFIGS = sorted(
    path.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.rglob('*.py')
    if is_box_config(path)
)
LEAVES = sorted(
    path.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.rglob('*.py')
    if '_base_' not in path.parts
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


def parts_of(dataset):
    """All datasets of a config that read a file, also wrapped ones."""
    if isinstance(dataset, (list, tuple)):
        return [part for item in dataset for part in parts_of(item)]
    inner = [dataset[k] for k in ('dataset', 'datasets') if k in dataset]
    if inner:
        return parts_of(inner)
    return [dataset] if 'ann_file' in dataset else []


def supervisions(config):
    """What the datasets that a config trains with may see."""
    loader = config.get('train_dataloader')
    parts = parts_of(loader.dataset) if loader else []
    return {part.get('supervision') for part in parts}


@pytest.mark.parametrize('name', BOX_CONFIGS)
def test_train_sample_of_box_config_has_no_mask(name, tiny):
    config = Config.fromfile(CONFIGS / name)
    if config.get('train_dataloader'):
        cfg = config.train_dataloader.dataset
        retarget(cfg, tiny)
        # Of a mixture with masks of other data the part with boxes only.
        mixed = supervisions(config) != {'box'}
        parts = [p for p in parts_of(cfg) if p.get('supervision') == 'box']
        datasets = [DATASETS.build(p) for p in (parts if mixed else [cfg])]
    elif config.get('train_pipeline'):
        kind = 'COCOClipDataset' if 'coco' in name else 'VISDataset'
        datasets = [build(tiny, 'box', config.train_pipeline, kind)]
    else:
        pytest.skip('config does not train')
    assert datasets, f'{name} trains without box supervision'
    for dataset in datasets:
        dataset.full_init()
        assert find_masks(dataset.metainfo) == []
        boxes = 0
        for index in range(len(dataset)):
            sample = dataset[index]
            assert find_masks(sample) == []
            frames = sample['data_samples']
            boxes += sum(len(frame.gt_instances) for frame in frames)
        assert boxes > 0


def test_names_and_supervision_agree():
    """Whatever a file is called, and whatever computes its values."""
    seen = 0
    for name in LEAVES:
        kinds = supervisions(Config.fromfile(CONFIGS / name))
        named = any(
            field.endswith('-box') for field in Path(name).stem.split('_')
        )
        assert named == (kinds == {'box'}), name
        assert (name in BOX_CONFIGS) == ('box' in kinds), name
        seen += named
    assert seen > 30
    assert {
        'idol_boxinst/idol-boxinst_r50_8xb2-12k_bdd100k-box.py',
        'maskfreevis/maskfreevis_r50_8xb2-8k_youtubevis2022-box.py',
        'maskfreevis/maskfreevis_r50_8xb2-70k_coco-youtubevis2019-joint.py',
    } <= set(BOX_CONFIGS)


LABELING = [name for name in LEAVES if name.startswith('labeling/')]


@pytest.mark.parametrize('name', LABELING)
def test_labelling_sees_no_mask_of_the_annotations(name, tiny):
    config = Config.fromfile(CONFIGS / name)
    if config.get('test_dataloader') is None:
        pytest.skip('a pipeline of other configs')
    cfg = config.test_dataloader.dataset
    assert cfg.type == 'LabelVideoDataset'
    cfg.update(
        ann_file=str(tiny / 'instances.json'),
        img_prefix=str(tiny / 'JPEGImages'),
    )
    cfg.pop('priors', None)  # masks that were made before, from boxes
    dataset = DATASETS.build(cfg)
    assert len(dataset) == 2
    for index in range(len(dataset)):
        video = dataset[index]
        assert len(video.tracks) == 2
        assert find_masks(video) == []


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
