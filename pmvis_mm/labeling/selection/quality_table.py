"""Cues of all candidate masks of a video, frame by frame."""

from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np

from ...structures import RLE, Box, MaskTrack
from ...structures.frame_reader import FrameReader
from ...structures.rle import decode, mask_coverage, mask_iou, tight_boxes
from .quality_cues import (
    CUES,
    MOTION_CUES,
    box_fit_cue,
    measure_cues,
    overlap,
)
from .quality_view import CropGrid, InstanceView
from .scm import box_iou

# Flow is computed on frames whose shorter side lies between these, pixels.
_FLOW_SIDES = (192, 256)


class CueTable:
    """Cues of the candidates of one instance.

    Args:
        names (Sequence[str]): S sources.
        length (int): T frames.

    Attributes:
        values (np.ndarray): float64, (S, T, len(CUES)), in [0, 1]; NaN
            where there is no mask or a cue cannot be told.
        present (np.ndarray): bool, (S, T), whether there is a mask.
        fits (np.ndarray): float64, (S, T), IoU of the mask's tight box with
            the annotated one; 0 where there is no mask.
        ious (np.ndarray): float64, (S, S, T), IoU of the candidates with
            each other; 0 where one is absent.
        covered (dict): Number of another instance of the video -> float64,
            (S, S', T): share of each mask that lies in each mask of that
            instance. Instances that never touch are left out.
    """

    def __init__(self, names: Sequence[str], length: int) -> None:
        number = len(names)
        self.names = list(names)
        shape: Tuple[int, ...] = (number, length)
        self.values: np.ndarray = np.full((*shape, len(CUES)), np.nan)
        self.present: np.ndarray = np.zeros(shape, bool)
        self.fits: np.ndarray = np.zeros(shape)
        self.ious: np.ndarray = np.zeros((number, *shape))
        self.covered: Dict[int, np.ndarray] = {}

    def filled(self) -> np.ndarray:
        """Replace what cannot be told by the mean of the source's track.

        Returns:
            np.ndarray: float64, (S, T, len(CUES)), without NaN; 0.5 where
            the whole track cannot tell.
        """
        known = ~np.isnan(self.values)
        total = np.where(known, self.values, 0).sum(1, keepdims=True)
        number = known.sum(1, keepdims=True)
        mean = np.where(number > 0, total / np.maximum(number, 1), 0.5)
        return np.where(known, self.values, mean)


def keep_sources(
    tables: Sequence[CueTable], names: Sequence[str]
) -> List[CueTable]:
    """Do without some sources in a whole video.

    Args:
        tables (Sequence[CueTable]): The instances of one video.
        names (Sequence[str]): Sources to keep, in this order.

    Returns:
        list[CueTable]: New tables; a source that an instance lacks stays
        absent there.
    """
    rows = [[t.names.index(n) for n in names if n in t.names] for t in tables]
    result = []
    for table, mine in zip(tables, rows):
        kept = CueTable([table.names[k] for k in mine], table.fits.shape[1])
        kept.values = table.values[mine]
        kept.present = table.present[mine]
        kept.fits = table.fits[mine]
        kept.ious = table.ious[np.ix_(mine, mine)]
        kept.covered = {
            other: share[np.ix_(mine, rows[other])]
            for other, share in table.covered.items()
        }
        result.append(kept)
    return result


def collect_cues(
    frames: FrameReader,
    candidates: Sequence[Mapping[str, MaskTrack]],
    boxes: Sequence[Sequence[Optional[Box]]],
) -> List[CueTable]:
    """Measure the cues of a whole video.

    Frames are read once and in order; two of them and the masks of two are
    in memory.

    Args:
        frames (FrameReader): The T frames, anything that has a length and
            gives uint8 (H, W, 3) BGR by index.
        candidates (Sequence[Mapping[str, MaskTrack]]): Per instance its
            masks by name of the source.
        boxes (Sequence): Per instance its T annotated boxes, half-open
            xyxy, pixels, or None. Masks without a box do not count.

    Returns:
        list[CueTable]: One per instance.
    """
    length = len(frames)
    tables = [CueTable(list(mine), length) for mine in candidates]
    if not any(tables):
        return tables
    walk = _Walk(frames)
    for frame in range(length):
        work: Dict[int, Tuple[CueTable, Box, Dict[int, RLE]]] = {}
        for number, mine in enumerate(candidates):
            masks = _present(mine, frame)
            box = boxes[number][frame]
            if box is not None and masks:
                work[number] = (tables[number], box, masks)
        walk.step(frame, list(work.values()))
        _compare_instances(frame, work)
    for table in tables:
        _finish(table)
    return tables


def _present(
    candidates: Mapping[str, MaskTrack], frame: int
) -> Dict[int, RLE]:
    """Masks of a frame by number of the source."""
    found = {}
    for number, track in enumerate(candidates.values()):
        mask = track.masks[frame]
        if mask is not None:
            found[number] = mask
    return found


def _compare_instances(
    frame: int, work: Mapping[int, Tuple[CueTable, Box, Mapping[int, RLE]]]
) -> None:
    """Note which masks reach into those of other instances."""
    for first, (table, _, masks) in work.items():
        for second, (other, _, theirs) in work.items():
            if first == second:
                continue
            share = mask_coverage(list(masks.values()), list(theirs.values()))
            if not share.any():
                continue
            if second not in table.covered:
                shape = (len(table.names), len(other.names))
                table.covered[second] = np.zeros((*shape, table.fits.shape[1]))
            place = np.ix_(list(masks), list(theirs), [frame])
            table.covered[second][place] = share[..., None]


class _Walk:
    """Goes through the frames and remembers the previous one."""

    def __init__(self, frames: FrameReader) -> None:
        self.frames = frames
        self.flow = cv2.DISOpticalFlow_create(
            cv2.DISOPTICAL_FLOW_PRESET_MEDIUM
        )
        self.gray: Optional[np.ndarray] = None
        self.last = -1
        self.masks: Dict[Tuple[int, int], np.ndarray] = {}

    def step(
        self,
        frame: int,
        work: Sequence[Tuple[CueTable, Box, Mapping[int, RLE]]],
    ) -> None:
        """Measure all masks of a frame."""
        masks: Dict[Tuple[int, int], np.ndarray] = {}
        if work:
            image = self.frames[frame]
            gray = _gray(image)
            vectors = None
            if self.gray is not None and self.last == frame - 1:
                vectors = self.flow.calc(gray, self.gray, None)
            for table, box, found in work:
                self._instance(frame, image, vectors, table, box, found, masks)
            self.gray, self.last = gray, frame
        self.masks = masks

    def _instance(
        self,
        frame: int,
        image: np.ndarray,
        vectors: Optional[np.ndarray],
        table: CueTable,
        box: Box,
        found: Mapping[int, RLE],
        masks: Dict[Tuple[int, int], np.ndarray],
    ) -> None:
        height, width = image.shape[:2]
        grid = CropGrid.around(box, height, width)
        flow = None
        if vectors is not None:
            scale = (vectors.shape[1] / width, vectors.shape[0] / height)
            flow = grid.sample(vectors, scale) / np.array(scale, np.float32)
        view = InstanceView(image, box, grid, flow)
        numbers = list(found)
        rles = [found[number] for number in numbers]
        fits = box_iou(tight_boxes(rles), np.asarray(box))
        table.ious[np.ix_(numbers, numbers, [frame])] = mask_iou(rles, rles)[
            ..., None
        ]
        for number, rle, fit in zip(numbers, rles, fits):
            whole = decode(rle).astype(np.float32)
            key = (id(table), number)
            masks[key] = whole
            mask = grid.crop(whole) > 0.5
            cues = measure_cues(mask, view)
            cues['fit'] = box_fit_cue(float(fit))
            cues['stable'] = float('nan')
            if flow is not None and key in self.masks:
                moved = grid.sample(self.masks[key], offset=flow) > 0.5
                cues['stable'] = overlap(mask, moved)
            table.present[number, frame] = True
            table.fits[number, frame] = fit
            table.values[number, frame] = [cues[name] for name in CUES]


def _gray(image: np.ndarray) -> np.ndarray:
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    side = min(gray.shape)
    factor = 1.0
    if side < _FLOW_SIDES[0]:
        factor = float(-(-_FLOW_SIDES[0] // side))
    elif side > _FLOW_SIDES[1]:
        factor = _FLOW_SIDES[1] / side
    if factor == 1:
        return gray
    rule = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    return cv2.resize(gray, None, fx=factor, fy=factor, interpolation=rule)


def _finish(table: CueTable) -> None:
    """Let each frame know of the one after it."""
    column = CUES.index('stable')
    stable = table.values[..., column]
    after = np.full_like(stable, np.nan)
    after[:, :-1] = stable[:, 1:]
    both = np.stack([stable, after])
    known = ~np.isnan(both)
    number = known.sum(0)
    total = np.where(known, both, 0).sum(0)
    mean = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    table.values[..., column] = np.where(table.present, mean, np.nan)
    # The first frame of a track has no motion of its own.
    for name in MOTION_CUES:
        column = CUES.index(name)
        values = table.values[..., column]
        after = np.full_like(values, np.nan)
        after[:, :-1] = values[:, 1:]
        missing = np.isnan(values) & table.present
        table.values[..., column] = np.where(missing, after, values)
