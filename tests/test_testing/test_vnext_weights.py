import hashlib

import numpy as np
import pytest

from pmvis_mm.testing.vnext_weights import closed_form_state_dict

DETR = 'detr.detr.'
CONV = f'{DETR}backbone.0.backbone.res2.0.conv1'


def noise(name, *shape):
    """Draw as the description of the golden files says."""
    seed = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    return np.random.RandomState(seed).standard_normal(shape)


@pytest.mark.parametrize(
    'name, shape, expected',
    [
        (f'{CONV}.norm.running_var', (3,), lambda x: abs(x) * 0.1 + 0.9),
        (f'{CONV}.norm.running_mean', (3,), lambda x: x * 0.1),
        (f'{CONV}.norm.weight', (3,), lambda x: 1 + 0.1 * x),
        (f'{CONV}.norm.bias', (3,), lambda x: 0.1 * x),
        ('detr.bn1.weight', (3,), lambda x: 1 + 0.1 * x),
        (f'{CONV}.weight', (2, 3, 4, 4), lambda x: x / 48**0.5),
        ('detr.controller.layers.0.weight', (2, 9), lambda x: 0.62 * x / 3),
        ('detr.controller.layers.0.bias', (2,), lambda x: 0.062 * x),
        (f'{DETR}class_embed.0.bias', (5,), lambda x: 0.1 * x - 1),
        (f'{DETR}class_embed.0.weight', (2, 4), lambda x: x / 2),
    ],
)
def test_each_rule(name, shape, expected):
    (value,) = closed_form_state_dict({name: shape}).values()
    assert value.shape == shape
    np.testing.assert_allclose(
        value.numpy(), expected(noise(name, *shape)), rtol=1e-6
    )


def test_tied_names_share_values_and_order_is_kept():
    tied = 'transformer.decoder.bbox_embed.1.layers.0.weight'
    names = [DETR + tied, f'{DETR}bbox_embed.1.layers.0.weight', 'scalar']
    weights = closed_form_state_dict(dict(zip(names, [[2, 3], [2, 3], []])))
    assert list(weights) == names
    one, two, scalar = weights.values()
    assert one.tolist() == two.tolist()
    assert scalar.shape == () and scalar.item() == pytest.approx(
        0.1 * noise('scalar', 1)[0]
    )
    assert closed_form_state_dict({}) == {}
