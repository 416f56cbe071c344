"""Random blur."""

import cv2
import numpy as np
import pytest

pytest.importorskip('mmdet')

from mmcv.transforms import TransformBroadcaster

from pmvis_mm.datasets import RandomGaussianBlur
from pmvis_mm.utils.errors import ConfigError


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 255, (16, 16, 3)).astype('u1')


def test_blur_is_that_of_opencv(image):
    out = RandomGaussianBlur(1.0, (1.5, 1.5))(dict(img=image.copy()))
    expected = cv2.GaussianBlur(image, (0, 0), 1.5)
    np.testing.assert_array_equal(out['img'], expected)


def test_share_of_blurred_frames(image):
    np.random.seed(0)
    blur = RandomGaussianBlur(0.3, (1.0, 2.0))
    changed = [
        (blur(dict(img=image))['img'] != image).any() for _ in range(300)
    ]
    assert 60 < sum(changed) < 120


def test_frames_of_a_clip_are_blurred_alike(image, default_scope):
    np.random.seed(0)
    blur = TransformBroadcaster(
        [dict(type='RandomGaussianBlur', prob=0.5)], share_random_params=True
    )
    outs = [blur(dict(img=[image, image]))['img'] for _ in range(20)]
    assert all((first == second).all() for first, second in outs)
    assert any((first != image).any() for first, _ in outs)


def test_bad_options():
    with pytest.raises(ConfigError, match='prob=3'):
        RandomGaussianBlur(3)
    for sigma in ((2.0, 1.0), (0.0, 1.0), (1.0,)):
        with pytest.raises(ConfigError, match='no range'):
            RandomGaussianBlur(sigma=sigma)
    assert repr(RandomGaussianBlur()) == (
        'RandomGaussianBlur(prob=0.3, sigma=(0.1, 2.0))'
    )
