"""Quality of pseudo masks at the end of a labelling run."""

from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from ...labeling.label_video import LabelResult
from ...registry import METRICS
from ...structures import MaskTrack, VideoAnnotations
from ...utils.errors import ConfigError
from ..functional import (
    GROUPS,
    GroupedQuality,
    MaskQuality,
    mask_groups,
    measure_masks,
)
from .gather import GatherAllMetric
from .label_truth import pair_with_truth, read_truth


@METRICS.register_module()
class MaskQualityMetric(GatherAllMetric):
    """Counts and, where real masks are at hand, judges pseudo masks.

    Reports for every stage of the run (``raw`` is the source alone, then
    one per labelling hook), with the name of the stage in front:

    - ``boxes`` and ``masks``: how many there are; ``coverage``: the share
      of boxes that got a mask; ``score``: mean of the scores (SCM or
      quality) of the masks that have one, left out if none has,
    - with ``ann_file``: ``miou``, ``miou_present``, ``real_coverage``,
      ``above_50``, ``above_75`` and ``above_90`` of
      :class:`~pmvis_mm.evaluation.functional.MaskQuality`, over all real
      masks (``real_coverage`` is its ``coverage``),
    - with ``boundary``, too: ``boundary_f``, the mean F of the outlines,
    - with ``groups``: the same by source, category, size or occlusion, as
      ``<stage>/<group>/<name>/<figure>``, such as ``raw/size/small/miou``;
      see :func:`~pmvis_mm.evaluation.functional.mask_groups`.

    Args:
        ann_file (str, optional): YouTube-VIS style json with real masks of
            the same annotations. Defaults to None.
        boundary (bool): Judge outlines, too; takes several times longer.
            Defaults to False.
        groups (Sequence[str]): Kinds of groups to report: 'source',
            'category', 'size', 'occlusion'. Defaults to none.
        prefix (str, optional): In front of the names of the metrics.
            Defaults to None.
        collect_device (str): 'cpu' or 'gpu', as in mmengine. Defaults to
            'cpu'.

    Raises:
        AnnotationError: If ``ann_file`` is malformed or without masks.
        ConfigError: If a group is unknown, or there is no ``ann_file`` to
            tell the groups.
    """

    # An empty prefix: stage names stand first, 'raw/miou'.
    default_prefix = ''

    def __init__(
        self,
        ann_file: Optional[str] = None,
        boundary: bool = False,
        groups: Sequence[str] = (),
        prefix: Optional[str] = None,
        collect_device: str = 'cpu',
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.ann_file = ann_file
        self.boundary = boundary
        self.groups = tuple(groups)
        unknown = [name for name in self.groups if name not in GROUPS]
        if unknown or (self.groups and ann_file is None):
            raise ConfigError(
                f'groups={list(groups)!r} with ann_file={ann_file!r}',
                fix=f'use some of {list(GROUPS)}, and name a file with real '
                'masks',
            )
        self.truth: Optional[VideoAnnotations] = None
        if ann_file is not None:
            self.truth = read_truth(ann_file)

    def process(
        self, data_batch: Any, data_samples: Sequence[LabelResult]
    ) -> None:
        """Reduce every labelled video to counts and IoUs.

        Args:
            data_batch (Any): Not used.
            data_samples (Sequence[LabelResult]): Labelled videos.

        Raises:
            AnnotationError: If a video is not in ``ann_file``.
        """
        for result in data_samples:
            stages = {
                name: self._judge(result, tracks)
                for name, tracks in result.stages.items()
            }
            self.results.append(dict(video_id=result.video.id, stages=stages))

    def _judge(
        self, result: LabelResult, tracks: List[MaskTrack]
    ) -> Dict[str, Any]:
        record: Dict[str, Any] = dict(
            boxes=sum(b is not None for t in tracks for b in t.boxes),
            masks=sum(t.num_masks for t in tracks),
            scores=[s for t in tracks for s in t.scores if s is not None],
        )
        if self.truth is None:
            return record
        real, guess = pair_with_truth(self.truth, result, tracks)
        quality = measure_masks(guess, real, self.boundary)
        record['quality'] = quality
        if self.groups:
            record['groups'] = GroupedQuality()
            record['groups'].add(quality, mask_groups(guess, real))
        return record

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Summarise over the videos.

        Args:
            results (list[dict]): Records of all processes; a video that a
                padding sampler doubled counts once.

        Returns:
            dict: ``<stage>/<name>`` -> value.
        """
        videos = {record['video_id']: record for record in results}
        stages: Dict[str, List[dict]] = {}
        for key in sorted(videos):
            for name, record in videos[key]['stages'].items():
                stages.setdefault(name, []).append(record)
        return {
            f'{name}/{key}': value
            for name, records in stages.items()
            for key, value in self._summarise(records).items()
        }

    def _summarise(self, records: List[dict]) -> Dict[str, float]:
        summary = _summarise(records)
        pooled = GroupedQuality()
        for record in records:
            if 'groups' in record:
                pooled.update(record['groups'])
        summary.update(pooled.flat(self.groups))
        return summary


def _summarise(records: List[dict]) -> Dict[str, float]:
    boxes = sum(record['boxes'] for record in records)
    masks = sum(record['masks'] for record in records)
    scores = [score for record in records for score in record['scores']]
    summary = dict(
        boxes=boxes,
        masks=masks,
        coverage=masks / boxes if boxes else float('nan'),
    )
    if scores:
        summary['score'] = float(np.mean(scores))
    if records and 'quality' in records[0]:
        pooled = MaskQuality()
        for record in records:
            pooled.ious.update(record['quality'].ious)
            pooled.present.update(record['quality'].present)
            pooled.video_of.update(record['quality'].video_of)
            pooled.boundary.update(record['quality'].boundary)
        quality = pooled.summary()
        summary['real_coverage'] = quality.pop('coverage')
        summary.update(quality)
    return summary
