"""Annotations of one track, checked against its video."""

import math
from typing import Any, Dict, List, NamedTuple, Optional

from ...structures.mask_track import to_xywh
from ...structures.rle import RLE, areas, from_any, tight_boxes
from ...structures.rle_check import read_many
from ...structures.video_annotations import BOX_TOLERANCE, Box, VideoInfo
from ...utils.errors import AnnotationError
from .base import ImportedTrack, ImportedVideo
from .import_report import ImportReport
from .interpolation import interpolate_boxes


class TrackOptions(NamedTuple):
    """See :func:`~pmvis_mm.formats.readers.assemble`."""

    with_masks: bool
    interpolate: bool
    max_gap: Optional[int]
    clip_boxes: bool


class TrackAssembler:
    """Turns one track into an entry of ``annotations``.

    Args:
        track (ImportedTrack): As the source has it.
        video (ImportedVideo): Its video, for messages.
        info (VideoInfo): What was settled about the video.
        options (TrackOptions): What was asked for.
        report (ImportReport): Counts what is kept and dropped.
    """

    def __init__(
        self,
        track: ImportedTrack,
        video: ImportedVideo,
        info: VideoInfo,
        options: TrackOptions,
        report: ImportReport,
    ) -> None:
        self.track = track
        self.video = video
        self.info = info
        self.options = options
        self.report = report

    def build(self) -> Optional[Dict[str, Any]]:
        """Check the track and write it.

        Returns:
            dict, optional: All but ``id``, ``video_id`` and
            ``category_id``; None if no box is left.

        Raises:
            AnnotationError: If a frame, box or mask is impossible.
        """
        track = self.track
        drawn = self._drawn_boxes()
        interpolated = set(track.interpolated)
        if self.options.interpolate:
            filled = interpolate_boxes(drawn, self.options.max_gap)
            interpolated |= set(filled)
            drawn.update(filled)
        boxes: List[Optional[Box]] = [None] * self.info.length
        for frame, box in drawn.items():
            if box is not None:
                boxes[frame] = self._clip(frame, box)
        if not any(boxes):
            return None
        marks = [
            int(box is not None and t in interpolated)
            for t, box in enumerate(boxes)
        ]
        self.report.boxes += sum(box is not None for box in boxes)
        self.report.interpolated += sum(marks)
        entry = self._head()
        entry['bboxes'] = [to_xywh(box) for box in boxes]
        if any(marks):
            entry['interpolated'] = marks
        if track.scores:
            entry['scores'] = self._scores(boxes)
        if self.options.with_masks:
            self._add_masks(entry, boxes)
        else:
            self.report.masks_left_out += len(track.masks)
        return entry

    def _head(self) -> Dict[str, Any]:
        number = self.track.id
        return dict(
            source_id=number if isinstance(number, str) else int(number),
            iscrowd=int(self.track.iscrowd),
            width=self.info.width,
            height=self.info.height,
            length=self.info.length,
        )

    def _error(
        self, problem: str, frame: Optional[int], fix: str
    ) -> AnnotationError:
        return AnnotationError(
            problem,
            file=self.video.file,
            video=self.video.name,
            frame=frame,
            instance=self.track.id,
            fix=fix,
        )

    # -------------------------------------------------------------- boxes
    def _drawn_boxes(self) -> Dict[int, Optional[Box]]:
        """Check all boxes of the source, those of its masks among them."""
        boxes: Dict[int, Optional[Box]] = {}
        for frame, box in self.track.boxes.items():
            # A mark behind the end says no more than that it ends.
            if box is None and frame >= self.info.length:
                continue
            self._check_frame(frame)
            boxes[frame] = None if box is None else self._checked(frame, box)
        for frame, mask in self.track.masks.items():
            self._check_frame(frame)
            if frame not in boxes:
                if self.track.all_boxes and not self.options.with_masks:
                    continue
                tight = tight_boxes([self._read_mask(frame, mask)])[0]
                boxes[frame] = tuple(tight) if tight.any() else None
            elif boxes[frame] is None:
                raise self._error(
                    'a mask where the instance is said to be out of view',
                    frame,
                    'correct one of both in the annotation tool',
                )
        return dict(sorted(boxes.items()))

    def _check_frame(self, frame: int) -> None:
        length = self.info.length
        if not 0 <= frame < length:
            raise self._error(
                f'frame {frame}, counted from 0, is not one of the {length} '
                'frames of the video',
                frame,
                'check whether the file counts frames from 0 or from 1 '
                '(--first-frame), and that all frames are there',
            )

    def _checked(self, frame: int, box: Box) -> Box:
        x0, y0, x1, y1 = (float(v) for v in box)
        if not all(map(math.isfinite, (x0, y0, x1, y1))):
            raise self._error(
                f'box {_text(box)} has a coordinate that is no finite number',
                frame,
                'correct or remove it in the annotation tool',
            )
        # What is left when it is rounded must have a width, too.
        if min(round(x1, 4) - round(x0, 4), round(y1, 4) - round(y0, 4)) <= 0:
            raise self._error(
                f'box {_text(box)} (x0, y0, x1, y1) has no positive width and '
                'height',
                frame,
                'correct or remove it in the annotation tool',
            )
        return x0, y0, x1, y1

    def _clip(self, frame: int, box: Box) -> Optional[Box]:
        width, height = float(self.info.width), float(self.info.height)
        x0, y0 = max(box[0], 0.0), max(box[1], 0.0)
        x1, y1 = min(box[2], width), min(box[3], height)
        if (x0, y0, x1, y1) == box:
            return box
        outside = min(round(x1 - x0, 4), round(y1 - y0, 4)) <= 0
        out = max(x0 - box[0], y0 - box[1], box[2] - x1, box[3] - y1)
        if not self.options.clip_boxes and (outside or out > BOX_TOLERANCE):
            how = 'lies outside' if outside else 'sticks out of'
            raise self._error(
                f'box {_text(box)} (x0, y0, x1, y1) {how} the '
                f'{self.info.width}x{self.info.height} frame',
                frame,
                'check that these are the frames that were annotated; if '
                'so, clip such boxes (--clip-boxes)',
            )
        if outside:
            self.report.drop('boxes outside the frame')
            return None
        self.report.clipped += 1
        return x0, y0, x1, y1

    def _scores(self, boxes: List[Optional[Box]]) -> List[Optional[float]]:
        scores: List[Optional[float]] = [None] * len(boxes)
        for frame, score in self.track.scores.items():
            self._check_frame(frame)
            if not math.isfinite(score):
                raise self._error(
                    f'score {score}', frame, 'write a finite number'
                )
            if boxes[frame] is not None:
                scores[frame] = float(score)
        return scores

    # -------------------------------------------------------------- masks
    def _add_masks(
        self, entry: Dict[str, Any], boxes: List[Optional[Box]]
    ) -> None:
        masks: List[Optional[RLE]] = [None] * self.info.length
        frames = sorted(self.track.masks)
        found = read_many(
            [self.track.masks[frame] for frame in frames],
            self.info.height,
            self.info.width,
            lambda place, raw: self._read_mask(frames[place], raw),
        )
        for frame, mask in zip(frames, found):
            if mask is None:
                self.report.drop('masks without a pixel')
            elif boxes[frame] is None:
                self.report.drop('masks whose box is outside the frame')
            else:
                masks[frame] = mask
        entry['segmentations'] = masks
        pixels = iter(areas([m for m in masks if m is not None]).tolist())
        entry['areas'] = [None if m is None else next(pixels) for m in masks]
        self.report.masks += sum(mask is not None for mask in masks)

    def _read_mask(self, frame: int, mask: RLE) -> Optional[RLE]:
        try:
            return from_any(mask, self.info.height, self.info.width)
        except (ValueError, TypeError) as reason:
            raise self._error(
                f'bad mask: {reason}',
                frame,
                'export the masks again at the size of the frames',
            ) from None


def _text(box: Box) -> str:
    """Write a box without names of types such as numpy's."""
    return str([round(float(v), 4) for v in box])
