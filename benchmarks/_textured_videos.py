"""Videos of moving objects on a texture that JPEG finds as hard as photos."""

from pathlib import Path
from typing import Any, Dict, List, Tuple

import cv2
import numpy as np

from pmvis_mm.structures import rle
from pmvis_mm.utils.fileio import dump_json

CATEGORY = dict(id=1, name='person')  # one that all versions know


def texture(size: Tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Noise of several scales.

    Args:
        size (tuple[int]): Height and width, pixels.
        rng (np.random.Generator): Source of the noise.

    Returns:
        np.ndarray: uint8, (H, W, 3).
    """
    height, width = size
    image = np.full((height, width, 3), 128, np.float32)
    for scale in (4, 8, 16, 64):
        shape = (height // scale + 2, width // scale + 2, 3)
        noise = rng.normal(size=shape).astype(np.float32)
        noise *= 7 * scale**0.5
        image += cv2.resize(
            noise, (width, height), interpolation=cv2.INTER_CUBIC
        )
    return np.clip(image, 0, 255).astype(np.uint8)


def write_textured(
    root: Path, counts: Tuple[int, int, int], size: Tuple[int, int]
) -> Dict[str, Any]:
    """Write videos as JPEGs with their annotations.

    Args:
        root (Path): Folder; gets ``JPEGImages`` and ``instances.json``.
        counts (tuple[int]): Videos, frames of each and objects in each.
        size (tuple[int]): Height and width, pixels.

    Returns:
        dict: ``ann_file``, ``coco_vid`` (the same as mmdet wants it),
        ``img_prefix`` and ``kilobytes`` of a frame.
    """
    rng = np.random.default_rng(0)
    num_videos, num_frames, num_objects = counts
    videos: List[Dict[str, Any]] = []
    tracks: List[Dict[str, Any]] = []
    written = 0
    for video in range(1, num_videos + 1):
        names = [f'{video:04d}/{t:05d}.jpg' for t in range(num_frames)]
        objects = _objects(num_objects, size, rng)
        back, front = texture(size, rng), texture(size, rng)
        for _ in objects:
            tracks.append(
                dict(
                    id=len(tracks) + 1,
                    video_id=video,
                    category_id=1,
                    iscrowd=0,
                    bboxes=[],
                    segmentations=[],
                    areas=[],
                )
            )
        for t, name in enumerate(names):
            image = np.roll(back, 3 * t, axis=1)
            for obj, track in zip(objects, tracks[-num_objects:]):
                mask = _mask(obj, t, size)
                image[mask] = 255 - front[mask]
                _append(track, mask)
            path = root / 'JPEGImages' / name
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 85])
            written += path.stat().st_size
        videos.append(
            dict(
                id=video,
                width=size[1],
                height=size[0],
                length=num_frames,
                file_names=names,
            )
        )
    ann_file = root / 'instances.json'
    data = dict(videos=videos, categories=[CATEGORY], annotations=tracks)
    dump_json(data, ann_file)
    dump_json(_coco_vid(data), root / 'coco_vid.json')
    return dict(
        ann_file=str(ann_file),
        coco_vid=str(root / 'coco_vid.json'),
        img_prefix=str(root / 'JPEGImages'),
        kilobytes=written / 1e3 / (num_videos * num_frames),
    )


def _objects(
    number: int, size: Tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Centre, half axes, speed and angle, of each object."""
    height, width = size
    low = np.array([0.2, 0.2, 0.06, 0.08, -0.008, -0.004, 0])
    high = np.array([0.8, 0.8, 0.15, 0.22, 0.008, 0.004, 180])
    scale = np.array([width, height, height, height, width, height, 1])
    return rng.uniform(low, high, (number, 7)) * scale


def _mask(obj: np.ndarray, t: int, size: Tuple[int, int]) -> np.ndarray:
    x, y, a, b, dx, dy, angle = obj
    mask = np.zeros(size, np.uint8)
    centre = (int(x + t * dx), int(y + t * dy))
    cv2.ellipse(mask, centre, (int(a), int(b)), angle, 0, 360, 1, -1)
    return mask.astype(bool)


def _append(track: Dict[str, Any], mask: np.ndarray) -> None:
    encoded = rle.encode(mask)
    x0, y0, x1, y1 = rle.tight_boxes([encoded])[0].tolist()
    track['bboxes'].append([x0, y0, x1 - x0, y1 - y0])
    track['segmentations'].append(encoded)
    track['areas'].append(rle.area(encoded))


def _coco_vid(data: Dict[str, Any]) -> Dict[str, Any]:
    """The layout that mmdet's YouTubeVISDataset reads."""
    images: List[Dict[str, Any]] = []
    annotations: List[Dict[str, Any]] = []
    for video in data['videos']:
        tracks = [
            track
            for track in data['annotations']
            if track['video_id'] == video['id']
        ]
        for t, name in enumerate(video['file_names']):
            image = dict(
                id=len(images) + 1,
                video_id=video['id'],
                frame_id=t,
                file_name=name,
                height=video['height'],
                width=video['width'],
            )
            images.append(image)
            for track in tracks:
                annotations.append(
                    dict(
                        id=len(annotations) + 1,
                        image_id=image['id'],
                        video_id=video['id'],
                        instance_id=track['id'],
                        category_id=1,
                        iscrowd=0,
                        bbox=track['bboxes'][t],
                        area=track['areas'][t],
                        segmentation=track['segmentations'][t],
                    )
                )
    videos = [dict(id=v['id'], name=str(v['id'])) for v in data['videos']]
    return dict(
        videos=videos,
        images=images,
        annotations=annotations,
        categories=data['categories'],
    )
