import sys

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pmvis_mm.models.temporal_matchers import (
    DISEstimator,
    FlowMatcher,
    RAFTEstimator,
)
from pmvis_mm.models.utils import lab_features
from pmvis_mm.utils.errors import CheckpointError, ConfigError, PMVISError


def moving_frames(shift, size=(128, 160), sigma=5.0):
    """Two windows on one texture; uint8, (2, 3, H, W), RGB.

    The content of the first is ``shift`` pixels (x, y) further in the second.
    """
    height, width = size
    rng = np.random.default_rng(0)
    noise = rng.random((height + 64, width + 64, 3)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), sigma)
    noise = (noise - noise.min()) / (noise.max() - noise.min())
    frames = [
        noise[32 - y : 32 - y + height, 32 - x : 32 - x + width]
        for x, y in ((0, 0), shift)
    ]
    frames = torch.from_numpy(np.stack(frames) * 255)
    return frames.permute(0, 3, 1, 2).to(torch.uint8)


@pytest.mark.parametrize('scale', ['stride', 'full'])
def test_dis_finds_a_shift(scale):
    images = moving_frames((8, -4))
    lab = lab_features(images)
    flow = DISEstimator(scale).estimate(lab, images, [(0, 1), (1, 0)])
    assert flow.shape == (2, 2, 32, 40) and flow.dtype == torch.float32
    # In pixels at stride 4; the border cannot be seen in both frames.
    inner = flow[..., 4:-4, 4:-4]
    for found, (x, y) in zip(inner, ((2, -1), (-2, 1))):
        error = (found - torch.tensor([x, y])[:, None, None]).norm(dim=0)
        assert error.mean() < 0.1


@pytest.mark.parametrize('scale', ['stride', 'full'])
def test_dis_of_frames_of_8_by_8(scale):
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    images[:, 0, :, 4:] = 200
    flow = dict(type='DIS', scale=scale)
    lab = lab_features(images)
    found = FlowMatcher(flow)(lab[None], [(0, 1)], images[None])
    assert found.centers.tolist() == [4, 5, 6, 7]
    assert found.partners[:, 0].tolist() == [0, 1, 2, 3]


def test_no_pairs():
    lab = torch.zeros(1, 3, 4, 4)
    assert DISEstimator().estimate(lab, None, []).shape == (0, 2, 4, 4)


def test_frames_of_another_size_are_refused():
    lab = torch.zeros(2, 3, 4, 4)
    images = torch.zeros(2, 3, 16, 20, dtype=torch.uint8)
    with pytest.raises(PMVISError, match='do not fit.*preprocessor'):
        DISEstimator('full').estimate(lab, images, [(0, 1)])


def test_bad_options_of_dis_are_refused():
    with pytest.raises(ConfigError, match="scale='half' is unknown"):
        DISEstimator('half')
    with pytest.raises(ConfigError, match="got 'slow'"):
        DISEstimator(preset='slow')


@pytest.fixture(scope='module')
def raft():
    """The real network with random weights."""
    optical_flow = pytest.importorskip(
        'torchvision.models.optical_flow', reason='RAFT needs torchvision'
    )
    torch.manual_seed(0)
    return optical_flow.raft_small(weights=None).eval()


@pytest.fixture(scope='module')
def weights(raft, tmp_path_factory):
    path = tmp_path_factory.mktemp('raft') / 'raft.pth'
    torch.save(raft.state_dict(), path)
    return str(path)


def test_raft_is_torchvisions(raft, weights):
    images = moving_frames((4, 0), (132, 140))
    estimator = RAFTEstimator(weights, 'raft_small', num_flow_updates=2)
    lab = lab_features(images)
    found = estimator.estimate(lab, images, [(1, 0), (0, 1)])
    inputs = F.pad(images / 127.5 - 1, (0, 4, 0, 4), mode='replicate')
    for flow, (source, target) in zip(found, ((1, 0), (0, 1))):
        with torch.no_grad():
            expected = raft(
                inputs[source, None], inputs[target, None], num_flow_updates=2
            )[-1][0, :, :132, :140]
        # Means of blocks of 4 x 4, in pixels of 4.
        expected = expected.view(2, 33, 4, 35, 4).mean((2, 4)) / 4
        torch.testing.assert_close(flow, expected, atol=1e-4, rtol=1e-4)
    assert found.abs().max() > 0.01


def test_raft_stays_out_of_the_model(weights):
    config = dict(type='RAFT', weights=weights, model='raft_small')
    matcher = FlowMatcher(dict(config, num_flow_updates=1))
    assert matcher.needs_images
    assert not list(matcher.parameters()) and not matcher.state_dict()
    assert not list(matcher.children())
    matcher.train()
    assert not matcher.flow.model.training
    assert not any(p.requires_grad for p in matcher.flow.model.parameters())
    # Far smaller than the network can look at.
    images = torch.zeros(1, 2, 3, 8, 8, dtype=torch.uint8)
    found = matcher(lab_features(images), [(0, 1)], images)
    assert set(found.centers.tolist()) <= {4, 5, 6, 7}
    with pytest.raises(PMVISError, match='needs raw frames'):
        matcher(lab_features(images), [(0, 1)])


def test_raft_with_weights_that_do_not_fit(weights, tmp_path):
    with pytest.raises(CheckpointError, match='lacks weights of the model'):
        RAFTEstimator(weights, 'raft_large')
    with pytest.raises(CheckpointError, match='does not exist.*no.pth'):
        RAFTEstimator(str(tmp_path / 'no.pth'), 'raft_small')


@pytest.mark.parametrize('value', [None, '', 'https://example.org/raft.pth'])
def test_raft_downloads_nothing(raft, value):
    with pytest.raises(ConfigError, match='give the file'):
        RAFTEstimator(value, 'raft_small')


def test_bad_options_of_raft_are_refused(weights):
    with pytest.raises(ConfigError, match="model='raft_huge' is unknown"):
        RAFTEstimator(weights, 'raft_huge')
    with pytest.raises(ConfigError, match='num_flow_updates is 0'):
        RAFTEstimator(weights, 'raft_small', num_flow_updates=0)


def test_raft_without_torchvision(weights, monkeypatch):
    module = 'torchvision.models.optical_flow'
    monkeypatch.setitem(sys.modules, module, None)
    message = "cannot be imported.*install the version.*type='DIS'"
    with pytest.raises(ConfigError, match=message):
        RAFTEstimator(weights, 'raft_small')
