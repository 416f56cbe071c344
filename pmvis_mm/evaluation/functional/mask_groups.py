"""Quality of masks by source, category, size and occlusion."""

from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, Mapping, Tuple

import numpy as np

from ...structures import PseudoMaskSet, VideoAnnotations
from ...structures.rle import area
from .mask_quality import THRESHOLDS, MaskQuality, measure_masks, real_masks
from .occlusion import LEVELS, occlusion_levels

Key = Tuple[int, int]

GROUPS = ('source', 'category', 'size', 'occlusion')
# COCO's, in pixels of the annotated frames: areas below each are of that
# size, all others are large.
SIZES = dict(small=32**2, medium=96**2)
_ORDER = {name: k for k, name in enumerate((*SIZES, 'large', *LEVELS))}


@dataclass
class GroupedQuality:
    """Sums over real masks, for all of them and for every group.

    Filled video by video; its size depends on the number of groups only.

    Attributes:
        sums (dict): (kind of group, name) -> float64 sums over its real
            masks: number, pseudo masks present, IoU, IoU of at least each
            threshold, boundary F. The group of all is ``('all', '')``.
        boundary (bool): Whether outlines were judged.
    """

    sums: Dict[Tuple[str, str], np.ndarray] = field(default_factory=dict)
    boundary: bool = False

    def add(
        self, quality: MaskQuality, groups: Mapping[Key, Mapping[str, str]]
    ) -> None:
        """Add judged masks.

        Args:
            quality (MaskQuality): Of some masks.
            groups (Mapping): Of these, see :func:`mask_groups`.
        """
        self.boundary = self.boundary or bool(quality.boundary)
        for key, iou in quality.ious.items():
            row = np.array(
                [
                    1.0,
                    quality.present[key],
                    iou,
                    *(iou >= threshold for threshold in THRESHOLDS),
                    quality.boundary.get(key, 0.0),
                ]
            )
            for group in (('all', ''), *groups[key].items()):
                self._add(group, row)

    def update(self, other: 'GroupedQuality') -> None:
        """Add what was judged elsewhere."""
        self.boundary = self.boundary or other.boundary
        for group, row in other.sums.items():
            self._add(group, row)

    def _add(self, group: Tuple[str, str], row: np.ndarray) -> None:
        self.sums[group] = self.sums.get(group, 0.0) + row

    def summary(self) -> Dict[str, Any]:
        """Turn the sums into figures.

        Returns:
            dict: ``all`` -> figures, and per kind of group name -> figures.
            These are ``masks``, the number of real masks, and those of
            :meth:`~pmvis_mm.evaluation.functional.MaskQuality.summary`.
            ``all`` is there even without masks, other groups are not.
        """
        nothing = np.zeros(4 + len(THRESHOLDS))
        result: Dict[str, Any] = dict(
            all=self._figures(self.sums.get(('all', ''), nothing))
        )
        for kind in GROUPS:
            names = [name for other, name in self.sums if other == kind]
            names.sort(key=lambda name: (_ORDER.get(name, -1), name))
            result[kind] = {
                name: self._figures(self.sums[kind, name]) for name in names
            }
        return result

    def flat(self, kinds: Tuple[str, ...] = GROUPS) -> Dict[str, float]:
        """List the figures of groups as mmengine wants them.

        Args:
            kinds (tuple[str]): Kinds of groups to list. Defaults to all.

        Returns:
            dict: ``<kind>/<name>/<figure>`` -> value.
        """
        summary = self.summary()
        return {
            f'{kind}/{name}/{figure}': value
            for kind in kinds
            for name, figures in summary[kind].items()
            for figure, value in figures.items()
        }

    def _figures(self, sums: np.ndarray) -> Dict[str, float]:
        number, present = float(sums[0]), float(sums[1])
        share = sums / number if number else np.full_like(sums, np.nan)
        # A missing mask adds nothing to the sum of IoUs.
        alone = sums[2] / present if present else 0.0 if number else np.nan
        figures = dict(
            masks=int(number),
            miou=float(share[2]),
            miou_present=float(alone),
            coverage=float(share[1]),
        )
        for threshold, value in zip(THRESHOLDS, share[3:]):
            figures[f'above_{int(100 * threshold)}'] = float(value)
        if self.boundary:
            figures['boundary_f'] = float(share[-1])
        return figures


def size_name(pixels: int) -> str:
    """Name the size of a mask as COCO does.

    Args:
        pixels (int): Its area.

    Returns:
        str: ``small`` below 32 x 32, ``medium`` below 96 x 96, ``large``.
    """
    for name, limit in SIZES.items():
        if pixels < limit:
            return name
    return 'large'


def mask_groups(
    masks: PseudoMaskSet, truth: VideoAnnotations
) -> Dict[Key, Dict[str, str]]:
    """Tell the groups of every real mask that has a box.

    Args:
        masks (PseudoMaskSet): What is judged; tells the sources.
        truth (VideoAnnotations): Read with ``with_masks=True``; of the same
            videos.

    Returns:
        dict: (annotation id, frame) -> kind of group -> name. ``source``:
        of the pseudo mask, left out where there is none. ``category``: its
        name (its id if it has none). ``size``: see :func:`size_name`, of the
        real mask. ``occlusion``: see
        :func:`~pmvis_mm.evaluation.functional.occlusion_levels`.

    Raises:
        AnnotationError: If masks are missing, or "occlusion" is malformed.
    """
    names = {c['id']: str(c.get('name', c['id'])) for c in truth.categories}
    sources = {track.id: track.sources for track in masks}
    result: Dict[Key, Dict[str, str]] = {}
    for tracks in truth.tracks.values():
        levels = occlusion_levels(tracks, truth.file)
        for track, mine in zip(tracks, levels):
            category = names[track.category_id]
            chosen = sources.get(track.id)
            for frame, real in enumerate(real_masks(track, truth)):
                level = mine[frame]
                if real is None or level is None:
                    continue
                groups = dict(
                    category=category,
                    size=size_name(area(real)),
                    occlusion=level,
                )
                source = None if chosen is None else chosen[frame]
                if source is not None:
                    groups['source'] = source
                result[track.id, frame] = groups
    return result


def measure_groups(
    masks: PseudoMaskSet, truth: VideoAnnotations, boundary: bool = False
) -> GroupedQuality:
    """Compare a set with real masks, group by group.

    Args:
        masks (PseudoMaskSet): What to judge.
        truth (VideoAnnotations): Read with ``with_masks=True``.
        boundary (bool): Judge outlines, too, which takes several times
            longer. Defaults to False.

    Returns:
        GroupedQuality: Over every real mask that has a box, too.

    Raises:
        AnnotationError: If ``truth`` holds no masks, or "occlusion" is
            malformed.
        MaskSetError: If ``masks`` is about other videos.
    """
    masks.check_same_videos(truth, truth.file or '')
    result = GroupedQuality(boundary=boundary)
    for guess, real in _videos(masks, truth):
        result.add(
            measure_masks(guess, real, boundary), mask_groups(guess, real)
        )
    return result


def _videos(
    masks: PseudoMaskSet, truth: VideoAnnotations
) -> Iterator[Tuple[PseudoMaskSet, VideoAnnotations]]:
    """Give one video after the other."""
    for key, video in truth.videos.items():
        yield (
            PseudoMaskSet(
                {key: video},
                masks.categories,
                {key: masks.tracks[key]},
                masks.name,
            ),
            VideoAnnotations(
                {key: video},
                truth.categories,
                {key: truth.tracks[key]},
                truth.file,
            ),
        )
