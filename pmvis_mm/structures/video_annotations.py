"""Reading YouTube-VIS style annotation files."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

from ..utils.errors import AnnotationError
from ..utils.fileio import load_json
from .annotation_lists import index_lists
from .frame_path import split_frame_path
from .rle import RLE, from_any

Box = Tuple[float, float, float, float]

# Boxes are often floats from a tool that counts pixels differently; up to
# this many pixels outside the frame is rounding, not an error.
BOX_TOLERANCE = 2.0

# Of frames, pixels: masks of larger ones do not fit into COCO's counts.
MAX_SIDE = 65535


@dataclass(frozen=True)
class VideoInfo:
    """What an annotation file says of one video.

    Attributes:
        id (int): Id of the video.
        width (int): Width of its frames, pixels.
        height (int): Height of its frames, pixels.
        file_names (tuple[str]): Frames in temporal order, relative to the
            image folder.
    """

    id: int
    width: int
    height: int
    file_names: Tuple[str, ...]

    @property
    def length(self) -> int:
        """Number of frames."""
        return len(self.file_names)

    @property
    def name(self) -> str:
        """Folder of the first frame, or the id where there is none.

        For frames of a video file its path, without the suffix.
        """
        in_video = split_frame_path(self.file_names[0])
        if in_video is not None:
            return Path(in_video[0]).with_suffix('').as_posix()
        parent = Path(self.file_names[0]).parent.as_posix()
        return str(self.id) if parent == '.' else parent

    def to_json(self) -> Dict[str, Any]:
        """Write as an entry of ``videos``."""
        return dict(
            id=self.id,
            width=self.width,
            height=self.height,
            length=self.length,
            file_names=list(self.file_names),
        )


@dataclass
class BoxTrack:
    """One annotated instance.

    Attributes:
        id (int): Id of the annotation, unique in the file; may be 0.
        video_id (int): Video it belongs to.
        category_id (int): As in the file, not a contiguous label.
        boxes (list): Per frame a half-open xyxy box in pixels, clipped to
            the frame, or None where the instance is absent.
        segmentations (list, optional): Per frame an RLE or None; None as a
            whole if masks were not asked for or the file has none.
        iscrowd (bool): Whether the annotation stands for a group.
        occlusion (Any): What the file says of it, unchecked (OVIS: one word
            per frame); None unless masks were asked for: box supervision
            has no use for it.
        interpolated (list[int], optional): Per frame 1 if the box was not
            drawn but interpolated, else 0; None if the file does not tell.
    """

    id: int
    video_id: int
    category_id: int
    boxes: List[Optional[Box]]
    segmentations: Optional[List[Optional[RLE]]] = None
    iscrowd: bool = False
    occlusion: Any = None
    interpolated: Optional[List[int]] = None


@dataclass
class VideoAnnotations:
    """A validated YouTube-VIS style file.

    Attributes:
        videos (dict[int, VideoInfo]): By id, in the order of the file.
        categories (list[dict]): As in the file (``id``, ``name``, ...).
        tracks (dict[int, list[BoxTrack]]): By video id, in the order of the
            file; every video has an entry.
        file (str, optional): Where it was read from.
    """

    videos: Dict[int, VideoInfo]
    categories: List[Dict[str, Any]]
    tracks: Dict[int, List[BoxTrack]] = field(default_factory=dict)
    file: Optional[str] = None

    @property
    def num_boxes(self) -> int:
        """Number of (instance, frame) pairs with a box."""
        return sum(box is not None for track in self for box in track.boxes)

    def __iter__(self) -> Iterator[BoxTrack]:
        for tracks in self.tracks.values():
            yield from tracks

    @classmethod
    def from_file(
        cls,
        path: Union[str, Path],
        with_masks: bool = False,
        clip_boxes: bool = False,
    ) -> 'VideoAnnotations':
        """Read and check a file.

        Args:
            path (str | Path): YouTube-VIS 2019/2021 or OVIS json. The keys
                ``segmentations`` and ``areas`` may be missing, and
                ``annotations`` may be null (OVIS without labels).
            with_masks (bool): Whether to read masks. If not, they are
                dropped here and nothing downstream can see them; boxes are
                then the ``annotated_bboxes`` of entries that have some
                (pseudo masks, whose ``bboxes`` are null where there is no
                mask). Defaults to False.
            clip_boxes (bool): Clip boxes that stick out of the frame by
                more than rounding instead of refusing them. Defaults to
                False.

        Returns:
            VideoAnnotations: The content.

        Raises:
            AnnotationError: If anything is malformed; names file, video,
                frame and the fix.
        """
        return parse_annotations(
            load_json(path), str(path), with_masks, clip_boxes
        )


def parse_annotations(
    data: Any,
    file: Optional[str] = None,
    with_masks: bool = False,
    clip_boxes: Optional[bool] = False,
) -> VideoAnnotations:
    """Check the content of a YouTube-VIS style file.

    Arguments and errors as in :meth:`VideoAnnotations.from_file`; with
    ``clip_boxes=None`` boxes stay as they are, inside the frame or not.
    """
    entries, categories, annotations = index_lists(data, file)
    videos = {key: _parse_video(entry, file) for key, entry in entries.items()}
    result = VideoAnnotations(
        videos, list(categories.values()), {key: [] for key in videos}, file
    )
    for entry in annotations.values():
        reader = _TrackReader(entry, videos, categories, file, clip_boxes)
        track = reader.read(with_masks)
        result.tracks[track.video_id].append(track)
    return result


def _parse_video(entry: Dict[str, Any], file: Optional[str]) -> VideoInfo:
    video = entry['id']
    names = entry.get('file_names')
    if not isinstance(names, list) or not names:
        raise AnnotationError(
            'video without frames',
            file=file,
            video=video,
            fix='list its frames in "file_names" or remove the video',
        )
    for frame, name in enumerate(names):
        if not isinstance(name, str):
            raise AnnotationError(
                f'file name {name!r} is not a string',
                file=file,
                video=video,
                frame=frame,
                fix='write the path of the frame relative to the images',
            )
    length = entry.get('length', len(names))
    if length != len(names):
        raise AnnotationError(
            f'"length" is {length} but {len(names)} file names are listed',
            file=file,
            video=video,
            fix='make both agree',
        )
    width: Any = entry.get('width')
    height: Any = entry.get('height')
    for key, value in (('width', width), ('height', height)):
        if not isinstance(value, int) or not 0 < value <= MAX_SIDE:
            raise AnnotationError(
                f'"{key}" is {value!r:.40}, not a positive integer up to '
                f'{MAX_SIDE}',
                file=file,
                video=video,
                fix=f'write the {key} of the frames in pixels',
            )
    return VideoInfo(video, width, height, tuple(names))


class _TrackReader:
    """Reads one entry of ``annotations``."""

    def __init__(
        self,
        entry: Dict[str, Any],
        videos: Dict[int, VideoInfo],
        categories: Dict[int, Any],
        file: Optional[str],
        clip_boxes: Optional[bool],
    ) -> None:
        self.entry, self.file, self.clip = entry, file, clip_boxes
        video_id = entry.get('video_id')
        if not isinstance(video_id, int) or video_id not in videos:
            raise self._error(
                f'unknown video_id {video_id!r}', 'list the video in "videos"'
            )
        category_id = entry.get('category_id')
        if not isinstance(category_id, int) or category_id not in categories:
            raise self._error(
                f'unknown category_id {category_id!r}; known '
                f'are {sorted(categories)}',
                'list the category in "categories"',
            )
        self.video = videos[video_id]

    def _error(
        self, problem: str, fix: str, frame: Optional[int] = None
    ) -> AnnotationError:
        return AnnotationError(
            problem,
            file=self.file,
            video=self.entry.get('video_id'),
            frame=frame,
            instance=self.entry['id'],
            fix=fix,
        )

    def read(self, with_masks: bool) -> BoxTrack:
        """Read the boxes and, if asked for, the masks."""
        raw_masks = self._per_frame('segmentations')
        raw_boxes = self._per_frame('bboxes')
        if raw_boxes is None:
            raise self._error(
                'no "bboxes"', 'add one box or null for every frame'
            )
        annotated = self._per_frame('annotated_bboxes')
        if annotated is not None and not with_masks:
            raw_boxes = annotated  # the others tell where masks are
        boxes = [self._box(t, box) for t, box in enumerate(raw_boxes)]
        masks = None
        if with_masks and raw_masks is not None:
            masks = [self._mask(t, mask) for t, mask in enumerate(raw_masks)]
        return BoxTrack(
            self.entry['id'],
            self.video.id,
            self.entry['category_id'],
            boxes,
            masks,
            bool(self.entry.get('iscrowd', 0)),
            self.entry.get('occlusion') if with_masks else None,
            self._interpolated(),
        )

    def _interpolated(self) -> Optional[List[int]]:
        marks = self._per_frame('interpolated')
        return None if marks is None else [int(bool(v)) for v in marks]

    def _per_frame(self, key: str) -> Optional[list]:
        values = self.entry.get(key)
        if values is None:
            return None
        if not isinstance(values, list) or len(values) != self.video.length:
            got = len(values) if isinstance(values, list) else repr(values)
            raise self._error(
                f'"{key}" has length {got} but the video has '
                f'{self.video.length} frames',
                'one entry for every frame, null where the object is absent',
            )
        return values

    def _box(self, frame: int, raw: Any) -> Optional[Box]:
        if raw is None or raw == []:
            return None
        if not isinstance(raw, (list, tuple)) or len(raw) != 4:
            raise self._error(
                f'box {raw!r} is not [x, y, width, height]',
                'write four numbers, or null where the object is absent',
                frame,
            )
        try:
            x, y, w, h = (float(v) for v in raw)
        except (TypeError, ValueError, OverflowError):
            x = y = w = h = math.nan
        if not all(map(math.isfinite, (x, y, w, h))):
            raise self._error(
                f'box {raw} has a coordinate that is no finite number',
                'export the boxes again, or write null',
                frame,
            )
        if w <= 0 or h <= 0:
            raise self._error(
                f'box {raw} has no positive width and height',
                'write null where the object is absent',
                frame,
            )
        return self._clip(frame, raw, (x, y, x + w, y + h))

    def _clip(self, frame: int, raw: Any, box: Box) -> Box:
        if self.clip is None:
            return box
        width, height = self.video.width, self.video.height
        x0, y0 = max(box[0], 0.0), max(box[1], 0.0)
        x1, y1 = min(box[2], float(width)), min(box[3], float(height))
        if x0 >= x1 or y0 >= y1:
            raise self._error(
                f'box {raw} lies outside the {width}x{height} frame',
                'write null where the object is out of view',
                frame,
            )
        out = max(x0 - box[0], y0 - box[1], box[2] - x1, box[3] - y1)
        if out > BOX_TOLERANCE and not self.clip:
            raise self._error(
                f'box {raw} sticks out of the {width}x{height} frame by '
                f'{out:.1f} pixels',
                'correct it, or pass clip_boxes=True to clip such boxes',
                frame,
            )
        return x0, y0, x1, y1

    def _mask(self, frame: int, raw: Any) -> Optional[RLE]:
        try:
            return from_any(raw, self.video.height, self.video.width)
        except (ValueError, TypeError) as reason:
            raise self._error(
                f'bad segmentation: {reason}',
                'export the masks again at the size of the frames',
                frame,
            ) from None
