"""Packing the frames of an annotation file into few large files."""

import hashlib
import io
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import mmengine.fileio as fileio
from PIL import Image

from ..structures.frame_decoding import decode_frame
from ..structures.frame_path import split_frame_path
from ..structures.frame_reader import FrameReader, read_frame
from ..structures.video_annotations import VideoInfo, parse_annotations
from ..utils.errors import (
    AnnotationError,
    ConfigError,
    OutputError,
)
from ..utils.fileio import dump_json, load_json
from .annotation_scaling import scale_annotations
from .frame_writers import WRITERS, FrameWriter
from .transforms.resizing import resize_pixels, shortest_edge_size

_STATE_SUFFIX = '.packing.json'


@dataclass(frozen=True)
class PackingOptions:
    """What is packed, and how.

    Attributes:
        short_edge (int, optional): Larger frames are shrunk so that their
            shorter side has so many pixels; None leaves all as they are.
        quality (int): Of JPEGs that are encoded anew, 1 to 100.
        image_format (str): 'jpg' or 'png' (lossless), for frames that are
            encoded: shrunk ones and those of video files.
        check (bool): Whether files that are packed as they are get decoded
            to see that they are whole.
    """

    short_edge: Optional[int] = None
    quality: int = 95
    image_format: str = 'jpg'
    check: bool = True

    def __post_init__(self) -> None:
        if self.short_edge is not None and self.short_edge < 1:
            raise ConfigError(
                f'short_edge={self.short_edge} is no length',
                fix='use pixels, 1 or more',
            )
        if not 1 <= self.quality <= 100:
            raise ConfigError(
                f'quality={self.quality} is no JPEG quality',
                fix='use 1 to 100; 95 keeps nearly all',
            )
        if self.image_format not in ('jpg', 'png'):
            raise ConfigError(
                f'image_format={self.image_format!r} is unknown',
                fix="choose from ('jpg', 'png')",
            )

    def new_size(self, video: VideoInfo) -> Optional[Tuple[int, int]]:
        """Height and width to shrink to; None if nothing is to be done."""
        size = (video.height, video.width)
        if self.short_edge is None or min(size) <= self.short_edge:
            return None
        return shortest_edge_size(size, self.short_edge)


@dataclass(frozen=True)
class PackingReport:
    """What was done.

    Attributes:
        num_frames (int): Frames in the storage.
        num_found (int): Of these, those of a run that was killed.
        num_encoded (int): Frames whose pixels may differ from the source.
        ann_file (str, optional): The rewritten annotation file, if frames
            were shrunk.
    """

    num_frames: int
    num_found: int
    num_encoded: int
    ann_file: Optional[str]


def pack_frames(
    ann_file: str,
    img_prefix: str,
    out: str,
    storage: str = 'tar',
    shard_size: Optional[int] = None,
    options: Optional[PackingOptions] = None,
    progress: Optional[Callable[[int, int], None]] = None,
) -> PackingReport:
    """Pack exactly the frames that an annotation file names, in its order.

    Images keep their bytes, and so their pixels, unless they are shrunk.
    The result appears when complete; a run that was killed goes on where it
    was, if called in the same way.

    Args:
        ann_file (str): YouTube-VIS style json. With ``short_edge`` one with
            scaled boxes, masks and sizes is written beside the storage.
        img_prefix (str): Folder that its file names are relative to.
        out (str): The archive or, with ``shard_size`` or LMDB, a folder; it
            must not exist.
        storage (str): 'tar' or 'lmdb'. Defaults to 'tar'.
        shard_size (int, optional): Bytes after which a new archive begins;
            one archive by default.
        options (PackingOptions, optional): Of the images. Defaults to None:
            as they are, checked.
        progress (callable, optional): Gets frames done and frames in all.

    Returns:
        PackingReport: What was done.

    Raises:
        AnnotationError: If the file is malformed or a name leads out of the
            folder.
        FrameError: If a frame is missing, truncated or of another size.
        OutputError: If the output exists or cannot be written.
        ConfigError: If an option makes no sense.
    """
    options = options or PackingOptions()
    if storage not in WRITERS:
        raise ConfigError(
            f'storage={storage!r} is unknown',
            fix=f'choose from {tuple(WRITERS)}',
        )
    data = load_json(ann_file)
    annotations = parse_annotations(data, ann_file, clip_boxes=True)
    videos = annotations.videos
    plan = _plan(list(videos.values()), ann_file)
    writer = WRITERS[storage](out, shard_size)
    source = [os.path.abspath(img_prefix), storage, shard_size]
    state = _claim(out, [*source, asdict(options)], list(plan), writer)
    sizes = {key: options.new_size(videos[key]) for key in videos}
    shrunk = {key: size for key, size in sizes.items() if size}
    beside = None if options.short_edge is None else _annotation_path(out)
    if writer.appeared():
        found = len(plan)
        writer.clean()
    else:
        with writer:
            found = _resume(writer.names(), list(plan), out)
            for number, (key, (video, t)) in enumerate(plan.items(), 1):
                if number > found:
                    writer.write(key, _content(video, t, img_prefix, options))
                if progress is not None:
                    progress(number, len(plan))
            if beside is not None:
                dump_json(scale_annotations(data, shrunk), beside)
            writer.finish()
    state.unlink()
    encoded = sum(
        video.id in shrunk or split_frame_path(key) is not None
        for key, (video, _) in plan.items()
    )
    return PackingReport(len(plan), found, encoded, beside)


def _plan(
    videos: List[VideoInfo], ann_file: str
) -> Dict[str, Tuple[VideoInfo, int]]:
    """Video and index of every frame, by its name in the storage."""
    plan: Dict[str, Tuple[VideoInfo, int]] = {}
    for video in videos:
        for t, name in enumerate(video.file_names):
            key = os.path.normpath(name).replace(os.sep, '/')
            if os.path.isabs(name) or key.split('/')[0] == '..':
                raise AnnotationError(
                    f'file name {name!r} leads out of the image folder',
                    file=ann_file,
                    video=video.id,
                    frame=t,
                    fix='write names relative to the folder',
                )
            other = plan.setdefault(key, (video, t))[0]
            if (other.height, other.width) != (video.height, video.width):
                raise AnnotationError(
                    f'file name {name!r} has another size in video {other.id}',
                    file=ann_file,
                    video=video.id,
                    frame=t,
                    fix='correct "width" and "height" of one of them',
                )
    return plan


def _claim(
    out: str, options: List[Any], names: List[str], writer: FrameWriter
) -> Path:
    """Note what is being packed, so that only the same goes on."""
    digest = hashlib.sha256(json.dumps([options, names]).encode()).hexdigest()
    state = Path(out.rstrip('/\\') + _STATE_SUFFIX)
    if state.exists() and writer.unfinished() != os.path.exists(out):
        if load_json(state, OutputError) != digest:
            raise OutputError(
                'a packing of other frames, from another folder or with '
                'other options was begun here and not finished',
                file=out,
                fix=f'repeat it, or delete {state} and {out}*, or choose '
                'another output',
            )
    elif os.path.exists(out):
        raise OutputError(
            'output exists',
            file=out,
            fix='choose another output or delete this one',
        )
    else:
        dump_json(digest, state)
    return state


def _resume(names: List[str], plan: List[str], out: str) -> int:
    """Count the frames that are there; they are the first ones."""
    if sorted(names) != sorted(plan[: len(names)]):
        raise OutputError(
            'an unfinished packing holds other frames',
            file=out,
            fix=f'delete {out}* or choose another output',
        )
    return len(names)


def _content(
    video: VideoInfo, t: int, img_prefix: str, options: PackingOptions
) -> bytes:
    """Bytes of a frame: those of its file, or encoded anew."""
    path = FrameReader(video, img_prefix).path(t)
    old = (video.height, video.width)
    new = options.new_size(video)
    if new is None and split_frame_path(path) is None:
        try:
            content = fileio.get(path)
            whole = not options.check or decode_frame(content).shape[:2] == old
        except OSError:
            whole = False
        if whole:
            return content
    image = read_frame(path, old, video.id, t)  # or its errors
    if new is not None:
        image = resize_pixels(image, new, Image.Resampling.BILINEAR)
    return _encode(image, options)


def _encode(image: Any, options: PackingOptions) -> bytes:
    kind = dict(jpg='JPEG', png='PNG')[options.image_format]
    extra = dict(quality=options.quality) if kind == 'JPEG' else {}
    buffer = io.BytesIO()
    Image.fromarray(image[..., ::-1]).save(buffer, kind, **extra)
    return buffer.getvalue()


def _annotation_path(out: str) -> str:
    path = Path(out)
    stem = path.stem if path.suffix in ('.tar', '.lmdb') else path.name
    return str(path.with_name(stem + '.json'))
