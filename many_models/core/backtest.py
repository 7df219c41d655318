"""Rolling-origin backtest: what each candidate would have forecast at several past origins.

Every fold fits on the periods through its origin and forecasts the horizon after it, for each group on
its own; a group that is too young for a fold has NaN there.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from many_models.core.candidates import CANDIDATES, FittedCandidate
from many_models.core.dataset import Flags, Floats, Ints
from many_models.core.features import FeatureSpec, seasonal_naive
from many_models.core.panel import Panel
from many_models.core.use_case import BASELINE, UseCase

TRAINING_ROWS_MIN = 10


@dataclass(frozen=True)
class Backtest:
    """Forecasts of ``G`` groups at ``F`` origins over the horizon ``H``.

    ``actual`` and each of ``forecasts`` are (G, F, H); ``scale`` (G) is MASE's denominator; ``seconds``
    (G) the time spent on a group; ``errors`` what went wrong, by group and candidate.
    """

    origins: Ints
    actual: Floats
    forecasts: dict[str, Floats]
    scale: Floats
    seconds: Floats
    errors: dict[int, dict[str, str]]

    @property
    def folds(self) -> Ints:
        """Folds (G) that each group was judged on."""
        judged: Ints = (~np.isnan(self.forecasts[BASELINE])).any(axis=2).sum(axis=1)
        return judged


def history_needed(use_case: UseCase) -> int:
    """Periods before the first fold's origin that a group must have."""
    return max(use_case.frequency.season, 2 * use_case.horizon)


def fold_origins(use_case: UseCase, origin: int) -> Ints:
    """Origins of the folds, the latest first; the latest one's horizon ends at ``origin``."""
    back = use_case.horizon + use_case.step * np.arange(use_case.validation.folds)
    return (origin - back).astype(np.int64)


def run_backtest(panel: Panel, features: Floats, use_case: UseCase) -> Backtest:
    """Backtest of all the use case's candidates on a panel with its feature matrix (N, p)."""
    spec = FeatureSpec.of(use_case)
    origins = fold_origins(use_case, panel.origin)
    ahead = origins[:, None] + np.arange(1, use_case.horizon + 1)
    old_enough = origins - panel.starts[:, None] + 1 >= history_needed(use_case)
    naive = seasonal_naive(panel, origins, use_case.horizon, spec.frequency.season)
    naive[~old_enough] = np.nan
    groups = len(panel.starts)
    result = Backtest(
        origins=origins,
        actual=panel.values_at(panel.target, ahead),
        forecasts={name: np.full(naive.shape, np.nan) for name in use_case.candidates},
        scale=np.full(groups, np.nan),
        seconds=np.zeros(groups),
        errors={},
    )
    for group in range(groups):
        started = time.perf_counter()
        _backtest_group(result, group, np.flatnonzero(old_enough[group]), panel, features, spec, naive)
        result.seconds[group] = time.perf_counter() - started
    return result


def _backtest_group(
    result: Backtest,
    group: int,
    folds: Ints,
    panel: Panel,
    features: Floats,
    spec: FeatureSpec,
    naive: Floats,
) -> None:
    start, end = panel.offsets[group], panel.offsets[group + 1]
    x, y = features[start:end], panel.target[start:end]
    if len(folds):
        length = result.origins[folds[-1]] - panel.starts[group] + 1
        result.scale[group] = _naive_error(y[:length], spec.frequency.season)
    for fold in folds:
        split = int(result.origins[fold] - panel.starts[group] + 1)
        tested = slice(split, split + spec.horizon)
        for name, forecast in result.forecasts.items():
            try:
                fitted = fit_candidate(name, x[:split], y[:split], spec.linear)
                forecast[group, fold] = fitted.predict(x[tested], naive[group, fold])
            except Exception as error:  # a candidate's failure is the group's to report, not the shard's
                forecast[group] = np.nan
                text = f"{type(error).__name__}: {error}"
                result.errors.setdefault(group, {}).setdefault(name, text)


def fit_candidate(name: str, x: Floats, y: Floats, linear: Flags) -> FittedCandidate:
    """Candidate fitted on the rows whose target is there.

    Raises:
        ValueError: fewer than ten such rows.
    """
    there = ~np.isnan(y)
    if name != BASELINE and there.sum() < TRAINING_ROWS_MIN:
        raise ValueError(f"{there.sum()} rows to fit on; {TRAINING_ROWS_MIN} are needed")
    return CANDIDATES[name](x[there], y[there], linear)


def _naive_error(y: Floats, season: int) -> float:
    differences = np.abs(y[season:] - y[:-season])
    differences = differences[~np.isnan(differences)]
    return float(differences.mean()) if len(differences) else np.nan
