import pytest

from pmvis_mm.models.utils.clips import common_length
from pmvis_mm.utils.errors import ConfigError


@pytest.mark.parametrize('length', [1, 5])
def test_the_length_that_all_have(length):
    assert common_length([length]) == length
    assert common_length([length] * 3) == length


def test_lengths_that_differ():
    message = r'clips of one batch have \[3, 4\] frames.*same number of fra'
    with pytest.raises(ConfigError, match=message):
        common_length([3, 4])
