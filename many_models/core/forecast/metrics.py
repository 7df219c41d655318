"""Accuracy of forecasts, one figure a group, pooled over the periods of its backtest.

Definitions: Hyndman & Koehler (2006), "Another look at measures of forecast accuracy"; RMSSE as in
the M5 competition (Makridakis et al. 2022), but scaled by the one-season naive forecast as MASE is;
pinball loss as in Gneiting & Raftery (2007). Arrays are ``(G, F, H)``: groups, folds, horizon; NaN
marks what was not observed or not forecast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from many_models.core.arrays import Floats
from many_models.core.forecast.intervals import Interval


@dataclass(frozen=True)
class Accuracy:
    """Figures of ``G`` groups, each an array (G); NaN where a figure is undefined.

    ``mae``, ``rmse``, ``bias`` (mean of forecast minus actual) and ``pinball`` are in the target's
    unit; ``mase``, ``rmsse``, ``wape`` and ``smape`` (0 to 2) have none.
    """

    mase: Floats
    rmsse: Floats
    wape: Floats
    smape: Floats
    mae: Floats
    rmse: Floats
    bias: Floats
    pinball: Floats


METRICS = tuple(Accuracy.__dataclass_fields__)


@dataclass(frozen=True)
class Scale:
    """Errors of the one-season naive forecast on the training data before the oldest fold.

    Mean ``absolute`` (G), the denominator of MASE, and mean ``squared`` (G), that of RMSSE squared.
    """

    absolute: Floats
    squared: Floats


def measure(actual: Floats, forecast: Floats, scale: Scale, interval: Interval) -> Accuracy:
    """Accuracy of ``forecast`` (G, F, H) and of its ``interval``."""
    error = forecast - actual
    size = np.abs(error)
    total = np.abs(forecast) + np.abs(actual)
    with np.errstate(invalid="ignore", divide="ignore"):
        proportion = np.where(total > 0, 2 * size / total, np.where(np.isnan(total), np.nan, 0.0))
        mae, mse = _mean(size), _mean(error**2)
        weight = _mean(np.where(np.isnan(error), np.nan, np.abs(actual)))
        return Accuracy(
            mase=np.where(scale.absolute > 0, mae / scale.absolute, np.nan),
            rmsse=np.where(scale.squared > 0, np.sqrt(mse / scale.squared), np.nan),
            wape=np.where(weight > 0, mae / weight, np.nan),
            smape=_mean(proportion),
            mae=mae,
            rmse=np.sqrt(mse),
            bias=_mean(error),
            pinball=measure_pinball(actual, interval),
        )


def measure_pinball(actual: Floats, interval: Interval) -> Floats:
    """Mean pinball loss (G) of an interval's bounds as forecasts of two quantiles.

    The bounds at level ``c`` are forecasts of the quantiles ``(1 - c) / 2`` and ``(1 + c) / 2``. A
    forecast ``q`` of the quantile ``t`` loses ``t (y - q)`` where the actual ``y`` is above it,
    else ``(1 - t) (q - y)``. The mean of both losses is ``(1 - c) / 4`` times the interval score.
    """
    low, high = (1 - interval.level) / 2, (1 + interval.level) / 2
    losses = _pinball(actual - interval.lower, low) + _pinball(actual - interval.upper, high)
    return _mean(losses / 2)


def measure_coverage(actual: Floats, interval: Interval) -> Floats:
    """Share (G) of the actuals that lie in an interval, bounds included."""
    inside = (interval.lower <= actual) & (actual <= interval.upper)
    judged = ~np.isnan(actual) & ~np.isnan(interval.upper)
    return _mean(np.where(judged, inside, np.nan))


def _pinball(above: Floats, quantile: float) -> Floats:
    return np.maximum(quantile * above, (quantile - 1) * above)


def _mean(values: Floats) -> Floats:
    """Mean (G) over all but the first axis, of what is there."""
    flat = values.reshape(len(values), -1)
    count = (~np.isnan(flat)).sum(axis=1)
    mean: Floats = np.where(count > 0, np.nansum(flat, axis=1) / np.maximum(count, 1), np.nan)
    return mean
