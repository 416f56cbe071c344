"""Batches out of several datasets, each batch out of one."""

import itertools
from typing import Any, Iterator, List, Optional, Sequence

import numpy as np
import torch
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import BatchSampler, Sampler

from ...registry import DATA_SAMPLERS
from ...utils.errors import ConfigError


@DATA_SAMPLERS.register_module()
class JointBatchSampler(BatchSampler):
    """Draws a dataset for each batch, then the batch from that dataset.

    For joint training on datasets that differ in supervision or in the
    length of clips. All processes take the same dataset in the same
    iteration, so that they use the same losses and meet in the same
    collective calls; of its endlessly shuffled indices each takes its own
    share, as with mmengine's ``InfiniteSampler``.

    Written for ``dataset=dict(type='ConcatDataset', datasets=[...])`` and
    ``sampler=dict(type='InfiniteSampler')``. Of the sampler only dataset,
    seed and ``shuffle`` are used. Batches depend on the seed alone: a run
    that is resumed with ``randomness.seed`` goes on as an unbroken one.

    Args:
        sampler (Sampler): With attribute ``dataset``, a concatenated
            dataset; ``seed`` and ``shuffle`` are optional.
        batch_size (int): Samples of a batch, on one process.
        ratios (Sequence[float]): Of the datasets, in their order; they are
            drawn in proportion. [1.0, 0.75] draws the first one with
            probability 4/7.
        batch_sizes (Sequence[int], optional): One per dataset, instead of
            ``batch_size``. Defaults to None.
        group_by_aspect_ratio (bool): Whether landscape and portrait samples
            go into separate batches. Defaults to True.

    Raises:
        ConfigError: If the dataset is not concatenated, a part of it is
            empty, or numbers do not fit to it.
    """

    def __init__(
        self,
        sampler: Sampler,
        batch_size: int,
        ratios: Sequence[float],
        batch_sizes: Optional[Sequence[int]] = None,
        group_by_aspect_ratio: bool = True,
    ) -> None:
        self.sampler = sampler
        self.dataset = getattr(sampler, 'dataset', None)
        self.sizes = _sizes(self.dataset)
        number = len(self.sizes)
        self.ratios = _parse_ratios(ratios, number)
        self.batch_sizes = _parse_batch_sizes(
            [batch_size] * number if batch_sizes is None else batch_sizes,
            number,
        )
        # Names that BatchSampler has and others look for.
        self.batch_size = batch_size
        self.drop_last = True
        self.group_by_aspect_ratio = group_by_aspect_ratio
        self.shuffle = bool(getattr(sampler, 'shuffle', True))
        self.rank, self.world_size = get_dist_info()
        seed = getattr(sampler, 'seed', None)
        # With seeds of their own, processes would draw different datasets.
        self.seed: int = sync_random_seed() if seed is None else int(seed)
        self._batches = self._draw_batches()

    def __iter__(self) -> Iterator[List[int]]:
        """Go on with the batches; they never end."""
        # Not `yield from`: a reader who stops early would close the stream.
        return self._batches

    def __len__(self) -> int:
        """Number of batches that show every sample about once."""
        shown = [
            size // (batch * self.world_size)
            for size, batch in zip(self.sizes, self.batch_sizes)
        ]
        return max(1, sum(shown))

    def _draw_batches(self) -> Iterator[List[int]]:
        streams = [self._batches_of(i) for i in range(len(self.sizes))]
        # Not torch.multinomial: its draws change with the version of torch.
        edges = np.cumsum(self.ratios) / np.sum(self.ratios)
        generator = torch.Generator()
        generator.manual_seed(self.seed)
        while True:
            drawn = torch.rand((), dtype=torch.float64, generator=generator)
            source = np.searchsorted(edges[:-1], drawn.item(), side='right')
            yield next(streams[int(source)])

    def _batches_of(self, source: int) -> Iterator[List[int]]:
        """Yield the batches of one dataset, for this process."""
        buckets: List[List[int]] = [[], []]
        indices = itertools.islice(
            self._indices_of(source), self.rank, None, self.world_size
        )
        for index in indices:
            bucket = buckets[self._is_portrait(index)]
            bucket.append(index)
            if len(bucket) == self.batch_sizes[source]:
                yield bucket[:]
                bucket.clear()

    def _indices_of(self, source: int) -> Iterator[int]:
        """Yield the indices of one dataset, the same on all processes."""
        size, first = self.sizes[source], sum(self.sizes[:source])
        # Sources must not share the order of their indices.
        state = np.random.SeedSequence([self.seed, source]).generate_state(1)
        generator = torch.Generator()
        generator.manual_seed(int(state[0]))
        while True:
            order = (
                torch.randperm(size, generator=generator)
                if self.shuffle
                else torch.arange(size)
            )
            yield from (order + first).tolist()

    def _is_portrait(self, index: int) -> bool:
        if not self.group_by_aspect_ratio:
            return False
        assert self.dataset is not None
        frame = self.dataset.get_data_info(index)['images'][0]
        return bool(frame['width'] < frame['height'])


def _sizes(dataset: Any) -> List[int]:
    """Lengths of the parts of a concatenated dataset."""
    parts = getattr(dataset, 'datasets', None)
    if parts is None:
        raise ConfigError(
            f'JointBatchSampler over a {type(dataset).__name__}',
            fix="use dataset=dict(type='ConcatDataset', datasets=[...])",
        )
    sizes = [len(part) for part in parts]
    if min(sizes, default=0) < 1:
        raise ConfigError(
            f'datasets of lengths {sizes} cannot all be drawn from',
            fix='take the empty one out, or loosen its filter_cfg',
        )
    return sizes


def _parse_ratios(ratios: Sequence[float], number: int) -> List[float]:
    if len(ratios) != number or any(not ratio > 0 for ratio in ratios):
        raise ConfigError(
            f'ratios={list(ratios)} for {number} datasets',
            fix='use one positive number per dataset',
        )
    return [float(ratio) for ratio in ratios]


def _parse_batch_sizes(sizes: Sequence[int], number: int) -> List[int]:
    wrong = [n for n in sizes if not isinstance(n, int) or n < 1]
    if len(sizes) != number or wrong:
        raise ConfigError(
            f'batch sizes {list(sizes)} for {number} datasets',
            fix='use one whole number from 1 per dataset',
        )
    return list(sizes)
