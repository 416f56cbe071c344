"""Indexed PNG masks, one for each frame, as DAVIS has them."""

import os
import shutil
from pathlib import Path
from typing import Dict, Iterable, List, Sequence

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..structures.frame_path import split_frame_path
from ..structures.rle import area, decode
from ..structures.video_track import StreamInfo, VideoTrack
from ..utils.errors import OutputError
from ..utils.fileio import disk_errors, replace_folder
from .base import RESULT_WRITERS
from .frame_spool import SpooledMask, SpoolWriter

VOID = 255  # value of pixels that are not judged


def voc_palette() -> List[int]:
    """Compute the palette of PASCAL VOC, which DAVIS uses too.

    Colour i takes the bits of i from the lowest: red, green, blue, red, ...;
    each channel is filled from its highest bit. Source: the colour map of
    the VOC development kit (Everingham et al.).

    Returns:
        list[int]: 768 numbers in 0 ... 255, RGB of index 0, 1, ...
    """
    palette = []
    for index in range(256):
        channels = [0, 0, 0]
        for bit in range(8):
            channels[bit % 3] |= (index >> bit & 1) << (7 - bit // 3)
        palette += channels
    return palette


@RESULT_WRITERS.register_module(name='png')
class IndexedPNGWriter(SpoolWriter):
    """Writes a folder with one PNG for each frame.

    The value of a pixel is the number of its track, 0 is background. Up to
    255 the files are 8-bit with the palette of DAVIS; a video with higher
    numbers gets 16-bit grey files throughout, up to 65535.

    Crowds are 255 there, which DAVIS does not judge; they are left out of
    16-bit files, and number 255 makes files 16-bit where there are crowds.

    Names follow the frames ('bear/00003.jpg' gives '00003.png'), or are
    five digits. Where masks overlap, the track of the higher score keeps
    the pixel. A folder of an earlier run is replaced as a whole.

    Args:
        path (str | Path): Folder to write; it may exist only if there is
            nothing but PNG files of masks in it.
        score_thr (float): Tracks of a lower score are left out. Defaults to
            0.
        id_offset (int): Added to ids of tracks to get their numbers.
            Defaults to 1.

    Raises:
        OutputError: From ``finish``, if a number exceeds 65535 or two
            frames would get one name.
    """

    suffix = '_masks'
    is_folder = True

    def start(self, video: StreamInfo, classes: Sequence[str]) -> None:
        """Begin a video, see :meth:`ResultWriter.start`."""
        self._check_folder()
        super().start(video, classes)

    def finish(self, tracks: Iterable[VideoTrack], length: int) -> Path:
        """Write the folder, see :meth:`ResultWriter.finish`."""
        verdicts = self.verdicts(tracks)
        crowds = {k: v for k, v in verdicts.items() if v.iscrowd}
        numbers = {v.number for k, v in verdicts.items() if k not in crowds}
        kind = self._pixel_type(max(numbers, default=0) + bool(crowds))
        if crowds and kind is not np.uint8:
            self.lost['crowds'] += len(crowds)
            verdicts = {k: v for k, v in verdicts.items() if k not in crowds}
        names = self._file_names(length)
        frames = self.iter_frames(verdicts)
        part = self.path.with_name(f'.{self.path.name}.part')
        try:
            with disk_errors(self.path):
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
                for name in names:
                    image = self._paint(next(frames, []), kind)
                    _save(image, part / name)
                self._check_folder()
                replace_folder(part, self.path)
        finally:
            shutil.rmtree(part, ignore_errors=True)
            self.abort()
        return self.path

    def _check_folder(self) -> None:
        path = self.path
        with disk_errors(path):
            if not path.exists():
                return
        if not path.is_dir():
            raise OutputError(
                'this is a file, not a folder', file=path, fix='name a folder'
            )
        with disk_errors(path):
            foreign = [
                entry.name
                for entry in os.scandir(path)
                if not (entry.is_file() and _may_be_ours(entry.path))
            ]
        if foreign:
            raise OutputError(
                f'the folder would be replaced, but holds {foreign[0]!r}, '
                'which is no PNG file of masks',
                file=path,
                fix='name a folder of its own',
            )

    def _pixel_type(self, largest: int) -> type:
        if largest <= np.iinfo(np.uint8).max:
            return np.uint8
        if largest <= np.iinfo(np.uint16).max:
            return np.uint16
        raise OutputError(
            f'track number {largest} does not fit into 16 bits',
            file=self.path,
            video=self.video.name,
            fix='write with a higher score_thr, or a smaller id_offset',
        )

    def _file_names(self, length: int) -> List[str]:
        stems = [
            Path(name).stem if split_frame_path(name) is None else f'{t:05d}'
            for t, name in enumerate(self.frame_names(length))
        ]
        seen: Dict[str, int] = {}
        for frame, stem in enumerate(stems):
            if seen.setdefault(stem, frame) != frame:
                raise OutputError(
                    f'frames {seen[stem]} and {frame} would both be written '
                    f'as {stem}.png',
                    file=self.path,
                    video=self.video.name,
                    frame=frame,
                    fix='give the frames of a video different names',
                )
        return [f'{stem}.png' for stem in stems]

    def _paint(self, found: Sequence[SpooledMask], kind: type) -> np.ndarray:
        shape = (self.video.height, self.video.width)
        image: np.ndarray = np.zeros(shape, kind)
        for item in reversed(found):  # the first one wins: painted last
            number = VOID if item.verdict.iscrowd else item.verdict.number
            image[decode(item.mask)] = number
        self._count(image, found)
        return image

    def _count(self, image: np.ndarray, found: Sequence[SpooledMask]) -> None:
        pixels = int(np.count_nonzero(image))
        if len(found) < 2 or pixels == sum(area(item.mask) for item in found):
            return
        left = set(np.unique(image).tolist())
        kept = [
            item
            for item in found
            if item.verdict.iscrowd or item.verdict.number in left
        ]
        self.count_overlaps(found, pixels, len(kept))


def _may_be_ours(path: str) -> bool:
    """Tell masks from frames and other files by their head."""
    if not path.endswith('.png'):
        return False
    try:
        with Image.open(path) as image:
            return image.mode in ('P', 'I;16', 'I')  # 'I': older Pillow
    except UnidentifiedImageError:
        return False


def _save(image: np.ndarray, path: Path) -> None:
    picture = Image.fromarray(image)
    if image.dtype == np.uint8:
        picture.putpalette(voc_palette())
    with disk_errors(path):  # names may be such as no disk can hold
        picture.save(path)
