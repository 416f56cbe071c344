import copy
import pickle

import pytest
import torch

from pmvis_mm.models.temporal_matchers import FlowEstimator, FlowMatcher
from pmvis_mm.registry import MODELS
from pmvis_mm.utils.errors import ConfigError, PMVISError

NONE = float('nan')


class Scripted(FlowEstimator):
    """Flow that is known, the same for all pixels or given in full."""

    def __init__(self, **flows):
        self.flows = flows
        self.asked = []

    def estimate(self, lab, images, pairs):
        self.asked.append(list(pairs))
        result = lab.new_zeros(len(pairs), 2, *lab.shape[-2:])
        for number, (source, target) in enumerate(pairs):
            flow = torch.as_tensor(self.flows[f'f{source}{target}'])
            result[number] = flow.view(2, *flow.shape[1:] or (1, 1))
        return result


def match(flows, links, size=(2, 3), frames=2, clips=1, **kwargs):
    matcher = FlowMatcher(**kwargs)
    matcher.flow = Scripted(**flows)
    found = matcher(torch.zeros(clips, frames, 3, *size), links)
    return found, matcher.flow


def test_partners_by_hand():
    # Pixels 0 1 2 / 3 4 5 of frame 1 move right by 1 in frame 0.
    found, _ = match(dict(f10=(1.4, -0.3)), [(0, 1)])
    assert found.centers.tolist() == [6, 7, 9, 10]
    assert found.partners.tolist() == [[1], [2], [4], [5]]
    assert found.counts.tolist() == [[4]]
    assert found.weights is None


def test_rounding_and_both_axes():
    found, _ = match(dict(f10=(-0.6, 0.5)), [(0, 1)])
    # Left by 1, down by 1: 1 -> 3 and 2 -> 4.
    assert found.centers.tolist() == [7, 8]
    assert found.partners.tolist() == [[3], [4]]


@pytest.mark.parametrize('value', [-9.0, 9.0, NONE, float('inf')])
def test_nothing_outside(value):
    found, _ = match(dict(f10=(value, 0.0)), [(0, 1)])
    assert len(found) == 0 and found.counts.tolist() == [[0]]


def test_flow_of_its_own_for_each_pixel():
    flow = torch.zeros(2, 2, 3)
    flow[:, 0, 0] = torch.tensor([2.0, 1.0])
    flow[:, 1, 2] = torch.tensor([-1.0, -1.0])
    found, _ = match(dict(f10=flow), [(0, 1)])
    assert found.partners[:, 0].tolist() == [5, 1, 2, 3, 4, 1]


def test_consistency_by_hand():
    back = torch.zeros(2, 1, 4)
    back[0, 0] = torch.tensor([9.0, -1.0, -2.1, 0.5])
    flows = dict(f10=(1.0, 0.0), f01=back)
    # Pixel 0 comes back to itself, 1 to -0.1, 2 ends at 1.5 of 2.
    expected = {0.0: [4], 0.5: [4], 1.2: [4, 5], 1.6: [4, 5, 6]}
    for limit, centers in expected.items():
        found, _ = match(flows, [(0, 1)], (1, 4), consistency=limit)
        assert found.centers.tolist() == centers
    found, _ = match(flows, [(0, 1)], (1, 4))
    assert found.centers.tolist() == [4, 5, 6]


def test_consistency_reads_between_pixels():
    back = torch.zeros(2, 1, 3)
    back[0, 0] = torch.tensor([0.0, -1.0, 1.0])
    # Pixel 0 ends at 0.25, where back is -0.25.
    flows = dict(f10=(0.25, 0.0), f01=back)
    found, _ = match(flows, [(0, 1)], (1, 3), consistency=1e-6)
    assert found.centers.tolist() == [3]


def test_each_flow_is_measured_once():
    flows = {f'f{i}{j}': (0.0, 0.0) for i in range(3) for j in range(3)}
    links = [(0, 1), (1, 0), (1, 2)]
    found, flow = match(flows, links, frames=3, clips=2)
    assert flow.asked == [[(1, 0), (0, 1), (2, 1)]] * 2
    assert found.counts.tolist() == [[6, 6, 6]] * 2
    assert found.partners[:6, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert found.centers[:6].tolist() == [6, 7, 8, 9, 10, 11]
    _, flow = match(flows, links, frames=3, consistency=1.0)
    assert flow.asked == [[(1, 0), (0, 1), (2, 1), (1, 2)]]


def test_no_connection_measures_nothing():
    found, flow = match({}, [], frames=1)
    assert len(found) == 0 and flow.asked == []


def test_nothing_to_train_or_save():
    matcher = MODELS.build(dict(type='FlowMatcher'))
    assert not list(matcher.parameters()) and not matcher.state_dict()
    assert not matcher.needs_images
    lab = torch.rand(1, 2, 3, 8, 8) * 100
    expected = matcher(lab, [(0, 1)]).partners
    for other in (copy.deepcopy(matcher), pickle.loads(pickle.dumps(matcher))):
        assert torch.equal(other(lab, [(0, 1)]).partners, expected)


def test_full_size_needs_images():
    flow = dict(type='DIS', scale='full')
    matcher = MODELS.build(dict(type='FlowMatcher', flow=flow))
    assert matcher.needs_images
    message = 'needs raw frames.*set images=True in `temporal`'
    with pytest.raises(PMVISError, match=message):
        matcher(torch.zeros(1, 2, 3, 2, 2), [(0, 1)])


@pytest.mark.parametrize('value', [-1.0, NONE])
def test_bad_consistency_is_refused(value):
    with pytest.raises(ConfigError, match=f'consistency is {value}'):
        FlowMatcher(consistency=value)
