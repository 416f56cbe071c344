"""COCO json of a video: images and annotations that know their track."""

from typing import IO, Any, Dict, Iterable, Iterator, List

from ..structures.video_track import VideoTrack
from .base import RESULT_WRITERS
from .track_file import (
    CategoryWriter,
    ListWriter,
    to_text,
    to_xywh,
    with_masks,
)


@RESULT_WRITERS.register_module(name='coco_video')
class COCOVideoWriter(CategoryWriter):
    """Writes a json that COCO's and TAO's readers take, track by track.

    Keys as in TAO, whose format is COCO's with videos and tracks, and as in
    MMDetection's ``BaseVideoDataset``:

    - ``videos``: one, with id 1, ``name``, ``width``, ``height`` and, where
      known, ``fps``.
    - ``images``: one for each frame, id = ``frame_index`` + 1.
    - ``tracks``: ``id``, ``category_id`` (the best class), ``score``.
    - ``annotations``: one for each mask. ``track_id`` and ``instance_id``
      are the number of the track, ``bbox`` is the tight box of the mask in
      pixels, ``score`` that of the frame.

    Args:
        path (str | Path): File to write.
        category_ids (Sequence[int], optional): Category id of every label.
            Defaults to None: label + 1.
        id_offset (int): Added to ids of tracks. Defaults to 1: MMDetection
            takes an ``instance_id`` of 0 for a missing one.
    """

    suffix = '_coco.json'

    def _write(
        self, file: IO[str], tracks: Iterable[VideoTrack], length: int
    ) -> None:
        info = dict(description=f'instances of {self.video.name}')
        file.write(f'{{"info":{to_text(info)},"licenses":[],')
        file.write(f'"videos":[{to_text(self._video_entry())}],\n"images":')
        images = ListWriter(file)
        for frame, name in enumerate(self.frame_names(length)):
            images.add(self._image(frame, name))
        images.close()
        file.write(',\n"annotations":')
        annotations = ListWriter(file)
        kept: List[Dict[str, Any]] = []
        number = 0
        for track in with_masks(tracks):
            kept.append(self._track(track))
            for entry in self._annotations(track, kept[-1]):
                number += 1
                annotations.add(dict(id=number, **entry))
        annotations.close()
        labels = {entry.pop('label') for entry in kept}
        file.write(f',\n"tracks":{to_text(kept)}')
        file.write(f',\n"categories":{to_text(self.categories(labels))}}}')

    def _video_entry(self) -> Dict[str, Any]:
        video = self.video
        entry: Dict[str, Any] = dict(
            id=1,
            name=video.name,
            width=video.width,
            height=video.height,
            neg_category_ids=[],
            not_exhaustive_category_ids=[],
        )
        if video.fps is not None:
            entry['fps'] = video.fps
        return entry

    def _image(self, frame: int, name: str) -> Dict[str, Any]:
        return dict(
            id=frame + 1,
            video_id=1,
            file_name=name,
            width=self.video.width,
            height=self.video.height,
            frame_index=frame,
            frame_id=frame,
        )

    def _track(self, track: VideoTrack) -> Dict[str, Any]:
        return dict(
            id=self.number(track.id),
            video_id=1,
            category_id=self.category_id(track.labels[0]),
            score=float(track.scores[0]),
            label=int(track.labels[0]),
        )

    def _annotations(
        self, track: VideoTrack, entry: Dict[str, Any]
    ) -> Iterator[Dict[str, Any]]:
        for frame, rle, box, score, pixels, _ in self.shown(track):
            yield dict(
                image_id=frame + 1,
                video_id=1,
                category_id=entry['category_id'],
                track_id=entry['id'],
                instance_id=entry['id'],
                bbox=to_xywh(box),
                area=pixels,
                segmentation=rle,
                iscrowd=0,
                score=score,
            )
