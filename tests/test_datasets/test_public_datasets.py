"""Each dataset base gives batches from a tiny copy of the download."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from pmvis_mm.datasets.metainfo import DATASET_CLASSES
from pmvis_mm.registry import METRICS, MODELS
from pmvis_mm.testing.leak import find_masks
from pmvis_mm.testing.tiny_downloads import write_tiny_download
from pmvis_mm.utils.fileio import dump_json, load_json

pytestmark = pytest.mark.usefixtures('default_scope')

CONFIGS = Path(__file__).parents[2] / 'configs'
# A leaf config for each base, and the downloads that it needs.
LEAVES = dict(
    bdd100k_mots=(
        'idol/idol_r50_8xb2-12k_bdd100k',
        ['bdd100k_mots'],
    ),
    bdd100k_mots_tubes=(
        'maskfreevis/maskfreevis_r50_8xb2-6k_bdd100k-box',
        ['bdd100k_mots'],
    ),
    coco_clips=('idol_boxinst/idol-boxinst_r50_8xb4-59k_coco-box', ['coco']),
    joint_coco_youtube_vis_2019=(
        'maskfreevis/maskfreevis_r50_8xb2-70k_coco-youtubevis2019-joint',
        ['coco', 'youtube_vis_2019'],
    ),
    joint_coco_youtube_vis_2021=(
        'maskfreevis/maskfreevis_r50_8xb2-70k_coco-youtubevis2021-joint',
        ['coco', 'youtube_vis_2021'],
    ),
    ovis=('idol_boxinst/idol-boxinst_r50_8xb2-12k_ovis-box', ['ovis']),
    ovis_tubes=('maskfreevis/maskfreevis_r50_8xb2-6k_ovis-box', ['ovis']),
    own=('idol_boxinst/idol-boxinst_r18_1xb4-2k_own-box', ['own']),
    own_clips=('deaot/deaott_1xb2-2k_own', ['own']),
    static_clips=(
        'deaot/deaott_4xb4-100k_static',
        ['static_images', 'coco'],
    ),
    youtube_vis_2019=(
        'idol/idol_r50_8xb4-12k_youtubevis2019',
        ['youtube_vis_2019'],
    ),
    youtube_vis_2019_tubes=(
        'maskfreevis/maskfreevis_r101_8xb2-6k_youtubevis2019-box',
        ['youtube_vis_2019'],
    ),
    youtube_vis_2021=(
        'idol/idol_r50_8xb4-12k_youtubevis2021',
        ['youtube_vis_2021'],
    ),
    youtube_vis_2021_tubes=(
        'maskfreevis/maskfreevis_r50_8xb2-8k_youtubevis2021-box',
        ['youtube_vis_2021'],
    ),
    youtube_vis_2022=(
        'idol_boxinst/idol-boxinst_r50_8xb4-12k_youtubevis2022-box',
        ['youtube_vis_2022'],
    ),
    youtube_vis_2022_tubes=(
        'maskfreevis/maskfreevis_r50_8xb2-8k_youtubevis2022-box',
        ['youtube_vis_2022'],
    ),
    youtube_vos_davis=(
        'deaot/r50-deaotl_4xb4-100k_youtubevos-davis',
        ['youtube_vos', 'davis'],
    ),
)
# Bases of a propagator, with maps of labels.
CLIPS = ('own_clips', 'static_clips', 'youtube_vos_davis')


@pytest.fixture(scope='module')
def home(tmp_path_factory):
    """A folder with all downloads below data/, as the configs expect."""
    folder = tmp_path_factory.mktemp('home')
    for name in {name for _, names in LEAVES.values() for name in names}:
        write_tiny_download(name, folder / 'data')
    return folder


def read(base):
    return Config.fromfile(CONFIGS / f'{LEAVES[base][0]}.py')


def build_loader(cfg):
    cfg.update(num_workers=0, persistent_workers=False)
    return Runner.build_dataloader(cfg, seed=0)


def batch_of(cfg, training):
    """A batch as a model gets it: through loader and preprocessor."""
    loader = build_loader(
        cfg.train_dataloader if training else cfg.val_dataloader
    )
    preprocessor = MODELS.build(
        cfg.model.get('data_preprocessor', dict(type='DeAOTDataPreprocessor'))
    )
    batch = next(iter(loader))
    with torch.no_grad():
        return preprocessor(batch, training=training), loader


def test_every_base_is_here():
    bases = (CONFIGS / '_base_/datasets').glob('*.py')
    assert set(LEAVES) == {path.stem for path in bases}
    for base, (leaf, _) in LEAVES.items():
        text = (CONFIGS / f'{leaf}.py').read_text()
        assert f"'../_base_/datasets/{base}.py'" in text


@pytest.mark.parametrize('base', LEAVES)
def test_training_batch(base, home, monkeypatch):
    monkeypatch.chdir(home)
    cfg = read(base)
    data, loader = batch_of(cfg, training=True)
    inputs = data['inputs']
    assert len(inputs) == cfg.train_dataloader.batch_size
    assert torch.isfinite(inputs).all()
    if base in CLIPS:
        for sample in data['data_samples']:
            labels = sample.gt_label_maps.data
            # The reference frame shows every object.
            seen = set(labels[0].unique().tolist()) - {0, 255}
            assert seen == set(range(1, sample.num_objects + 1)) != set()
        return
    boxes = 0
    for sample in data['data_samples']:
        for frame in sample:
            boxes += len(frame.gt_instances)
    assert boxes > 0
    version = base.replace('_tubes', '').replace('joint_coco_', '')
    version = 'coco' if version == 'coco_clips' else version
    if version != 'own':
        assert loader.dataset.metainfo['classes'] == DATASET_CLASSES[version]
    kinds = {
        part.supervision
        for part in cfg.train_dataloader.dataset.get(
            'datasets', [cfg.train_dataloader.dataset]
        )
    }
    if kinds == {'box'}:
        assert find_masks(data['data_samples']) == []


@pytest.mark.parametrize(
    'base', [name for name in LEAVES if name not in (*CLIPS, 'coco_clips')]
)
def test_validation_batch(base, home, monkeypatch):
    monkeypatch.chdir(home)
    cfg = read(base)
    data, loader = batch_of(cfg, training=False)
    assert loader.dataset.test_mode and len(loader.dataset) > 0
    assert len(data['inputs']) == len(data['data_samples']) > 0
    evaluator = cfg.val_evaluator
    assert Path(evaluator.ann_file).is_file()
    METRICS.build(evaluator)


@pytest.mark.parametrize('kind', ['youtubevis2022', 'bdd100k'])
def test_pseudo_masks_of_the_new_sets(kind, home, monkeypatch):
    monkeypatch.chdir(home)
    (leaf,) = (CONFIGS / 'pm_vis').glob(f'*r50*{kind}-pseudo.py')
    cfg = Config.fromfile(leaf)
    dataset = cfg.train_dataloader.dataset
    path = Path(dataset.data_root)
    content = load_json(path / dataset.ann_file)
    for entry in content['annotations']:
        entry['sources'] = ['test' if m else None for m in entry['bboxes']]
        entry['scores'] = [1.0 if m else None for m in entry['bboxes']]
    dump_json(content, path / dataset.pseudo_ann_file)
    data, _ = batch_of(cfg, training=True)
    for sample in data['data_samples']:
        for frame in sample:
            assert frame.gt_instances.masks_valid.all()
