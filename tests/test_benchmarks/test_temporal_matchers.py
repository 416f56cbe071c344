"""The benchmark of temporal matchers judges them with the real masks."""

import importlib
import json
import sys

import numpy as np
import pytest
import torch

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from pmvis_mm.structures.temporal_matches import TemporalMatches
from pmvis_mm.testing.tiny_vis import write_tiny_vis


@pytest.fixture
def benchmark(repo_root, monkeypatch):
    monkeypatch.syspath_prepend(str(repo_root / 'benchmarks'))
    yield importlib.import_module('temporal_matchers')
    sys.modules.pop('temporal_matchers', None)


@pytest.fixture
def run(benchmark, monkeypatch, capsys):
    def call(*words):
        argv = ['temporal_matchers.py', '--device', 'cpu', *words]
        monkeypatch.setattr(sys, 'argv', [str(word) for word in argv])
        threads = torch.get_num_threads()
        benchmark.main()
        torch.set_num_threads(threads)
        return capsys.readouterr().out.splitlines()

    return call


def test_accuracy_and_coverage_by_hand(benchmark):
    # Pixels of frame 0: 0 0 1 1, of frame 1: 0 1 1 2; boxes hide the first.
    clip = benchmark.Clip(
        'a',
        torch.zeros(1, 2, 3, 4, 16, dtype=torch.uint8),
        torch.tensor([[[0, 0, 1, 1]], [[0, 1, 1, 2]]]),
        torch.tensor([[[False, True, True, True]]] * 2),
    )
    matches = TemporalMatches(
        (2, 1, 4),
        [(0, 1), (1, 0)],
        torch.tensor([[4, 1]]),
        torch.tensor([4, 5, 5, 6, 1]),
        # Right but not judged; wrong; right; outside; right.
        torch.tensor([0, 1, 2, -1, 4])[:, None],
    )
    tally = benchmark.Tally()
    tally.add(clip, matches, 0.25)
    found = tally.summary()
    assert found['accuracy'] == round(2 / 3, 4)
    # Pixel 5, and pixel 1, of three in a box per connection.
    assert found['coverage'] == round(2 / 6, 4)
    assert found['pairs_per_pixel'] == 0.5 and found['ms_per_clip'] == 250
    # Half of the weight on what is wrong; nearest of two pixels.
    matches.weights = torch.tensor([1.0, 2, 1, 1, 1])
    matches.partners = matches.partners.repeat(1, 2)
    matches.partners[1:3, 1] = torch.tensor([2, 1])
    matches.mix = torch.tensor([[0.9, 0.1], [0.4, 0.6]])[[0, 1, 0, 0, 0]]
    tally = benchmark.Tally()
    tally.add(clip, matches, 0.0)
    assert tally.summary()['accuracy'] == 1
    matches.mix = torch.tensor([[0.9, 0.1]]).repeat(5, 1)
    tally = benchmark.Tally()
    tally.add(clip, matches, 0.0)
    assert tally.summary()['accuracy'] == 0.5


def test_tubes_are_sampled_as_in_the_paper(benchmark):
    rng = np.random.default_rng(0)
    tubes = [benchmark.sample_tube(12, 0, 5, 5, rng) for _ in range(200)]
    assert all(len(tube) == 5 and 0 in tube for tube in tubes)
    assert {t for tube in tubes for t in tube} == set(range(6))
    assert any(len(set(tube)) < 5 for tube in tubes)
    assert {tube.index(0) for tube in tubes} == set(range(5))
    tubes = [benchmark.sample_tube(12, 11, 5, 5, rng) for _ in range(200)]
    assert {t for tube in tubes for t in tube} == set(range(6, 12))
    assert benchmark.sample_tube(1, 0, 3, 5, rng) == [0, 0, 0]


def test_given_data(run, tmp_path):
    write_tiny_vis(tmp_path, num_frames=4)
    files = ['--ann-file', tmp_path / 'instances.json']
    files += ['--img-prefix', tmp_path / 'JPEGImages']
    *table, last = run(*files, '--every', 2, '--short-side', 64)
    found = json.loads(last)
    assert found['data'] == 'instances.json' and found['short_side'] == 64
    assert set(found['matchers']) == {
        *('patch', 'patch, near', 'flow', 'flow, full size'),
        'flow, checked',
        *('color', 'same place'),
    }
    for row in found['matchers'].values():
        assert 0.3 < row['accuracy'] <= 1 and 0 < row['coverage'] <= 1
        assert row['ms_per_clip'] > 0
    assert found['matchers']['same place']['pairs_per_pixel'] == 1
    assert table[0].split()[:3] == ['accuracy,', '%', 'patch']


def test_shapes_without_data(run):
    *_, last = run('--max-videos', 1, '--matchers', 'patch', 'same place')
    found = json.loads(last)
    assert found['data'] == 'ShapesVIS' and found['num_clips'] == 4
    rows = found['matchers']
    assert rows['patch']['accuracy'] > rows['same place']['accuracy'] > 0.3


def test_boxes_only_are_refused(run, tmp_path):
    write_tiny_vis(tmp_path, num_frames=2)
    content = json.loads((tmp_path / 'instances.json').read_text())
    for entry in content['annotations']:
        entry.pop('segmentations')
    path = tmp_path / 'boxes.json'
    path.write_text(json.dumps(content))
    with pytest.raises(SystemExit, match='no masks to judge matches with'):
        run('--ann-file', path, '--img-prefix', tmp_path / 'JPEGImages')


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (('--num-frames', 1), '--num-frames is too small: 1'),
        (('--max-videos', 0), '--max-videos is too small: 0'),
        (('--short-side', 0), '--short-side is too small: 0'),
        (('--ann-file', 'no.json'), 'no.json'),
    ],
)
def test_bad_words_are_refused(run, capsys, words, message):
    with pytest.raises(SystemExit) as error:
        run(*words)
    assert message in str(error.value) + capsys.readouterr().err
