"""Writing pseudo masks, or any masks read from a file, in every format."""

import math
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from mmengine.structures import InstanceData

from ..structures import PseudoMaskSet
from ..structures.rle import tight_boxes
from ..structures.video_track import StreamInfo, VideoTrack
from ..utils.errors import MaskSetError
from .base import ResultWriter
from .export_source import from_mask_set
from .track_file import VideoPart


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
    video = masks.videos[video_id]
    source = from_mask_set(masks, with_boxes=False)
    info = StreamInfo(
        name=Path(video.name).name,
        height=video.height,
        width=video.width,
        fps=fps,
        length=video.length,
        file_names=video.file_names,
    )
    part = VideoPart(info, source.read(video_id), video.length, video_id)
    images = _images(masks, video_id, writers, frames)
    return write_part(part, source.classes, writers, images)


def write_part(
    part: VideoPart,
    classes: Sequence[str],
    writers: Sequence[ResultWriter],
    images: Iterable[Optional[np.ndarray]] = (),
) -> List[Path]:
    """Write one video through writers of one video.

    Args:
        part (VideoPart): The video; its tracks are a list here.
        classes (Sequence[str]): Name of every label.
        writers (Sequence[ResultWriter]): Started and finished here. If one
            fails, all are aborted.
        images (Iterable[np.ndarray]): uint8, (H, W, 3), BGR, of all frames;
            needed by writers with ``needs_images``. Defaults to ().

    Returns:
        list[Path]: What was written.

    Raises:
        OutputError: If something cannot be written.
    """
    by_frame = _FrameView(part.tracks)
    pictures = iter(images)
    try:
        for writer in writers:
            writer.start(part.info, classes)
        for frame in range(part.length):
            instances = by_frame.instances(frame)
            image = next(pictures, None)
            for writer in writers:
                given = image if writer.needs_images else None
                writer.add_frame(frame, instances, given)
        return [writer.finish(part.tracks, part.length) for writer in writers]
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


class _FrameView:
    """Shows the masks of tracks frame by frame, as a model gives them."""

    def __init__(self, tracks: Iterable[VideoTrack]) -> None:
        self._found: Dict[int, List[Tuple[VideoTrack, int]]] = {}
        for track in tracks:
            for i, frame in enumerate(track.frames.tolist()):
                if track.masks[i] is not None:
                    self._found.setdefault(frame, []).append((track, i))

    def instances(self, frame: int) -> InstanceData:
        """Collect the masks of a frame."""
        found = self._found.pop(frame, [])
        rles = [track.masks[i] for track, i in found]
        return InstanceData(
            instances_id=np.array([t.id for t, _ in found], np.int64),
            labels=np.array([t.labels[0] for t, _ in found], np.int64),
            scores=np.array([_score(t, i) for t, i in found]),
            bboxes=tight_boxes(rles).astype(np.float32),
            masks=rles,
        )


def _score(track: VideoTrack, i: int) -> float:
    """Tell the score in a frame; that of the track where it is unknown."""
    score = float(track.frame_scores[i])
    return track.scores[0] if math.isnan(score) else score
