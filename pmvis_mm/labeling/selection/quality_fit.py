"""Fits the quality estimator to candidates whose IoU is known."""

from typing import Dict, Iterator, List, Sequence, Tuple

import numpy as np
from scipy.optimize import nnls

from .best_path import best_path
from .quality_model import JOINT_FEATURES, OWN_FEATURES, QualityModel
from .quality_table import CueTable, keep_sources

# Pairs of sources that repeat each other's mistakes: without them in the
# sets that the fit sees, it would learn that agreement is proof.
RELATED = (
    ('grabcut', 'flow'),
    ('grabcut', 'like_grabcut'),
    ('like_grabcut', 'flow'),
    ('grabcut', 'color'),
    ('ellipse', 'box'),
    ('ellipse', 'like_ellipse'),
    ('saliency', 'like_saliency'),
    ('saliency', 'grabcut'),
    ('flow', 'like_flow'),
    ('model', 'flow_model'),
    ('box', 'hull'),
)

# The instances of one video, and per instance the IoU of its candidates with
# the truth: float64, (S, T), NaN where there is none.
Known = Tuple[List[CueTable], List[np.ndarray]]


def draw_candidates(
    known: Sequence[Known], rng: np.random.Generator, draws: int = 10
) -> Iterator[Known]:
    """Draw sets of two to five candidates, as a labelling run has them.

    Args:
        known (Sequence[tuple]): Per video its tables of many sources, and
            the truth.
        rng (np.random.Generator): Source of randomness.
        draws (int): Sets per video; every other one starts with two related
            sources. Defaults to 10.

    Yields:
        tuple: Tables and truth of the sources drawn.
    """
    for tables, truths in known:
        every = tables[0].names
        for draw in range(draws):
            names: List[str] = []
            if draw % 2 == 0:
                names += RELATED[rng.integers(len(RELATED))]
            number = min(int(rng.integers(1, 4)) + draw % 2, len(every))
            names += rng.choice(every, number, replace=False).tolist()
            names = [n for n in dict.fromkeys(names) if n in every]
            if len(names) < 2:
                continue
            kept = keep_sources(tables, names)
            rows = [every.index(name) for name in names]
            yield kept, [truth[rows] for truth in truths]


def fit_quality(
    known: Sequence[Known],
    ridge: float = 0.01,
    level: float = 0.1,
    trust: float = 8.0,
    leave_out: Sequence[str] = (),
) -> QualityModel:
    """Fit both steps by non-negative least squares.

    What counts is which candidate is better: the differences from the mean
    of the candidates of one instance and frame are fitted, and with less
    weight the level. A linear map then brings the predictions to the scale
    of IoU; it leaves the order of candidates as it is.

    Args:
        known (Sequence[tuple]): Sets of candidates, see
            :func:`draw_candidates`.
        ridge (float): Shrinks the weights of standardised features.
            Defaults to 0.01.
        level (float): Weight of the level's errors. Defaults to 0.1.
        trust (float): See
            :func:`~.quality_model.agreement_features`.
        leave_out (Sequence[str]): Features to do without.

    Returns:
        QualityModel: The fit.

    Raises:
        ValueError: If there are no candidates.
    """
    if not any(t.present.any() for tables, _ in known for t in tables):
        raise ValueError('no candidates to fit to')
    tables = [table for video, _ in known for table in video]
    truths = [truth for _, video in known for truth in video]

    def solve(
        features: List[np.ndarray], names: Sequence[str]
    ) -> Tuple[Dict[str, float], float]:
        used = np.array([name not in leave_out for name in names])
        weights, bias = _solve(features, tables, truths, used, ridge, level)
        return {n: float(w) for n, w in zip(names, weights) if w > 0}, bias

    blank = QualityModel({}, 0.0, trust=trust)
    first = [blank.own_features(table) for table in tables]
    own, own_bias = solve(first, OWN_FEATURES)
    model = QualityModel(own, own_bias, trust=trust)
    second = [f for video, _ in known for f in model.joint_features(video)]
    joint, joint_bias = solve(second, JOINT_FEATURES)
    return QualityModel(own, own_bias, joint, joint_bias, trust)


def _solve(
    features: Sequence[np.ndarray],
    tables: Sequence[CueTable],
    truths: Sequence[np.ndarray],
    used: np.ndarray,
    ridge: float,
    level: float,
) -> Tuple[np.ndarray, float]:
    """Find non-negative weights and the constant."""
    rows, targets, groups = [], [], []
    start = 0
    for values, table, truth in zip(features, tables, truths):
        here = table.present & ~np.isnan(truth)
        rows.append(values[here])
        targets.append(truth[here])
        groups.append(np.nonzero(here)[1] + start)
        start += truth.shape[1]
    x, y = np.concatenate(rows), np.concatenate(targets)
    group = np.unique(np.concatenate(groups), return_inverse=True)[1]
    size = np.bincount(group)

    def spread(values: np.ndarray) -> np.ndarray:
        mean = (np.bincount(group, values) / size)[group]
        away = level * (values - values.mean())
        return np.concatenate([values - mean, away])

    columns = np.stack([spread(column) for column in x.T], axis=1)
    scale = columns.std(0) + 1e-9
    shrink = np.sqrt(ridge * len(columns)) * np.eye(len(used))
    matrix = np.concatenate([columns / scale * used, shrink])
    target = np.concatenate([spread(y), np.zeros(len(used))])
    weights = nnls(matrix, target)[0] / scale
    # What is too small to matter would only lengthen the list.
    weights[weights < 5e-4] = 0
    predicted = x @ weights
    if predicted.std() > 0:
        weights *= max(np.cov(predicted, y)[0, 1] / predicted.var(ddof=1), 0.1)
    return weights, float(y.mean() - x.mean(0) @ weights)


def compare_rules(
    model: QualityModel, known: Sequence[Known], switch_cost: float
) -> Dict[str, float]:
    """Measure how well the estimator selects.

    Args:
        model (QualityModel): The estimator.
        known (Sequence[tuple]): Sets of candidates that it has not seen.
        switch_cost (float): See :func:`~.best_path.best_path`.

    Returns:
        dict[str, float]: Mean IoU with the truth of what SHQM ('shqm'), the
        estimator ('quality') and an oracle ('oracle') choose, over the
        frames with a candidate; and the correlation of predicted and true
        IoU over all candidates ('correlation').
    """
    chosen: Dict[str, List[float]] = dict(shqm=[], quality=[], oracle=[])
    pairs = []
    for tables, truths in known:
        for table, truth, quality in zip(
            tables, truths, model.predict(tables)
        ):
            frames = np.flatnonzero(table.present.any(0))
            paths = dict(
                shqm=shqm_path(table),
                quality=best_path(quality, table.present, switch_cost),
                oracle=np.nan_to_num(truth, nan=-1).argmax(0),
            )
            for name, path in paths.items():
                chosen[name] += truth[path[frames], frames].tolist()
            pairs.append(np.stack([quality, truth])[:, table.present])
    result = {name: float(np.mean(v)) for name, v in chosen.items()}
    result['correlation'] = float(np.corrcoef(np.concatenate(pairs, 1))[0, 1])
    return result


def shqm_path(table: CueTable) -> np.ndarray:
    """Choose by SHQM (PM-VIS, Eq. 6-8) from what a table holds.

    Returns:
        np.ndarray: int64, (T,), the source of each frame; -1 without
        candidates. Ties go to the last source.
    """
    scores = table.ious * table.fits[:, None] * table.fits[None]
    scores[np.diag_indices(len(table.names))] = 0
    total = np.where(table.present, scores.sum(1), -1)
    tied = total >= total.max(0) - 1e-12
    last = len(tied) - 1 - tied[::-1].argmax(0)
    return np.where(table.present.any(0), last, -1)
