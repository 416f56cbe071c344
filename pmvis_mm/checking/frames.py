"""Frames on disk: there, readable, and of the size that is annotated."""

import os
from typing import Dict, List, Optional, Set, Tuple

from ..structures.frame_reader import read_frame
from ..structures.video_file import VideoCapture, scan_video
from ..utils.errors import FrameError
from .content import CheckedVideo, Content
from .findings import Findings
from .names import video_file

DECODE = ('none', 'sample', 'all')


class Folders:
    """Names in folders, each listed once: cheap on network disks too.

    Args:
        root (str): Folder that names are relative to.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._listed: Dict[str, Set[str]] = {}
        self._folded: Dict[str, Dict[str, List[str]]] = {}

    def path(self, name: str) -> str:
        """Path of a name of the file."""
        return os.path.join(self.root, name.replace('\\', '/'))

    def names(self, folder: str) -> Set[str]:
        """Names in a folder; none if it does not exist."""
        if folder not in self._listed:
            try:
                self._listed[folder] = set(os.listdir(folder or '.'))
            except (OSError, ValueError):  # no name that a disk may have
                self._listed[folder] = set()
        return self._listed[folder]

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name, letter by letter."""
        folder, last = os.path.split(self.path(name))
        return last in self.names(folder)

    def other_case(self, name: str) -> Optional[str]:
        """Find a file whose name differs in upper and lower case only.

        Args:
            name (str): Of a frame that does not exist.

        Returns:
            str, optional: Its name; None if there is no such file, or more
            than one.
        """
        found: List[str] = []
        folder = self.root
        for part in name.replace('\\', '/').split('/'):
            if part not in self.names(folder):
                same = self._fold(folder).get(part.casefold(), [])
                if len(same) != 1:
                    return None
                part = same[0]
            found.append(part)
            folder = os.path.join(folder, part)
        return '/'.join(found)

    def _fold(self, folder: str) -> Dict[str, List[str]]:
        if folder not in self._folded:
            folded = self._folded[folder] = {}
            for name in self.names(folder):
                folded.setdefault(name.casefold(), []).append(name)
        return self._folded[folder]


def check_frames(
    content: Content,
    img_prefix: str,
    found: Findings,
    decode: str = 'sample',
    num_samples: int = 200,
) -> None:
    """Look for all frames, and decode some or all of them.

    Unless ``decode`` is 'none', empty files are found, and the size of the
    first frame of every video is compared.

    Args:
        content (Content): The usable part of a file.
        img_prefix (str): Folder that names are relative to.
        found (Findings): Gets what is wrong.
        decode (str): 'none', 'sample' or 'all'. Defaults to 'sample'.
        num_samples (int): Frames decoded with 'sample', spread over the
            dataset. Defaults to 200.
    """
    if not os.path.isdir(img_prefix):
        found.add(
            'prefix-missing',
            'the image folder does not exist',
            file=img_prefix,
        )
        return
    folders = Folders(img_prefix)
    clips = _VideoFiles(folders, found, decode)
    usable: List[Tuple[CheckedVideo, int]] = []
    for video in content.videos:
        images = clips.check(video)
        there = _check_there(video, images, folders, found, decode)
        usable += [(video, t) for t in there]
    if decode != 'none':
        number = num_samples if decode == 'sample' else len(usable)
        chosen = _choose(len(usable), number)
        last = None
        for i, (video, frame) in enumerate(usable):
            if i in chosen:
                _decode(video, frame, folders, found)
            elif video is not last:
                _read_header(video, frame, folders, found)
            last = video


def _choose(total: int, number: int) -> Set[int]:
    """Choose frames, spread evenly; the same ones every time."""
    if number >= total:
        return set(range(total))
    return {(2 * i + 1) * total // (2 * number) for i in range(number)}


# ------------------------------------------------------------------- images
def _check_there(
    video: CheckedVideo,
    frames: List[int],
    folders: Folders,
    found: Findings,
    decode: str,
) -> List[int]:
    """Look for images; return the frames that are there and not empty."""
    there: List[int] = []
    missing: List[int] = []
    empty: List[int] = []
    for t in frames:
        name = video.names[t]
        if not folders.exists(name):
            other = folders.other_case(name)
            if other is None:
                missing.append(t)
            else:
                found.add(
                    'frame-case',
                    f'{name!r} does not exist, but {other!r} does',
                    video=video.id,
                    frame=t,
                )
        elif decode != 'none' and _size_of(folders.path(name)) == 0:
            empty.append(t)
        else:
            there.append(t)
    for code, where, text in (
        ('frame-missing', missing, 'do not exist'),
        ('frame-empty-file', empty, 'are empty (0 bytes)'),
    ):
        if where:
            found.add(
                code,
                f'{len(where)} of {len(video.names)} frames {text}',
                video=video.id,
                frame=where[0],
                file=folders.path(video.names[where[0]]),
                number=len(where),
            )
    return there


def _size_of(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return -1


def _decode(
    video: CheckedVideo, frame: int, folders: Folders, found: Findings
) -> None:
    path = folders.path(video.names[frame])
    try:
        image = read_frame(path, video=video.id, frame=frame)
    except FrameError as error:
        found.add(
            'frame-undecodable',
            error.problem,
            video=video.id,
            frame=frame,
            file=path,
        )
        return
    height, width = image.shape[:2]
    _compare_size(video, frame, (height, width), path, found)


def _read_header(
    video: CheckedVideo, frame: int, folders: Folders, found: Findings
) -> None:
    # Other formats load more libraries, which most checks do without.
    from ..formats.readers.frame_folders import image_size

    path = folders.path(video.names[frame])
    try:
        width, height = image_size(path)
    except FrameError as error:
        found.add(
            'frame-undecodable',
            error.problem,
            video=video.id,
            frame=frame,
            file=path,
        )
        return
    _compare_size(video, frame, (height, width), path, found)


def _compare_size(
    video: CheckedVideo,
    frame: int,
    size: Tuple[int, int],
    path: str,
    found: Findings,
) -> None:
    if video.size is not None and size != video.size:
        found.add(
            'frame-size',
            f'frame is {size[1]}x{size[0]} pixels but the annotation says '
            f'{video.size[1]}x{video.size[0]}',
            video=video.id,
            frame=frame,
            file=path,
        )


# -------------------------------------------------------------- video files
class _VideoFiles:
    """Video files that frames such as 'clip.mp4#17' are in."""

    def __init__(self, folders: Folders, found: Findings, decode: str) -> None:
        self.folders, self.found, self.decode = folders, found, decode
        # Number of frames; None if it cannot be read.
        self._lengths: Dict[str, Optional[int]] = {}

    def check(self, video: CheckedVideo) -> List[int]:
        """Check the frames in video files; return those that are images."""
        images: List[int] = []
        wanted: Dict[str, List[Tuple[int, int]]] = {}
        for t, name in enumerate(video.names):
            if not name.strip():
                continue  # said of the name
            inside = video_file(name)
            if inside is None:
                images.append(t)
                continue
            wanted.setdefault(inside[0], []).append((inside[1], t))
        for clip, frames in wanted.items():
            self._check_clip(video, clip, frames)
        return images

    def _check_clip(
        self, video: CheckedVideo, clip: str, frames: List[Tuple[int, int]]
    ) -> None:
        path = self.folders.path(clip)
        if clip not in self._lengths:
            self._lengths[clip] = self._open(video, clip, frames[0][1])
        length = self._lengths[clip]
        if length is None:
            return
        beyond = [(number, t) for number, t in frames if number >= length]
        if beyond:
            self.found.add(
                'frame-beyond-video',
                f'{len(beyond)} frames are beyond the {length} frames of the '
                f'video file, such as number {beyond[0][0]} (from 0)',
                video=video.id,
                frame=beyond[0][1],
                file=path,
                number=len(beyond),
            )

    def _open(
        self, video: CheckedVideo, clip: str, frame: int
    ) -> Optional[int]:
        """Count the frames of a file, and look at the first of them."""
        path = self.folders.path(clip)
        code = 'frame-undecodable'
        try:
            if not self.folders.exists(clip):
                code = 'frame-missing'
                raise FrameError('the video file does not exist')
            length = scan_video(path).num_packets
            if self.decode == 'none':
                return length
            size, decoded = _look_into(path, self.decode == 'all')
            if self.decode == 'all' and decoded < length:
                raise FrameError(
                    f'{decoded} of {length} frames of the video file decode'
                )
        except FrameError as error:
            self.found.add(
                code, error.problem, video=video.id, frame=frame, file=path
            )
            return None
        _compare_size(video, frame, size, path, self.found)
        return length


def _look_into(path: str, to_the_end: bool) -> Tuple[Tuple[int, int], int]:
    """Decode the first frame, or all: size of the first and their number."""
    capture = VideoCapture(path)
    try:
        first = capture.read()
        if first is None:
            raise FrameError('the video has no frame that decodes')
        number = 1
        while to_the_end and capture.grab():
            number += 1
    finally:
        capture.close()
    height, width = first[0].shape[:2]
    return (height, width), number
