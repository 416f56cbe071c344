"""What every format of annotations has in common when it is read."""

import collections
from abc import ABCMeta, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Counter,
    Dict,
    Iterator,
    List,
    Optional,
    Set,
    Tuple,
    Union,
)

from mmengine.registry import Registry

from ...structures.rle import RLE
from ...structures.video_annotations import Box

if TYPE_CHECKING:
    from .frame_folders import FrameFolders

ANNOTATION_READERS = Registry(
    'annotation reader',
    scope='pmvis_mm',
    locations=['pmvis_mm.formats.readers'],
)


@dataclass
class ImportedTrack:
    """One instance of a video, as another tool wrote it.

    Attributes:
        id (int | str): As in the source, unique in the video.
        category (str, optional): Name of its class; None where the format
            or the file tells none.
        boxes (dict): 0-based frame to half-open xyxy box, pixels, not yet
            clipped or checked against the frame. None as a value: the
            source says that the instance is out of view from here on.
            Frames that the source says nothing about have no entry.
        masks (dict): 0-based frame to compressed RLE at the size of the
            video; empty where the format has no masks. A frame with a mask
            has a box too.
        interpolated (set[int]): Frames whose box a tool interpolated, as
            far as the file tells.
        iscrowd (bool): Whether it stands for a group, or for a region that
            is not to be judged.
        scores (dict[int, float]): Of frames, in [0, 1], if there are.
        all_boxes (bool): Whether frames without a box have none even if
            there is a mask: a dataset without masks takes no box of it.
    """

    id: Union[int, str]
    category: Optional[str] = None
    boxes: Dict[int, Optional[Box]] = field(default_factory=dict)
    masks: Dict[int, RLE] = field(default_factory=dict)
    interpolated: Set[int] = field(default_factory=set)
    iscrowd: bool = False
    scores: Dict[int, float] = field(default_factory=dict)
    all_boxes: bool = False


@dataclass
class ImportedVideo:
    """What a source tells of one video; None for what it does not tell.

    Attributes:
        name (str): Folder of its frames or stem of its file; may contain
            '/'. Unique in the source.
        tracks (list[ImportedTrack]): Its instances.
        width (int, optional): Of the frames, pixels.
        height (int, optional): Of the frames, pixels.
        length (int, optional): Number of frames.
        file_names (list[str], optional): Its frames in temporal order,
            relative to the folder of all frames.
        file (str, optional): Where it was read from, for messages.
        dropped (Counter): Number of things that the reader left out, by
            reason, such as 'boxes that are not judged'.
    """

    name: str
    tracks: List[ImportedTrack] = field(default_factory=list)
    width: Optional[int] = None
    height: Optional[int] = None
    length: Optional[int] = None
    file_names: Optional[List[str]] = None
    file: Optional[str] = None
    dropped: Counter[str] = field(default_factory=collections.Counter)


class AnnotationReader(metaclass=ABCMeta):
    """Reads the annotations of another tool, one video at a time.

    Readers turn coordinates, frame numbers and masks into those of
    :class:`ImportedTrack` and check the form of the file: errors name file,
    video, frame and the fix. What the videos have in common with frames on
    disk is checked by :func:`assemble`, which makes a dataset of them.

    Args:
        source (str | Path): File or folder, see the format.
        frames (FrameFolders, optional): Frames on disk. Formats that number
            frames without naming them do without; others need it and say
            so. Defaults to None.
        first_frame (int, optional): Number that the files give to the first
            frame, 0 or 1. Defaults to None: as the format has it; a file
            that contradicts is refused, with the advice to set this.

    Attributes:
        title (str): Name of the format, for messages.
        default_first_frame (int): Number of the first frame in this format.
        size (tuple[int], optional): Width and height of all frames, pixels,
            for formats in shares of it whose files may not tell. Set by
            :func:`assemble`.
    """

    title: str = ''
    default_first_frame: int = 0
    size: Optional[Tuple[int, int]] = None

    def __init__(
        self,
        source: Union[str, Path],
        frames: Optional['FrameFolders'] = None,
        first_frame: Optional[int] = None,
    ) -> None:
        self.source = Path(source)
        self.frames = frames
        self.first_frame = (
            self.default_first_frame if first_frame is None else first_frame
        )

    @abstractmethod
    def videos(self) -> Iterator[ImportedVideo]:
        """Read the videos, one at a time.

        Yields:
            ImportedVideo: In a fixed order.

        Raises:
            AnnotationError: If a file is missing, truncated, of another
                format or malformed.
        """

    def classes(self) -> Optional[Tuple[str, ...]]:
        """Tell the classes that the source declares.

        Returns:
            tuple[str], optional: In the order of their ids; None if the
            format declares none (they are then collected from the tracks,
            in alphabetical order). Asked after :meth:`videos` was used up.
        """
        return None
