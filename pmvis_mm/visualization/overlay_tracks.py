"""Overlay videos of whole sets of masks."""

from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Union

import numpy as np

from ..structures import MaskTrack, PseudoMaskSet, VideoAnnotations, VideoInfo
from ..structures.frame_reader import FrameReader
from ..utils.errors import MaskSetError
from ..utils.fileio import load_json
from .overlay import FrameInstances, frame_instances, write_overlay_video

PathLike = Union[str, Path]


def read_results(
    path: PathLike, annotations: VideoAnnotations, min_score: float = 0.3
) -> Dict[int, List[MaskTrack]]:
    """Read predicted tracks from a YouTube-VIS results file.

    Args:
        path (str | Path): List of dicts with ``video_id``, ``category_id``,
            ``score`` and ``segmentations``.
        annotations (VideoAnnotations): The videos that were predicted on.
        min_score (float): Tracks below are left out. Defaults to 0.3.

    Returns:
        dict[int, list[MaskTrack]]: By video id, best first; ids count from
        1 in each video.

    Raises:
        MaskSetError: If a result is about an unknown video or its length
            differs.
    """
    found: Dict[int, List[MaskTrack]] = {key: [] for key in annotations.videos}
    results = load_json(path, MaskSetError)
    for result in sorted(results, key=lambda r: -r['score']):
        video = annotations.videos.get(result['video_id'])
        masks = result['segmentations']
        if video is None or len(masks) != video.length:
            raise MaskSetError(
                'result for an unknown video or of another length',
                file=path,
                video=result['video_id'],
                fix=f'use the results on {annotations.file}',
            )
        if result['score'] < min_score:
            continue
        tracks = found[video.id]
        tracks.append(
            MaskTrack(
                len(tracks) + 1,
                video.id,
                result['category_id'],
                masks,
                [None] * video.length,
                [None if mask is None else 'model' for mask in masks],
                [None if mask is None else result['score'] for mask in masks],
            )
        )
    return found


def overlay_videos(
    videos: Mapping[int, VideoInfo],
    tracks: Mapping[int, Sequence[MaskTrack]],
    categories: Sequence[Mapping],
    img_prefix: PathLike,
    out_dir: PathLike,
    num_videos: Optional[int] = None,
    fps: float = 10,
) -> List[Path]:
    """Write one mp4 per video with its masks drawn in.

    Args:
        videos (Mapping[int, VideoInfo]): By id.
        tracks (Mapping[int, Sequence[MaskTrack]]): By video id.
        categories (Sequence[Mapping]): ``id`` and ``name``.
        img_prefix (str | Path): Folder of the frames.
        out_dir (str | Path): Where ``NAME.mp4`` files go.
        num_videos (int, optional): Only so many, those with most tracks
            first. None takes all.
        fps (float): Frames per second. Defaults to 10.

    Returns:
        list[Path]: The files.
    """
    names: Dict[int, str] = {
        entry['id']: entry['name'] for entry in categories
    }
    order = sorted(videos, key=lambda key: (-len(tracks[key]), key))
    written = []
    for key in order[:num_videos]:
        video = videos[key]
        path = Path(out_dir) / f'{video.name.replace("/", "_")}.mp4'
        write_overlay_video(
            path,
            _frames(FrameReader(video, str(img_prefix))),
            _instances(tracks[key], video.length, names),
            fps=fps,
        )
        written.append(path)
    return written


def _frames(reader: FrameReader) -> Iterator[np.ndarray]:
    return (reader[t] for t in range(len(reader)))


def _instances(
    tracks: Sequence[MaskTrack], length: int, names: Dict[int, str]
) -> Iterator[FrameInstances]:
    return (frame_instances(tracks, t, names) for t in range(length))


def overlay_masks(
    masks: PseudoMaskSet, img_prefix: PathLike, out_dir: PathLike, **kwargs
) -> List[Path]:
    """Write overlay videos of pseudo masks; see :func:`overlay_videos`."""
    return overlay_videos(
        masks.videos,
        masks.tracks,
        masks.categories,
        img_prefix,
        out_dir,
        **kwargs,
    )
