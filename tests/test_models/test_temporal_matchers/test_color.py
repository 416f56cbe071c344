import math

import pytest
import torch

from pmvis_mm.models.temporal_matchers import ColorMatcher
from pmvis_mm.registry import MODELS
from pmvis_mm.utils.errors import ConfigError


def plain_pairs(lab, connections, reach, threshold):
    """All pairs, by going through pixels one by one."""
    clips, _, _, height, width = lab.shape
    found = []
    for clip in range(clips):
        for a, b in connections:
            for y in range(height):
                for x in range(width):
                    for v in (y - reach, y, y + reach):
                        for u in (x - reach, x, x + reach):
                            if not (0 <= v < height and 0 <= u < width):
                                continue
                            color = lab[clip, b, :, y, x].tolist()
                            other = lab[clip, a, :, v, u].tolist()
                            d = math.dist(color, other)
                            if math.exp(-d / 2) >= threshold:
                                center = (b * height + y) * width + x
                                partner = (a * height + v) * width + u
                                found.append((center, partner))
    return found


@pytest.mark.parametrize('dilation', [1, 2])
def test_against_going_through_all_pixels(dilation):
    torch.manual_seed(0)
    lab = torch.rand(2, 3, 3, 5, 6) * 3
    links = [(0, 1), (1, 2), (2, 0)]
    found = ColorMatcher(dilation=dilation, threshold=0.5)(lab, links)
    expected = plain_pairs(lab, links, dilation, 0.5)
    assert list(zip(found.centers, found.partners[:, 0])) == expected
    assert found.counts.sum() == len(expected)
    assert 50 < len(expected) < 2 * 3 * 30 * 9 * 0.7


def test_threshold_is_a_distance_of_2_4():
    lab = torch.zeros(1, 2, 3, 1, 2)
    lab[0, 0, 0] = torch.tensor([2.4079, 2.4080])
    found = ColorMatcher(size=1)(lab, [(0, 1)])
    assert found.centers.tolist() == [2]
    assert found.partners.tolist() == [[0]]


def test_small_map_and_no_connection():
    matcher = MODELS.build(dict(type='ColorMatcher'))
    lab = torch.zeros(1, 2, 3, 2, 2)
    # The window leaves a 2 x 2 map in all directions.
    found = matcher(lab, [(1, 0)])
    assert found.centers.tolist() == [0, 1, 2, 3]
    assert found.partners.tolist() == [[4], [5], [6], [7]]
    assert len(matcher(lab[:, :1], [])) == 0


def test_bad_options_are_refused():
    with pytest.raises(ConfigError, match=r'threshold is 0\. Fix: use one in'):
        ColorMatcher(threshold=0)
    with pytest.raises(ConfigError, match="'kernel': 2"):
        ColorMatcher(size=2)
    with pytest.raises(ConfigError, match="'dilation': 0"):
        ColorMatcher(dilation=0)
    assert 'threshold=0.3' in repr(ColorMatcher())
