import pytest
from torch import nn

from pmvis_mm.models.vis.checks import check_loss_inputs
from pmvis_mm.utils.errors import ConfigError


def preprocessor(**options):
    module = nn.Module()
    for name, value in options.items():
        setattr(module, name, value)
    return module


CASES = [
    ('similarity', dict(similarity=None), r'similarity=dict\(\)'),
    ('lab', dict(temporal=None), r'temporal=dict\(\)'),
    ('images', dict(temporal=None), r'temporal=dict\(images=True\)'),
    ('images', dict(temporal=dict(images=False)), 'images=True'),
    ('lab', dict(), 'VISDataPreprocessor'),
]


@pytest.mark.parametrize(('what', 'options', 'message'), CASES)
def test_what_no_one_computes(what, options, message):
    with pytest.raises(ConfigError, match=message):
        check_loss_inputs(what.__eq__, preprocessor(**options))
    # Nobody reads it.
    check_loss_inputs(lambda name: False, preprocessor(**options))


def test_without_a_preprocessor():
    check_loss_inputs(lambda name: False, None)
    with pytest.raises(ConfigError, match='colour similarity'):
        check_loss_inputs('similarity'.__eq__, None)


def test_what_is_computed():
    everything = preprocessor(
        similarity=dict(size=3), temporal=dict(stride=4, images=True)
    )
    assert check_loss_inputs(lambda name: True, everything) is None
