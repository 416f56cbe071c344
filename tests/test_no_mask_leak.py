"""Box supervision never sees a mask."""

from pathlib import Path

import pytest
from mmengine import Config

from pmvis_mm.registry import DATASETS
from pmvis_mm.testing.leak import find_masks
from pmvis_mm.testing.tiny_vis import write_tiny_vis

pytestmark = pytest.mark.usefixtures('default_scope')

CONFIGS = Path(__file__).parents[1] / 'configs'
BOX_CONFIGS = sorted(
    path.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.rglob('*.py')
    if 'box' in path.relative_to(CONFIGS).as_posix()
)


@pytest.fixture
def tiny(tmp_path):
    write_tiny_vis(tmp_path, with_masks=True)
    return tmp_path


def build(root, supervision, pipeline):
    return DATASETS.build(
        dict(
            type='VISDataset',
            ann_file='instances.json',
            data_root=str(root),
            data_prefix=dict(img_path='JPEGImages'),
            supervision=supervision,
            pipeline=pipeline,
        )
    )


def pipeline(name):
    config = Config.fromfile(CONFIGS / f'_base_/pipelines/{name}.py')
    return config.train_pipeline


def retarget(dataset, root):
    """Point every dataset of a config, also wrapped ones, to the videos."""
    if isinstance(dataset, (list, tuple)):
        for item in dataset:
            retarget(item, root)
        return
    for key in ('dataset', 'datasets'):
        if key in dataset:
            retarget(dataset[key], root)
    if 'ann_file' in dataset:
        dataset['ann_file'] = str(root / 'instances.json')
        dataset['data_root'] = ''
        dataset['data_prefix'] = dict(img_path=str(root / 'JPEGImages'))
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
        dataset = build(tiny, 'box', config.train_pipeline)
    else:
        pytest.skip('config does not train')
    for index in range(len(dataset)):
        sample = dataset[index]
        assert find_masks(sample) == []
        boxes = [len(s.gt_instances.bboxes) for s in sample['data_samples']]
        assert sum(boxes) > 0


def test_there_is_a_box_pipeline():
    assert '_base_/pipelines/box.py' in BOX_CONFIGS


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


def test_mmdets_packer_would_have_leaked(tiny):
    """The trap: raw annotations travel in its metainfo."""
    steps = pipeline('box')
    steps[-1] = dict(type='PackTrackInputs')
    found = find_masks(build(tiny, 'full', steps)[0])
    assert any('.instances[0].mask' in path for path in found)
