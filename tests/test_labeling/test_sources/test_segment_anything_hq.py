"""The adapter, with a stand-in for the package: it is not a requirement."""

import sys
import types

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip('mmdet')

from pmvis_mm.registry import MODELS
from pmvis_mm.utils.errors import CheckpointError, ConfigError

IMAGE = np.arange(40 * 60 * 3, dtype=np.uint8).reshape(40, 60, 3)


class FakeSam(nn.Module):
    """Caches its weight in eval mode, as TinyViT of the package does."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(2))
        self.mask_decoder = nn.Module()
        self.mask_decoder.hf_token = nn.Embedding(1, 2)
        self.eval()

    def train(self, mode=True):
        super().train(mode)
        if mode and hasattr(self, 'ab'):
            del self.ab
        else:
            self.ab = self.bias.detach().clone()
        return self


class FakePredictor:
    """Fills the boxes that it is given, in the scaled frame."""

    def __init__(self, model):
        self.model = model
        self.transform = types.SimpleNamespace(apply_boxes=self._apply_boxes)
        self.calls = []

    def set_image(self, image):
        self.image = image

    def _apply_boxes(self, boxes, original_size):
        assert original_size == self.image.shape[:2]
        return boxes * 2

    def predict_torch(
        self,
        point_coords,
        point_labels,
        boxes=None,
        mask_input=None,
        multimask_output=True,
        return_logits=False,
        hq_token_only=False,
    ):
        assert point_coords is None and point_labels is None
        assert boxes.dtype == torch.float32 and len(boxes)
        self.calls.append((len(boxes), multimask_output, hq_token_only))
        masks = torch.zeros(len(boxes), 1, *self.image.shape[:2]).bool()
        for mask, box in zip(masks, boxes / 2):
            x0, y0, x1, y1 = box.int().tolist()
            mask[0, y0:y1, x0:x1] = True
        ious = torch.linspace(0.5, 1.5, len(boxes))[:, None]
        return masks, ious, None


@pytest.fixture
def package(monkeypatch):
    module = types.ModuleType('segment_anything_hq')
    built = []

    def build(checkpoint):
        assert checkpoint is None  # the package would load it loosely
        built.append(FakeSam())
        return built[-1]

    module.sam_model_registry = dict(vit_tiny=build, vit_b=build)
    module.SamPredictor = FakePredictor
    monkeypatch.setitem(sys.modules, 'segment_anything_hq', module)


def build(**options):
    options.setdefault('arch', 'vit_tiny')
    return MODELS.build(dict(type='SegmentAnythingHQSource', **options))


def test_boxes_become_masks(package):
    source = build(multimask_output=True, hq_token_only=True, boxes_per_pass=2)
    boxes = [(-4, 3, 10, 12), (20, 0, 90, 99), (5, 5, 9, 9)]
    pairs = source.segment(IMAGE, boxes)
    for (mask, _), (x0, y0, x1, y1) in zip(
        pairs, [(0, 3, 10, 12), (20, 0, 60, 40), (5, 5, 9, 9)]
    ):
        expected = np.zeros((40, 60), bool)
        expected[y0:y1, x0:x1] = True
        np.testing.assert_array_equal(mask, expected)
    assert [score for _, score in pairs] == [0.5, 1.0, 0.5]
    predictor = source.predictor
    assert predictor.calls == [(2, True, True), (1, True, True)]
    np.testing.assert_array_equal(predictor.image, IMAGE[..., ::-1])


def test_no_boxes_are_not_shown_to_the_package(package):
    source = build()
    assert source.segment(IMAGE, []) == []
    assert source.predictor.calls == []


def test_weights_are_loaded_strictly_and_take_effect(package, tmp_path):
    path = tmp_path / 'sam_hq.pth'
    weights = {
        'bias': torch.tensor([3.0, 4.0]),
        'mask_decoder.hf_token.weight': torch.ones(1, 2),
    }
    torch.save(weights, path)
    source = build(checkpoint=str(path))
    assert source.model.ab.tolist() == [3, 4]  # not what it was built with
    assert not source.model.bias.requires_grad
    assert not source.model.training
    source.init_weights()
    assert source.model.bias.tolist() == [3, 4]
    torch.save({'bias': torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match='plain SAM: it lacks the 1'):
        build(checkpoint=str(path))


def test_missing_package_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, 'segment_anything_hq', None)
    with pytest.raises(
        ConfigError, match='pip install segment-anything-hq timm torchvision'
    ):
        build()


def test_broken_dependency_is_named(monkeypatch):
    import importlib

    def fail(name):
        raise RuntimeError('operator torchvision::nms does not exist')

    monkeypatch.setattr(importlib, 'import_module', fail)
    with pytest.raises(ConfigError, match='RuntimeError: operator torchvis'):
        from pmvis_mm.labeling.sources import SegmentAnythingHQSource

        SegmentAnythingHQSource('vit_b')


def test_bad_options(package):
    with pytest.raises(ConfigError, match="arch='vit_g' is unknown"):
        build(arch='vit_g')
    with pytest.raises(ConfigError, match='boxes_per_pass=0 is not'):
        build(boxes_per_pass=0)
