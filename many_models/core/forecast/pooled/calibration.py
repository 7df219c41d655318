"""Prediction intervals of the pooled model, by what its folds were off by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from many_models.core.arrays import Floats, Ints
from many_models.core.forecast.intervals import calibrate
from many_models.core.forecast.pooled.contender import PooledFits
from many_models.core.forecast.pooled.fit import PooledFit, read_rows, scale_rows
from many_models.core.forecast.pooled.sampling import category_columns
from many_models.core.forecast.use_case import UseCase


@dataclass(frozen=True)
class Calibration:
    """Half widths (2, L, H), in units of a group's level.

    Of groups seen for less than the window that their level is taken over, and of the others; NaN
    where no fold has any. ``coverage`` is the share of a fold's rows that is inside of what the
    others give, at the main level; NaN where there are no others.
    """

    halfwidths: Floats
    coverage: float


def calibrate_folds(rows: pa.Table, fits: PooledFits, use_case: UseCase) -> Calibration:
    """Intervals by each fold's errors on the sampled rows of the horizon after it."""
    window = fits.final.spec.level_window
    folds = [_errors(rows, fit, window, use_case) for fit in fits.folds if fit is not None]
    inside = []
    for number, fold in enumerate(folds):
        others = _halfwidths(folds[:number] + folds[number + 1 :], use_case)[:, 0]
        widths = others[fold.grown_up, fold.steps - 1]
        inside.append((np.abs(fold.errors) <= widths)[~np.isnan(widths)])
    judged = np.concatenate([np.empty(0), *inside])
    coverage = float(judged.mean()) if len(judged) else np.nan
    return Calibration(_halfwidths(folds, use_case), coverage)


@dataclass(frozen=True)
class _Errors:
    """Errors (N,) in units of the level, steps ahead, and 1 for groups that are not young."""

    errors: Floats
    steps: Ints
    grown_up: Ints


def _errors(table: pa.Table, fit: PooledFit, window: int, use_case: UseCase) -> _Errors:
    last = fit.origin + use_case.horizon
    period = table["period"]
    later = table.filter(pc.and_(pc.greater(period, fit.origin), pc.less_equal(period, last)))
    if not len(later):
        nothing = np.empty(0, dtype=np.int64)
        return _Errors(np.empty(0), nothing, nothing)
    rows, target = read_rows(later)
    matrix, scale = scale_rows(rows, *fit.usual.look_up(later, category_columns(use_case)))
    forecast = fit.trees.predict_rows(matrix) * scale
    if use_case.prediction_floor is not None:
        forecast = np.maximum(forecast, use_case.prediction_floor)
    grown_up = (rows.seen >= window).astype(np.int64)
    return _Errors((forecast - target) / scale, rows.plain[:, 0].astype(np.int64), grown_up)


def _halfwidths(folds: Sequence[_Errors], use_case: UseCase) -> Floats:
    """Half widths (2, L, H) by the errors of some folds."""
    nothing = np.empty(0, dtype=np.int64)
    errors = np.concatenate([np.empty(0), *(fold.errors for fold in folds)])
    steps = np.concatenate([nothing, *(fold.steps for fold in folds)])
    grown_up = np.concatenate([nothing, *(fold.grown_up for fold in folds)])
    of_both = [(errors[grown_up == age], steps[grown_up == age]) for age in (0, 1)]
    return np.stack([_calibrate(*of, use_case) for of in of_both])


def _calibrate(errors: Floats, steps: Ints, use_case: UseCase) -> Floats:
    """Half widths (L, H) by errors (N,), all of which are taken for one group's."""
    order = np.argsort(steps, kind="stable")
    step = steps[order] - 1
    counts = np.bincount(step, minlength=use_case.horizon)
    row = np.arange(len(step)) - np.repeat(np.cumsum(counts) - counts, counts)
    residuals = np.full((1, max(int(counts.max()), 1), use_case.horizon), np.nan)
    residuals[0, row, step] = errors[order]
    widths: Floats = calibrate(residuals, use_case.validation.all_levels)[0]
    return widths
