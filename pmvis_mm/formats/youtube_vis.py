"""YouTube-VIS json: results for its evaluation, or a dataset to read."""

import math
from pathlib import Path
from typing import IO, Any, Dict, List, Optional, Sequence, Union

from ..structures.mask_track import to_xywh
from ..structures.rle import RLE, area, run_lengths, tight_boxes
from ..structures.video_track import VideoTrack
from ..utils.errors import ConfigError, OutputError
from .base import RESULT_WRITERS
from .track_file import CategoryWriter, ListWriter, VideoPart, to_text


@RESULT_WRITERS.register_module(name='json')
class YouTubeVISWriter(CategoryWriter):
    """Writes YouTube-VIS json, track by track.

    By default the results that its evaluation reads: a list with one entry
    for each class that a track was judged to be, ``video_id``,
    ``category_id``, ``score`` and ``segmentations``: per frame an RLE, or
    null. All tracks with a mask are kept, whatever their score.

    As a dataset: an object with ``videos``, ``categories`` and one entry of
    ``annotations`` for each track, of its best class. Boxes are the tight
    ones around the masks. ``score`` (of the track) and ``scores`` (of its
    frames) are there for those who filter, unless they are unknown.
    ``sources``, ``annotated_bboxes`` and ``interpolated`` are written where
    tracks have them, as :class:`~pmvis_mm.structures.PseudoMaskSet` reads
    them.

    Args:
        path (str | Path): File to write.
        video_id (int): Id of the video. Defaults to 1.
        as_dataset (bool): Whether to write a dataset. Defaults to False.
        category_ids (Sequence[int], optional): Category id of every label.
            Defaults to None: label + 1.
        id_offset (int): Added to ids of tracks to get those of annotations.
            Defaults to 1: an id of 0 stands for 'not matched' in COCO's
            evaluation.
        keep_ids (bool): Whether ids are written as they are, even 0 and
            negative ones. Defaults to False.
        tight_boxes, with_masks, category_entries: See
            :class:`~pmvis_mm.formats.track_file.CategoryWriter`.
        uncompressed (bool): Whether a dataset has the runs of masks as lists
            of numbers, as the files of YouTube-VIS; TrackEval takes no
            others. Defaults to False: compressed, as COCO does it.

    Raises:
        ConfigError: If results are to be written without masks.
    """

    suffix = '.json'

    def __init__(
        self,
        path: Union[str, Path],
        video_id: int = 1,
        as_dataset: bool = False,
        category_ids: Optional[Sequence[int]] = None,
        id_offset: int = 1,
        keep_ids: bool = False,
        tight_boxes: bool = True,
        with_masks: bool = True,
        category_entries: Optional[Sequence[Dict[str, Any]]] = None,
        uncompressed: bool = False,
    ) -> None:
        super().__init__(
            path,
            category_ids,
            id_offset,
            tight_boxes,
            with_masks,
            category_entries,
        )
        if not (as_dataset or with_masks):
            raise ConfigError(
                'results without masks: the format is nothing but masks',
                fix='set as_dataset=True',
            )
        self.video_id = video_id
        self.as_dataset = as_dataset
        self.keep_ids = keep_ids
        self.uncompressed = uncompressed

    def number(self, track_id: int) -> int:
        """Tell the number of a track in files, see the base class."""
        return int(track_id) if self.keep_ids else super().number(track_id)

    def _write_videos(self, file: IO[str], parts: Sequence[VideoPart]) -> None:
        if self.as_dataset:
            self._write_dataset(file, parts)
        else:
            self._write_results(file, parts)

    def _id(self, part: VideoPart) -> int:
        return self.video_id if part.id is None else part.id

    def _write_results(
        self, file: IO[str], parts: Sequence[VideoPart]
    ) -> None:
        results = ListWriter(file)
        for part in map(self.begin, parts):
            for track in self.visible(part.tracks):
                boxes = sum(mask is None for mask in track.masks)
                if boxes:
                    self.lost['boxes without a mask'] += boxes
                masks = to_text(self._segmentations(track, part.length))
                for label, score in zip(track.labels, track.scores):
                    head = to_text(
                        dict(
                            video_id=self._id(part),
                            category_id=self.category_id(label),
                            score=float(score),
                        )
                    )
                    results.add_text(f'{head[:-1]},"segmentations":{masks}}}')
        results.close()

    def _write_dataset(
        self, file: IO[str], parts: Sequence[VideoPart]
    ) -> None:
        videos = [self._video_entry(part) for part in map(self.begin, parts)]
        file.write(f'{{"videos":{to_text(videos)},\n"annotations":')
        annotations = ListWriter(file)
        labels = set()
        for part in map(self.begin, parts):
            for track in self.visible(part.tracks):
                labels.add(int(track.labels[0]))
                annotations.add(self._annotation(track, part))
        annotations.close()
        file.write(f',\n"categories":{to_text(self.categories(labels))}}}')

    def _video_entry(self, part: VideoPart) -> Dict[str, Any]:
        if not part.length:
            raise OutputError(
                'a dataset cannot hold a video without frames',
                file=self.path,
                video=self.video.name,
                fix='leave this video out',
            )
        return dict(
            id=self._id(part),
            width=self.video.width,
            height=self.video.height,
            length=part.length,
            file_names=self.frame_names(part.length),
        )

    def _annotation(
        self, track: VideoTrack, part: VideoPart
    ) -> Dict[str, Any]:
        empty: List[Any] = [None] * part.length
        masks = self._segmentations(track, part.length)
        given, scores, sources = list(empty), list(empty), list(empty)
        for i, frame in enumerate(track.frames):
            given[frame] = to_xywh(track.bboxes[i].tolist())
            score = float(track.frame_scores[i])
            scores[frame] = None if math.isnan(score) else score
            sources[frame] = track.sources and track.sources[i]
        boxes = given
        if self.tight_boxes:
            tight = tight_boxes(masks)
            boxes = [
                given[t] if mask is None else to_xywh(tight[t])
                for t, mask in enumerate(masks)
            ]
        entry: Dict[str, Any] = dict(
            id=self.number(track.id),
            video_id=self._id(part),
            category_id=self.category_id(track.labels[0]),
            iscrowd=int(track.iscrowd),
            width=self.video.width,
            height=self.video.height,
            length=part.length,
        )
        if track.interpolated is not None:
            entry['interpolated'] = [
                int(t in track.interpolated) for t in range(part.length)
            ]
        if not self.with_masks:
            return dict(entry, bboxes=boxes)
        entry.update(
            # A loader that finds a box expects a mask.
            bboxes=[mask and box for box, mask in zip(boxes, masks)],
            segmentations=self._written(masks),
            areas=[None if mask is None else area(mask) for mask in masks],
        )
        if any(score is not None for score in scores):
            entry.update(score=float(track.scores[0]), scores=scores)
        if track.sources is not None:
            entry.update(sources=sources, annotated_bboxes=given)
        elif any(mask is None for mask in track.masks):
            entry.update(annotated_bboxes=given)
        return entry

    def _segmentations(
        self, track: VideoTrack, length: int
    ) -> List[Optional[Dict[str, Any]]]:
        masks: List[Optional[Dict[str, Any]]] = [None] * length
        for frame, rle in zip(track.frames, track.masks):
            if rle is not None and area(rle):
                masks[frame] = self.plain_rle(rle, int(frame))
        return masks

    def _written(self, masks: List[Optional[RLE]]) -> List[Optional[RLE]]:
        if not self.uncompressed:
            return masks
        return [
            mask and dict(mask, counts=run_lengths([mask])[0].tolist())
            for mask in masks
        ]
