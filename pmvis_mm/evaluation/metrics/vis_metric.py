"""Average precision of video instance segmentation."""

from typing import Any, Dict, Iterator, List, Optional, Sequence, Set, Tuple

from mmengine.dist import broadcast_object_list, get_rank, is_main_process
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement

from ...registry import METRICS
from ...structures import VideoAnnotations, VideoInfo
from ...structures.rle import box_rle
from ...utils.errors import AnnotationError, ConfigError
from ..functional import (
    TrackAP,
    find_video_errors,
    judge_video,
    summarize_errors,
    summarize_videos,
)
from ..functional.track_ap import LongVideos, check_long_videos
from .gather import GatherAllMetric
from .label_categories import LabelCategories
from .open_video import OpenVideo
from .predicted_track import to_list, to_rles, verdict
from .results_spool import Piece, ResultSpool, write_results

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

    A video is judged, and its masks are let go, when its last frame arrives;
    entries of the results file wait on the disk. Only videos whose frames
    several processes share are kept until the end.

    Categories are matched by ``category_ids`` of the dataset's metainfo,
    else by the names in ``classes``, else by the order of the file. Only
    these categories count.

    Args:
        ann_file (str): YouTube-VIS style json; with masks unless
            ``format_only``.
        outfile_prefix (str, optional): Also write
            ``<outfile_prefix>.results.json`` and
            ``<outfile_prefix>.results.zip`` with ``results.json``, as
            evaluation servers take it. Defaults to None.
        format_only (bool): Only write these files: for videos whose truth is
            not public. Defaults to False.
        classwise (bool): Also report ``AP_<class>``. Defaults to False.
        empty_rle (bool): Whether frames without the instance get an RLE
            without a pixel, as IDOL's public code writes, instead of null;
            metrics do not depend on it. Defaults to False.
        score (str): Score of a track: 'mean' or 'max' over the frames where
            it was predicted. Defaults to 'mean'.
        by_size (bool): Also report ``AP_small``, ``AR_small``, likewise
            ``medium`` and ``large``: objects of up to 128 x 128 pixels, up
            to 256 x 256, and more, on average over the frames that show
            them. Defaults to False.
        long_videos (int | Sequence[int], optional): Also report
            ``AP_short``, ``AP_long``, ``AR_short``, ``AR_long`` and
            ``AP_short_long``, the mean of both APs, by which YouTube-VIS
            2022 ranks: the number of frames that a short video has at most,
            or the ids of the long videos. Those of 2022 are the ones that
            it adds to the videos of 2021, so that there the ids are needed;
            36 is the longest video of 2019. Defaults to None.
        error_breakdown (bool): Also report ``error_<kind>``, by how much
            AP50 would rise if errors of this kind were mended, and
            ``error_<kind>_count``; kinds are told in
            :mod:`pmvis_mm.evaluation.functional.track_errors`. Takes
            several times longer. Defaults to False.
        zip_results (bool): Whether to write the zip too. Defaults to True.
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
        by_size: bool = False,
        long_videos: Optional[LongVideos] = None,
        error_breakdown: bool = False,
        zip_results: bool = True,
        prefix: Optional[str] = 'vis',
        collect_device: str = 'cpu',
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if score not in SCORES:
            raise ConfigError(
                f'score={score!r} is unknown', fix=f'choose from {SCORES}'
            )
        check_long_videos(long_videos)
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
        self.by_size = by_size
        self.long_videos = long_videos
        self.error_breakdown = error_breakdown
        self.zip_results = zip_results
        self._open: Dict[int, OpenVideo] = {}
        self._closed: Set[int] = set()
        self._spool: Optional[ResultSpool] = None
        if outfile_prefix is not None:
            self._spool = ResultSpool(outfile_prefix)
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
        """Keep the predictions of a batch; judge videos that are complete.

        Args:
            data_batch (Any): Not used.
            data_samples (Sequence[dict]): Each has ``video_data_samples``,
                one data sample for each of its frames with ``video_id``,
                ``frame_id`` (0-based) and ``pred_track_instances``:
                ``scores``, ``labels``, ``instances_id`` of N instances and
                ``masks``, a bool tensor (N, H, W) or a list of RLE.

        Raises:
            AnnotationError: If a video or frame is not in ``ann_file``.
            ConfigError: If predictions are missing, a score is no finite
                number, a label has no class or masks have another size than
                the video.
            OutputError: If the disk does not take the results.
        """
        for clip in data_samples:
            videos: Dict[int, OpenVideo] = {}
            for sample in clip['video_data_samples']:
                if isinstance(sample, BaseDataElement):
                    sample = sample.to_dict()
                info, frame = self._locate(sample)
                if info.id in self._closed:
                    continue  # a padding sampler gives it once more
                video = self._open.setdefault(info.id, OpenVideo(info))
                video.add(frame, self._record(sample, info, frame))
                videos[info.id] = video
            if videos and clip.get('pred_tracks') is not None:
                video.judge(verdict(clip['pred_tracks']))
            for key, video in videos.items():
                if video.complete:
                    self.results.append(self._close(video))
                    del self._open[key]
                    self._closed.add(key)

    def _record(
        self, sample: Dict[str, Any], video: VideoInfo, frame: int
    ) -> Dict[str, Any]:
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

    # -------------------------------------------------------------- judge
    def _close(self, video: OpenVideo) -> Dict[str, Any]:
        """Judge a video and keep no mask in memory."""
        entries = video.entries(self.score, self._categories().of)
        if self._spool is not None:
            listed = self._for_server(entries, video.video)
            self._spool.add(video.video.id, listed)
        return self._compare(video.video, entries)

    def _compare(
        self, video: VideoInfo, entries: List[Dict[str, Any]]
    ) -> Dict[str, Any]:
        record: Dict[str, Any] = dict(video_id=video.id)
        if self.format_only:
            return record
        real = self.truth.tracks[video.id]
        record['judged'] = judge_video(video.id, video.length, entries, real)
        if self.error_breakdown:
            record['errors'] = find_video_errors(video.id, entries, real)
        return record

    def _for_server(
        self, entries: List[Dict[str, Any]], video: VideoInfo
    ) -> List[Dict[str, Any]]:
        """Fill frames without the instance as ``empty_rle`` says."""
        if not self.empty_rle:
            return entries
        empty = box_rle((0, 0, 0, 0), video.height, video.width)
        return [
            dict(entry, segmentations=[m or empty for m in masks])
            for entry, masks in ((e, e['segmentations']) for e in entries)
        ]

    # ------------------------------------------------------------ compute
    def evaluate(self, size: int) -> Dict[str, float]:
        """Compute the metrics from the videos of all processes.

        Args:
            size (int): Ignored; length of the dataset.

        Returns:
            dict: Metrics, the same in every process.

        Raises:
            AnnotationError: If classes of the dataset are not in the file.
            ConfigError: As in :meth:`process`.
            OutputError: If the results cannot be written.
        """
        self.results.extend(self._open.values())
        try:
            return super().evaluate(size)
        finally:
            self.results.clear()
            self._open.clear()
            self._closed.clear()
            if self._spool is not None:
                self._spool.close()

    def join(self, parts: List[list]) -> list:
        """Judge what is left and write the results; in every process.

        Args:
            parts (list[list]): Videos of every process, judged or open.

        Returns:
            list[dict]: One record for each video that was predicted; what a
            padding sampler doubled is dropped.
        """
        judged: Dict[int, Dict[str, Any]] = {}
        owners: Dict[int, int] = {}
        for owner, part in enumerate(parts):
            for record in part:
                if not isinstance(record, OpenVideo):
                    owners.setdefault(record['video_id'], owner)
                    judged.setdefault(record['video_id'], record)
        rest: Dict[int, OpenVideo] = {}
        for record in (r for part in parts for r in part):
            if isinstance(record, OpenVideo) and record.video.id not in owners:
                rest.setdefault(record.video.id, record).merge(record)
        for key, video in rest.items():
            owners[key] = 0
            if is_main_process():
                judged[key] = self._close(video)
        if self._spool is not None:
            self._write(owners, self._spool)
        return list(judged.values())

    def _write(self, owners: Dict[int, int], spool: ResultSpool) -> None:
        pieces = self._pieces(owners, spool)
        if not is_main_process():
            for _ in pieces:  # takes part in sending them
                pass
            return
        number = write_results(spool.prefix, pieces, self.zip_results)
        print_log(
            f'{number} tracks written to {spool.prefix}.results.json',
            'current',
        )

    @staticmethod
    def _pieces(owners: Dict[int, int], spool: ResultSpool) -> Iterator[Piece]:
        """Send the videos to the main process, by ascending id."""
        for key, owner in sorted(owners.items()):
            mine = get_rank() == owner
            piece: List[Any] = [spool.read(key) if mine else None]
            broadcast_object_list(piece, src=owner)
            yield piece[0]

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Average over videos, categories and thresholds.

        Args:
            results (list[dict]): Videos that are judged.

        Returns:
            dict: Values, not rounded; empty if ``format_only``.

        Raises:
            AnnotationError: If classes of the dataset are not in the file.
        """
        category_ids = self._categories().ids
        if self.format_only:
            return {}
        seen = {record['video_id'] for record in results}
        # Nothing was predicted for these: all that is real was missed.
        for key, video in self.truth.videos.items():
            if key not in seen:
                results.append(self._compare(video, []))
        quality = summarize_videos(
            [record['judged'] for record in results],
            category_ids,
            self.by_size,
            self.long_videos,
        )
        metrics = self._report(quality)
        if self.error_breakdown:
            errors = [record['errors'] for record in results]
            metrics.update(summarize_errors(errors, category_ids).flat())
        return metrics

    def _report(self, quality: TrackAP) -> Dict[str, float]:
        metrics = quality.summary()
        if self.classwise:
            names = {c['id']: c['name'] for c in self.truth.categories}
            for key, value in quality.per_category().items():
                name = f'AP_{names[key]}'
                # A class may be called "small", or like another one.
                metrics[f'{name}_{key}' if name in metrics else name] = value
        return metrics

    def _categories(self) -> LabelCategories:
        return LabelCategories(
            self.dataset_meta or {}, self.truth.categories, self.ann_file
        )
