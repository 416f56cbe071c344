"""Masks by frame on the disk, for formats that need all of a frame at once."""

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import (
    IO,
    Any,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Union,
)

from mmengine.structures import InstanceData

from ..structures.rle import RLE, area, intersect, subtract, union
from ..structures.video_track import StreamInfo, VideoTrack
from ..utils.fileio import disk_errors
from .track_file import NumberedWriter, to_text


class Verdict(NamedTuple):
    """What was found out about a track at the end.

    Attributes:
        number (int): Of the track in files; 0 for crowds.
        label (int): Best class, 0-based.
        score (float): Of the track, in [0, 1].
        start_frame (int): Masks of earlier frames do not count.
        iscrowd (bool): Whether it is a region that is not to be judged.
    """

    number: int
    label: int
    score: float
    start_frame: int
    iscrowd: bool = False


class SpooledMask(NamedTuple):
    """A mask of a frame and the verdict about its track.

    Attributes:
        verdict (Verdict): About the track.
        score (float): In this frame.
        mask (RLE): Of at least one pixel.
    """

    verdict: Verdict
    score: float
    mask: RLE


class SpoolWriter(NumberedWriter):
    """Keeps masks on the disk until the verdicts about tracks are known.

    Formats in which a pixel belongs to one instance at most need all masks
    of a frame at once, and to know which tracks count. The masks wait in an
    anonymous file in the folder of the target, which vanishes with the
    process.

    Args:
        path (str | Path): File or folder to write.
        score_thr (float): Tracks of a lower score are left out. Defaults to
            0.
        id_offset (int): Added to ids of tracks. Defaults to 1.
    """

    def __init__(
        self,
        path: Union[str, Path],
        score_thr: float = 0.0,
        id_offset: int = 1,
    ) -> None:
        super().__init__(path, id_offset)
        self.score_thr = score_thr
        self._spool: Optional[IO[str]] = None

    def start(self, video: StreamInfo, classes: Sequence[str]) -> None:
        """Begin a video, see :meth:`ResultWriter.start`."""
        self.abort()
        super().start(video, classes)
        with disk_errors(self.path):
            self._spool = tempfile.TemporaryFile(
                'w+', encoding='utf-8', dir=self.path.parent
            )

    def add_frame(
        self, frame: int, instances: InstanceData, image: Any = None
    ) -> None:
        """Put the masks of a frame aside, see the base class."""
        ids = [int(key) for key in instances.instances_id]
        scores = [float(score) for score in instances.scores]
        rows = [
            (key, score, self.plain_rle(rle, frame)['counts'])
            for key, score, rle in zip(ids, scores, instances.masks)
            if area(rle)
        ]
        with disk_errors(self.path):
            self._open_spool().write(to_text(rows) + '\n')

    def abort(self) -> None:
        """Forget the masks."""
        if self._spool is not None:
            with suppress(OSError):  # what does not fit is not wanted now
                self._spool.close()
            self._spool = None

    def iter_frames(
        self, verdicts: Dict[int, Verdict]
    ) -> Iterator[List[SpooledMask]]:
        """Read the masks of tracks that count, frame by frame.

        Args:
            verdicts (dict[int, Verdict]): By id of the track.

        Yields:
            list[SpooledMask]: The highest score of a track first, then the
            higher score in the frame, then the lower number; regions that
            are not to be judged last.
        """
        size = [self.video.height, self.video.width]
        spool = self._open_spool()
        spool.seek(0)
        for frame, line in enumerate(spool):
            found = []
            for key, score, counts in json.loads(line):
                verdict = verdicts.get(key)
                if verdict is None or frame < verdict.start_frame:
                    continue
                mask = dict(size=size, counts=counts)
                found.append(SpooledMask(verdict, score, mask))
            yield sorted(found, key=_priority)

    def verdicts(self, tracks: Iterable[VideoTrack]) -> Dict[int, Verdict]:
        """Remember the tracks that count, without their masks."""
        return {
            track.id: Verdict(
                0 if track.iscrowd else self.number(track.id),
                int(track.labels[0]),
                float(track.scores[0]),
                int(track.start_frame),
                bool(track.iscrowd),
            )
            for track in tracks
            if track.scores[0] >= self.score_thr
        }

    def count_overlaps(
        self, found: Sequence[SpooledMask], kept_pixels: int, kept: int
    ) -> None:
        """Remember in ``lost`` what a frame without overlaps loses.

        Args:
            found (Sequence[SpooledMask]): Its masks.
            kept_pixels (int): Pixels that were written for them.
            kept (int): Masks of which at least a pixel was written.
        """
        pixels = sum(area(item.mask) for item in found) - kept_pixels
        if pixels:
            self.lost['pixels where masks overlap'] += pixels
        if len(found) > kept:
            self.lost['masks wholly below others'] += len(found) - kept

    def _open_spool(self) -> IO[str]:
        if self._spool is None:
            raise self.not_begun()
        return self._spool


def _priority(item: SpooledMask) -> tuple:
    verdict = item.verdict
    return verdict.iscrowd, -verdict.score, -item.score, verdict.number


def without_overlaps(found: Sequence[SpooledMask]) -> List[SpooledMask]:
    """Give every pixel to the first mask that covers it.

    Args:
        found (Sequence[SpooledMask]): Masks of one frame by priority.

    Returns:
        list[SpooledMask]: Disjoint; masks of which nothing is left are left
        out.
    """
    kept: List[SpooledMask] = []
    taken: Optional[RLE] = None
    for item in found:
        mask = item.mask
        if taken is not None and area(intersect([mask, taken])):
            mask = subtract(mask, taken)
        if not area(mask):
            continue
        taken = mask if taken is None else union([taken, mask])
        kept.append(item._replace(mask=mask))
    return kept
