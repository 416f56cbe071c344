"""MOTS text files, as TrackEval and the MOTS challenges read them."""

from pathlib import Path
from typing import IO, Dict, Iterable, Mapping, Optional, Union

from ..structures.rle import RLE, area, union
from ..structures.video_track import VideoTrack
from ..utils.errors import ConfigError, OutputError
from ..utils.fileio import atomic_write, disk_errors
from .base import RESULT_WRITERS
from .frame_spool import SpoolWriter, Verdict, without_overlaps

_IGNORE = 10  # class of regions that are not judged
_IGNORE_ID = 10000


@RESULT_WRITERS.register_module(name='mots')
class MOTSWriter(SpoolWriter):
    """Writes a line for each instance and frame.

    ``time_frame id class_id img_height img_width rle``, with single spaces,
    ordered by frame. Source: Voigtlaender et al., MOTS: Multi-Object
    Tracking and Segmentation, and the format of its data page.

    A pixel belongs to one instance at most, readers refuse anything else:
    where masks overlap, the track of the higher score keeps the pixel.
    Crowds are regions that are not judged: class 10 and id 10000, one line
    for all of a frame.

    Args:
        path (str | Path): File to write; TrackEval wants the name of the
            sequence with the suffix '.txt'.
        first_frame (int): Number of the first frame. Defaults to 1, as in
            MOTSChallenge; KITTI MOTS begins with 0.
        class_ids (Mapping[str, int], optional): Class ids by name of the
            class; tracks of other classes are left out.
            ``dict(car=1, person=2)`` suits the public benchmarks. Defaults
            to None: label + 1, without 10, which means 'ignore'.
        id_style (str): 'class' writes class id * 1000 + number of the
            track, as the public data have it; 'plain' the number alone.
            Defaults to 'auto': 'class', unless a number exceeds 999.
        score_thr (float): Tracks of a lower score are left out. Defaults to
            0.
        id_offset (int): Added to ids of tracks to get their numbers.
            Defaults to 1.

    Raises:
        ConfigError: If ``id_style`` is unknown.
        OutputError: From ``finish``, if a number exceeds 999 with 'class'.
    """

    suffix = '.txt'

    def __init__(
        self,
        path: Union[str, Path],
        first_frame: int = 1,
        class_ids: Optional[Mapping[str, int]] = None,
        id_style: str = 'auto',
        score_thr: float = 0.0,
        id_offset: int = 1,
    ) -> None:
        super().__init__(path, score_thr, id_offset)
        if id_style not in ('auto', 'class', 'plain'):
            raise ConfigError(
                f'id_style={id_style!r} is unknown',
                fix='choose from "auto", "class" and "plain"',
            )
        self.first_frame = first_frame
        self.class_ids = None if class_ids is None else dict(class_ids)
        self.id_style = id_style

    def finish(self, tracks: Iterable[VideoTrack], length: int) -> Path:
        """Write the file, see :meth:`ResultWriter.finish`."""
        found = self.verdicts(tracks)
        verdicts = {
            key: verdict
            for key, verdict in found.items()
            if verdict.iscrowd or self._class_id(verdict.label) is not None
        }
        if len(found) > len(verdicts):
            self.lost['tracks of classes without a class id'] += len(
                found
            ) - len(verdicts)
        factor = self._factor(verdicts)
        try:
            with disk_errors(self.path), atomic_write(self.path) as file:
                self._write(file, verdicts, factor)
        finally:
            self.abort()
        return self.path

    def _write(
        self, file: IO[str], verdicts: Dict[int, Verdict], factor: int
    ) -> None:
        frames = self.iter_frames(verdicts)
        for time, found in enumerate(frames, self.first_frame):
            kept = without_overlaps(found)
            pixels = sum(area(item.mask) for item in kept)
            self.count_overlaps(found, pixels, len(kept))
            for item in kept:
                if not item.verdict.iscrowd:
                    class_id = self._class_id(item.verdict.label) or 0
                    number = class_id * factor + item.verdict.number
                    file.write(_line(time, number, class_id, item.mask))
            crowds = [item.mask for item in kept if item.verdict.iscrowd]
            if crowds:
                mask = union(crowds)
                file.write(_line(time, _IGNORE_ID, _IGNORE, mask))

    def _class_id(self, label: int) -> Optional[int]:
        """Tell the class id of a label; None if it is not wanted."""
        if self.class_ids is None:
            return label + 1 if label + 1 < _IGNORE else label + 2
        known = 0 <= label < len(self.classes)
        return self.class_ids.get(self.classes[label]) if known else None

    def _factor(self, verdicts: Dict[int, Verdict]) -> int:
        numbers = [v.number for v in verdicts.values() if not v.iscrowd]
        largest = max(numbers, default=0)
        if self.id_style == 'plain':
            return 0
        if largest < 1000:
            return 1000
        if self.id_style == 'auto':
            return 0
        raise OutputError(
            f'track number {largest} does not fit into class id * 1000 + '
            'number',
            file=self.path,
            video=self.video.name,
            fix='write with id_style="plain", or a higher score_thr',
        )


def _line(time: int, number: int, class_id: int, mask: RLE) -> str:
    height, width = mask['size']
    return f'{time} {number} {class_id} {height} {width} {mask["counts"]}\n'
