import numpy as np
import pytest
import torch
from mmengine.config import Config

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from mmdet.models.vis import Mask2FormerVideo

from pmvis_mm.apis import init_vis_model, iter_predictions
from pmvis_mm.models import MaskFreeVIS
from pmvis_mm.testing.tiny_idol import random_clip
from pmvis_mm.testing.tiny_maskfree import TINY_MASKFREE, tiny_maskfree
from pmvis_mm.utils.errors import ConfigError


@pytest.fixture(scope='module')
def config(config_root):
    return config_root / 'maskfreevis/maskfreevis_r18_1xb4-1k_own-box.py'


@pytest.fixture(scope='module')
def model(config):
    return tiny_maskfree(config)


def test_it_is_mask2former(model):
    assert isinstance(model, MaskFreeVIS)
    assert isinstance(model, Mask2FormerVideo)
    assert model.num_classes == model.track_head.num_classes == 4


def test_testing_is_that_of_mask2former(model, config_root):
    path = config_root / 'mask2former_video'
    path = path / 'mask2former-video_r18_1xb4-1k_own-pseudo.py'
    plain = tiny_maskfree(path, seed=3).eval()
    plain.load_state_dict(model.state_dict())
    found = []
    for net in (model.eval(), plain):
        clip = random_clip(ids=((1,),) * 4, with_masks=False)
        with torch.no_grad():
            found.append(net.test_step(clip)[0])
    model.train()
    assert len(found[0].video_data_samples) == 4
    for one, two in zip(*(sample.video_data_samples for sample in found)):
        one, two = one.pred_track_instances, two.pred_track_instances
        assert torch.equal(one.masks, two.masks)
        assert torch.equal(one.scores, two.scores)
        assert torch.equal(one.labels, two.labels)


def test_loss_passes_on_what_the_preprocessor_gives(model, monkeypatch):
    seen = []
    monkeypatch.setattr(
        model.track_head, 'loss', lambda *args: seen.append(args) or {}
    )
    monkeypatch.setitem(model.data_preprocessor.similarity, 'dilation', 3)
    monkeypatch.setitem(model.data_preprocessor.temporal, 'images', True)
    clip = random_clip(ids=((1,), (1,)), with_masks=False)
    data = model.data_preprocessor(clip, True)
    model(**data, mode='loss')
    ((feats, samples, similarity, dilation, lab, images),) = seen
    assert [feat.shape[0] for feat in feats] == [2] * 4
    assert samples is data['data_samples'] and dilation == 3
    assert similarity is data['similarity'] and lab is data['lab']
    assert images.dtype == torch.uint8 and images.shape == (1, 2, 3, 64, 96)


@pytest.mark.parametrize(
    'missing, message',
    [('similarity', r'similarity=dict\(\)'), ('temporal', r'temporal=dict\(')],
)
def test_losses_whose_colours_no_one_computes(config, missing, message):
    cfg_none = dict(data_preprocessor={missing: None})
    with pytest.raises(ConfigError, match=message):
        tiny_maskfree(config, cfg_none)
    # With nothing to read them, they need not be there.
    tiny_maskfree(config, dict(cfg_none, track_head=dict(mask_losses=None)))


def test_a_step_in_mixed_precision(model):
    clip = random_clip(ids=((1, 2), (1,), (2,)), with_masks=False, smooth=True)
    data = model.data_preprocessor(clip, True)
    torch.manual_seed(0)
    exact = model(**data, mode='loss')
    torch.manual_seed(0)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model(**data, mode='loss')
    total, whole = sum(losses.values()), sum(exact.values())
    assert all(value.dtype == torch.float32 for value in losses.values())
    assert total.isfinite()
    assert float(total.detach()) == pytest.approx(
        float(whole.detach()), rel=0.1
    )
    total.backward()
    model.zero_grad()


def test_the_api_gives_it_whole_videos(config):
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(dict(model=TINY_MASKFREE))
    cfg.num_classes_from_data = False
    torch.manual_seed(0)
    model = init_vis_model(cfg)
    assert isinstance(model, MaskFreeVIS) and not model.training
    rng = np.random.default_rng(0)
    frames = list(rng.integers(0, 255, (3, 40, 56, 3), dtype=np.uint8))
    found = list(iter_predictions(model, frames, clip_length=None))
    assert [t for t, _ in found] == [0, 1, 2]
    for _, tracks in found:
        assert len(tracks.scores) == 10  # the best ten of all classes
        assert all(mask['size'] == [40, 56] for mask in tracks.masks)
        assert torch.equal(tracks.scores, found[0][1].scores)
