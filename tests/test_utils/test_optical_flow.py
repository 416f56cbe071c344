import pickle

import numpy as np
import pytest

from pmvis_mm.utils.errors import ConfigError
from pmvis_mm.utils.optical_flow import DISFlow, resize_flow


def test_enlarges_by_whole_factors():
    flow = DISFlow(min_side=100)
    gray = np.zeros((40, 60), np.uint8)
    assert flow.enlarge(gray).shape == (120, 180)
    assert flow.enlarge(np.zeros((100, 300), np.uint8)).shape == (100, 300)


def test_resize_flow_averages_blocks_in_pixels_of_the_frame():
    flow = np.zeros((4, 4, 2), np.float32)
    flow[:2, :2, 0] = [[2, 4], [6, 8]]  # mean 5, half as many pixels
    flow[..., 1] = -2
    found = resize_flow(flow, 2, 2)
    np.testing.assert_allclose(found[..., 0], [[2.5, 0], [0, 0]])
    np.testing.assert_allclose(found[..., 1], [[-1, -1], [-1, -1]])
    np.testing.assert_array_equal(resize_flow(flow, 4, 4), flow)


def test_options_reach_opencv_and_survive_pickling():
    flow = pickle.loads(pickle.dumps(DISFlow('fast', finest_scale=3)))
    assert flow.create().getFinestScale() == 3
    assert DISFlow().create().getFinestScale() == 0


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(preset='slow'), "got 'slow'"),
        (dict(finest_scale=-1), 'finest_scale=-1 and min_side=192'),
        (dict(min_side=0), 'use finest_scale >= 0 and min_side >= 1'),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        DISFlow(**options)
