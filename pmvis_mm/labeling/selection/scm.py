"""SCM, the score of corresponding masks (PM-VIS, Eq. 4-5).

``SCM(m1, m2 | g) = IoU(m1, m2) * IoU(Box(m1), g) * IoU(Box(m2), g)``: two
masks of one instance agree with each other and with its box ``g``.
Symmetric, in [0, 1], 0 if either mask is empty, 1 for two equal masks whose
tight box is ``g``.
"""

from typing import Collection, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
from scipy.optimize import linear_sum_assignment

from ...structures import RLE, Box
from ...structures.rle import mask_iou, tight_boxes, union

BOX_TERMS = ('iou', 'giou')
BOX_RULES = ('half_open', 'inclusive')
ASSIGNMENTS = ('hungarian', 'greedy', 'argmax', 'union')


def box_iou(
    boxes: np.ndarray, others: np.ndarray, term: str = 'iou'
) -> np.ndarray:
    """Compute the overlap of boxes, element by element with broadcasting.

    Args:
        boxes (np.ndarray): float, (..., 4), half-open xyxy, pixels.
        others (np.ndarray): float, (..., 4), broadcast against ``boxes``.
        term (str): 'iou', or 'giou' (generalised IoU, clamped at 0).

    Returns:
        np.ndarray: float64, (...), in [0, 1]; 0 where either box is empty.

    Raises:
        ValueError: If ``term`` is unknown.
    """
    _check_options(term, BOX_RULES[0])
    boxes, others = np.broadcast_arrays(
        np.asarray(boxes, float), np.asarray(others, float)
    )
    inter = _extent(
        np.maximum(boxes[..., :2], others[..., :2]),
        np.minimum(boxes[..., 2:], others[..., 2:]),
    )
    first = _extent(boxes[..., :2], boxes[..., 2:])
    second = _extent(others[..., :2], others[..., 2:])
    total = first + second - inter
    valid = (first > 0) & (second > 0)
    result = np.divide(inter, total, out=np.zeros_like(inter), where=valid)
    if term == 'giou':
        hull = _extent(
            np.minimum(boxes[..., :2], others[..., :2]),
            np.maximum(boxes[..., 2:], others[..., 2:]),
        )
        result -= np.divide(
            hull - total, hull, out=np.zeros_like(hull), where=valid
        )
        result = np.maximum(result, 0)
    return result


def _extent(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.prod(np.clip(high - low, 0, None), axis=-1)


def box_fit(
    masks: Sequence[Optional[RLE]],
    box: Sequence[float],
    box_term: str = 'iou',
    box_rule: str = 'half_open',
) -> np.ndarray:
    """Compute how well the tight boxes of masks fit an annotated box.

    Args:
        masks (Sequence[RLE | None]): N masks; None counts as empty.
        box (Sequence[float]): Annotated box, half-open xyxy in pixels.
        box_term (str): 'iou' or 'giou'. Defaults to 'iou'.
        box_rule (str): 'half_open' (a perfect mask scores 1) or 'inclusive'
            (the last pixel is not counted, as in the released PM-VIS code).

    Returns:
        np.ndarray: float64, (N,), in [0, 1]; 0 for an empty mask.

    Raises:
        ValueError: If an option is unknown.
    """
    _check_options(box_term, box_rule)
    boxes = _mask_boxes(masks, box_rule)
    return box_iou(boxes, np.asarray(box, float), box_term)


def _check_options(box_term: str, box_rule: str) -> None:
    for name, value, choices in (
        ('box_term', box_term, BOX_TERMS),
        ('box_rule', box_rule, BOX_RULES),
    ):
        if value not in choices:
            raise ValueError(
                f'{name} should be one of {choices}, got {value!r}'
            )


def _mask_boxes(masks: Sequence[Optional[RLE]], box_rule: str) -> np.ndarray:
    boxes = tight_boxes(masks)
    if box_rule == 'inclusive':
        boxes[:, 2:] -= 1
    return boxes


def pairwise_scm(
    masks: Sequence[Optional[RLE]],
    box: Sequence[float],
    box_term: str = 'iou',
    box_rule: str = 'half_open',
) -> np.ndarray:
    """Compute SCM between all masks of one instance in one frame.

    Args:
        masks (Sequence[RLE | None]): N candidates; None counts as empty.
        box (Sequence[float]): Annotated box, half-open xyxy in pixels.
        box_term (str): See :func:`box_fit`.
        box_rule (str): See :func:`box_fit`.

    Returns:
        np.ndarray: float64, (N, N), symmetric; the diagonal is the squared
        box fit of each mask.
    """
    return _scm(masks, masks, [box] * len(masks), box_term, box_rule)


def _scm(
    first: Sequence[Optional[RLE]],
    second: Sequence[Optional[RLE]],
    second_boxes: Sequence[Sequence[float]],
    box_term: str,
    box_rule: str,
) -> np.ndarray:
    """SCM of every mask with every (mask, its annotated box)."""
    _check_options(box_term, box_rule)
    result = np.zeros((len(first), len(second)))
    rows = [i for i, mask in enumerate(first) if mask is not None]
    columns = [i for i, mask in enumerate(second) if mask is not None]
    if not rows or not columns:
        return result
    one, two = [first[i] for i in rows], [second[j] for j in columns]
    boxes = np.asarray([second_boxes[j] for j in columns], float)
    tight = _mask_boxes(one, box_rule)
    fit_one = box_iou(tight[:, None], boxes[None], box_term)
    fit_two = box_iou(_mask_boxes(two, box_rule), boxes, box_term)
    result[np.ix_(rows, columns)] = (
        mask_iou(one, two) * (fit_one * fit_two[None])  # type: ignore[arg-type]
    )
    return result


def cross_scm(
    predictions: Sequence[Optional[RLE]],
    references: Sequence[Optional[RLE]],
    boxes: Sequence[Box],
    box_term: str = 'iou',
    box_rule: str = 'half_open',
) -> np.ndarray:
    """Compute SCM of every prediction with every instance of a frame.

    Args:
        predictions (Sequence[RLE | None]): P predicted masks.
        references (Sequence[RLE | None]): G masks prompted by the boxes.
        boxes (Sequence[Box]): G annotated boxes, half-open xyxy, pixels.
        box_term (str): See :func:`box_fit`.
        box_rule (str): See :func:`box_fit`.

    Returns:
        np.ndarray: float64, (P, G).
    """
    return _scm(predictions, references, boxes, box_term, box_rule)


def assign_predictions(
    predictions: Sequence[RLE],
    references: Sequence[Optional[RLE]],
    boxes: Sequence[Box],
    method: str = 'hungarian',
    min_scm: float = 0.0,
    prediction_labels: Optional[Sequence[Union[int, Collection[int]]]] = None,
    labels: Optional[Sequence[int]] = None,
    box_term: str = 'iou',
    box_rule: str = 'half_open',
) -> List[Tuple[Optional[RLE], float]]:
    """Give every annotated instance of a frame a predicted mask.

    PM-VIS, section III-C2: SCM establishes the correspondence between
    predicted masks and boxes with the help of box-prompted masks.

    Args:
        predictions (Sequence[RLE]): P predicted masks; duplicates (one
            track under several classes) are allowed.
        references (Sequence[RLE | None]): G box-prompted masks.
        boxes (Sequence[Box]): G annotated boxes, half-open xyxy, pixels.
        method (str): 'hungarian' (one-to-one, highest total), 'greedy'
            (one-to-one, highest first), 'argmax' (each instance its best;
            a mask may serve twice) or 'union' (each mask goes to its best
            instance, masks of one instance are united). Defaults to
            'hungarian'.
        min_scm (float): An assignment needs more than this. Defaults to 0.
        prediction_labels (Sequence, optional): Class, or classes, of each
            of the P masks; with ``labels`` only masks of which one is the
            right class are considered.
        labels (Sequence[int], optional): G classes.
        box_term (str): See :func:`box_fit`.
        box_rule (str): See :func:`box_fit`.

    Returns:
        list[tuple]: Per instance its mask and SCM, (None, 0.0) if none.

    Raises:
        ValueError: If an option is unknown.
    """
    if method not in ASSIGNMENTS:
        raise ValueError(
            f'method should be one of {ASSIGNMENTS}, got {method!r}'
        )
    scores = cross_scm(predictions, references, boxes, box_term, box_rule)
    if prediction_labels is not None and labels is not None:
        scores = np.where(_same_label(prediction_labels, labels), scores, 0)
    scores = np.where(scores > min_scm, scores, 0)
    if method == 'union':
        return _unite(predictions, scores)
    pairs = _MATCHERS[method](scores)
    return [
        (predictions[pairs[g]], float(scores[pairs[g], g]))
        if g in pairs
        else (None, 0.0)
        for g in range(len(boxes))
    ]


def _same_label(
    predicted: Sequence[Union[int, Collection[int]]], labels: Sequence[int]
) -> np.ndarray:
    """Compare classes: bool, (P, G)."""
    same = np.zeros((len(predicted), len(labels)), bool)
    for row, own in zip(same, predicted):
        row[:] = np.isin(labels, list(own) if np.iterable(own) else [own])
    return same


def _unite(
    predictions: Sequence[RLE], scores: np.ndarray
) -> List[Tuple[Optional[RLE], float]]:
    result: List[Tuple[Optional[RLE], float]] = []
    owner = np.where(scores.max(1, initial=0) > 0, _argmax_rows(scores), -1)
    for g in range(scores.shape[1]):
        mine = [p for p in range(len(predictions)) if owner[p] == g]
        if not mine:
            result.append((None, 0.0))
            continue
        mask = union([predictions[p] for p in mine])
        result.append((mask, float(scores[mine, g].max())))
    return result


def _argmax_rows(scores: np.ndarray) -> np.ndarray:
    if not scores.size:
        return np.zeros(scores.shape[0], int)
    return scores.argmax(1)


def _match_hungarian(scores: np.ndarray) -> Dict[int, int]:
    rows, columns = linear_sum_assignment(-scores)
    return {g: p for p, g in zip(rows, columns) if scores[p, g] > 0}


def _match_greedy(scores: np.ndarray) -> Dict[int, int]:
    pairs: Dict[int, int] = {}
    left = scores.copy()
    while left.size and left.max() > 0:
        p, g = np.unravel_index(left.argmax(), left.shape)
        pairs[int(g)] = int(p)
        left[p], left[:, g] = 0, 0
    return pairs


def _match_argmax(scores: np.ndarray) -> Dict[int, int]:
    if not scores.size:
        return {}
    best = scores.argmax(0)
    return {g: int(p) for g, p in enumerate(best) if scores[p, g] > 0}


_MATCHERS = dict(
    hungarian=_match_hungarian, greedy=_match_greedy, argmax=_match_argmax
)
