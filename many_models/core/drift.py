"""Whether champions keep the promise of their backtest: errors on actuals, with significance.

Arrays have a row for each of ``G`` groups and a column for each of the window's ``T`` periods, the
latest last. Forecasts of one day from several origins are averaged before they come here, so that
an actual counts once however often it was predicted. Data are ``data_shift``'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from many_models.core.arrays import Flags, Floats, Ints
from many_models.core.drift_rules import DriftRules

PERSISTENCE_MAX = 0.5
"""Autocorrelation of errors that is believed: what is above cannot be told from a change."""

RATIO_MAX = 10.0
"""Ratio of errors that counts: a promise of nearly nothing says little about its size."""


@dataclass(frozen=True)
class Promise:
    """What the backtests of ``G`` champions promised; NaN where nothing is known.

    ``error`` (G) is the mean absolute error in the target's unit, or the share that was wrong;
    ``spread`` (G) the standard deviation of one absolute error, ``judged`` (G) their number.
    """

    error: Floats
    spread: Floats
    judged: Floats
    is_share: bool = False


@dataclass(frozen=True)
class Broken:
    """How ``G`` champions keep their promise.

    ``judged`` (G) counts actuals, ``error`` (G) is NaN where there are none; ``since`` (G) is the
    period of the window, from 0, from which on errors are too large, of those that ``drifted``.
    """

    judged: Ints
    error: Floats
    drifted: Flags
    since: Ints

    def excess(self, promise: Promise) -> Floats:
        """What drift costs (G): error above the promise, summed over the actuals; else 0."""
        above = np.where(self.drifted, (self.error - promise.error) * self.judged, 0.0)
        return np.maximum(above, 0.0)


def judge_accuracy(
    errors: Floats, actuals: Ints, promise: Promise, rules: DriftRules, *, judged_min: int
) -> Broken:
    """Whether the mean error is ``error_ratio`` times the promised one, and not by chance.

    ``errors`` (G, T) are sums of absolute errors over the ``actuals`` (G, T) of each period. The
    test is one-sided, on the logarithm of the ratio, since the spread of errors grows with their
    mean: both means have the larger of both coefficients of variation. Shares are compared as they
    are, with the larger of both variances. Errors are clustered by
    period, and sample sizes are those effective in an autoregressive process (Bayley & Hammersley
    1946); degrees of freedom are Welch's (1947).
    """
    judged = actuals.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = errors.sum(axis=1) / judged
        variance, inflation = mean_variance(errors, actuals.astype(float), error)
        parts = np.stack([inflation / judged, inflation / promise.judged])
        if promise.is_share:
            distance = error - promise.error
            variation = np.fmax(variance * judged, promise.spread**2)
        else:
            distance = np.log(np.minimum(error / promise.error, RATIO_MAX))
            own = variance * judged / error**2
            variation = np.fmax(own, (promise.spread / promise.error) ** 2)
        statistic = distance / np.sqrt(variation * parts.sum(axis=0))
        sizes = np.stack([(actuals > 0).sum(axis=1), promise.judged]) / inflation
        score = normal_score(statistic, welch_freedom(parts, sizes))
        drifted = error > rules.error_ratio * promise.error
    drifted &= (score > critical_score(rules.significance)) & (judged >= judged_min)
    limit = promise.error * (1 + rules.error_ratio) / 2
    return Broken(judged, error, drifted, _onset(errors, actuals, limit))


def _onset(errors: Floats, actuals: Ints, limit: Floats) -> Ints:
    """Period (G) after which the sum of errors above a limit only grows (Page 1954, CUSUM)."""
    above = np.where(actuals > 0, errors - limit[:, None] * actuals, 0.0)
    before = np.cumsum(above, axis=1) - above
    last_low: Ints = before.shape[1] - 1 - np.argmin(before[:, ::-1], axis=1)
    return last_low


def mean_variance(
    sums: Floats, weights: Floats, mean: Floats, persistence_max: float = PERSISTENCE_MAX
) -> tuple[Floats, Floats]:
    """Variance (G) of a mean over periods that are independent, and how much more it is if not.

    ``sums`` (G, T) are of ``weights`` (G, T) values each, and ``mean`` (G) is of all. The second is
    ``(1 + r) / (1 - r)`` with the autocorrelation ``r`` between neighbouring periods, corrected for
    its bias in short samples (Kendall 1954).
    """
    deviation = np.where(weights > 0, sums - weights * mean[:, None], 0.0)
    periods = (weights > 0).sum(axis=1)
    squares = (deviation**2).sum(axis=1)
    variance = squares * periods / (periods - 1.0) / weights.sum(axis=1) ** 2
    variance = np.where(periods > 1, variance, np.nan)
    found = (deviation[:, 1:] * deviation[:, :-1]).sum(axis=1) / squares
    corrected = (found * periods + 1) / (periods - 3.0)
    r = np.where((squares > 0) & (periods > 4), np.clip(corrected, 0, persistence_max), 0.0)
    return variance, (1 + r) / (1 - r)


def normal_score(statistic: Floats, freedom: Floats) -> Floats:
    """Standard normal deviate as improbable as a t ``statistic`` (Wallace 1959); keeps its sign."""
    nu = np.maximum(freedom, 1.0)
    size = np.sqrt(nu * np.log1p(statistic**2 / nu)) * (8 * nu + 1) / (8 * nu + 3)
    score: Floats = np.sign(statistic) * size
    return score


def welch_freedom(parts: Floats, sizes: Floats) -> Floats:
    """Degrees of freedom (G) of a sum of variances ``parts`` (2, G), of means of ``sizes``."""
    freedom: Floats = parts.sum(axis=0) ** 2 / (parts**2 / np.maximum(sizes - 1, 0.5)).sum(axis=0)
    return freedom


def critical_score(significance: float) -> float:
    """Standard normal deviate that is exceeded by chance with this probability."""
    return NormalDist().inv_cdf(1 - significance)
