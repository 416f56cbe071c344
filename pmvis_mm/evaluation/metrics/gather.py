"""Metrics that need the results of all processes, however many."""

from abc import ABCMeta
from typing import Any, Dict, List

from mmengine.dist import (
    all_gather_object,
    broadcast_object_list,
    is_main_process,
)
from mmengine.evaluator import BaseMetric


class GatherAllMetric(BaseMetric, metaclass=ABCMeta):
    """A metric whose number of results is not the length of the dataset.

    mmengine cuts the results to the length of the dataset, which counts
    videos, while a metric of frames has many entries for each. Here nothing
    is cut; a subclass drops what a padding sampler doubled.
    """

    def evaluate(self, size: int) -> Dict[str, float]:
        """Compute the metrics from the results of all processes.

        Args:
            size (int): Ignored; length of the dataset.

        Returns:
            dict: Metrics, the same in every process.
        """
        parts: List[list] = all_gather_object(self.results)
        everything = self.join(parts)
        self.results.clear()
        metrics: List[Any] = [None]
        if is_main_process():
            metrics = [
                {
                    f'{self.prefix}/{key}' if self.prefix else key: value
                    for key, value in self.compute_metrics(everything).items()
                }
            ]
        broadcast_object_list(metrics)
        return metrics[0]

    def join(self, parts: List[list]) -> list:
        """Join the results of all processes; runs in each of them.

        Args:
            parts (list[list]): Results of every process, by rank.

        Returns:
            list: Results for ``compute_metrics``, a new list: with one
            process the only part is ``self.results``.
        """
        return [result for part in parts for result in part]
