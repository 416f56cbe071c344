"""Homogeneous batches out of several datasets, alone and on two ranks."""

import itertools
import os
from collections import Counter

import pytest
from mmengine.dataset import InfiniteSampler
from torch.utils.data import DataLoader

from pmvis_mm.datasets import JointBatchSampler
from pmvis_mm.datasets.samplers import joint_batch_sampler
from pmvis_mm.registry import DATA_SAMPLERS
from pmvis_mm.testing.gloo import run_processes
from pmvis_mm.utils.errors import ConfigError

RATIOS = [1.0, 0.75]


class Joined:
    """As mmengine's ConcatDataset: parts, and info by the joint index."""

    def __init__(self, *sizes, portrait=()):
        self.datasets = [range(size) for size in sizes]
        self.portrait = portrait

    def __len__(self):
        return sum(map(len, self.datasets))

    def __getitem__(self, index):
        return index

    def get_data_info(self, index):
        wide = dict(width=40, height=30)
        tall = dict(width=30, height=40)
        return dict(images=[tall if index in self.portrait else wide])

    def source(self, index):
        return int(index >= len(self.datasets[0]))


def build(dataset=None, seed=0, batch_size=2, shuffle=True, **kwargs):
    sampler = InfiniteSampler(
        dataset or Joined(12, 8), shuffle=shuffle, seed=seed
    )
    kwargs.setdefault('ratios', RATIOS)
    return JointBatchSampler(sampler, batch_size=batch_size, **kwargs)


def take(sampler, number):
    return list(itertools.islice(sampler, number))


def on_rank(monkeypatch, rank, world_size=2, **kwargs):
    monkeypatch.setattr(
        joint_batch_sampler, 'get_dist_info', lambda: (rank, world_size)
    )
    return build(**kwargs)


def test_g14_every_batch_is_of_one_source_in_the_ratio():
    sampler = build()
    dataset = sampler.dataset
    sources = []
    for batch in take(sampler, 20000):
        (source,) = {dataset.source(index) for index in batch}
        assert len(batch) == 2
        sources.append(source)
    share = sources.count(0) / len(sources)
    assert share == pytest.approx(0.571429, abs=0.012)  # 3.4 sigma
    # Drawn anew each time, not in turn: 1 after 1 is as likely as 1.
    after_one = [b for a, b in zip(sources, sources[1:]) if a == 1]
    assert sum(after_one) / len(after_one) == pytest.approx(0.4286, abs=0.02)


def test_every_sample_of_a_source_comes_once_per_round():
    sampler = build(Joined(12, 8))
    shown = {0: [], 1: []}
    for batch in take(sampler, 60):
        shown[sampler.dataset.source(batch[0])] += batch
    assert sorted(shown[0][:12]) == list(range(12))
    assert sorted(shown[0][12:24]) == list(range(12))
    assert shown[0][:12] != shown[0][12:24] != list(range(12))
    assert sorted(shown[1][:8]) == list(range(12, 20))
    # Sources of one size do not share their order.
    same = build(Joined(8, 8))
    for batch in take(same, 60):
        shown.setdefault(2 + same.dataset.source(batch[0]), []).extend(batch)
    assert shown[2][:8] != [index - 8 for index in shown[3][:8]]


def test_two_ranks_take_one_source_and_share_its_samples(monkeypatch):
    kwargs = dict(dataset=Joined(12, 8, portrait=(1, 2, 15)))
    ranks = [on_rank(monkeypatch, rank, **kwargs) for rank in range(2)]
    batches = [take(sampler, 300) for sampler in ranks]
    source = kwargs['dataset'].source
    assert [source(b[0]) for b in batches[0]] == [
        source(b[0]) for b in batches[1]
    ]
    ungrouped = [
        take(
            on_rank(monkeypatch, r, group_by_aspect_ratio=False, **kwargs), 40
        )
        for r in range(2)
    ]
    first = [
        index
        for pair in zip(*ungrouped)
        for batch in pair
        for index in batch
        if source(index) == 0
    ]
    # Three rounds of two ranks with two samples are once all.
    assert sorted(first[:12]) == list(range(12))
    assert ungrouped[0] != ungrouped[1]


def test_batches_depend_on_the_seed_alone():
    assert take(build(seed=3), 50) == take(build(seed=3), 50)
    assert take(build(seed=3), 50) != take(build(seed=4), 50)


def test_skipping_batches_resumes(monkeypatch):
    whole = take(build(), 30)
    resumed = build()
    take(resumed, 20)  # what mmengine's loop does
    assert take(resumed, 10) == whole[20:]
    loader = DataLoader(Joined(12, 8), batch_sampler=build(), num_workers=0)
    seen = [batch.tolist() for batch in itertools.islice(loader, 30)]
    assert seen == whole


def test_a_seed_is_agreed_on_where_the_sampler_has_none(monkeypatch):
    monkeypatch.setattr(joint_batch_sampler, 'sync_random_seed', lambda: 3)
    sampler = InfiniteSampler(Joined(12, 8), seed=9)
    sampler.seed = None
    agreed = JointBatchSampler(sampler, batch_size=2, ratios=RATIOS)
    assert take(agreed, 20) == take(build(seed=3), 20)


def test_portrait_and_landscape_do_not_mix():
    portrait = (0, 3, 5, 14, 16, 19)
    dataset = Joined(12, 8, portrait=portrait)
    kinds = Counter()
    for batch in take(build(dataset), 700):
        (kind,) = {index in portrait for index in batch}
        kinds[kind] += 1
    # A quarter of the images and three eighths of the videos.
    expected = (4 * 3 / 12 + 3 * 3 / 8) / 7
    assert kinds[True] / 700 == pytest.approx(expected, abs=0.05)
    mixed = build(dataset, group_by_aspect_ratio=False)
    assert any(
        len({index in portrait for index in batch}) == 2
        for batch in take(mixed, 50)
    )


def test_batch_sizes_of_the_sources_may_differ():
    sampler = build(batch_sizes=[3, 1])
    sizes = {
        sampler.dataset.source(batch[0]): len(batch)
        for batch in take(sampler, 50)
    }
    assert sizes == {0: 3, 1: 1}
    assert len(sampler) == 4 + 8
    assert len(build()) == 6 + 4


def test_in_the_order_of_the_files_without_shuffling():
    batches = take(build(shuffle=False), 60)
    first = [i for batch in batches for i in batch if i < 12]
    assert first[:24] == [*range(12), *range(12)]


def test_what_mmengine_asks_a_batch_sampler_for():
    assert DATA_SAMPLERS.get('JointBatchSampler') is JointBatchSampler
    sampler = build()
    sampler.sampler.set_epoch(1)
    assert sampler.batch_size == 2


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(dataset=range(9)), 'JointBatchSampler over a range'),
        (dict(dataset=Joined(3, 0)), r'lengths \[3, 0\] cannot all'),
        (dict(ratios=[1.0]), r'ratios=\[1.0\] for 2 datasets'),
        (dict(ratios=[1.0, 0.0]), r'ratios=\[1.0, 0.0\] for 2'),
        (dict(ratios=[1.0, -1.0]), 'one positive number per dataset'),
        (dict(batch_size=0), r'batch sizes \[0, 0\] for 2 datasets'),
        (dict(batch_sizes=[2]), r'batch sizes \[2\] for 2 datasets'),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ConfigError, match=message) as info:
        build(**kwargs)
    assert 'Fix: ' in str(info.value)


WORKER = """
sys.path.insert(0, arguments[0])
import test_joint_batch_sampler as t
# No seed given: the processes agree on one.
answer = t.take(t.build(seed=None), 60)
"""


def test_two_processes_without_a_seed(tmp_path):
    found = run_processes(WORKER, tmp_path, os.path.dirname(__file__))
    source = Joined(12, 8).source
    for one, other in zip(*found):
        assert {source(i) for i in one} == {source(i) for i in other}
    assert found[0] != found[1]
