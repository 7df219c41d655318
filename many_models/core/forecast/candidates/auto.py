"""``candidates: auto``: which candidates are worth a try for one group.

By the length of its series, its season and how often it is zero, within a time budget. The budget
counts nominal costs, not the clock, so that the same data gives the same models on any machine.
"""

from __future__ import annotations

import numpy as np

from many_models.core.forecast.candidates.port import Sample

SMOOTHING = ("optimized_theta", "theta", "ces", "ets")
INTERMITTENT = ("sba", "tsb", "mean")
BESIDE_ZEROS = ("median",)  # no level is off by less, in absolute terms, where zeros mix with peaks
INTERVAL_MIN = 1.32  # mean periods between demands: Syntetos & Boylan (2005)
REGRESSION_ROWS = 3  # a feature, at least
TREES_ROWS = 100
CALENDAR_ROWS = 200  # of less, calendar and lags teach less than smoothing knows already

COSTS = {
    "mean": 0.1,
    "median": 0.1,
    "croston": 0.2,
    "sba": 0.2,
    "tsb": 0.2,
    "ridge": 1.0,
    "theta": 2.0,
    "optimized_theta": 5.0,
    "ces": 5.0,
    "gradient_boosting": 15.0,
    "ets": 60.0,
}
"""Nominal milliseconds of one fit on a year of days, as measured on one core."""

COSTS_PERIODS = 365


def choose(sample: Sample, fits: int, seconds: float, *, known_features: bool) -> tuple[str, ...]:
    """Candidates for the group of ``sample``, the most promising first, beside the baseline.

    ``fits`` is how often each will be fitted, ``seconds`` the budget for all of it;
    ``known_features`` says whether there are any beside calendar, lags and rolling means.
    """
    budget = 1000 * seconds
    chosen = []
    for name in _promising(sample, known_features):
        cost = fits * COSTS[name] * max(len(sample.y) / COSTS_PERIODS, 0.1)
        if cost <= budget:
            budget -= cost
            chosen.append(name)
    return tuple(chosen)


def _promising(sample: Sample, known_features: bool) -> tuple[str, ...]:
    values = sample.y[~np.isnan(sample.y)]
    zeros = values.min() == 0
    intermittent = zeros and len(values) > INTERVAL_MIN * np.count_nonzero(values)
    least = 0 if known_features else CALENDAR_ROWS
    by_features = []
    if len(values) >= max(REGRESSION_ROWS * sample.linear.sum(), least):
        by_features.append("ridge")
    if len(values) >= max(TREES_ROWS, least):
        by_features.append("gradient_boosting")
    by_past = (*(INTERMITTENT if intermittent else SMOOTHING), *(BESIDE_ZEROS if zeros else ()))
    return (*by_past, *by_features)
