"""Accuracy of forecasts, one figure a group, pooled over the periods of its backtest.

Definitions: Hyndman & Koehler (2006), "Another look at measures of forecast accuracy". Arrays are
``(G, F, H)``: groups, folds, horizon; NaN marks what was not observed or not forecast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from many_models.core.dataset import Floats


@dataclass(frozen=True)
class Accuracy:
    """Figures of ``G`` groups, each an array (G); NaN where a figure is undefined.

    ``mae``, ``rmse`` and ``bias`` (mean of forecast minus actual) are in the target's unit;
    ``mase``, ``wape`` and ``smape`` (0 to 2) have none.
    """

    mase: Floats
    wape: Floats
    smape: Floats
    mae: Floats
    rmse: Floats
    bias: Floats


METRICS = tuple(Accuracy.__dataclass_fields__)


def measure(actual: Floats, forecast: Floats, scale: Floats) -> Accuracy:
    """Accuracy of ``forecast`` (G, F, H).

    ``scale`` (G) is the mean absolute error of the one-season naive forecast on the training data,
    the denominator of MASE.
    """
    error = forecast - actual
    size = np.abs(error)
    total = np.abs(forecast) + np.abs(actual)
    with np.errstate(invalid="ignore", divide="ignore"):
        proportion = np.where(total > 0, 2 * size / total, np.where(np.isnan(total), np.nan, 0.0))
        mae = _mean(size)
        weight = _mean(np.where(np.isnan(error), np.nan, np.abs(actual)))
        return Accuracy(
            mase=np.where(scale > 0, mae / scale, np.nan),
            wape=np.where(weight > 0, mae / weight, np.nan),
            smape=_mean(proportion),
            mae=mae,
            rmse=np.sqrt(_mean(error**2)),
            bias=_mean(error),
        )


def interval_halfwidth(residuals: Floats, level: float) -> Floats:
    """Half width (G) of the split conformal interval from absolute residuals (G, ...).

    The ``ceil((n + 1) * level)``-th smallest of the n absolute residuals (Lei et al. 2018); the
    largest one where n is too small for that rank; NaN without residuals.
    """
    flat = np.sort(np.abs(residuals).reshape(len(residuals), -1), axis=1)  # NaN sorts last
    count = (~np.isnan(flat)).sum(axis=1)
    exact = np.round((count + 1) * level, 9)  # 100 * 0.55 is 55.00000000000001
    rank = np.clip(np.ceil(exact).astype(int), 1, np.maximum(count, 1))
    return flat[np.arange(len(flat)), rank - 1] if flat.shape[1] else np.full(len(flat), np.nan)


def interval_coverage(residuals: Floats, level: float) -> Floats:
    """Share (G) of residuals (G, F, H) inside the interval that the *other* folds would have given.

    NaN where fewer than two folds have residuals, since then no fold is left to judge by.
    """
    inside = np.full(residuals.shape, np.nan)
    for fold in range(residuals.shape[1]):
        width = interval_halfwidth(np.delete(residuals, fold, axis=1), level)[:, None]
        judged = ~np.isnan(residuals[:, fold]) & ~np.isnan(width)
        inside[:, fold] = np.where(judged, np.abs(residuals[:, fold]) <= width, np.nan)
    return _mean(inside)


def _mean(values: Floats) -> Floats:
    """Mean (G) over all but the first axis, of what is there."""
    flat = values.reshape(len(values), -1)
    count = (~np.isnan(flat)).sum(axis=1)
    mean: Floats = np.where(count > 0, np.nansum(flat, axis=1) / np.maximum(count, 1), np.nan)
    return mean
