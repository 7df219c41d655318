"""Prediction intervals from the residuals of a backtest: half widths by level and horizon step.

Split conformal prediction (Lei et al. 2018, "Distribution-free predictive inference for
regression") with residuals scaled by their usual size at that step, as in its locally weighted
variant (section 5.2): a group has few folds, hence few residuals at a step, but many in all.

What it gives: were a future residual, scaled this way, exchangeable with the ``n`` of the backtest,
it would lie inside with the probability that was asked for, or up to 1 / (n + 1) more. Where ``n``
is below level / (1 - level), that is out of reach: the interval is as wide as the largest
residual, and the probability n / (n + 1). Residuals of a fold that resemble each other (a level
missed is missed all horizon long) say less of what may come than their number does; then few folds
cover too little, the less the further ahead (of the M3 competition's monthly series 77% for 80%).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from many_models.core.arrays import Floats, Ints

NEIGHBOURS = 3  # steps on either side that say, too, how large residuals are at a step
OVERALL_WEIGHT = 20  # the number of residuals at a step that outweighs what all steps say


@dataclass(frozen=True)
class Interval:
    """Bounds, of any one shape, that are to hold the actuals with the probability ``level``."""

    level: float
    lower: Floats
    upper: Floats


def calibrate(residuals: Floats, levels: tuple[float, ...]) -> Floats:
    """Half widths (G, L, H) at the ``levels`` (L), each in (0, 1), of residuals (G, F, H).

    In the residuals' unit. They do not decrease in the level, and are NaN in a group without
    residuals (NaN is none); a step without any takes its width from its neighbours and the rest.
    """
    sizes = np.abs(residuals)
    scaled = np.sort(_flat(sizes / _relative_spread(sizes, without_own=True)), axis=1)
    count = (~np.isnan(scaled)).sum(axis=1)  # NaN is sorted to the end
    quantiles = [_conformal_quantile(scaled, count, level) for level in levels]
    spread = _relative_spread(sizes, without_own=False)
    widths: Floats = np.stack(quantiles, axis=1)[:, :, None] * spread
    return widths


def intervals_by_others(
    actual: Floats, forecast: Floats, levels: tuple[float, ...], floor: float | None
) -> tuple[Interval, ...]:
    """For each level the intervals (G, F, H) that the *other* folds would have given each fold.

    NaN where no other fold has residuals, since then there is nothing to judge by.
    """
    residuals = forecast - actual
    folds = range(residuals.shape[1])
    others = [calibrate(np.delete(residuals, fold, axis=1), levels) for fold in folds]
    halfwidths = np.stack(others, axis=2)
    bounds = [bound(forecast, halfwidths[:, n], floor) for n in range(len(levels))]
    return tuple(Interval(level, *both) for level, both in zip(levels, bounds, strict=True))


def bound(prediction: Floats, halfwidths: Floats, floor: float | None) -> tuple[Floats, Floats]:
    """Lower and upper bounds around predictions that are nowhere below ``floor`` themselves."""
    lower = prediction - halfwidths
    return lower if floor is None else np.maximum(lower, floor), prediction + halfwidths


def _conformal_quantile(ordered: Floats, count: Ints, level: float) -> Floats:
    """The ``ceil((n + 1) * level)``-th smallest of each row's ``n`` values, or its largest.

    ``ordered`` (G, N) is in ascending order, ``count`` (G) says how many of it are there.
    """
    if not ordered.shape[1]:
        return np.full(len(ordered), np.nan)
    exact = np.round((count + 1) * level, 9)  # 100 * 0.55 is 55.00000000000001
    rank = np.clip(np.ceil(exact).astype(int), 1, np.maximum(count, 1))
    quantile: Floats = ordered[np.arange(len(ordered)), rank - 1]
    return quantile


def _relative_spread(sizes: Floats, *, without_own: bool) -> Floats:
    """How large residuals usually are at each step, in units of their mean: (G, 1, H), above zero.

    From absolute residuals (G, F, H): a line in the square root of the step, level or rising (the
    errors of a random walk grow with the root), times how far the step and its neighbours lie from
    that line. Both are shrunk, the less the more residuals there are.

    ``without_own`` gives to each residual (G, F, H) what the others alone say. Measured by a spread
    that it has itself enlarged, a large residual would look too small, and the interval would be
    too narrow for those to come.
    """
    there = (~np.isnan(sizes)).astype(np.float64)
    known = np.where(there > 0, sizes, 0.0)
    root = np.sqrt(np.arange(1.0, sizes.shape[2] + 1))
    values = np.stack([there, there * root, known, there * root**2, known * root])
    sums = values.reshape(*values.shape[:2], -1).sum(axis=2)[:, :, None, None]
    near = _sum_near(values[:3].sum(axis=2, keepdims=True))
    if without_own:
        sums, near = sums - values, np.maximum(near - values[:3], 0.0)
    count, roots, total, squares, products = sums
    near_count, near_roots, near_total = near
    mean, middle = (each / np.maximum(count, 1) for each in (total, roots))
    slope = _divide(products - middle * total, squares - middle * roots, above=1e-9 * squares)
    steepest = _divide(mean, middle)  # proportional to the root
    slope = np.clip(slope * count / (count + OVERALL_WEIGHT), 0.0, steepest)
    usual = mean + slope * (root - middle)
    near_usual = near_count * mean + slope * (near_roots - middle * near_count)
    excess = _divide(near_total + OVERALL_WEIGHT * mean, near_usual + OVERALL_WEIGHT * mean)
    return np.where(mean > 0, excess * _divide(usual, mean), 1.0)


def _sum_near(values: Floats) -> Floats:
    """Sum over each step (the last axis) and its neighbours."""
    reach = min(NEIGHBOURS, values.shape[-1] // 2)
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(reach, reach)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=-1)
    near: Floats = windows.sum(axis=-1)
    return near


def _divide(values: Floats, by: Floats, above: Floats | float = 0.0) -> Floats:
    """``values / by``, and zero where ``by`` is not above a limit."""
    quotient: Floats = np.divide(values, by, out=np.zeros_like(values), where=by > above)
    return quotient


def _flat(values: Floats) -> Floats:
    return values.reshape(len(values), -1)
