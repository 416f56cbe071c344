"""Missing-Data and RIA: clean real annotations (PM-VIS, section III-E)."""

import copy
from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional

from ...structures import RLE, MaskTrack, PseudoMaskSet, parse_annotations
from ...structures.rle import mask_iou
from ...utils.errors import AnnotationError, MaskSetError


@dataclass
class FilterStats:
    """What a filter did.

    Attributes:
        before (int): (instance, frame) annotations before.
        removed (int): Annotations removed.
        instances_removed (int): Instances that lost their last frame.
        videos_removed (int): Videos dropped with their last instance.
    """

    before: int = 0
    removed: int = 0
    instances_removed: int = 0
    videos_removed: int = 0

    @property
    def after(self) -> int:
        """Annotations that are left."""
        return self.before - self.removed


# Decides on one (instance, frame): the real mask (None in a file of boxes)
# and the pseudo mask -> whether to keep the annotation.
Keep = Callable[[Optional[RLE], Optional[RLE]], bool]


def filter_missing_data(
    data: Dict[str, Any],
    pseudo: PseudoMaskSet,
    drop_empty_videos: bool = False,
    name: Optional[str] = None,
) -> 'tuple[Dict[str, Any], FilterStats]':
    """Remove annotations that the final pseudo masks lack (Missing-Data).

    Args:
        data (dict): Content of a YouTube-VIS json, with or without masks.
        pseudo (PseudoMaskSet): Final pseudo masks of the same videos.
        drop_empty_videos (bool): Drop videos that lose their last instance.
            Defaults to False: they keep all frames.
        name (str, optional): File of ``data``, for messages.

    Returns:
        tuple[dict, FilterStats]: New content (the input is not changed)
        and counts. Box, mask and area of a removed annotation are null
        together.

    Raises:
        AnnotationError: If ``data`` is malformed.
        MaskSetError: If ``pseudo`` is about other videos or instances.
    """

    def keep(real: Optional[RLE], guess: Optional[RLE]) -> bool:
        return guess is not None

    return _filter(data, pseudo, keep, drop_empty_videos, name, False)


def filter_ria(
    data: Dict[str, Any],
    pseudo: PseudoMaskSet,
    threshold: float = 0.6,
    drop_empty_videos: bool = False,
    name: Optional[str] = None,
) -> 'tuple[Dict[str, Any], FilterStats]':
    """Remove annotations whose mask disagrees with the pseudo mask (RIA).

    An annotation stays if the IoU of its mask with the final pseudo mask is
    at least ``threshold``. Annotations without a pseudo mask are left to
    :func:`filter_missing_data`.

    Args:
        data (dict): Content of a YouTube-VIS json with masks.
        pseudo (PseudoMaskSet): Final pseudo masks of the same videos.
        threshold (float): Lowest IoU to keep. Defaults to 0.6 (Table IX).
        drop_empty_videos (bool): See :func:`filter_missing_data`.
        name (str, optional): File of ``data``, for messages.

    Returns:
        tuple[dict, FilterStats]: As :func:`filter_missing_data`.

    Raises:
        AnnotationError: If ``data`` is malformed or has no masks.
        MaskSetError: If ``pseudo`` is about other videos or instances.
        ValueError: If ``threshold`` is outside [0, 1].
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f'threshold should be in [0, 1], got {threshold}')

    def keep(real: Optional[RLE], guess: Optional[RLE]) -> bool:
        if guess is None or real is None:
            return True
        return mask_iou([real], [guess])[0, 0] >= threshold

    return _filter(data, pseudo, keep, drop_empty_videos, name, True)


def _filter(
    data: Dict[str, Any],
    pseudo: PseudoMaskSet,
    keep: Keep,
    drop_empty_videos: bool,
    name: Optional[str],
    need_masks: bool,
) -> 'tuple[Dict[str, Any], FilterStats]':
    annotations = parse_annotations(data, name, need_masks, clip_boxes=True)
    pseudo.validate(annotations)
    guesses = {track.id: track for track in pseudo}
    parsed = {track.id: track for track in annotations}
    stats = FilterStats()
    kept = []
    for entry in data.get('annotations') or ():
        track = parsed[entry['id']]
        if need_masks and track.segmentations is None:
            raise AnnotationError(
                'no "segmentations"',
                file=name,
                video=track.video_id,
                instance=track.id,
                fix='RIA compares real masks; boxes need Missing-Data only',
            )
        _check_areas(entry, len(track.boxes), name)
        entry = copy.deepcopy(entry)
        _filter_entry(entry, track, guesses.get(track.id), keep, stats)
        boxes = entry['bboxes']
        if not need_masks:
            boxes = entry.get('annotated_bboxes') or boxes
        if any(boxes):  # both null and [] say absent
            kept.append(entry)
        else:
            stats.instances_removed += 1
    result = dict(data, annotations=kept)
    if drop_empty_videos:
        full = {entry['video_id'] for entry in kept}
        result['videos'] = [v for v in data['videos'] if v['id'] in full]
        stats.videos_removed = len(data['videos']) - len(result['videos'])
        if not result['videos']:
            raise MaskSetError(
                'no annotation is left',
                file=pseudo.name,
                fix='lower the threshold or check the pseudo masks',
            )
    return result, stats


def _check_areas(entry: Dict[str, Any], length: int, name: Any) -> None:
    areas = entry.get('areas')
    if areas is None or (isinstance(areas, list) and len(areas) == length):
        return
    raise AnnotationError(
        f'"areas" is {areas!r:.40}, expected {length} entries',
        file=name,
        video=entry['video_id'],
        instance=entry['id'],
        fix='one entry for every frame, or leave "areas" out',
    )


def _filter_entry(
    entry: Dict[str, Any],
    track: Any,
    guess: Optional[MaskTrack],
    keep: Keep,
    stats: FilterStats,
) -> None:
    for frame, box in enumerate(track.boxes):
        if box is None:
            continue
        stats.before += 1
        real = track.segmentations[frame] if track.segmentations else None
        mask = None if guess is None else guess.masks[frame]
        if keep(real, mask):
            continue
        stats.removed += 1
        for key in ('bboxes', 'annotated_bboxes', 'segmentations', 'areas'):
            if entry.get(key) is not None:
                entry[key][frame] = None
