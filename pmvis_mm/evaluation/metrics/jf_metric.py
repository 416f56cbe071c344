"""J&F of masks at the end of a labelling run."""

from typing import Any, Dict, List, Optional, Sequence

from ...labeling.label_video import LabelResult
from ...registry import METRICS
from ..functional import JFQuality, measure_jf
from ..functional.boundary import TOLERANCE
from .gather import GatherAllMetric
from .label_truth import pair_with_truth, read_truth


@METRICS.register_module()
class JFMetric(GatherAllMetric):
    """Judges tracked masks as in `DAVIS <https://arxiv.org/abs/1704.00675>`_.

    Reports for every stage of the run (``raw`` is the source alone), with
    the name of the stage in front, the figures of
    :meth:`~pmvis_mm.evaluation.functional.JFQuality.summary`: ``jf_mean``,
    ``j_mean``, ``j_recall``, ``j_decay``, ``f_mean``, ``f_recall`` and
    ``f_decay``.

    An object counts J = F = 1 in frames where it is neither seen nor found,
    and labelling never finds one where it has no box: for sources that
    start from boxes ``MaskQualityMetric`` is the sharper measure.

    Args:
        ann_file (str): YouTube-VIS style json with real masks of the same
            annotations.
        skip_first (bool): Leave out the first frame where an object is
            seen, and all before it; False where no real mask was given.
            Defaults to True.
        skip_last (bool): Leave out the last frame of every video, as DAVIS
            does. Defaults to True.
        tolerance (float): See
            :func:`~pmvis_mm.evaluation.functional.boundary_f`. Defaults to
            0.008.
        videowise (bool): Also report the figures of every video, means over
            its objects, as ``<stage>/<video>/<figure>``. Defaults to False.
        prefix (str, optional): In front of the names of the metrics.
            Defaults to None.
        collect_device (str): 'cpu' or 'gpu', as in mmengine. Defaults to
            'cpu'.

    Raises:
        AnnotationError: If ``ann_file`` is malformed or without masks.
    """

    # An empty prefix: stage names stand first, 'raw/jf_mean'.
    default_prefix = ''

    def __init__(
        self,
        ann_file: str,
        skip_first: bool = True,
        skip_last: bool = True,
        tolerance: float = TOLERANCE,
        videowise: bool = False,
        prefix: Optional[str] = None,
        collect_device: str = 'cpu',
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.truth = read_truth(ann_file)
        self.videowise = videowise
        self.options: Dict[str, Any] = dict(
            skip_first=skip_first, skip_last=skip_last, tolerance=tolerance
        )

    def process(
        self, data_batch: Any, data_samples: Sequence[LabelResult]
    ) -> None:
        """Reduce every labelled video to J and F per frame.

        Args:
            data_batch (Any): Not used.
            data_samples (Sequence[LabelResult]): Labelled videos.

        Raises:
            AnnotationError: If a video is not in ``ann_file``.
        """
        for result in data_samples:
            stages = {}
            for name, tracks in result.stages.items():
                real, guess = pair_with_truth(self.truth, result, tracks)
                stages[name] = measure_jf(guess, real, **self.options)
            self.results.append(dict(video_id=result.video.id, stages=stages))

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Average over the objects of all videos.

        Args:
            results (list[dict]): Records of all processes; a video that a
                padding sampler doubled counts once.

        Returns:
            dict: ``<stage>/<name>`` -> value.
        """
        stages: Dict[str, JFQuality] = {}
        for record in results:
            for name, quality in record['stages'].items():
                stages.setdefault(name, JFQuality()).update(quality)
        groups = {name: q.summary() for name, q in stages.items()}
        if self.videowise:
            for name, quality in stages.items():
                for key, figures in quality.per_video().items():
                    video = self.truth.videos[key].name
                    groups[f'{name}/{video}'] = figures
        return {
            f'{name}/{key}': value
            for name, figures in groups.items()
            for key, value in figures.items()
        }
