"""Which queries of a frame are detections."""

import torch
from mmcv.ops import batched_nms
from torch import Tensor

from ...utils.errors import ConfigError, PMVISError


def select_queries(
    scores: Tensor,
    boxes: Tensor,
    score_thr: float = 0.1,
    nms_iou: float = 0.9,
) -> Tensor:
    """Select the queries of one frame that go to the tracker.

    A query's score is that of its best class. Those above ``score_thr``
    pass a NMS within each (best) class. If there is none, the best query is
    taken: too weak to start a track, it can still continue one. Selection
    of the public code of IDOL.

    Args:
        scores (Tensor): float, (Q, K), after sigmoid.
        boxes (Tensor): float, (Q, 4), cxcywh, normalised by the size of
            the image.
        score_thr (float): Defaults to 0.1.
        nms_iou (float): Box IoU above which the worse of two queries of a
            class is dropped. Defaults to 0.9.

    Returns:
        Tensor: int64, (n, ), indices into Q, best score first, equal
        scores in the order of the queries; n >= 1 if Q >= 1.

    Raises:
        ConfigError: If a threshold is not in [0, 1].
        PMVISError: If the shapes do not fit together.
    """
    _check(scores, boxes, score_thr, nms_iou)
    if len(scores) == 0:
        return torch.zeros(0, dtype=torch.long, device=scores.device)
    best, labels = scores.float().max(1)
    chosen = (best > score_thr).nonzero().flatten()
    if len(chosen) == 0:
        return best.argmax().reshape(1)
    chosen = chosen[best[chosen].argsort(descending=True, stable=True)]
    center, size = boxes[chosen].float().split(2, dim=1)
    corners = torch.cat([center - 0.5 * size, center + 0.5 * size], dim=1)
    # Ranks, not scores: mmcv's sort leaves the order of equal ones open.
    ranks = torch.arange(len(chosen), 0, -1, device=corners.device)
    # split_thr: no other algorithm for many boxes.
    nms = dict(type='nms', iou_threshold=nms_iou, split_thr=len(scores) + 1)
    _, kept = batched_nms(corners, ranks.float(), labels[chosen], nms)
    return chosen[kept]


def _check(
    scores: Tensor, boxes: Tensor, score_thr: float, nms_iou: float
) -> None:
    for name, value in (('score_thr', score_thr), ('nms_iou', nms_iou)):
        if not 0 <= value <= 1:
            raise ConfigError(
                f'{name}={value!r} is out of range', fix='use 0 to 1'
            )
    if scores.dim() != 2 or boxes.shape != (len(scores), 4):
        raise PMVISError(
            f'scores {tuple(scores.shape)} and boxes {tuple(boxes.shape)} do '
            'not fit together',
            fix='pass one frame: (Q, K) and (Q, 4)',
        )
