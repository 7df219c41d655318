"""The kinds of model that are tried for every group.

A candidate fits on one group's rows and gives a fitted model: a small picklable object that
predicts from feature rows and the seasonal naive forecast of the same periods.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa

from many_models.core.dataset import Flags, Floats

if TYPE_CHECKING:
    from lightgbm import Booster

RIDGE_PENALTIES = np.logspace(-3, 3, 13)
CONSTANT_BELOW = 1e-9  # standard deviation in units of the mean
TREES = 60
TREE_SETTINGS: dict[str, Any] = {
    "objective": "regression",
    "learning_rate": 0.07,
    "num_leaves": 6,
    "max_bin": 63,
    "min_data_in_leaf": 20,
    "lambda_l2": 1.0,
    "feature_fraction": 0.8,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 0,
    "verbosity": -1,
}


class FittedCandidate(Protocol):
    """A fitted model of one group; ``x`` is (n, p), ``naive`` and the result are (n,)."""

    def predict(self, x: Floats, naive: Floats) -> Floats: ...


Candidate = Callable[[Floats, Floats, Flags], FittedCandidate]
"""Fits on features (n, p) and targets (n,); the flags (p,) mark what a linear model takes."""


@dataclass(frozen=True, slots=True)
class SeasonalNaive:
    """Repeats the last season: the baseline that every other candidate must beat."""

    def predict(self, x: Floats, naive: Floats) -> Floats:
        return naive


@dataclass(frozen=True)
class Ridge:
    """Linear model on standardised features; missing values count as the feature's mean."""

    linear: Flags
    means: Floats
    coefficients: Floats
    intercept: float

    def predict(self, x: Floats, naive: Floats) -> Floats:
        centred = np.nan_to_num(x[:, self.linear] - self.means)
        predictions: Floats = centred @ self.coefficients + self.intercept
        return predictions


class GradientBoosting:
    """LightGBM trees; pickled as their compressed text, which is parsed at the first prediction."""

    def __init__(self, booster: Booster) -> None:
        self._booster: Booster | None = booster
        self._text: tuple[bytes, int] | None = None

    def predict(self, x: Floats, naive: Floats) -> Floats:
        if self._booster is None:
            self._booster = _parse_booster(*self.__getstate__())
        return np.asarray(self._booster.predict(x, num_threads=1), dtype=np.float64)

    def __getstate__(self) -> tuple[bytes, int]:
        if self._text is None:
            assert self._booster is not None  # there is a booster, or its text, or both
            self._text = _write_booster(self._booster)
        return self._text

    def __setstate__(self, text: tuple[bytes, int]) -> None:
        self._booster, self._text = None, text


def forecast(fitted: FittedCandidate, x: Floats, naive: Floats, floor: float | None) -> Floats:
    """Forecast (n,), nowhere below ``floor``: what a backtest judges and what is served alike.

    Raises:
        ValueError: it is not finite.
    """
    prediction = fitted.predict(x, naive)
    if not np.isfinite(prediction).all():
        raise ValueError("the forecast is not finite")
    return prediction if floor is None else np.maximum(prediction, floor)


def _write_booster(booster: Booster) -> tuple[bytes, int]:
    text = booster.model_to_string().encode()
    return pa.compress(text, codec="zstd", asbytes=True), len(text)


def _parse_booster(compressed: bytes, length: int) -> Booster:
    from lightgbm import Booster

    text = pa.decompress(compressed, decompressed_size=length, codec="zstd", asbytes=True)
    return Booster(model_str=text.decode())


def fit_seasonal_naive(x: Floats, y: Floats, linear: Flags) -> SeasonalNaive:
    return SeasonalNaive()


def fit_ridge(x: Floats, y: Floats, linear: Flags) -> Ridge:
    """Ridge whose penalty minimises the generalised cross-validation error (Golub et al. 1979)."""
    features = x[:, linear]
    there = ~np.isnan(features)
    means = np.where(there, features, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    centred = np.where(there, features - means, 0.0)
    scale = np.sqrt((centred**2).mean(axis=0))
    scale[scale <= CONSTANT_BELOW * np.abs(means)] = np.inf  # a constant feature gets no weight
    intercept = y.mean()
    u, s, vt = np.linalg.svd(centred / scale, full_matrices=False)
    projection = u.T @ (y - intercept)
    shrink = s**2 / (s**2 + len(y) * RIDGE_PENALTIES[:, None])
    residual = ((y - intercept) ** 2).sum() - ((2 - shrink) * shrink * projection**2).sum(axis=1)
    freedom = len(y) - 1 - shrink.sum(axis=1)
    best = np.argmin(np.maximum(residual, 0) / np.maximum(freedom, 1e-9) ** 2)
    inverse = np.divide(shrink[best], s, out=np.zeros_like(s), where=s > 0)
    coefficients = vt.T @ (inverse * projection) / scale
    return Ridge(linear, means, coefficients, float(intercept))


def fit_gradient_boosting(x: Floats, y: Floats, linear: Flags) -> GradientBoosting:
    import lightgbm

    data = lightgbm.Dataset(x, y, free_raw_data=True, params=TREE_SETTINGS)
    # Kept as it is: LightGBM would write the trees out and read them back in.
    trees = lightgbm.train(TREE_SETTINGS, data, TREES, keep_training_booster=True)
    return GradientBoosting(trees)


CANDIDATES: dict[str, Candidate] = {
    "seasonal_naive": fit_seasonal_naive,
    "ridge": fit_ridge,
    "gradient_boosting": fit_gradient_boosting,
}
