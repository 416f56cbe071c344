"""All networks against the public code (aot-benchmark), frame by frame."""

import json
from typing import Dict, Optional

import pytest
import torch

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from pmvis_mm.testing.closed_form import vos_frame, vos_label
from pmvis_mm.testing.golden import golden_dir, golden_files
from pmvis_mm.testing.golden_deaot import golden_propagator

_PATTERN = 'deaot_*.json'
# Mean probability of background, mean sum of squares, one pixel of object 1.
_TRIPLES = {
    ('deaott', 2, 1): (0.511999, 0.414539, 0.136755),
    ('deaott', 2, 6): (0.499920, 0.409177, 0.176110),
    ('deaott', 13, 1): (0.022398, 0.153560, 0.015220),
    ('deaott', 13, 6): (0.021710, 0.148980, 0.012024),
    ('deaots', 2, 1): (0.552499, 0.440986, 0.086351),
    ('deaots', 13, 6): (0.023232, 0.152851, 0.019096),
    ('deaotl', 2, 6): (0.522485, 0.417996, 0.129809),
    ('deaotl', 13, 6): (0.020978, 0.152633, 0.019782),
    ('r50_deaotl', 2, 6): (0.181825, 0.499662, 0.706280),
    ('r50_deaotl', 13, 6): (0.002259, 0.297621, 0.042197),
    ('swinb_deaotl', 2, 1): (0.354387, 0.364023, 0.315269),
    ('swinb_deaotl', 13, 6): (0.015029, 0.127485, 0.025279),
}


def _cases() -> list:
    cases = []
    for path in golden_files(_PATTERN):
        for number, run in enumerate(json.loads(path.read_text())):
            way = 'back' if run['reverse'] else 'on'
            name = f'{path.stem}-{number}-{run["variant"]}'
            name += f'-{run["objects"]}-from{run["start"]}-{way}'
            cases.append(pytest.param(run, id=name))
    if cases:
        return cases
    reason = f'no {_PATTERN} in {golden_dir()}'
    return [pytest.param(None, marks=pytest.mark.skip(reason=reason))]


def _tracked(propagator, run: Dict):
    """Yield a step of the file and the probabilities that we get."""
    weight = propagator.network.projector.weight

    def features(t: int):
        frame = vos_frame(t, *run['hw']).to(weight)
        return propagator.network.extract_feat(frame, tuple(run['read_hw']))

    labels = vos_label(*run['hw'], run['objects'])[0, 0]
    state = propagator.start(features(run['start']), labels, run['objects'])
    order = range(run['start'] + 1, run['frames'])
    if run['reverse']:
        order = range(run['start'] - 1, -1, -1)
    assert [step['frame'] for step in run['steps']] == list(order)
    for step in run['steps']:
        logits, state = propagator.step(state, features(step['frame']))
        yield step, logits.softmax(0)


def _triple(prob: torch.Tensor, pixel) -> list:
    return [
        prob[0].mean().item(),
        prob.square().sum(0).mean().item(),
        prob[1, pixel[0], pixel[1]].item(),
    ]


def _check(run: Dict, prob: torch.Tensor, step: Dict, tolerance: float):
    assert len(prob) == run['channels']
    expected = [step['bg_mean'], step['sum_p2'], step['p_obj1']]
    assert _triple(prob, run['pixel']) == pytest.approx(
        expected, abs=tolerance
    )
    count = len(step['areas'])
    areas = torch.bincount(prob.argmax(0).flatten(), minlength=count)
    ties = run['read_hw'][0] * run['read_hw'][1] / 1000
    assert areas.tolist() == pytest.approx(step['areas'], abs=ties)


@pytest.fixture(scope='module')
def networks():
    """The network of the last case: cases come sorted by network."""
    last: Dict = {}

    def get(arch: str):
        if arch not in last:
            last.clear()
            last[arch] = golden_propagator(arch)
        return last[arch]

    return get


@torch.no_grad()
@pytest.mark.parametrize('run', _cases())
def test_cases_1_to_5_are_those_of_the_public_code(run, networks):
    propagator = networks(run['variant'])
    propagator.long_term_gap = run['long_term_gap']
    for step, prob in _tracked(propagator, run):
        _check(run, prob, step, 1e-4)


@torch.no_grad()
@pytest.mark.parametrize('arch', ['deaott', 'deaotl'])
def test_float64_agrees_far_beyond_the_tolerance(arch):
    run = _open_run(arch, 2)
    if run is None:
        pytest.skip(f'no run of {arch} with 2 objects in {golden_dir()}')
    propagator = golden_propagator(
        arch, torch.float64, long_term_gap=run['long_term_gap']
    )
    for step, prob in _tracked(propagator, run):
        assert prob.dtype == torch.float64
        _check(run, prob, step, 2e-6)


def _open_run(arch: str, objects: int) -> Optional[Dict]:
    for path in golden_files('deaot_open.json'):
        for run in json.loads(path.read_text()):
            if (run['variant'], run['objects']) == (arch, objects):
                return run
    return None


@pytest.mark.parametrize('case', _TRIPLES, ids=lambda c: '-'.join(map(str, c)))
def test_file_holds_the_published_numbers(case):
    """Numbers that were written down apart from the file."""
    arch, objects, frame = case
    run = _open_run(arch, objects)
    if run is None:
        pytest.skip(f'no such run in {golden_dir()}')
    step = run['steps'][frame - 1]
    found = (step['bg_mean'], step['sum_p2'], step['p_obj1'])
    assert found == pytest.approx(_TRIPLES[case], abs=1e-6)
