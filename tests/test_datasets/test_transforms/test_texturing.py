"""Random textures follow what they are painted on."""

import numpy as np
import pytest

pytest.importorskip('mmdet')

from pmvis_mm.datasets import RandomTexture
from pmvis_mm.utils.errors import ConfigError


def clip(frames=3, step=5):
    labels = np.zeros((frames, 40, 60), np.uint8)
    for t in range(frames):
        labels[t, 10:25, 5 + step * t : 25 + step * t] = 1
    labels[:, 0] = 255
    images = [np.full((40, 60, 3), 90, np.uint8) for _ in range(frames)]
    return dict(img=images, gt_seg_map=list(labels))


def test_texture_moves_with_its_object():
    np.random.seed(0)
    for _ in range(10):
        data = clip()
        out = RandomTexture(prob=1.0, drift=0.0)(data)
        parts = [
            image[labels == 1]
            for image, labels in zip(out['img'], out['gt_seg_map'])
        ]
        assert all((part == parts[0]).all() for part in parts)
        assert parts[0].std(0).max() > 1  # not plain
        # Without drift the background stays, too.
        empty = (np.stack(data['gt_seg_map']) == 0).all(0)
        assert all(
            (i[empty] == out['img'][0][empty]).all() for i in out['img']
        )


def test_what_is_not_judged_and_the_original_stay():
    np.random.seed(0)
    data = clip()
    before = data['img'][0]
    out = RandomTexture(prob=1.0)(data)
    assert (before == 90).all()
    assert all((image[0] == 90).all() for image in out['img'])


def test_drift_moves_the_background():
    np.random.seed(0)
    out = RandomTexture(prob=1.0, drift=20.0)(clip(step=0))
    assert (out['img'][0][30:] != out['img'][2][30:]).any()


def test_probability_and_opacity():
    np.random.seed(0)
    painted = np.zeros(2, int)
    for _ in range(100):
        image = RandomTexture(prob=0.3)(clip(1))['img'][0]
        painted += [(image[15, 10:20] != 90).any(), (image[30:] != 90).any()]
    assert (painted > 15).all() and (painted < 45).all()
    image = RandomTexture(1.0, (0.0, 0.0))(clip(1))['img'][0]
    assert (image == 90).all()
    image = RandomTexture(1.0, (0.1, 0.1))(clip(1))['img'][0]
    assert abs(image.astype(int) - 90).max() <= 0.1 * 165 + 1


def test_bad_options():
    with pytest.raises(ConfigError, match='prob=2'):
        RandomTexture(2)
    for opacity in ((0.5, 0.2), (0.5, 1.5), (0.5,)):
        with pytest.raises(ConfigError, match='no range'):
            RandomTexture(opacity=opacity)
    with pytest.raises(ConfigError, match='negative'):
        RandomTexture(drift=-1)
    assert 'opacity=(0.5, 1.0)' in repr(RandomTexture())
