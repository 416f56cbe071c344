"""SHQM, selection of high-quality masks (PM-VIS, Eq. 6-8)."""

from typing import Mapping, Optional, Sequence, Tuple

import numpy as np

from ...structures import RLE, MaskTrack
from ...structures.rle import area
from .scm import pairwise_scm


def agreement(
    candidates: Sequence[Optional[RLE]],
    box: Sequence[float],
    box_term: str = 'iou',
    box_rule: str = 'half_open',
) -> np.ndarray:
    """Sum up each candidate's SCM with all the others (Eq. 7).

    Args:
        candidates (Sequence[RLE | None]): N masks of one instance in one
            frame; None counts as empty.
        box (Sequence[float]): Annotated box, half-open xyxy, pixels.
        box_term (str): 'iou' or 'giou'. Defaults to 'iou'.
        box_rule (str): 'half_open' or 'inclusive'.

    Returns:
        np.ndarray: float64, (N,), A_i = sum over j != i of SCM(m_i, m_j).
    """
    scores = pairwise_scm(candidates, box, box_term, box_rule)
    np.fill_diagonal(scores, 0)
    return scores.sum(1)


def shqm(
    candidates: Sequence[Optional[RLE]],
    box: Sequence[float],
    priority: Optional[Sequence[int]] = None,
    box_term: str = 'iou',
    box_rule: str = 'half_open',
) -> Tuple[Optional[int], float]:
    """Choose the candidate that agrees best with the others (Eq. 8).

    Args:
        candidates (Sequence[RLE | None]): N masks of one instance in one
            frame.
        box (Sequence[float]): Annotated box, half-open xyxy, pixels.
        priority (Sequence[int], optional): Order in which candidates win
            ties, first wins. Candidates that it leaves out follow, the last
            one first; that is also the default (by the paper's order of
            quality: tracked, predicted, prompted).
        box_term (str): 'iou' or 'giou'. Defaults to 'iou'.
        box_rule (str): 'half_open' or 'inclusive'.

    Returns:
        tuple: Index of the winner, None if all candidates are empty; and
        its mean SCM with the other candidates that are not empty, in
        [0, 1].
    """
    present = [
        i for i, m in enumerate(candidates) if m is not None and area(m)
    ]
    totals = agreement(candidates, box, box_term, box_rule)
    if not present:
        return None, 0.0
    best = max(totals[i] for i in present)
    # Equal up to rounding is a tie: sums in another order differ by an ulp.
    order = [*(priority or ()), *range(len(candidates) - 1, -1, -1)]
    winner = next(
        i for i in order if i in present and totals[i] >= best - 1e-12
    )
    return winner, float(totals[winner]) / max(len(present) - 1, 1)


def select_track(
    track: MaskTrack,
    candidates: Mapping[str, MaskTrack],
    require: Sequence[str] = (),
    priority: Optional[Sequence[str]] = None,
    box_term: str = 'iou',
    box_rule: str = 'half_open',
) -> MaskTrack:
    """Select a mask in every frame of one instance.

    Args:
        track (MaskTrack): Gives id and boxes; its masks are not read.
        candidates (Mapping[str, MaskTrack]): Masks by name of the source;
            an absent source may be left out.
        require (Sequence[str]): Sources without whose mask a frame gets
            none. The paper's Track-masks-final has as many annotations as
            its IDOL-BoxInst masks. Defaults to none.
        priority (Sequence[str], optional): Who wins ties, first wins.
            Defaults to the last candidate first.
        box_term (str): 'iou' or 'giou'. Defaults to 'iou'.
        box_rule (str): 'half_open' or 'inclusive'.

    Returns:
        MaskTrack: New track; sources name the winners, scores are their
        mean SCM with the other candidates.
    """
    result = MaskTrack.empty_like(track)
    names = list(candidates)
    order = [names.index(n) for n in priority or () if n in names]
    for frame, box in enumerate(track.boxes):
        masks = [candidates[name].masks[frame] for name in names]
        if box is None or is_held_back(candidates, require, frame):
            continue
        winner, score = shqm(masks, box, order, box_term, box_rule)
        if winner is not None:
            result.set(frame, masks[winner], names[winner], score)
    return result


def is_held_back(
    candidates: Mapping[str, MaskTrack], require: Sequence[str], frame: int
) -> bool:
    """Does a frame lack the mask of a source that it needs?"""
    return any(
        name not in candidates or candidates[name].masks[frame] is None
        for name in require
    )
