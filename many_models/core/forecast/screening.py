"""Which groups of a shard can be trained, and why the others cannot."""

from __future__ import annotations

import numpy as np

from many_models.core.arrays import Floats, Ints
from many_models.core.failure import Problem
from many_models.core.forecast.backtest import history_needed
from many_models.core.forecast.dataset import Dataset
from many_models.core.forecast.panel import slices
from many_models.core.forecast.use_case import UseCase


def find_reasons_to_skip(dataset: Dataset, use_case: UseCase, origin: int) -> dict[int, Problem]:
    """Problems of the groups that hold too little to learn from at ``origin``, by their index."""
    problems: dict[int, Problem] = {}
    for group, (start, end) in enumerate(slices(dataset.offsets)):
        periods, values = dataset.periods[start:end], dataset.target[start:end]
        happened = periods <= origin
        if problem := _reason_to_skip(periods[happened], values[happened], use_case, origin):
            problems[group] = problem
    return problems


def _reason_to_skip(
    periods: Ints, targets: Floats, use_case: UseCase, origin: int
) -> Problem | None:
    there = ~np.isnan(targets)
    values, observed = targets[there], periods[there]
    count, least = len(values), use_case.validation.min_observations
    if count < least:
        text = f"{count} observations; validation.min_observations is {least}"
        return Problem("too_few_observations", text)
    span = int(origin + 1 - observed[0])
    needed = history_needed(use_case) + use_case.horizon
    if span < needed:
        return Problem("history_too_short", f"{span} periods of history; one fold needs {needed}")
    zeros_between = use_case.gaps == "zero" and (periods >= observed[0]).sum() < span
    if np.ptp(values) == 0 and not (zeros_between and values[0] != 0):
        return Problem("constant_target", f"all {count} observations are {values[0]:g}")
    if use_case.gaps == "missing" and observed[-1] <= origin - use_case.horizon:
        return Problem("no_recent_observations", f"none in the last {use_case.horizon} periods")
    return None
