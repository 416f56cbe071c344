"""The quality estimator: predicts the IoU of masks with the unknown truth."""

from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Sequence, Tuple

import numpy as np
from scipy.ndimage import gaussian_filter1d

from .quality_cues import CUES
from .quality_table import CueTable

# IoU of masks that are copies.
_SAME = 0.995
# A source's record counts this far, as standard deviation in frames: the
# tracker that was right at its keyframe is lost a second later.
WINDOW = 4.0
AGREEMENTS = ('trusted', 'explains', 'alone')


def _names(cues: Tuple[str, ...]) -> List[str]:
    return [*cues, *(f'mean_{cue}' for cue in cues)]


# Weights go by these names: of a cue in the frame, and of its mean over the
# near frames of the source ('mean_...').
OWN_FEATURES = _names(CUES)
JOINT_FEATURES = _names((*CUES, *AGREEMENTS))


def local_mean(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Average over the near frames in which a source has a mask.

    Args:
        values (np.ndarray): float, (S, T, K).
        present (np.ndarray): bool, (S, T).

    Returns:
        np.ndarray: float64, (S, T, K), weighted by a Gaussian of
        ``WINDOW`` frames; 0 in frames without a mask.
    """
    here = present[..., None]
    weight = _near(here.astype(float))
    mean = _near(np.where(here, values, 0.0)) / np.maximum(weight, 1e-12)
    return np.where(here, mean, 0.0)


def _near(values: np.ndarray) -> np.ndarray:
    return gaussian_filter1d(
        values, WINDOW, axis=1, mode='constant', truncate=8
    )


def with_means(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Put the means of the near frames beside the values of each frame.

    Args:
        values (np.ndarray): float, (S, T, K).
        present (np.ndarray): bool, (S, T).

    Returns:
        np.ndarray: float64, (S, T, 2 * K).
    """
    return np.concatenate([values, local_mean(values, present)], axis=2)


def derived(ious: np.ndarray) -> np.ndarray:
    """Find sources that were made from one another.

    Two sources that do not know of each other hardly ever give one mask to
    the pixel; a track has the mask that it started from.

    Args:
        ious (np.ndarray): float, (S, S, T), of the candidates.

    Returns:
        np.ndarray: bool, (S, S), True for sources linked by equal masks in
        some frame, over others if need be, and on the diagonal.
    """
    number = len(ious)
    linked = (ious > _SAME).any(2) | np.eye(number, dtype=bool)
    for middle in range(number):
        linked |= linked[:, middle, None] & linked[None, middle]
    return linked


def agreement_features(
    table: CueTable, expected: np.ndarray, trust: float
) -> np.ndarray:
    """Compare each candidate with the others.

    If a candidate were the truth, its IoU with each other source would be
    the quality expected of that source. So two weak sources that agree do
    not outvote a good one: they do not explain it. Sources of which one was
    made from the other are no witnesses for each other, and but one witness
    for all others, see :func:`derived`.

    Args:
        table (CueTable): S candidates, T frames.
        expected (np.ndarray): float, (S, T), IoU with the truth that the
            own cues of each candidate promise.
        trust (float): How much more a source counts for every unit of
            expected IoU, as an exponent.

    Returns:
        np.ndarray: float64, (S, T, 2), in [0, 1]: mean IoU with the others,
        weighted by what is expected of them ('trusted'); and 1 minus how
        much their IoU falls short of that ('explains'). Without others: 0.5
        and 0.8.
    """
    linked = derived(table.ious)
    others = table.present[None] & ~linked[..., None]
    others = others / linked.sum(1)[None, :, None]
    weight = others * np.exp(trust * expected)[None]
    quality = np.clip(expected, 0, 1)[None]
    short = np.maximum(quality - table.ious, 0)
    return np.stack(
        [
            _average(table.ious, weight, 0.5),
            1 - _average(short, others, 0.2),
        ],
        axis=2,
    )


def _average(
    values: np.ndarray, weight: np.ndarray, empty: float
) -> np.ndarray:
    """Average (S, S, T) over the second axis; ``empty`` without weight."""
    total = weight.sum(1)
    mean = (weight * values).sum(1) / np.maximum(total, 1e-12)
    return np.where(total > 0, mean, empty)


def alone_features(
    tables: Sequence[CueTable], expected: Sequence[np.ndarray], trust: float
) -> List[np.ndarray]:
    """Tell whether masks keep off the other instances.

    Where a rider sits on a vehicle, boxes overlap and a mask of both fits
    either. A source that looks good on the rider tells which pixels are not
    the vehicle's.

    Args:
        tables (Sequence[CueTable]): The instances of one video.
        expected (Sequence[np.ndarray]): Per instance float, (S, T), as in
            :func:`agreement_features`.
        trust (float): See there.

    Returns:
        list[np.ndarray]: Per instance float64, (S, T), in [0, 1]: 1 minus
        the share of the mask that lies in the masks of the neighbour it
        shares most with, averaged over that one's sources by trust.
    """
    result = []
    for table in tables:
        most = np.zeros(table.present.shape)
        for other, share in table.covered.items():
            weight = tables[other].present * np.exp(trust * expected[other])
            total = np.maximum(weight.sum(0), 1e-12)
            most = np.maximum(most, (share * weight[None]).sum(1) / total)
        result.append(1 - most)
    return result


@dataclass(frozen=True)
class QualityModel:
    """A linear model with non-negative weights, in two steps.

    First every candidate is judged by its own cues; then the candidates are
    compared with each other in the light of that. As no weight is negative,
    a cue that improves never lowers the estimate of its own mask in the
    first step.

    Attributes:
        own (dict): Weights of the first step, by name of ``OWN_FEATURES``;
            0 where left out.
        own_bias (float): Its constant.
        joint (dict): Weights of the second step, of ``JOINT_FEATURES``.
        joint_bias (float): Its constant.
        trust (float): See :func:`agreement_features`. Defaults to 8.
    """

    own: Mapping[str, float]
    own_bias: float
    joint: Mapping[str, float] = field(default_factory=dict)
    joint_bias: float = 0.0
    trust: float = 8.0

    def __post_init__(self) -> None:
        for names, weights in (
            (OWN_FEATURES, self.own),
            (JOINT_FEATURES, self.joint),
        ):
            unknown = sorted(set(weights) - set(names))
            if unknown or any(w < 0 for w in weights.values()):
                raise ValueError(
                    f'weights should be non-negative and named as in {names}'
                    f', got {dict(weights)}'
                )

    def own_features(self, table: CueTable) -> np.ndarray:
        """Features of the first step: float64, (S, T, F)."""
        return with_means(table.filled(), table.present)

    def expected(self, table: CueTable) -> np.ndarray:
        """Judge every candidate by its own cues.

        Returns:
            np.ndarray: float64, (S, T), expected IoU; means nothing where
            there is no mask.
        """
        weights = _vector(self.own, OWN_FEATURES)
        return self.own_features(table) @ weights + self.own_bias

    def joint_features(self, tables: Sequence[CueTable]) -> List[np.ndarray]:
        """Features of the second step: per instance float64, (S, T, F)."""
        expected = [self.expected(table) for table in tables]
        alone = alone_features(tables, expected, self.trust)
        result = []
        for table, quality, free in zip(tables, expected, alone):
            agreements = agreement_features(table, quality, self.trust)
            values = np.concatenate(
                [table.filled(), agreements, free[..., None]], axis=2
            )
            result.append(with_means(values, table.present))
        return result

    def predict(self, tables: Sequence[CueTable]) -> List[np.ndarray]:
        """Predict the IoU of every candidate with the truth.

        Args:
            tables (Sequence[CueTable]): All instances of one video.

        Returns:
            list[np.ndarray]: Per instance float64, (S, T), in [0, 1]; 0
            where there is no mask.
        """
        weights = _vector(self.joint, JOINT_FEATURES)
        return [
            np.where(
                table.present,
                np.clip(features @ weights + self.joint_bias, 0, 1),
                0.0,
            )
            for table, features in zip(tables, self.joint_features(tables))
        ]

    def to_json(self) -> Dict[str, object]:
        """Write as plain numbers, zeros left out."""
        return dict(
            own=_rounded(self.own),
            own_bias=round(self.own_bias, 4),
            joint=_rounded(self.joint),
            joint_bias=round(self.joint_bias, 4),
            trust=self.trust,
        )


def _vector(weights: Mapping[str, float], names: List[str]) -> np.ndarray:
    return np.array([weights.get(name, 0.0) for name in names])


def _rounded(weights: Mapping[str, float]) -> Dict[str, float]:
    return {k: round(w, 4) for k, w in weights.items() if round(w, 4) > 0}
