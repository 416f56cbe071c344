"""Average precision of video instance segmentation."""

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from mmengine.logging import print_log
from mmengine.structures import BaseDataElement

from ...registry import METRICS
from ...structures import RLE, VideoAnnotations, VideoInfo
from ...structures.rle import box_rle
from ...utils.errors import AnnotationError, ConfigError
from ...utils.fileio import dump_json
from ..functional import TrackAP, evaluate_tracks
from .gather import GatherAllMetric
from .predicted_track import PredictedTrack, to_list, to_rles, verdict

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
            it. Defaults to None.
        format_only (bool): Only write that file: for videos whose truth is
            not public. Defaults to False.
        classwise (bool): Also report ``AP_<class>``. Defaults to False.
        empty_rle (bool): Whether frames without the instance get an RLE
            without a pixel, as IDOL's public code writes, instead of null;
            metrics do not depend on it. Defaults to False.
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
        empty_rle: bool = False,
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
        self.empty_rle = empty_rle
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
                self.results.append(verdict(video_id, clip['pred_tracks']))

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
            ids=to_list(found['instances_id']),
            labels=to_list(found['labels']),
            scores=to_list(found['scores']),
            masks=to_rles(found['masks'], video, frame),
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
            dump_json(self._for_server(tracks), path)
            print_log(f'{len(tracks)} tracks written to {path}', 'current')
        if self.format_only:
            return {}
        quality = evaluate_tracks(tracks, self.truth, category_ids)
        return self._report(quality)

    def _for_server(
        self, tracks: List[Dict[str, Any]]
    ) -> List[Dict[str, Any]]:
        """Fill frames without the instance as ``empty_rle`` says."""
        if not self.empty_rle:
            return tracks
        filled = []
        for track in tracks:
            video = self.truth.videos[track['video_id']]
            empty = box_rle((0, 0, 0, 0), video.height, video.width)
            masks = [rle or empty for rle in track['segmentations']]
            filled.append(dict(track, segmentations=masks))
        return filled

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
        tracks: Dict[Tuple[int, int], PredictedTrack] = {}
        for (video_id, frame), record in sorted(
            frames.items(), key=lambda item: item[0]
        ):
            for number, key in enumerate(record['ids']):
                track = tracks.setdefault((video_id, key), PredictedTrack())
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
                segmentations=self._masks(tracks, video_id, key, start),
            )
            for video_id, key, start, label, score in judged
        ]

    def _masks(
        self,
        tracks: Mapping[Tuple[int, int], PredictedTrack],
        video_id: int,
        key: int,
        start: int,
    ) -> List[Optional[RLE]]:
        """List the masks of a track, from frame ``start`` on."""
        track = tracks.get((video_id, key))
        if track is None:
            raise ConfigError(
                f'pred_tracks names instance {key}, which no frame has',
                video=video_id,
                fix='let the model judge only tracks of its frames',
            )
        return [
            track.masks.get(t) if t >= start else None
            for t in range(self.truth.videos[video_id].length)
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
