"""Rolling-origin backtest: what each candidate would have forecast at several past origins.

Every fold fits on the periods through its origin and forecasts the horizon after it, for each group
on its own; a group that is too young for a fold has NaN there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from many_models.core.arrays import Floats, Ints
from many_models.core.cost import Cost, Stopwatch
from many_models.core.failure import Problem, describe_error
from many_models.core.forecast.candidates.auto import choose
from many_models.core.forecast.candidates.catalogue import find_candidate
from many_models.core.forecast.candidates.ensemble import backtest_ensembles
from many_models.core.forecast.candidates.port import (
    FittedCandidate,
    Foretold,
    Outlook,
    Sample,
    forecast,
)
from many_models.core.forecast.features import FeatureSpec, seasonal_naive
from many_models.core.forecast.metrics import Scale
from many_models.core.forecast.panel import Panel
from many_models.core.forecast.use_case import BASELINE, POOLED, UseCase

TRAINING_ROWS_MIN = 8
HISTORY_MIN = 8


@dataclass(frozen=True)
class Backtest:
    """Forecasts of ``G`` groups at ``F`` origins over the horizon ``H``.

    ``actual`` and each of ``forecasts`` are (G, F, H), NaN in groups that a candidate was not tried
    on; ``members`` names each group's, of its ensembles; ``costs`` (G) what was spent on each;
    ``errors`` what went wrong, by group and candidate. A candidate that fails in one fold has NaN
    in all of the group's: it must not be judged on fewer folds than its rivals.
    """

    origins: Ints
    actual: Floats
    forecasts: dict[str, Floats]
    scale: Scale
    errors: dict[int, dict[str, Problem]]
    members: dict[int, tuple[str, ...]]
    costs: list[Cost] = field(default_factory=list)

    def of(self, name: str) -> Floats:
        """Forecasts of one candidate, to be filled in."""
        return self.forecasts.setdefault(name, np.full(self.actual.shape, np.nan))

    @property
    def folds(self) -> Ints:
        """Folds (G) that each group was judged on."""
        judged: Ints = (~np.isnan(self.forecasts[BASELINE])).any(axis=2).sum(axis=1)
        return judged


def history_needed(use_case: UseCase) -> int:
    """Periods through a fold's origin that a group must have.

    As many as are forecast, and one and a half seasons: MASE's denominator then rests on half a
    season of differences.
    """
    return max(HISTORY_MIN, use_case.horizon, use_case.frequency.season * 3 // 2)


def fold_origins(use_case: UseCase, origin: int) -> Ints:
    """Origins of the folds, the latest first; the latest one's horizon ends at ``origin``."""
    back = use_case.horizon + use_case.step * np.arange(use_case.validation.folds)
    return (origin - back).astype(np.int64)


def run_backtest(
    panel: Panel, features: Floats, use_case: UseCase, pooled: Floats | None = None
) -> Backtest:
    """Backtest of all the use case's candidates on a panel with its feature matrix (N, p).

    ``pooled`` (G, F, H) is what the partition's pooled model has forecast in each fold.
    """
    origins = fold_origins(use_case, panel.origin)
    ahead = origins[:, None] + np.arange(1, use_case.horizon + 1)
    old_enough = origins - panel.starts[:, None] + 1 >= history_needed(use_case)
    naive = seasonal_naive(panel, origins, use_case.horizon, use_case.frequency.season)
    groups = len(panel.starts)
    result = Backtest(
        origins=origins,
        actual=panel.values_at(panel.target, ahead),
        forecasts={},
        scale=Scale(np.full(groups, np.nan), np.full(groups, np.nan)),
        errors={},
        members={},
    )
    for group in range(groups):
        watch = Stopwatch()
        folds = np.flatnonzero(old_enough[group])
        if len(folds):
            foretold: dict[str, Floats] = {BASELINE: naive[group]}
            if pooled is not None and np.isfinite(pooled[group, folds]).all():
                foretold[POOLED] = pooled[group]
            _backtest_group(result, group, folds, panel, features, foretold, use_case)
        result.costs.append(watch.read())
    return result


def _backtest_group(
    result: Backtest,
    group: int,
    folds: Ints,
    panel: Panel,
    features: Floats,
    foretold: Mapping[str, Floats],
    use_case: UseCase,
) -> None:
    """Fill in one group's part of ``result``.

    ``foretold`` are forecasts (F, H) that need no fit to the group: the baseline's, the pooled.
    """
    spec, rows = FeatureSpec.of(use_case), slice(*panel.offsets[group : group + 2])
    whole = spec.sample(features[rows], panel.target[rows], panel.origin)
    x, y = whole.x, whole.y
    splits = result.origins - panel.starts[group] + 1
    naive_errors = _naive_errors(y[: splits[folds[-1]]], use_case.frequency.season)
    if len(naive_errors):
        result.scale.absolute[group] = np.abs(naive_errors).mean()
        result.scale.squared[group] = (naive_errors**2).mean()
    for name in _names(use_case, whole, len(folds), pooled=POOLED in foretold):
        forecasts = result.of(name)
        try:
            for fold in folds:
                split = splits[fold]
                origin = int(result.origins[fold])
                past = replace(whole, x=x[:split], y=y[:split], origin=origin)
                ahead = x[split : split + use_case.horizon]
                outlook = Outlook(ahead, foretold[BASELINE][fold], y[:split], origin)
                if name in foretold:
                    fitted: FittedCandidate = Foretold(foretold[name][fold])
                else:
                    fitted = fit_candidate(name, past, use_case)
                forecasts[group, fold] = forecast(fitted, outlook, use_case.prediction_floor)
        except Exception as error:  # the group's to report, not the shard's to fail by
            forecasts[group] = np.nan
            result.errors.setdefault(group, {})[name] = describe_error("candidate_failed", error)
    if use_case.ensembles:
        _add_ensembles(result, group, folds)


def _names(use_case: UseCase, sample: Sample, folds: int, *, pooled: bool) -> tuple[str, ...]:
    """Candidates of one group, the baseline first; the pooled model where there is one."""
    if use_case.candidates is not None:
        return tuple(name for name in use_case.candidate_names if name != POOLED or pooled)
    known, seconds = bool(use_case.features.known), use_case.seconds_per_group
    chosen = choose(sample, folds + 1, seconds, known_features=known)
    return (BASELINE, *chosen, *([POOLED] if pooled else []))


def _add_ensembles(result: Backtest, group: int, folds: Ints) -> None:
    """Forecasts of the ensembles of all that one group was tried on, those that failed left out."""
    tried = {
        name: forecasts[group, folds]
        for name, forecasts in result.forecasts.items()
        if np.isfinite(forecasts[group, folds]).all()
    }
    found = backtest_ensembles(tried, result.actual[group, folds])
    if found:
        result.members[group] = tuple(tried)
    for name, forecasts in found.items():
        result.of(name)[group, folds] = forecasts


def fit_candidate(name: str, sample: Sample, use_case: UseCase) -> FittedCandidate:
    """The use case's candidate of that name, fitted on a sample.

    Raises:
        ValueError: the target is there in fewer than ``TRAINING_ROWS_MIN`` of its periods.
    """
    there = int((~np.isnan(sample.y)).sum())
    if name != BASELINE and there < TRAINING_ROWS_MIN:
        raise ValueError(f"{there} rows to fit on; {TRAINING_ROWS_MIN} are needed")
    return find_candidate(name, use_case.candidates or ())(sample)


def _naive_errors(y: Floats, season: int) -> Floats:
    """What the one-season naive forecast is off by, where both values are there."""
    differences: Floats = y[season:] - y[:-season]
    return differences[~np.isnan(differences)]
