"""YouTube-VIS json: results for its evaluation, or a dataset to read."""

from pathlib import Path
from typing import IO, Any, Dict, Iterable, List, Optional, Sequence, Union

from ..structures.rle import area, tight_boxes
from ..structures.video_track import VideoTrack
from ..utils.errors import OutputError
from .base import RESULT_WRITERS
from .track_file import (
    CategoryWriter,
    ListWriter,
    to_text,
    to_xywh,
    with_masks,
)


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
    frames) are there for those who filter.

    Args:
        path (str | Path): File to write.
        video_id (int): Id of the video. Defaults to 1.
        as_dataset (bool): Whether to write a dataset. Defaults to False.
        category_ids (Sequence[int], optional): Category id of every label.
            Defaults to None: label + 1.
        id_offset (int): Added to ids of tracks to get those of annotations.
            Defaults to 1: an id of 0 stands for 'not matched' in COCO's
            evaluation.
    """

    suffix = '.json'

    def __init__(
        self,
        path: Union[str, Path],
        video_id: int = 1,
        as_dataset: bool = False,
        category_ids: Optional[Sequence[int]] = None,
        id_offset: int = 1,
    ) -> None:
        super().__init__(path, category_ids, id_offset)
        self.video_id = video_id
        self.as_dataset = as_dataset

    def _write(
        self, file: IO[str], tracks: Iterable[VideoTrack], length: int
    ) -> None:
        if self.as_dataset:
            self._write_dataset(file, tracks, length)
        else:
            self._write_results(file, tracks, length)

    def _write_results(
        self, file: IO[str], tracks: Iterable[VideoTrack], length: int
    ) -> None:
        results = ListWriter(file)
        for track in with_masks(tracks):
            masks = to_text(self._segmentations(track, length))
            for label, score in zip(track.labels, track.scores):
                head = to_text(
                    dict(
                        video_id=self.video_id,
                        category_id=self.category_id(label),
                        score=float(score),
                    )
                )
                results.add_text(f'{head[:-1]},"segmentations":{masks}}}')
        results.close()

    def _write_dataset(
        self, file: IO[str], tracks: Iterable[VideoTrack], length: int
    ) -> None:
        if not length:
            raise OutputError(
                'a dataset cannot hold a video without frames',
                file=self.path,
                video=self.video.name,
                fix='leave this video out',
            )
        video = dict(
            id=self.video_id,
            width=self.video.width,
            height=self.video.height,
            length=length,
            file_names=self.frame_names(length),
        )
        file.write(f'{{"videos":[{to_text(video)}],\n"annotations":')
        annotations = ListWriter(file)
        labels = set()
        for track in with_masks(tracks):
            labels.add(int(track.labels[0]))
            annotations.add(self._annotation(track, length))
        annotations.close()
        file.write(f',\n"categories":{to_text(self.categories(labels))}}}')

    def _annotation(self, track: VideoTrack, length: int) -> Dict[str, Any]:
        masks = self._segmentations(track, length)
        boxes = tight_boxes(masks)
        scores: List[Optional[float]] = [None] * length
        for frame, score in zip(track.frames, track.frame_scores):
            scores[frame] = float(score)
        return dict(
            id=self.number(track.id),
            video_id=self.video_id,
            category_id=self.category_id(track.labels[0]),
            iscrowd=0,
            width=self.video.width,
            height=self.video.height,
            length=length,
            bboxes=[
                None if mask is None else to_xywh(box)
                for mask, box in zip(masks, boxes)
            ],
            segmentations=masks,
            areas=[None if mask is None else area(mask) for mask in masks],
            score=float(track.scores[0]),
            scores=scores,
        )

    def _segmentations(
        self, track: VideoTrack, length: int
    ) -> List[Optional[Dict[str, Any]]]:
        masks: List[Optional[Dict[str, Any]]] = [None] * length
        for frame, rle in zip(track.frames, track.masks):
            if area(rle):
                masks[frame] = self.plain_rle(rle, int(frame))
        return masks
