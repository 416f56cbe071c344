"""Average precision of video instance segmentation."""

from collections import Counter
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement

from ...registry import METRICS
from ...structures import RLE, VideoAnnotations, VideoInfo
from ...structures.rle import area, encode
from ...utils.errors import AnnotationError, ConfigError
from ...utils.fileio import dump_json
from ..functional import TrackAP, evaluate_tracks
from .gather import GatherAllMetric

SCORES = ('mean', 'max')
_NEEDED = ('scores', 'labels', 'instances_id', 'masks')


@METRICS.register_module()
class VISMetric(GatherAllMetric):
    """AP, AP50, AP75, AR1 and AR10 against a YouTube-VIS style json.

    The truth is read from ``ann_file`` here and never passes through data
    samples. Every frame is one compact record (masks become RLE at once), so
    that a dataloader may give frames or whole clips. All frames of a video
    that carry one ``instances_id`` are one track; its category is the label
    of most frames (ties: the higher mean score).

    A model that judges tracks at the end of a video, several classes for
    one track among them, adds ``pred_tracks`` to the clip with the last
    frame: one row for each track and class with ``instances_id``,
    ``labels``, ``scores`` and ``start_frames`` (masks of earlier frames do
    not count). For such a video labels and scores of the frames are not
    looked at.

    Categories are matched by ``category_ids`` of the dataset's metainfo,
    else by the names in ``classes``, else by the order of the file. Only
    these categories count.

    Args:
        ann_file (str): YouTube-VIS style json; with masks unless
            ``format_only``.
        outfile_prefix (str, optional): Also write
            ``<outfile_prefix>.results.json``, as evaluation servers take
            it. Frames without the instance are null. Defaults to None.
        format_only (bool): Only write that file: for videos whose truth is
            not public. Defaults to False.
        classwise (bool): Also report ``AP_<class>``. Defaults to False.
        score (str): Score of a track: 'mean' or 'max' over the frames where
            it was predicted. Defaults to 'mean'.
        prefix (str): In front of the names of the metrics. Defaults to
            'vis'.
        collect_device (str): 'cpu' or 'gpu', as in mmengine. Defaults to
            'cpu'.

    Raises:
        AnnotationError: If ``ann_file`` is malformed, or there is nothing to
            compare with and not ``format_only``.
        ConfigError: If options contradict.
    """

    default_prefix = 'vis'

    def __init__(
        self,
        ann_file: str,
        outfile_prefix: Optional[str] = None,
        format_only: bool = False,
        classwise: bool = False,
        score: str = 'mean',
        prefix: Optional[str] = 'vis',
        collect_device: str = 'cpu',
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if score not in SCORES:
            raise ConfigError(
                f'score={score!r} is unknown', fix=f'choose from {SCORES}'
            )
        if format_only and outfile_prefix is None:
            raise ConfigError(
                'format_only=True without outfile_prefix writes nothing',
                fix='set outfile_prefix to where the results shall go',
            )
        self.ann_file = ann_file
        self.outfile_prefix = outfile_prefix
        self.format_only = format_only
        self.classwise = classwise
        self.score = score
        self.truth = VideoAnnotations.from_file(
            ann_file, with_masks=not format_only, clip_boxes=True
        )
        if not format_only:
            self._check_truth()

    def _check_truth(self) -> None:
        """Find out before hours of testing that there is no truth."""
        tracks = list(self.truth)
        bare = [t for t in tracks if t.segmentations is None]
        if not tracks or bare:
            raise AnnotationError(
                'no masks to compare with',
                file=self.ann_file,
                video=bare[0].video_id if bare else None,
                instance=bare[0].id if bare else None,
                fix='name a file with real masks, or set format_only=True '
                'and outfile_prefix to write results for a server',
            )

    # ------------------------------------------------------------ process
    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the predictions of a batch as compact records.

        Args:
            data_batch (Any): Not used.
            data_samples (Sequence[dict]): Each has ``video_data_samples``,
                one data sample for each of its frames with ``video_id``,
                ``frame_id`` (0-based) and ``pred_track_instances``:
                ``scores``, ``labels``, ``instances_id`` of N instances and
                ``masks``, a bool tensor (N, H, W) or a list of RLE.

        Raises:
            AnnotationError: If a video or frame is not in ``ann_file``.
            ConfigError: If predictions are missing or masks have another
                size than the video.
        """
        for clip in data_samples:
            for sample in clip['video_data_samples']:
                if isinstance(sample, BaseDataElement):
                    sample = sample.to_dict()
                self.results.append(self._record(sample))
            if clip.get('pred_tracks') is not None:
                video_id = self.results[-1]['video_id']
                self.results.append(_verdict(video_id, clip['pred_tracks']))

    def _record(self, sample: Dict[str, Any]) -> Dict[str, Any]:
        video, frame = self._locate(sample)
        found: Any = sample.get('pred_track_instances', {})
        missing = [key for key in _NEEDED if key not in found]
        if missing:
            raise ConfigError(
                f'the model predicts no {missing} in pred_track_instances',
                video=video.id,
                frame=frame,
                fix='evaluate a video instance segmentation model',
            )
        return dict(
            video_id=video.id,
            frame_id=frame,
            ids=_to_list(found['instances_id']),
            labels=_to_list(found['labels']),
            scores=_to_list(found['scores']),
            masks=_to_rles(found['masks'], video, frame),
        )

    def _locate(self, sample: Dict[str, Any]) -> Tuple[VideoInfo, int]:
        key, frame = sample.get('video_id'), sample.get('frame_id')
        if key is None or frame is None:
            raise ConfigError(
                'a data sample has no "video_id" and "frame_id"',
                fix='keep both in meta_keys of the packing transform',
            )
        video = self.truth.videos.get(int(key))
        if video is None:
            raise AnnotationError(
                'prediction for a video that this file does not list',
                file=self.ann_file,
                video=key,
                fix='give metric and dataset the same ann_file',
            )
        if not 0 <= frame < video.length:
            raise AnnotationError(
                f'prediction for a frame beyond the {video.length} listed',
                file=self.ann_file,
                video=key,
                frame=frame,
                fix='give metric and dataset the same ann_file',
            )
        return video, int(frame)

    # ------------------------------------------------------------ compute
    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Join the records to tracks, write and judge them.

        Args:
            results (list[dict]): Records of all processes, in any order.

        Returns:
            dict: Values in [0, 1], not rounded; empty if ``format_only``.

        Raises:
            AnnotationError: If classes of the dataset are not in the file.
            ConfigError: If a label has no class.
        """
        category_ids = self._category_ids()
        tracks = self._tracks(results, category_ids)
        if self.outfile_prefix is not None:
            path = f'{self.outfile_prefix}.results.json'
            dump_json(tracks, path)
            print_log(f'{len(tracks)} tracks written to {path}', 'current')
        if self.format_only:
            return {}
        quality = evaluate_tracks(tracks, self.truth, category_ids)
        return self._report(quality)

    def _report(self, quality: TrackAP) -> Dict[str, float]:
        metrics = quality.summary()
        if self.classwise:
            names = {c['id']: c['name'] for c in self.truth.categories}
            for key, value in quality.per_category().items():
                metrics[f'AP_{names[key]}'] = value
        return metrics

    def _category_ids(self) -> Tuple[int, ...]:
        """Category id of every label."""
        known = {c['id']: c.get('name') for c in self.truth.categories}
        meta = self.dataset_meta or {}
        if 'category_ids' in meta:
            wanted = tuple(meta['category_ids'])
            missing = [key for key in wanted if key not in known]
        elif 'classes' in meta:
            by_name = {name: key for key, name in known.items()}
            missing = [n for n in meta['classes'] if n not in by_name]
            wanted = tuple(by_name.get(n, -1) for n in meta['classes'])
        else:
            return tuple(known)
        if missing:
            raise AnnotationError(
                f'classes of the dataset are not in this file: {missing[:5]}',
                file=self.ann_file,
                fix='give metric and dataset the same ann_file',
            )
        return wanted

    def _tracks(
        self, results: List[dict], category_ids: Sequence[int]
    ) -> List[Dict[str, Any]]:
        # Sorted, so that the outcome does not depend on who did what.
        # A padding sampler may have doubled frames: the first one counts.
        frames = {
            (r['video_id'], r['frame_id']): r
            for r in results[::-1]
            if 'rows' not in r
        }
        verdicts = {r['video_id']: r['rows'] for r in results if 'rows' in r}
        tracks: Dict[Tuple[int, int], _Track] = {}
        for (video_id, frame), record in sorted(
            frames.items(), key=lambda item: item[0]
        ):
            for number, key in enumerate(record['ids']):
                track = tracks.setdefault((video_id, key), _Track())
                track.add(
                    frame,
                    record['labels'][number],
                    record['scores'][number],
                    record['masks'][number],
                )
        judged = [
            (*key, 0, track.label(), track.score(self.score))
            for key, track in tracks.items()
            if key[0] not in verdicts
        ]
        for video_id, rows in sorted(verdicts.items()):
            judged.extend((video_id, *row) for row in rows)
        return [
            dict(
                video_id=video_id,
                score=score,
                category_id=self._category(label, category_ids, video_id),
                segmentations=[
                    tracks[video_id, key].masks.get(t) if t >= start else None
                    for t in range(self.truth.videos[video_id].length)
                ],
            )
            for video_id, key, start, label, score in judged
        ]

    def _category(
        self, label: int, category_ids: Sequence[int], video: int
    ) -> int:
        if not 0 <= label < len(category_ids):
            raise ConfigError(
                f'predicted label {label} but there are '
                f'{len(category_ids)} classes',
                file=self.ann_file,
                video=video,
                fix='set num_classes of the model to that of the dataset',
            )
        return category_ids[label]


class _Track:
    """Predictions of one instance, collected over the frames."""

    def __init__(self) -> None:
        self.masks: Dict[int, RLE] = {}
        self._labels: List[int] = []
        self._scores: List[float] = []

    def add(
        self, frame: int, label: int, score: float, mask: Optional[RLE]
    ) -> None:
        self._labels.append(label)
        self._scores.append(score)
        if mask is not None:
            self.masks[frame] = mask

    def score(self, mode: str) -> float:
        """Score of the track, float64."""
        return float(
            np.mean(self._scores) if mode == 'mean' else np.max(self._scores)
        )

    def label(self) -> int:
        """Label of most frames; ties go to the higher mean score."""
        counts = Counter(self._labels)

        def rank(label: int) -> Tuple[int, float, int]:
            scores = [
                s for s, k in zip(self._scores, self._labels) if k == label
            ]
            return counts[label], float(np.mean(scores)), -label

        return max(counts, key=rank)


def _verdict(video_id: int, tracks: Any) -> Dict[str, Any]:
    """Record what a model says of the tracks of a whole video."""
    if isinstance(tracks, BaseDataElement):
        tracks = tracks.to_dict()
    names = ('instances_id', 'start_frames', 'labels', 'scores')
    columns = [_to_list(tracks[name]) for name in names]
    return dict(video_id=video_id, rows=list(zip(*columns)))


def _to_list(values: Any) -> list:
    if isinstance(values, torch.Tensor):
        return values.detach().cpu().tolist()
    return np.asarray(values).tolist()


def _to_rles(masks: Any, video: VideoInfo, frame: int) -> List[Optional[RLE]]:
    """Encode masks; None where a mask is empty."""
    if isinstance(masks, torch.Tensor):
        masks = masks.detach().cpu().numpy()
    rles = []
    for mask in masks:
        rle = mask if isinstance(mask, dict) else encode(np.asarray(mask))
        if isinstance(rle['counts'], bytes):
            rle = dict(rle, counts=rle['counts'].decode('ascii'))
        if list(rle['size']) != [video.height, video.width]:
            raise ConfigError(
                f'predicted mask is {rle["size"]} but the frames are '
                f'{[video.height, video.width]} (height, width)',
                video=video.id,
                frame=frame,
                fix='let the model rescale its masks to "ori_shape"',
            )
        rles.append(rle if area(rle) else None)
    return rles
