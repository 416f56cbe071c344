import pytest

pytest.importorskip('mmdet')

import torch
from mmengine.config import Config
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmengine.registry import MODELS, DefaultScope
from torch.utils.data import DataLoader, Subset

from pmvis_mm.engine import CheckSupervisionHook
from pmvis_mm.models.losses import (
    BoxProjectionLoss,
    MaskDiceLoss,
    MaskFocalLoss,
    PairwiseAffinityLoss,
)
from pmvis_mm.registry import DATASETS
from pmvis_mm.testing.tiny_vis import write_tiny_vis
from pmvis_mm.utils.errors import ConfigError

BOX = (BoxProjectionLoss, PairwiseAffinityLoss)
MASK = (MaskFocalLoss, MaskDiceLoss, MaskDiceLoss)


class FakeRunner:
    """What the hook reads of a runner."""

    def __init__(self, model, dataset):
        self.model = model
        self.train_dataloader = DataLoader(dataset)


class TinyHead(torch.nn.Module):
    def __init__(self, num_classes, class_agnostic=False):
        super().__init__()
        self.num_classes = num_classes
        self.class_agnostic = class_agnostic


class Backbone(torch.nn.Module):
    num_classes = 1000  # of ImageNet


@pytest.fixture
def dataset(tmp_path):
    """Build the tiny dataset with a supervision."""
    write_tiny_vis(tmp_path)

    def build(supervision='box'):
        return DATASETS.build(
            dict(
                type='VISDataset',
                ann_file=str(tmp_path / 'instances.json'),
                data_prefix=dict(img_path=str(tmp_path / 'JPEGImages')),
                supervision=supervision,
            )
        )

    return build


def losses(*classes):
    return torch.nn.ModuleList(cls() for cls in classes)


def check(model, dataset):
    CheckSupervisionHook().before_train(FakeRunner(model, dataset))


WRAPPERS = dict(
    plain=lambda data: data,
    repeated=lambda data: RepeatDataset(data, 2),
    joined=lambda data: ConcatDataset([data, data]),
    nested=lambda data: Subset(ConcatDataset([data, data]), [0]),
)


@pytest.mark.parametrize('wrapper', WRAPPERS)
def test_boxes_cannot_teach_mask_losses(dataset, wrapper):
    data = WRAPPERS[wrapper](dataset('box'))
    with pytest.raises(ConfigError) as caught:
        check(losses(*BOX, *MASK), data)
    text = str(caught.value)
    assert text.startswith('MaskFocalLoss, MaskDiceLoss need masks')
    assert caught.value.file.endswith('instances.json')
    for fix in ('mask_losses', 'supervision="pseudo"', 'pseudo_ann_file'):
        assert fix in text


@pytest.mark.parametrize('wrapper', WRAPPERS)
def test_what_fits_passes(dataset, wrapper):
    box, full = (WRAPPERS[wrapper](dataset(kind)) for kind in ('box', 'full'))
    assert check(losses(*BOX), box) is None
    assert check(losses(*BOX, *MASK), full) is None


def test_one_box_dataset_among_others_is_found(dataset):
    full, box = dataset('full'), dataset('box')
    joined = ConcatDataset([full, box], ignore_keys=['classes'])
    with pytest.raises(ConfigError, match='need masks'):
        check(losses(*MASK), joined)


def test_datasets_of_others_pass():
    data = [dict(inputs=0)]  # neither supervision nor metainfo
    assert check(losses(*MASK), data) is None


def test_number_of_classes_must_agree(dataset):
    def model(number):
        return torch.nn.ModuleDict(
            dict(
                backbone=Backbone(),
                rpn_head=TinyHead(1),
                mask_head=TinyHead(80, class_agnostic=True),
                bbox_head=TinyHead(number),
            )
        )

    check(model(2), dataset('box'))
    with pytest.raises(ConfigError) as caught:
        check(model(40), dataset('box'))
    text = str(caught.value)
    assert text.startswith('bbox_head of the model has num_classes=40, but ')
    for part in ("2 classes: ['bar', 'square']", 'num_classes=2'):
        assert part in text
    assert 'num_classes_from_data=True' in text
    assert caught.value.file.endswith('instances.json')


@pytest.mark.parametrize('name', ['mask_track_rcnn', 'mask2former_video'])
def test_heads_of_mmdet_models_are_found(repo_root, dataset, name):
    path = repo_root / 'tests' / 'data' / 'configs' / f'tiny_{name}.py'
    cfg = Config.fromfile(path)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
    check(model, dataset('full'))
    for module in model.modules():
        if getattr(module, 'num_classes', None) == 2:
            module.num_classes = 3
    with pytest.raises(ConfigError, match='_head of the model has num_clas'):
        check(model, dataset('full'))
