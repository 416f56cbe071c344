"""One video as TrackEval reads it."""

from typing import Any, Dict, Iterable, List, Mapping, Sequence, Tuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from ...structures import RLE, BoxTrack
from ...structures.rle import mask_coverage, mask_iou, union
from .track_iou import MaskPath, frame_areas

# MOTS (arXiv:1902.03604): a prediction that lies in a crowd to more than
# this, and has an IoU of at least this with no instance of its own.
_CROWD_SHARE = 0.5
_MATCH_IOU = 0.5


def drop_doubles(
    entries: Iterable[Mapping[str, Any]],
) -> List[Mapping[str, Any]]:
    """Keep the best of predictions that have the very same masks.

    Args:
        entries (Iterable[Mapping]): With ``score`` and ``segmentations``.

    Returns:
        list[Mapping]: Of every track one, the best score first; ties as
        they came.
    """
    found: Dict[Any, Mapping[str, Any]] = {}
    for entry in sorted(entries, key=lambda entry: -entry['score']):
        path = tuple(m and m['counts'] for m in entry['segmentations'])
        found.setdefault(path, entry)
    return list(found.values())


def sequence_data(
    guesses: Sequence[MaskPath],
    real: Sequence[BoxTrack],
    with_masks: bool = False,
) -> Dict[str, Any]:
    """Describe the tracks of one video and category.

    Args:
        guesses (Sequence): Predicted tracks, each a list of T RLE or None;
            an RLE without a pixel counts as None.
        real (Sequence[BoxTrack]): Real instances, with masks; crowds take
            away predictions (see
            :func:`~pmvis_mm.evaluation.functional.judge_tracking`).
        with_masks (bool): Whether to add the masks, which only J&F needs.
            Defaults to False.

    Returns:
        dict: ``num_timesteps``, ``num_gt_ids``, ``num_tracker_ids``,
        ``num_gt_dets``, ``num_tracker_dets``; per frame ``gt_ids`` (int64,
        (g, )), ``tracker_ids`` ((d, )), counted from 0 without a gap, and
        ``similarity_scores`` (float64, (g, d)), the IoU of masks; with
        masks also ``gt_dets`` and ``tracker_dets``.
    """
    sizes = frame_areas(guesses)
    paths = [
        [mask if size else None for mask, size in zip(path, row)]
        for path, row in zip(guesses, sizes)
    ]
    own = [_path(track) for track in real if not track.iscrowd]
    crowds = [_path(track) for track in real if track.iscrowd]
    length = max(map(len, [*paths, *own, *crowds]), default=0)
    keys = ('gt_ids', 'tracker_ids', 'similarity_scores')
    data: Dict[str, Any] = {key: [] for key in keys}
    for frame in range(length):
        gt_ids, gt_masks = _present(own, frame)
        ids, masks = _present(paths, frame)
        scores = mask_iou(gt_masks, masks)
        keep = _outside_crowds(masks, scores, _present(crowds, frame)[1])
        data['gt_ids'].append(np.array(gt_ids, np.int64))
        data['tracker_ids'].append(np.array(ids, np.int64)[keep])
        data['similarity_scores'].append(scores[:, keep])
    if with_masks:
        for name, tracks in (('gt', own), ('tracker', paths)):
            data[f'{name}_dets'] = [
                [tracks[i][frame] for i in ids]
                for frame, ids in enumerate(data[f'{name}_ids'])
            ]
    for name in ('gt', 'tracker'):
        _renumber(data, name)
    data['num_timesteps'] = length
    return data


def _path(track: BoxTrack) -> MaskPath:
    assert track.segmentations is not None
    return track.segmentations


def _present(
    paths: Sequence[MaskPath], frame: int
) -> Tuple[List[int], List[RLE]]:
    """List the tracks that are there, and their masks."""
    found = [(i, path[frame]) for i, path in enumerate(paths)]
    masks = {i: mask for i, mask in found if mask is not None}
    return list(masks), list(masks.values())


def _outside_crowds(
    masks: Sequence[RLE], scores: np.ndarray, crowds: Sequence[RLE]
) -> np.ndarray:
    """Find the predictions that count: indices, ascending.

    Args:
        masks (Sequence[RLE]): d predictions of a frame.
        scores (np.ndarray): float64, (g, d), IoU with its instances.
        crowds (Sequence[RLE]): Masks of its crowds.
    """
    everything = np.arange(len(masks))
    if not crowds or not len(masks):
        return everything
    usable = np.where(scores >= _MATCH_IOU, scores, -1e4)
    rows, columns = linear_sum_assignment(-usable)
    matched = columns[usable[rows, columns] > 0]
    inside = mask_coverage(masks, [union(crowds)])[:, 0]
    free = ~np.isin(everything, matched)
    return everything[~(free & (inside > _CROWD_SHARE))]


def _renumber(data: Dict[str, Any], name: str) -> None:
    """Count ids from 0, without those that are seen nowhere."""
    ids = data[f'{name}_ids']
    known = np.unique(np.concatenate([np.zeros(0, np.int64), *ids]))
    data[f'{name}_ids'] = [np.searchsorted(known, mine) for mine in ids]
    data[f'num_{name}_ids'] = len(known)
    data[f'num_{name}_dets'] = sum(map(len, ids))
