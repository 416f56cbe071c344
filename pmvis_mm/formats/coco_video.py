"""COCO json of a video: images and annotations that know their track."""

from typing import IO, Any, Dict, Iterator, List, Sequence, Set

from ..structures.mask_track import to_xywh
from ..structures.video_track import VideoTrack
from .base import RESULT_WRITERS
from .track_file import CategoryWriter, ListWriter, VideoPart, to_text


@RESULT_WRITERS.register_module(name='coco_video')
class COCOVideoWriter(CategoryWriter):
    """Writes a json that COCO's and TAO's readers take, track by track.

    Keys as in TAO, whose format is COCO's with videos and tracks, and as in
    MMDetection's ``BaseVideoDataset``:

    - ``videos``: one, with id 1 (of a set: all, with their ids), ``name``,
      ``width``, ``height`` and, where known, ``fps``.
    - ``images``: one for each frame, ids from 1 on.
    - ``tracks``: ``id``, ``category_id`` (the best class), ``score``.
    - ``annotations``: one for each mask. ``track_id`` and ``instance_id``
      are the number of the track, ``bbox`` is the tight box of the mask in
      pixels, ``score`` that of the frame. Without masks there is no
      ``segmentation``, and ``area`` is that of the box.

    Args:
        path (str | Path): File to write.
        category_ids (Sequence[int], optional): Category id of every label.
            Defaults to None: label + 1.
        id_offset (int): Added to ids of tracks. Defaults to 1: MMDetection
            takes an ``instance_id`` of 0 for a missing one.
        tight_boxes, with_masks, category_entries: See
            :class:`~pmvis_mm.formats.track_file.CategoryWriter`.
    """

    suffix = '_coco.json'

    def _write_videos(self, file: IO[str], parts: Sequence[VideoPart]) -> None:
        name = parts[0].info.name if len(parts) == 1 else 'a dataset'
        info = dict(description=f'instances of {name}')
        videos = [self._video_entry(part) for part in parts]
        file.write(f'{{"info":{to_text(info)},"licenses":[],')
        file.write(f'"videos":{to_text(videos)},\n"images":')
        images = ListWriter(file)
        number = 0
        for part in map(self.begin, parts):
            for frame, name in enumerate(self.frame_names(part.length)):
                number += 1
                images.add(self._image(part, number, frame, name))
        images.close()
        file.write(',\n"annotations":')
        tracks = self._write_annotations(file, parts)
        labels: Set[int] = {entry.pop('label') for entry in tracks}
        file.write(f',\n"tracks":{to_text(tracks)}')
        file.write(f',\n"categories":{to_text(self.categories(labels))}}}')

    def _write_annotations(
        self, file: IO[str], parts: Sequence[VideoPart]
    ) -> List[Dict[str, Any]]:
        annotations = ListWriter(file)
        kept: List[Dict[str, Any]] = []
        number = first = 0
        for part in map(self.begin, parts):
            for track in self.visible(part.tracks):
                kept.append(self._track(part, track))
                for entry in self._annotations(track, kept[-1], first):
                    number += 1
                    annotations.add(dict(id=number, **entry))
            first += part.length
        annotations.close()
        return kept

    def _video_entry(self, part: VideoPart) -> Dict[str, Any]:
        video = part.info
        entry: Dict[str, Any] = dict(
            id=_id(part),
            name=video.name,
            width=video.width,
            height=video.height,
            neg_category_ids=[],
            not_exhaustive_category_ids=[],
        )
        if video.fps is not None:
            entry['fps'] = video.fps
        return entry

    def _image(
        self, part: VideoPart, number: int, frame: int, name: str
    ) -> Dict[str, Any]:
        return dict(
            id=number,
            video_id=_id(part),
            file_name=name,
            width=part.info.width,
            height=part.info.height,
            frame_index=frame,
            frame_id=frame,
        )

    def _track(self, part: VideoPart, track: VideoTrack) -> Dict[str, Any]:
        return dict(
            id=self.number(track.id),
            video_id=_id(part),
            category_id=self.category_id(track.labels[0]),
            score=float(track.scores[0]),
            label=int(track.labels[0]),
        )

    def _annotations(
        self, track: VideoTrack, entry: Dict[str, Any], first: int
    ) -> Iterator[Dict[str, Any]]:
        for frame, rle, box, score, pixels, _ in self.shown(track):
            xywh = to_xywh(box) or []
            found: Dict[str, Any] = dict(
                image_id=first + frame + 1,
                video_id=entry['video_id'],
                category_id=entry['category_id'],
                track_id=entry['id'],
                instance_id=entry['id'],
                bbox=xywh,
                area=pixels if self.with_masks else xywh[2] * xywh[3],
                iscrowd=int(track.iscrowd),
            )
            if self.with_masks:
                found['segmentation'] = rle
            if score is not None:
                found['score'] = score
            yield found


def _id(part: VideoPart) -> int:
    return 1 if part.id is None else part.id
