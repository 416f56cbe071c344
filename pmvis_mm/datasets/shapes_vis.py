"""ShapesVIS: synthetic video with exact masks, in YouTube-VIS format.

Textured star-convex shapes move, turn, deform, occlude one another, enter
and leave over a panning background. Small enough to train on a laptop, and
every mask is known exactly: for tests, demos and trying things out.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Tuple, Union

import numpy as np
from PIL import Image

from ..structures.rle import encode
from ..utils.errors import AnnotationError, ConfigError, OutputError
from ..utils.fileio import dump_json, load_json
from .shapes_vis_generator import ShapesVideo, ShapesVISGenerator, ShapeTrack
from .shapes_vis_scene import CATEGORIES

__all__ = [
    'CATEGORIES',
    'ShapeTrack',
    'ShapesVISGenerator',
    'ShapesVideo',
    'write_shapes_vis',
]

# Part of the manifest: raise it when the same seed gives other pixels.
_VERSION = 1


def write_shapes_vis(
    out_dir: Union[str, Path],
    num_videos: int,
    num_frames: int = 16,
    size: Tuple[int, int] = (96, 160),
    seed: int = 0,
    max_objects: int = 3,
    image_format: str = 'jpg',
) -> Path:
    """Write a dataset in YouTube-VIS format.

    ``out_dir`` gets ``JPEGImages/<video>/00000.jpg`` ...,
    ``instances.json`` with masks, boxes and areas, ``boxes.json`` with
    boxes only, and ``manifest.json``. A second call with the same arguments
    returns at once; with others it replaces the dataset.

    Args:
        out_dir (str | Path): Folder to write to.
        num_videos (int): Number of videos.
        num_frames (int): See :class:`ShapesVISGenerator`.
        size (tuple[int, int]): Height and width, see there.
        seed (int): See there.
        max_objects (int): See there.
        image_format (str): ``'jpg'`` (quality 95) or ``'png'`` (lossless).
            Defaults to 'jpg'.

    Returns:
        Path: ``out_dir``.

    Raises:
        ConfigError: If an argument is out of range.
        OutputError: If ``out_dir`` holds frames of something else, or
            cannot be written.
    """
    if image_format not in ('jpg', 'png'):
        raise ConfigError(
            f'unknown image_format {image_format!r}', fix='use jpg or png'
        )
    if num_videos < 1:
        raise ConfigError(f'num_videos is {num_videos}', fix='use 1 or more')
    generator = ShapesVISGenerator(num_frames, size, seed, max_objects)
    out_dir = Path(out_dir)
    manifest = dict(
        dataset='ShapesVIS',
        version=_VERSION,
        num_videos=num_videos,
        num_frames=num_frames,
        size=list(generator.size),
        seed=seed,
        max_objects=max_objects,
        image_format=image_format,
    )
    if not _is_complete(out_dir, manifest):
        # The first line on disk marks the folder as ours, the last as done.
        dump_json(dict(manifest, complete=False), out_dir / 'manifest.json')
        annotations = _write_frames(out_dir, generator, manifest)
        content = _describe(annotations, generator, manifest)
        dump_json(content, out_dir / 'instances.json')
        for entry in content['annotations']:
            # The area of a mask says more than its box, too.
            del entry['segmentations'], entry['areas']
        dump_json(content, out_dir / 'boxes.json')
        dump_json(dict(manifest, complete=True), out_dir / 'manifest.json')
    return out_dir


def _is_complete(out_dir: Path, manifest: Dict[str, Any]) -> bool:
    """Compare with the manifest on disk; refuse a folder not ours."""
    path = out_dir / 'manifest.json'
    known: Any = None
    if path.exists():
        try:
            known = load_json(path)
        except AnnotationError:
            known = None
    ours = isinstance(known, dict) and known.get('dataset') == 'ShapesVIS'
    if not ours:
        for name in ('JPEGImages', 'instances.json', 'boxes.json'):
            if (out_dir / name).exists():
                raise OutputError(
                    f'{name} is there, but was not written by ShapesVIS',
                    file=out_dir,
                    fix='choose another output folder',
                )
    files = ('JPEGImages', 'instances.json', 'boxes.json')
    return known == dict(manifest, complete=True) and all(
        (out_dir / name).exists() for name in files
    )


def _write_frames(
    out_dir: Path, generator: ShapesVISGenerator, manifest: Dict[str, Any]
) -> List[List[Dict[str, Any]]]:
    """Write all frames beside their place, then move the folder there.

    Returns:
        list[list[dict]]: Per video and object what goes into the json.
    """
    for left_over in out_dir.glob('.JPEGImages.*'):
        shutil.rmtree(left_over)
    temporary = Path(tempfile.mkdtemp(dir=out_dir, prefix='.JPEGImages.'))
    target = out_dir / 'JPEGImages'
    tracks = []
    try:
        for index in range(manifest['num_videos']):
            video = generator.generate_video(index)
            names = _file_names(index, manifest)
            for name, frame in zip(names, video.frames):
                _write_frame(temporary / name, frame)
            tracks.append([_encode_track(track) for track in video.tracks])
        if target.exists():
            shutil.rmtree(target)
        # mkdtemp makes folders private; give it the mode of its parent.
        temporary.chmod(out_dir.stat().st_mode & 0o777)
        temporary.rename(target)
    except OSError as error:
        raise OutputError(
            f'cannot write the frames: {error.strerror or error}',
            file=target,
            fix='free some space or choose another output folder',
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return tracks


def _write_frame(path: Path, frame: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    # Full chroma resolution: at this size, halving it would smear colours
    # over the outlines.
    options: Dict[str, Any] = {}
    if path.suffix == '.jpg':
        options = dict(quality=95, subsampling=0)
    Image.fromarray(frame).save(path, **options)


def _file_names(index: int, manifest: Dict[str, Any]) -> List[str]:
    return [
        f'shapes_{index:05d}/{t:05d}.{manifest["image_format"]}'
        for t in range(manifest['num_frames'])
    ]


def _encode_track(track: ShapeTrack) -> Dict[str, Any]:
    areas = track.masks.sum(axis=(1, 2)).tolist()
    return dict(
        category_id=track.category + 1,
        bboxes=[
            None
            if box is None
            else [int(v) for v in (*box[:2], box[2] - box[0], box[3] - box[1])]
            for box in track.boxes
        ],
        segmentations=[
            encode(mask) if area else None
            for mask, area in zip(track.masks, areas)
        ],
        areas=[area or None for area in areas],
    )


def _describe(
    tracks: List[List[Dict[str, Any]]],
    generator: ShapesVISGenerator,
    manifest: Dict[str, Any],
) -> Dict[str, Any]:
    """Put the json together; all ids start at 1."""
    height, width = generator.size
    shape = dict(width=width, height=height, length=generator.num_frames)
    annotations: List[Dict[str, Any]] = []
    for video, group in enumerate(tracks):
        for track in group:
            ids = dict(id=len(annotations) + 1, video_id=video + 1)
            annotations.append(dict(ids, iscrowd=0, **shape, **track))
    return dict(
        info=dict(description='ShapesVIS', seed=generator.seed),
        videos=[
            dict(
                id=index + 1, **shape, file_names=_file_names(index, manifest)
            )
            for index in range(len(tracks))
        ],
        categories=[
            dict(id=index + 1, name=name)
            for index, name in enumerate(CATEGORIES)
        ],
        annotations=annotations,
    )
