"""Ensembles: the forecasts of several candidates combined, as their backtests say.

They cost no fit of their own in the backtest, and keep a single lucky candidate from winning. The
baseline is a member too: it is wrong in other ways than the candidates are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from many_models.core.arrays import Floats
from many_models.core.forecast.candidates.port import FittedCandidate, Outlook
from many_models.core.forecast.use_case import BASELINE

MEDIAN, WEIGHTED = "ensemble_median", "ensemble_weighted"
ENSEMBLES = (MEDIAN, WEIGHTED)
FOLDS_NEEDED = 3
CANDIDATES_NEEDED = 3  # beside the baseline: of fewer there is little to combine
MEMBERS_LIMITED = 4  # from this many on, the two in the middle say how far the others may go


@dataclass(frozen=True)
class Ensemble:
    """The weighted mean of its members' forecasts, or their median where there are no weights.

    ``names`` are those of the members.
    """

    members: tuple[FittedCandidate, ...]
    weights: tuple[float, ...] | None
    names: tuple[str, ...] = ()

    @property
    def memory(self) -> int:
        return max(member.memory for member in self.members)

    def predict(self, outlook: Outlook) -> Floats:
        return combine(np.stack([m.predict(outlook) for m in self.members]), self.weights)


def combine(forecasts: Floats, weights: tuple[float, ...] | Floats | None) -> Floats:
    """Weighted mean, or median without weights, over the first axis.

    In the mean, no forecast is higher than the second highest or lower than the second lowest, so
    that a single member that goes astray takes nobody with it.
    """
    if weights is None:
        middle: Floats = np.median(forecasts, axis=0)
        return middle
    if len(forecasts) >= MEMBERS_LIMITED:
        ordered = np.sort(forecasts, axis=0)
        forecasts = np.clip(forecasts, ordered[1], ordered[-2])
    mean: Floats = np.tensordot(np.asarray(weights), forecasts, axes=1)
    return mean


def backtest_ensembles(forecasts: Mapping[str, Floats], actual: Floats) -> dict[str, Floats]:
    """What the ensembles of ``forecasts``, each (F, H), would have forecast; the latest fold first.

    The weights in one fold come from the folds before it, as they would have at the time; in the
    oldest one they are equal.
    """
    if len(forecasts.keys() - {BASELINE}) < CANDIDATES_NEEDED:
        return {}
    stacked = np.stack(list(forecasts.values()))
    weighted = np.full(actual.shape, np.nan)
    for fold in range(len(actual)):
        weights = weigh(stacked[:, fold + 1 :], actual[fold + 1 :])
        weighted[fold] = combine(stacked[:, fold], weights)
    return {MEDIAN: combine(stacked, None), WEIGHTED: weighted}


def weigh(forecasts: Floats, actual: Floats) -> Floats:
    """Weights (M,) of members with forecasts (M, F, H): their inverse squared errors, of sum 1.

    Bates & Granger (1969). Without anything to compare with, all are equal.
    """
    squared = (forecasts - actual) ** 2
    there = ~np.isnan(squared).all(axis=0)
    error = np.nanmean(squared[:, there], axis=1) if there.any() else np.zeros(len(forecasts))
    if not error.max():
        return np.full(len(forecasts), 1 / len(forecasts))
    inverse = 1 / np.maximum(error, 1e-12 * error.max())
    weights: Floats = inverse / inverse.sum()
    return weights


def choose_winner(scores: Mapping[str, float], errors: Mapping[str, Floats]) -> str:
    """The best by ``scores``, the lower the better; but the ensemble, unless it is clearly beaten.

    Few folds say little about which of several good candidates is the best, while their weighted
    mean is hardly ever bad. To win against it takes a smaller error in each of ``FOLDS_NEEDED``
    folds or more, and a score that is better by sqrt(2 log(k) / n) of itself: about what the
    luckiest of ``k`` equals gains by chance over the ``n`` periods judged, if their errors vary as
    much as they are large. ``errors`` are absolute (F, H), NaN where nothing was judged.
    """
    best = min(scores, key=lambda name: scores[name])
    if WEIGHTED not in scores or best == WEIGHTED:
        return best
    judged = ~np.isnan(errors[WEIGHTED])
    gains = np.where(judged, errors[WEIGHTED] - errors[best], 0.0).sum(axis=1)[judged.any(axis=1)]
    clear = len(gains) >= FOLDS_NEEDED and (gains > 0).all()
    margin = np.sqrt(2 * np.log(len(scores)) / judged.sum())
    return best if clear and scores[best] < (1 - margin) * scores[WEIGHTED] else WEIGHTED
