"""What a dataset holds, and what is left of it in formats that hold less."""

from typing import Any, Callable, Dict, List, Tuple

import numpy as np

from ..structures.rle import decode, encode, from_any, mask_iou, tight_boxes

Content = Dict[str, Any]
Facts = Dict[Tuple[str, ...], Any]
# Makes an id of an annotation and a number.
MakeId = Callable[[Dict[str, Any], int], int]


def facts(content: Content, masks: bool = True) -> Facts:
    """Collect everything of a dataset that a round trip should keep.

    Args:
        content (dict): Of a YouTube-VIS json.
        masks (bool): Whether masks are wanted. Defaults to True.

    Returns:
        dict: Size and tracks by names of frames; of a track, by its
        ``source_id`` or id: category, iscrowd, boxes (xyxy, rounded to
        0.001 pixels) and counts of masks by frame.
    """
    names = {c['id']: c['name'] for c in content['categories']}
    result: Facts = {}
    for video in content['videos']:
        size = (video['width'], video['height'])
        tracks = {
            entry.get('source_id', entry['id']): dict(
                category=names[entry['category_id']],
                iscrowd=entry.get('iscrowd', 0),
                boxes=_corners(entry),
                masks=_counts(entry, *size) if masks else {},
            )
            for entry in content['annotations']
            if entry['video_id'] == video['id']
        }
        result[tuple(video['file_names'])] = (size, tracks)
    return result


def _corners(entry: Dict[str, Any]) -> Dict[int, Tuple[float, ...]]:
    return {
        t: tuple(np.round([x, y, x + w, y + h], 3).tolist())
        for t, (x, y, w, h) in (
            (t, box) for t, box in enumerate(entry['bboxes']) if box
        )
    }


def _counts(entry: Dict[str, Any], width: int, height: int) -> Dict[int, str]:
    rles = [
        from_any(mask, height, width)
        for mask in entry.get('segmentations') or ()
    ]
    return {t: rle['counts'] for t, rle in enumerate(rles) if rle}


def numbered(
    content: Content, limit: int, make: MakeId = lambda entry, number: number
) -> Content:
    """Give tracks the ids that formats with a largest number give them.

    Args:
        content (dict): Of a YouTube-VIS json.
        limit (int): Largest number. Below 1000 crowds have none.
        make (Callable): Makes an id of annotation and number. Defaults to
            the number.

    Returns:
        dict: With ``source_id``: as before if all fit, else counted from 1
        in each video by ascending id.
    """
    ids = [
        entry['id']
        for entry in content['annotations']
        if limit >= 1000 or not entry['iscrowd']
    ]
    fit = all(1 <= number <= limit for number in ids)
    return renumbered(
        content, lambda e, place: make(e, e['id'] if fit else place)
    )


def renumbered(content: Content, make: MakeId) -> Content:
    """Give tracks other ids.

    Args:
        content (dict): Of a YouTube-VIS json.
        make (Callable): Makes an id of annotation and place in the video,
            from 1, by ascending id.

    Returns:
        dict: With ``source_id``.
    """
    places: Dict[int, int] = {}
    made = []
    for entry in sorted(content['annotations'], key=lambda e: e['id']):
        place = places[entry['video_id']] = (
            places.get(entry['video_id'], 0) + 1
        )
        made.append(dict(entry, source_id=make(entry, place)))
    return dict(content, annotations=made)


def changed(content: Content, **values: Any) -> Content:
    """Give all annotations other values."""
    entries = [dict(e, **values) for e in content['annotations']]
    return dict(content, annotations=entries)


def tight(content: Content) -> Content:
    """Replace boxes by those of the masks."""
    entries = []
    for entry in content['annotations']:
        rles = entry['segmentations']
        boxes = [
            rle and [x0, y0, x1 - x0, y1 - y0]
            for rle, (x0, y0, x1, y1) in zip(rles, tight_boxes(rles).tolist())
        ]
        entries.append(dict(entry, bboxes=boxes))
    return dict(content, annotations=entries)


def flattened(content: Content) -> Content:
    """Remove overlaps: the lower id keeps a pixel, crowds come last."""
    taken: Dict[Tuple[int, int], np.ndarray] = {}
    entries = []
    order = sorted(
        content['annotations'], key=lambda e: (e['iscrowd'], e['id'])
    )
    for entry in order:
        rles: List[Any] = []
        for t, rle in enumerate(entry['segmentations']):
            if rle is not None:
                mask = decode(rle)
                used = taken.setdefault(
                    (entry['video_id'], t), np.zeros(mask.shape, bool)
                )
                mask = mask & ~used
                used |= mask
                rle = encode(mask) if mask.any() else None
            rles.append(rle)
        entries.append(dict(entry, segmentations=rles))
    return dict(content, annotations=entries)


def mask_ious(first: Facts, second: Facts) -> np.ndarray:
    """Compare the masks of two datasets with the same tracks.

    Args:
        first, second (dict): From :func:`facts`.

    Returns:
        np.ndarray: float64, (N, ), IoU of all masks.

    Raises:
        AssertionError: If a mask is in one of them only.
    """
    values = []
    for names, ((width, height), tracks) in first.items():
        for key, track in tracks.items():
            masks, others = track['masks'], second[names][1][key]['masks']
            assert masks.keys() == others.keys()
            for t in masks:
                one, two = (
                    [dict(size=[height, width], counts=counts)]
                    for counts in (masks[t], others[t])
                )
                values.append(mask_iou(one, two)[0, 0])
    return np.array(values)
