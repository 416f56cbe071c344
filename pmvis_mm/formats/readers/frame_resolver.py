"""Bringing videos of annotations and frames on disk together."""

import os
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Dict, List, Optional, Sequence, Set, Tuple

from ...structures.frame_path import split_frame_path
from ...structures.video_annotations import VideoInfo
from ...utils.errors import AnnotationError, FrameError, PMVISError
from .base import ImportedVideo
from .frame_folders import FrameFolders, VideoFrames, image_size
from .import_report import ImportReport

Size = Tuple[int, int]

# Pixels; what is longer is a mistake.
_LONGEST_SIDE = 1_000_000


class FrameResolver:
    """Decides names, number and size of the frames of every video.

    Args:
        frames (FrameFolders, optional): Frames on disk.
        size (tuple[int], optional): Width and height of all frames, pixels,
            for sources that do not tell.
        invent_names (bool): Whether names are made up where neither source
            nor frames tell them.
        report (ImportReport): Counts those.
    """

    def __init__(
        self,
        frames: Optional[FrameFolders],
        size: Optional[Size],
        invent_names: bool,
        report: ImportReport,
    ) -> None:
        self.frames = frames
        self.size = size
        self.invent_names = invent_names
        self.report = report
        self._owners: Dict[str, str] = {}  # first frame to name of video
        # First and last frame and their number to name of video.
        self._videos: Dict[Tuple[str, str, int], str] = {}
        self._listed: Dict[Path, Set[str]] = {}

    def resolve(
        self, video: ImportedVideo, number: int, alone: bool
    ) -> VideoInfo:
        """Find out all that a dataset tells of a video.

        Args:
            video (ImportedVideo): As the source has it.
            number (int): Id to be given to it.
            alone (bool): Whether it is the only one of its source, so that
                a folder of frames needs no matching name.

        Returns:
            VideoInfo: Its entry.

        Raises:
            AnnotationError: If size or frames are unknown, or the source
                contradicts itself.
            FrameError: If frames are missing, or of another number or size
                than the source says.
        """
        if video.file_names is not None:
            names = [str(name) for name in video.file_names]
            found = self._check_names(video, names)
        else:
            found = self._find(video, alone)
            names = self._names(video, found)
        if video.length is not None and video.length != len(names):
            raise self._error(
                video,
                f'the annotations say {video.length} frames but there are '
                f'{len(names)}',
                'use the frames that were annotated: all of them, and '
                'extracted as the annotation tool did',
            )
        self._check_unique(video, names)
        width, height = self._size(video, found)
        if max(width, height) > _LONGEST_SIDE:
            raise self._error(
                video,
                f'the size of its frames is {str(width)[:20]}x'
                f'{str(height)[:20]} pixels, more than {_LONGEST_SIDE}',
                'correct it',
            )
        return VideoInfo(number, width, height, tuple(names))

    # ------------------------------------------------------------- frames
    def _check_unique(
        self, video: ImportedVideo, names: Sequence[str]
    ) -> None:
        """Refuse frames that come twice, in this video or as another one."""
        if len(set(names)) < len(names):
            twice = Counter(names).most_common(1)[0][0]
            raise self._error(
                video,
                f'the frame {twice!r} is listed twice',
                'list every frame of the video once',
            )
        key = (names[0], names[-1], len(names))
        other = self._videos.setdefault(key, video.name)
        if other != video.name:
            raise self._error(
                video,
                f'it has the same frames as video {other!r}',
                'remove one of them, and give its tracks to the other',
            )

    def _check_names(
        self, video: ImportedVideo, names: Sequence[str]
    ) -> Optional[VideoFrames]:
        """Look for the frames that the source names; tell their size."""
        if not names:
            raise self._error(
                video, 'video without frames', 'remove this video'
            )
        if self.frames is None:
            return None
        for frame, name in enumerate(names):
            inner = split_frame_path(name)
            if not self._exists(name if inner is None else inner[0]):
                raise FrameError(
                    'frame does not exist',
                    file=self.frames.root / name,
                    video=video.name,
                    frame=frame,
                    fix='the folder of frames (--frames) is the one that '
                    'the names in the annotations start from',
                )
        inner = split_frame_path(names[0])
        if inner is not None:
            return self.frames.find(inner[0])
        return VideoFrames(
            tuple(names), *image_size(self.frames.root / names[0])
        )

    def _exists(self, name: str) -> bool:
        assert self.frames is not None
        folder, file = os.path.split(self.frames.root / name)
        # One listing is far cheaper than a look per frame on network disks.
        if Path(folder) not in self._listed:
            try:
                self._listed[Path(folder)] = set(os.listdir(folder))
            except OSError:
                self._listed[Path(folder)] = set()
        return file in self._listed[Path(folder)]

    def _find(
        self, video: ImportedVideo, alone: bool
    ) -> Optional[VideoFrames]:
        if self.frames is None:
            return None
        for name in self._candidates(video.name, alone):
            found = self.frames.find(name)
            if found is not None:
                self._claim(video, found)
                return found
        raise FrameError(
            'no frames of this video found',
            file=self.frames.root,
            video=video.name,
            fix='name a folder of images or a video file there like the '
            f'video; there are {self._entries()[:5]}',
        )

    def _candidates(self, name: str, alone: bool) -> List[str]:
        path = PurePosixPath(name.replace('\\', '/'))
        names = [name, path.with_suffix('').as_posix() if path.name else name]
        names += [path.name, path.stem]
        if alone:
            entries = self._entries()
            names.append('')  # images in the folder itself
            names += entries if len(entries) == 1 else []
        # '' means the folder itself: only for a video that is alone.
        return [n for n in dict.fromkeys(names) if n or alone]

    def _entries(self) -> List[str]:
        assert self.frames is not None
        names = os.listdir(self.frames.root)
        return sorted(name for name in names if not name.startswith('.'))

    def _claim(self, video: ImportedVideo, found: VideoFrames) -> None:
        owner = self._owners.setdefault(found.file_names[0], video.name)
        if owner != video.name:
            raise self._error(
                video,
                f'its frames would be those of video {owner!r}: '
                f'{found.file_names[0]}',
                'give each video a folder of its own, named like the video '
                'with all its folders',
            )

    def _names(
        self, video: ImportedVideo, found: Optional[VideoFrames]
    ) -> List[str]:
        if found is not None:
            return list(found.file_names)
        if not self.invent_names:
            raise self._error(
                video,
                'the names of its frames are unknown',
                'name the folder of frames (--frames); without frames, let '
                'names be made up (--invent-names)',
            )
        length = video.length
        if length is None:
            length = _last_frame(video) + 1
        if length < 1:
            raise self._error(
                video,
                'neither its length nor a frame with a box is known',
                'name the folder of frames (--frames), or remove this video',
            )
        path = PurePosixPath(video.name.replace('\\', '/'))
        if path.is_absolute() or '..' in path.parts:
            raise self._error(
                video,
                'names made up from that of the video would lead out of the '
                'folder of frames',
                'rename the video, or name the folder of frames (--frames)',
            )
        self.report.invented_names += 1
        return [f'{video.name}/{t:05d}.jpg' for t in range(length)]

    # --------------------------------------------------------------- size
    def _size(
        self, video: ImportedVideo, found: Optional[VideoFrames]
    ) -> Size:
        told = self._told_size(video)
        known = [
            (who, size)
            for who, size in (
                ('the annotations say', told),
                ('--size says', self.size),
                ('the first frame on disk has', _disk_size(found)),
            )
            if size is not None
        ]
        if not known:
            raise self._error(
                video,
                'the size of its frames is unknown',
                'name the folder of frames (--frames) or their size (--size '
                'WIDTHxHEIGHT)',
            )
        (first, size), *others = known
        for who, other in others:
            if other != size:
                raise FrameError(
                    f'{first} {size[0]}x{size[1]} pixels but {who} '
                    f'{other[0]}x{other[1]}',
                    file=video.file,
                    video=video.name,
                    fix='use the frames that were annotated, not a copy of '
                    'another size',
                )
        return size

    def _told_size(self, video: ImportedVideo) -> Optional[Size]:
        if video.width is None or video.height is None:
            sizes = [m['size'] for t in video.tracks for m in t.masks.values()]
            return (int(sizes[0][1]), int(sizes[0][0])) if sizes else None
        if video.width < 1 or video.height < 1:
            raise self._error(
                video,
                f'the size of its frames is {video.width}x{video.height}',
                'correct it in the annotations',
            )
        return int(video.width), int(video.height)

    def _error(
        self, video: ImportedVideo, problem: str, fix: str
    ) -> PMVISError:
        return AnnotationError(
            problem, file=video.file, video=video.name, fix=fix
        )


def _last_frame(video: ImportedVideo) -> int:
    """Find the last frame with a box or a mask; -1 if there is none."""
    frames = [-1]
    for track in video.tracks:
        frames += [t for t, box in track.boxes.items() if box is not None]
        frames += track.masks
    return int(max(frames))


def _disk_size(found: Optional[VideoFrames]) -> Optional[Size]:
    return None if found is None else (found.width, found.height)
