"""Writing pseudo masks, or any masks read from a file, in every format."""

from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from mmengine.structures import InstanceData

from ..structures import MaskTrack, PseudoMaskSet
from ..structures.rle import tight_boxes
from ..structures.video_track import StreamInfo, VideoTrack
from ..utils.errors import MaskSetError
from .base import ResultWriter


def write_mask_set(
    masks: PseudoMaskSet,
    video_id: int,
    writers: Sequence[ResultWriter],
    frames: Optional[Iterable[np.ndarray]] = None,
    fps: Optional[float] = None,
) -> List[Path]:
    """Write the masks of one video of a set through result writers.

    The label of a track is the position of its category in
    ``masks.categories``; build writers with ``category_ids`` to keep the
    ids of the set, and with ``id_offset=0`` to keep those of the
    annotations.

    Args:
        masks (PseudoMaskSet): The masks.
        video_id (int): Which of its videos.
        writers (Sequence[ResultWriter]): From ``RESULT_WRITERS``; they are
            started and finished here. If one fails, all are aborted.
        frames (Iterable[np.ndarray], optional): uint8, (H, W, 3), BGR, such
            as a ``FrameReader``; needed by writers with ``needs_images``.
            Defaults to None.
        fps (float, optional): Frames per second. Defaults to None: unknown.

    Returns:
        list[Path]: What was written, in the order of the writers.

    Raises:
        MaskSetError: If there is no such video, or fewer ``frames`` than it
            has.
        OutputError: If something cannot be written.
    """
    if video_id not in masks.videos:
        raise MaskSetError(
            f'no such video; there are {sorted(masks.videos)[:5]} ...',
            file=masks.name,
            video=video_id,
            fix='give the id of a video of this set',
        )
    exported = _Export(masks, video_id)
    classes = [str(c.get('name', c['id'])) for c in masks.categories]
    images = _images(masks, video_id, writers, frames)
    try:
        for writer in writers:
            writer.start(exported.info(fps), classes)
        for frame, image in zip(range(exported.video.length), images):
            instances = exported.instances(frame)
            for writer in writers:
                given = image if writer.needs_images else None
                writer.add_frame(frame, instances, given)
        return [
            writer.finish(exported, exported.video.length)
            for writer in writers
        ]
    except BaseException:
        for writer in writers:
            writer.abort()
        raise


def _images(
    masks: PseudoMaskSet,
    video_id: int,
    writers: Sequence[ResultWriter],
    frames: Optional[Iterable[np.ndarray]],
) -> Iterator[Optional[np.ndarray]]:
    """Walk over the images; without writers that want them over None."""
    length = masks.videos[video_id].length
    if not any(writer.needs_images for writer in writers):
        yield from [None] * length
        return
    count = 0
    for image in frames if frames is not None else ():
        count += 1
        yield image
    if count < length:
        raise MaskSetError(
            f'{count} frames given, but the video has {length}',
            file=masks.name,
            video=video_id,
            frame=count,
            fix='give "frames": all images of the video',
        )


class _Export:
    """Shows the tracks of a video as predictions; iterates ``VideoTrack``."""

    def __init__(self, masks: PseudoMaskSet, video_id: int) -> None:
        self.video = masks.videos[video_id]
        labels = {entry['id']: n for n, entry in enumerate(masks.categories)}
        tracks = sorted(masks.tracks[video_id], key=lambda track: track.id)
        self._tracks: List[Tuple[MaskTrack, int]] = [
            (track, labels[track.category_id]) for track in tracks
        ]
        self._scores: Dict[int, float] = {
            track.id: _mean_score(track) for track in tracks
        }

    def info(self, fps: Optional[float]) -> StreamInfo:
        return StreamInfo(
            name=Path(self.video.name).name,
            height=self.video.height,
            width=self.video.width,
            fps=fps,
            length=self.video.length,
            file_names=self.video.file_names,
        )

    def instances(self, frame: int) -> InstanceData:
        """Collect the masks of a frame, as a model gives them."""
        found = [
            (track, label)
            for track, label in self._tracks
            if track.masks[frame] is not None
        ]
        rles = [track.masks[frame] for track, _ in found]
        return InstanceData(
            instances_id=np.array([t.id for t, _ in found], np.int64),
            labels=np.array([label for _, label in found], np.int64),
            scores=np.array([self._score(t, frame) for t, _ in found]),
            bboxes=tight_boxes(rles).astype(np.float32),
            masks=rles,
        )

    def __iter__(self) -> Iterator[VideoTrack]:
        for track, label in self._tracks:
            shown = [t for t, mask in enumerate(track.masks) if mask]
            rles = [mask for mask in track.masks if mask]
            yield VideoTrack(
                id=track.id,
                labels=(label,),
                scores=(self._scores[track.id],),
                start_frame=0,
                frames=np.array(shown, np.int64),
                masks=tuple(rles),
                bboxes=tight_boxes(rles).astype(np.float32),
                frame_scores=np.array(
                    [self._score(track, t) for t in shown], np.float32
                ),
            )

    def _score(self, track: MaskTrack, frame: int) -> float:
        score = track.scores[frame]
        return self._scores[track.id] if score is None else score


def _mean_score(track: MaskTrack) -> float:
    """Average what is known; masks of unknown quality count as sure."""
    known = [score for score in track.scores if score is not None]
    return float(np.mean(known)) if known else 1.0
