"""Tracking numbers of video instance segmentation."""

from typing import Any, Dict, List, Optional, Sequence

from ...registry import METRICS
from ...structures import VideoInfo
from ..functional import TrackingOptions, combine_tracking, judge_tracking
from ..functional.tracking import load_measures
from .vis_metric import VISMetric


@METRICS.register_module()
class TrackingMetric(VISMetric):
    """HOTA, MOTA, IDF1 and others, computed by the package TrackEval.

    Takes what :class:`~pmvis_mm.evaluation.VISMetric` takes, beside which it
    may stand in a list of evaluators, and makes the same tracks of it.
    Reports ``HOTA``, ``DetA``, ``AssA``, ``LocA``, ``MOTA``, ``MOTP``,
    ``sMOTA`` (sMOTSA of MOTS), ``IDF1``, ``IDSW``, ``Frag``, ``MT``, ``ML``
    and the other figures of
    :class:`~pmvis_mm.evaluation.functional.TrackingQuality`: shares, not
    percent, averaged over the categories that have a real or predicted
    instance.

    Args:
        ann_file (str): YouTube-VIS style json with masks.
        score_thr (float): Tracks of a lower score are left out. All others
            count the same, so that this matters much. Defaults to 0.3.
        class_agnostic (bool): Whether all categories are one. Defaults to
            False.
        families (Sequence[str]): See
            :class:`~pmvis_mm.evaluation.functional.TrackingOptions`.
        classwise (bool): Also report ``<figure>_<class>``. Defaults to
            False.
        score (str): Score of a track: 'mean' or 'max' over the frames where
            it was predicted. Defaults to 'mean'.
        prefix (str): In front of the names of the metrics. Defaults to
            'track'.
        collect_device (str): 'cpu' or 'gpu', as in mmengine. Defaults to
            'cpu'.

    Raises:
        AnnotationError: If ``ann_file`` is malformed or without masks.
        ConfigError: If options are wrong, or TrackEval is not installed.
    """

    default_prefix = 'track'

    def __init__(
        self,
        ann_file: str,
        score_thr: float = 0.3,
        class_agnostic: bool = False,
        families: Sequence[str] = TrackingOptions.families,
        classwise: bool = False,
        score: str = 'mean',
        prefix: Optional[str] = 'track',
        collect_device: str = 'cpu',
    ) -> None:
        self.options = TrackingOptions(
            score_thr, class_agnostic, tuple(families)
        )
        load_measures(self.options.families)  # not after an epoch
        super().__init__(
            ann_file,
            classwise=classwise,
            score=score,
            prefix=prefix,
            collect_device=collect_device,
        )

    def _compare(
        self, video: VideoInfo, entries: List[Dict[str, Any]]
    ) -> Dict[str, Any]:
        wanted = set(self._categories().ids)
        found = judge_tracking(
            [e for e in entries if e['category_id'] in wanted],
            [
                t
                for t in self.truth.tracks[video.id]
                if t.category_id in wanted
            ],
            self.options,
        )
        return dict(video_id=video.id, tracking=found)

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Combine the videos.

        Args:
            results (list[dict]): Videos that are judged.

        Returns:
            dict: Figures, not rounded.
        """
        videos = {r['video_id']: r['tracking'] for r in results}
        for key, video in self.truth.videos.items():
            if key not in videos:  # all that is real was missed
                videos[key] = self._compare(video, [])['tracking']
        quality = combine_tracking(videos, self.options.families)
        metrics = dict(quality.overall)
        if self.classwise and not self.options.class_agnostic:
            names = {c['id']: c['name'] for c in self.truth.categories}
            for category, figures in quality.categories.items():
                for name, value in figures.items():
                    metrics[f'{name}_{names[category]}'] = value
        return metrics
