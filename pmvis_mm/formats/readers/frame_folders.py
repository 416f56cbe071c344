"""Frames on disk that annotations of other tools belong to."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Tuple, Union

from PIL import Image

from ...structures.frame_path import VIDEO_SUFFIXES, video_frame_path
from ...structures.frame_sources import IMAGE_SUFFIXES, natural_key
from ...structures.video_file import VideoCapture, scan_video
from ...utils.errors import FrameError

# Where datasets keep the images inside the folder of a video.
_INNER = ('', 'img1', 'images', 'img', 'JPEGImages')
_BROKEN = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


@dataclass(frozen=True)
class VideoFrames:
    """The frames of a video on disk.

    Attributes:
        file_names (tuple[str]): In temporal order, relative to the root;
            'clip.mp4#17' is frame 17 of a video file.
        width (int): Of the first frame, upright, pixels.
        height (int): Of the first frame, upright, pixels.
    """

    file_names: Tuple[str, ...]
    width: int
    height: int


class FrameFolders:
    """Finds the frames of videos below a folder.

    A video is a folder of images ('clip/00000.jpg', or as MOTChallenge has
    it 'clip/img1/000001.jpg'), or a video file ('clip.mp4').

    Args:
        root (str | Path): The folder.

    Raises:
        FrameError: If it does not exist.
    """

    def __init__(self, root: Union[str, Path]) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise FrameError(
                'folder of frames does not exist',
                file=root,
                fix='name the folder that holds one folder of images, or '
                'one video file, for each video',
            )
        self._found: Dict[str, Optional[VideoFrames]] = {}

    def find(self, name: str) -> Optional[VideoFrames]:
        """Look for a video.

        Args:
            name (str): Folder below the root, or stem or name of a video
                file there. '' for images that lie in the root itself.

        Returns:
            VideoFrames, optional: None if there is no such video.

        Raises:
            FrameError: If its first frame cannot be read.
        """
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def images(self, name: str) -> List[str]:
        """List the images of a video.

        Args:
            name (str): See :meth:`find`.

        Returns:
            list[str]: Relative to the root, numbers in order; empty if
            there is no such folder.
        """
        for inner in _INNER:
            folder = self.root / name / inner
            if not self._is_inside(folder) or not folder.is_dir():
                continue
            names = [
                entry
                for entry in os.listdir(folder)
                if Path(entry).suffix.lower() in IMAGE_SUFFIXES
                and not entry.startswith('.')
            ]
            if names:
                relative = folder.relative_to(self.root)
                return [
                    (relative / entry).as_posix()
                    for entry in sorted(names, key=natural_key)
                ]
        return []

    def _is_inside(self, path: Path) -> bool:
        """Names come from files of others: '..' must not lead out."""
        return '..' not in path.relative_to(self.root).parts

    def _find(self, name: str) -> Optional[VideoFrames]:
        if Path(name).is_absolute() or not self._is_inside(self.root / name):
            return None
        images = self.images(name)
        if images:
            width, height = image_size(self.root / images[0])
            return VideoFrames(tuple(images), width, height)
        video = self._video_file(name) if name else None
        if video is None:
            return None
        path = self.root / video
        width, height = _video_size(path)
        count = scan_video(path).num_packets
        names = [video_frame_path(video, t) for t in range(count)]
        return VideoFrames(tuple(names), width, height)

    def _video_file(self, name: str) -> Optional[str]:
        names = [name] if Path(name).suffix.lower() in VIDEO_SUFFIXES else []
        names += [name + suffix for suffix in VIDEO_SUFFIXES]
        names += [name + suffix.upper() for suffix in VIDEO_SUFFIXES]
        for candidate in names:
            if (self.root / candidate).is_file():
                return Path(candidate).as_posix()
        return None


def image_size(path: Union[str, Path]) -> Tuple[int, int]:
    """Read the size of an image from its header.

    Args:
        path (str | Path): A file.

    Returns:
        tuple[int]: Width and height, pixels, upright as its EXIF tag says.

    Raises:
        FrameError: If it is missing or not an image.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except _BROKEN as reason:
        raise FrameError(
            f'image cannot be read ({reason})',
            file=path,
            fix='copy or extract this frame again',
        ) from reason
    return (height, width) if turned else (width, height)


def _video_size(path: Path) -> Tuple[int, int]:
    capture = VideoCapture(str(path))
    try:
        decoded = capture.read()
    finally:
        capture.close()
    if decoded is None:
        raise FrameError(
            'the video has no frame that decodes',
            file=path,
            fix='play it in a video player; copy or convert it again',
        )
    height, width = decoded[0].shape[:2]
    return width, height
