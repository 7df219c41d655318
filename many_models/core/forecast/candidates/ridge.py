"""Ridge regression on standardised terms; on the target, or on its logarithm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from many_models.core.arrays import Floats, Ints
from many_models.core.forecast.candidates.effects import Effect
from many_models.core.forecast.candidates.options import DEFAULTS, RidgeOptions
from many_models.core.forecast.candidates.port import Outlook, Sample
from many_models.core.forecast.candidates.terms import Terms

PENALTIES = np.logspace(-3, 3, 13)
# Half-lives that did best on M3 and Tourism, by the periods in a season; the grocer's and the
# simulator's days do no better with one.
HALF_LIVES = {12: 18.0, 4: 4.0, 1: 3.0}
CONSTANT_BELOW = 1e-9  # standard deviation in units of the mean


@dataclass(frozen=True)
class Ridge:
    """Linear model of terms (q); a missing one counts as its mean.

    A feature that hardly moved may leap ahead of the origin, and the line goes on for ever: no
    forecast is farther from the targets seen than these were from each other, ``low`` to ``high``.
    """

    terms: Terms
    means: Floats
    coefficients: Floats
    intercept: float
    low: float
    high: float

    memory = 0

    def predict(self, outlook: Outlook) -> Floats:
        centred = np.nan_to_num(self.terms.of_future(outlook) - self.means)
        return np.clip(centred @ self.coefficients + self.intercept, self.low, self.high)

    def effects(self, sample: Sample, names: Sequence[str]) -> list[Effect]:
        centred = np.nan_to_num(self.terms.of_past(sample) - self.means)
        standardised = self.coefficients * np.sqrt((centred**2).mean(axis=0))
        columns = (self.terms.name(names), self.coefficients.tolist(), standardised.tolist())
        return [Effect("coefficient", *row) for row in zip(*columns, strict=True)]


@dataclass(frozen=True)
class LogRidge:
    """A linear model of log(1 + target), that forecasts the target's mean.

    ``smearing`` is what turns the median into the mean: the average of the exponentials of the
    residuals (Duan 1983). No forecast is above ``ceiling``, which is Ridge's on the target.
    """

    ridge: Ridge
    smearing: float
    ceiling: float

    memory = 0

    def predict(self, outlook: Outlook) -> Floats:
        with np.errstate(over="ignore"):
            mean = np.exp(self.ridge.predict(outlook)) * self.smearing - 1
        return np.clip(mean, 0.0, self.ceiling)

    def effects(self, sample: Sample, names: Sequence[str]) -> list[Effect]:
        return [Effect("form", "log(1 + target)", 1.0), *self.ridge.effects(sample, names)]


def fit_ridge(sample: Sample, options: RidgeOptions = DEFAULTS) -> Ridge | LogRidge:
    """Ridge whose penalty minimises the generalised cross-validation error (Golub et al. 1979).

    Raises:
        ValueError: the target is negative somewhere, and its logarithm is asked for.
    """
    terms = Terms.of(
        sample, trend=options.trend, interactions=options.interactions, log=options.log_target
    )
    there = ~np.isnan(sample.y)
    x, y = terms.of_past(sample)[there], sample.y[there]
    age = len(sample.y) - 1 - np.flatnonzero(there)
    importance = _importance(age, _half_life(options, sample.season))
    if not options.log_target:
        return _fit(terms, x, y, importance)[0]
    if y.min() < 0:
        raise ValueError(
            f"log_target takes no negative target, and the smallest is {y.min():g}; leave it away"
        )
    logarithm = np.log1p(y)
    ridge, fitted = _fit(terms, x, logarithm, importance)
    smearing = np.average(np.exp(logarithm - fitted), weights=importance)
    return LogRidge(ridge, float(smearing), ceiling=float(2 * y.max() - y.min()))


def _half_life(options: RidgeOptions, season: int) -> float:
    if options.half_life == "none":
        return np.inf
    return HALF_LIVES.get(season, np.inf) if options.half_life == "auto" else options.half_life


def _importance(age: Ints, half_life: float) -> Floats:
    """Weights of rows ``age`` periods old; their sum is the number of rows that they amount to."""
    weights: Floats = 0.5 ** ((age - age.min()) / half_life)
    weights *= weights.sum() / (weights**2).sum()
    return weights


def _fit(terms: Terms, x: Floats, y: Floats, importance: Floats) -> tuple[Ridge, Floats]:
    """Ridge of rows (n, q), and what it says of them (n)."""
    rows = importance.sum()
    missing = np.isnan(x)
    shares = np.where(missing, 0.0, importance[:, None])
    means = (shares * np.where(missing, 0.0, x)).sum(axis=0) / np.maximum(
        shares.sum(axis=0), 1e-300
    )
    centred = np.where(missing, 0.0, x - means)
    scale = np.sqrt(importance @ centred**2 / rows)
    used = scale > CONSTANT_BELOW * np.abs(means)  # a constant term gets no weight
    unit = terms.weights[used] / scale[used]
    standard = centred[:, used] * unit
    intercept = float(importance @ y / rows)
    shrunk = _shrink(standard, y - intercept, importance)
    coefficients = np.zeros(x.shape[1])
    coefficients[used] = shrunk * unit
    low, high = float(y.min()), float(y.max())
    reach = high - low
    ridge = Ridge(terms, means, coefficients, intercept, low - reach, high + reach)
    return ridge, standard @ shrunk + intercept


def _shrink(x: Floats, y: Floats, importance: Floats) -> Floats:
    """Coefficients (q) at the best of ``PENALTIES``; both ``x`` and ``y`` have mean 0."""
    rows = importance.sum()
    weighted = x * importance[:, None]
    eigenvalues, vectors = np.linalg.eigh(weighted.T @ x)
    eigenvalues = np.maximum(eigenvalues, 0.0)
    projection = vectors.T @ (weighted.T @ y)
    penalised = eigenvalues + rows * PENALTIES[:, None]
    share = eigenvalues / penalised
    # What a direction explains at no penalty is its projection**2 / eigenvalue.
    explained = ((2 - share) * projection**2 / penalised).sum(axis=1)
    residual = np.maximum(importance @ y**2 - explained, 0.0)
    freedom = np.maximum(rows - 1 - share.sum(axis=1), 1e-9)
    best = np.argmin(residual / freedom**2)
    coefficients: Floats = vectors @ (projection / penalised[best])
    return coefficients
