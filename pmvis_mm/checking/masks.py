"""Masks of the tracks, and whether boxes and areas agree with them."""

from dataclasses import dataclass, field
from typing import Any, List, Optional, Set, Tuple

import numpy as np

from ..structures.rle import (
    RLE,
    areas,
    box_rle,
    from_any,
    tight_boxes,
)
from ..structures.rle_check import canonical_counts
from .boxes import read_boxes
from .content import (
    CheckedTrack,
    CheckedVideo,
    Content,
    absent,
    is_number,
    looks_systematic,
)
from .findings import Findings

# Below this overlap with the tight box, a box is of something else. Boxes of
# annotators are loose and may include hidden parts.
MIN_BOX_IOU = 0.5
_AREA_PIXELS = 1.0  # areas of other tools are rounded, or of polygons
_AREA_SHARE = 0.02


@dataclass
class VideoMasks:
    """The masks of a video that can be read, and those that cannot.

    Attributes:
        places (list[tuple]): Of each mask: index of its track, frame.
        rles (list[RLE]): N masks, canonical; may be empty.
        areas (np.ndarray): int64, (N,), pixels.
        boxes (np.ndarray): float64, (N, 4), tight boxes, half-open xyxy;
            zeros for an empty mask.
        problems (list[tuple]): Index of the track, frame, code, reason.
    """

    places: List[Tuple[int, int]] = field(default_factory=list)
    rles: List[RLE] = field(default_factory=list)
    areas: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    problems: List[Tuple[int, int, str, str]] = field(default_factory=list)


def read_masks(video: CheckedVideo) -> VideoMasks:
    """Read all masks of a video at once, which is fast.

    Args:
        video (CheckedVideo): With its tracks.

    Returns:
        VideoMasks: Nothing if the size of the video is unknown.
    """
    result = VideoMasks()
    if video.size is None:
        return result
    height, width = video.size
    plain: List[Tuple[int, int]] = []
    masks: List[Any] = []
    for i, track in enumerate(video.tracks):
        for t, mask in enumerate(track.masks or ()):
            if mask is None or mask == []:
                continue
            if _is_plain(mask, height, width):
                plain.append((i, t))
                masks.append(mask)
            else:
                _read_other(result, video, i, t, mask)
    good = canonical_counts([m['counts'] for m in masks], height * width)
    for place, mask, fine in zip(plain, masks, good.tolist()):
        if fine:
            result.places.append(place)
            result.rles.append(mask)
        else:
            _read_other(result, video, *place, mask)
    result.areas = areas(result.rles)
    result.boxes = tight_boxes(result.rles)
    return result


def _is_plain(mask: Any, height: int, width: int) -> bool:
    """Whether it looks like a compressed RLE of the right size."""
    return (
        isinstance(mask, dict)
        and isinstance(mask.get('counts'), str)
        and mask.get('size') == [height, width]
        # pycocotools takes no floats, though 32.0 == 32.
        and all(type(side) is int for side in mask['size'])
    )


def _read_other(
    result: VideoMasks, video: CheckedVideo, i: int, t: int, mask: Any
) -> None:
    """Read a mask of another form, or find out why it cannot be read."""
    assert video.size is not None
    height, width = video.size
    problem: Optional[Tuple[str, str]] = None
    rle = None
    if isinstance(mask, list):
        problem = _polygon_problem(mask, height, width)
    elif isinstance(mask, dict) and mask.get('size') != [height, width]:
        reason = (
            f'mask size {mask.get("size")!r:.40} differs from the frame '
            f'size {[height, width]} (height, width)'
        )
        problem = 'mask-size', reason
    if problem is None or problem[0] == 'polygon-degenerate':
        try:
            rle = from_any(mask, height, width)
        except (ValueError, TypeError, KeyError) as error:
            problem = 'mask-malformed', f'the mask cannot be read: {error}'
    if problem is not None:
        result.problems.append((i, t, *problem))
        if problem[0] != 'polygon-degenerate':
            return
    result.places.append((i, t))
    # None stands for a mask without a pixel.
    result.rles.append(rle or box_rle((0, 0, 0, 0), height, width))


def _polygon_problem(
    polygons: List[Any], height: int, width: int
) -> Optional[Tuple[str, str]]:
    reach = 10 * max(height, width)
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) < 6:
            return 'polygon-malformed', f'polygon {polygon!r:.60} is too short'
        if len(polygon) % 2 or not all(map(is_number, polygon)):
            return 'polygon-malformed', (
                f'polygon {polygon!r:.60} is no flat list of x, y'
            )
        if not all(abs(v) <= reach for v in polygon):  # nor nan
            return 'polygon-malformed', (
                f'polygon {polygon!r:.60} reaches far beyond the frame'
            )
    for polygon in polygons:
        x, y = np.array(polygon, float).reshape(-1, 2).T
        if abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) < 1e-6:
            return 'polygon-degenerate', (
                f'polygon {polygon!r:.60} encloses nothing'
            )
    return None


# ----------------------------------------------------------------- checking
def check_masks(content: Content, found: Findings) -> Set[int]:
    """Check all masks, and boxes and areas against them.

    Nothing is decoded.

    Args:
        content (Content): The usable part of a file.
        found (Findings): Gets what is wrong.

    Returns:
        set[int]: Ids of the videos whose masks are left alone by repairs.
    """
    ids = set()
    for video in content.videos:
        if video.size is None or not any(t.masks for t in video.tracks):
            continue
        masks = read_masks(video)
        for i, t, code, reason in masks.problems:
            found.add(
                code,
                reason,
                video=video.id,
                frame=t,
                instance=video.tracks[i].id,
            )
        _compare_boxes(video, masks, found)
        _find_missing(video, found)
        _check_areas(video, masks, found)
        problem = systematic_masks(masks)
        if problem is not None:
            found.add('masks-systematic', problem, video=video.id)
            ids.add(video.id)
    return ids


def systematic_masks(masks: VideoMasks) -> Optional[str]:
    """Tell whether repairs would take too many masks of a video away.

    Args:
        masks (VideoMasks): All of the video.

    Returns:
        str, optional: What it looks like; None if single masks are wrong.
    """
    codes = [code for _, _, code, _ in masks.problems]
    total = len(masks.places) + len(codes) - codes.count('polygon-degenerate')
    other = codes.count('mask-size')
    lost = other + codes.count('mask-malformed')
    if not looks_systematic(lost, total):
        return None
    return (
        f'{lost} of {total} masks of this video cannot be used '
        f'({other} are of another size), which looks systematic'
    )


def _compare_boxes(
    video: CheckedVideo, masks: VideoMasks, found: Findings
) -> None:
    where: List[int] = []
    values: List[Any] = []
    for n, (i, t) in enumerate(masks.places):
        track = video.tracks[i]
        place = dict(video=video.id, frame=t, instance=track.id)
        if not masks.areas[n]:
            found.add('mask-empty', 'the mask has no pixel', **place)
        elif track.boxes is not None and absent(track.boxes[t]):
            found.add('mask-without-box', 'a mask but no box', **place)
        elif track.boxes is not None:
            where.append(n)
            values.append(track.boxes[t])
    readable, boxes = read_boxes(values)
    chosen = np.array(where, np.int64)[readable]
    ious = _box_iou(boxes, masks.boxes[chosen])
    for k in np.flatnonzero(ious < MIN_BOX_IOU).tolist():
        i, t = masks.places[chosen[k]]
        tight = masks.boxes[chosen[k]]
        tight = [*tight[:2].tolist(), *(tight[2:] - tight[:2]).tolist()]
        found.add(
            'box-mask-mismatch',
            f'box {values[readable[k]]} and tight box {tight} of the mask '
            f'overlap by {ious[k]:.2f} (IoU)',
            video=video.id,
            frame=t,
            instance=video.tracks[i].id,
        )


def _box_iou(xywh: np.ndarray, tight: np.ndarray) -> np.ndarray:
    """IoU of pairs of boxes, float64, (N,); NaN for boxes without size."""
    with np.errstate(invalid='ignore', over='ignore', divide='ignore'):
        upper = np.minimum(xywh[:, :2] + xywh[:, 2:], tight[:, 2:])
        sides = upper - np.maximum(xywh[:, :2], tight[:, :2])
        inner = np.clip(sides, 0, None).prod(axis=1)
        both = xywh[:, 2:].prod(axis=1)
        both = both + (tight[:, 2:] - tight[:, :2]).prod(axis=1)
        ious = inner / (both - inner)
        # Said of the box already.
        wrong = ~(xywh[:, 2:] > 0).all(axis=1)
        ious[wrong | ~np.isfinite(xywh).all(axis=1)] = np.nan
    return np.asarray(ious)


def _find_missing(video: CheckedVideo, found: Findings) -> None:
    """Tell of tracks with masks in some of the frames with a box."""
    for track in video.tracks:
        if not track.masks or track.boxes is None:
            continue
        if len({*map(_is_there, track.masks)}) == 1 and track.masks[0]:
            continue
        frames = [
            t
            for t, (box, mask) in enumerate(zip(track.boxes, track.masks))
            if not absent(box) and not _is_there(mask)
        ]
        if frames:
            found.add(
                'box-without-mask',
                f'a box but no mask in {len(frames)} frames',
                video=video.id,
                frame=frames[0],
                instance=track.id,
            )


def _is_there(mask: Any) -> bool:
    return mask is not None and mask != []


# -------------------------------------------------------------------- areas
def _check_areas(
    video: CheckedVideo, masks: VideoMasks, found: Findings
) -> None:
    unread = {(i, t) for i, t, *_ in masks.problems}
    real = dict(zip(masks.places, masks.areas.tolist()))
    for i, track in enumerate(video.tracks):
        wrong = wrong_areas(track, i, real)
        wrong = [t for t in wrong if (i, t) not in unread]
        if wrong:
            t = wrong[0]
            found.add(
                'area-mismatch',
                f'area {track.entry["areas"][t]!r:.40} in the first of '
                f'{len(wrong)} frames, but the mask has '
                f'{real.get((i, t), 0)} pixels',
                video=video.id,
                frame=t,
                instance=track.id,
            )


def wrong_areas(track: CheckedTrack, i: int, real: Any) -> List[int]:
    """Find the frames whose area is not that of the mask.

    Args:
        track (CheckedTrack): A track.
        i (int): Its index in the video.
        real (dict): Pixels of each mask by index of the track and frame.

    Returns:
        list[int]: Frames; none if there are no masks or no areas.
    """
    values = track.entry.get('areas')
    if track.masks is None or not isinstance(values, list):
        return []
    if len(values) != len(track.masks):
        return []
    wrong = []
    for t, value in enumerate(values):
        pixels = real.get((i, t), 0)
        if value is None or value == []:
            if pixels:
                wrong.append(t)
        elif not is_number(value) or not (
            abs(value - pixels) <= max(_AREA_PIXELS, _AREA_SHARE * pixels)
        ):
            wrong.append(t)
    return wrong
