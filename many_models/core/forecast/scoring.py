"""Batch scoring of one shard: every group's champion, or what stands in for it.

That is the partition's pooled model or, without one, the baseline.

Pure: an Arrow table of whole groups and the champions' payloads in; predictions, and one row per
group that says which model served it and why, out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from many_models.core.arrays import Flags, Floats, Ints
from many_models.core.failure import Problem
from many_models.core.forecast.backtest import fold_origins
from many_models.core.forecast.candidates.baseline import SeasonalNaive
from many_models.core.forecast.candidates.port import FittedCandidate, Outlook
from many_models.core.forecast.dataset import Dataset, read_dataset
from many_models.core.forecast.features import FeatureSpec, build_features, seasonal_naive
from many_models.core.forecast.group_score import GroupScore
from many_models.core.forecast.intervals import calibrate
from many_models.core.forecast.inventory import make_inventory
from many_models.core.forecast.model import (
    ForecastModel,
    forecast_with_intervals,
    load_model,
)
from many_models.core.forecast.panel import Panel, build_panel, first_observed
from many_models.core.forecast.pooled.stand_in import PooledStandIn
from many_models.core.forecast.use_case import BASELINE, POOLED, UseCase
from many_models.core.isolation import run_isolated
from many_models.core.keys import group_key
from many_models.core.scoring import (
    Champion,
    ShardScores,
    make_prediction_schema,
    make_scoring_row,
    make_scoring_schema,
)


def prediction_schema(use_case: UseCase) -> pa.Schema:
    """Columns of the predictions table; the forecast is in the target's unit."""
    names = ("prediction", *use_case.validation.bound_columns)
    return make_prediction_schema(use_case, [(name, pa.float64()) for name in names])


def scoring_schema(use_case: UseCase) -> pa.Schema:
    """Columns of the scoring ledger: one row per group and origin."""
    return make_scoring_schema(use_case)


def score_shard(
    table: pa.Table,
    champions: Mapping[str, Champion],
    use_case: UseCase,
    *,
    partition: str,
    origin: np.datetime64,
    data_through: np.datetime64 | None = None,
) -> ShardScores:
    """Forecast the horizon after ``origin`` for every group of a shard (sorted by key and time).

    ``champions`` are looked up by composite key, one at a time; that of ``POOLED_KEY`` serves
    groups without one, even such as have not been observed yet. What lies after ``data_through``
    (default: the origin) was not ingested yet, so that it is missing, not zero.

    Returns:
        Predictions (``prediction_schema``), one row per group (``scoring_schema``) and, where the
        use case asks for it, its safety stock (``inventory_schema``).
    """
    dataset = read_dataset(table, use_case)
    moments = np.array([origin, origin if data_through is None else data_through])
    period, through = use_case.frequency.to_period(moments).tolist()
    scores = {g: _unserved(problem) for g, problem in dataset.problems.items()}
    stand_in = PooledStandIn(champions, use_case, period)
    usable = np.setdiff1d(np.arange(len(dataset.keys)), list(scores))
    scores |= run_isolated(
        usable,
        period + 1 - first_observed(dataset, period)[usable],
        lambda groups: _Scorer(dataset, groups, use_case, period, through, stand_in).score(
            champions
        ),
        lambda _, error: _unserved(Problem("scoring_error", f"{type(error).__name__}: {error}")),
    )
    predictions, ledger = _tables(dataset, scores, use_case, partition, period)
    if use_case.inventory is None:
        return ShardScores(predictions, ledger)
    in_order = [scores[group] for group in range(len(dataset.keys))]
    inventory = make_inventory(dataset, ledger, in_order, use_case, period)
    return ShardScores(predictions, ledger, inventory)


def load_champion(champion: Champion, key: tuple[str, ...], use_case: UseCase) -> ForecastModel:
    """The model of a group that is in production.

    Raises:
        ValueError: it cannot be read, or is no model of this group as the use case has it now.
    """
    if champion.payload is None:
        raise ValueError(champion.error)
    model = load_model(champion.payload)
    if model.spec != FeatureSpec.of(use_case):
        raise ValueError("its features or its horizon are not the use case's; train it again")
    if model.key != key:
        raise ValueError(f"it is the model of another group, {model.key}; train it again")
    return model


def _unserved(problem: Problem) -> GroupScore:
    return GroupScore("none", None, problem, None)


@dataclass(frozen=True)
class _Scorer:
    """Some groups of a shard at one origin."""

    dataset: Dataset
    groups: Ints
    use_case: UseCase
    origin: int
    data_through: int
    stand_in: PooledStandIn

    def score(self, champions: Mapping[str, Champion]) -> dict[int, GroupScore]:
        if champions:
            _ = self.ahead  # made here, since what fails in it is no champion's fault
        names = [group_key(self.use_case.keys, self.dataset.keys[g]) for g in self.groups]
        served = (self._serve(index, champions.get(name)) for index, name in enumerate(names))
        return dict(zip(self.groups.tolist(), served, strict=True))

    @cached_property
    def panel(self) -> Panel:
        return build_panel(
            self.dataset,
            self.groups,
            self.use_case,
            origin=self.origin,
            ahead=self.use_case.horizon,
            data_through=self.data_through,
        )

    @cached_property
    def features(self) -> Floats:
        """Feature matrix of the panel (N, p)."""
        return build_features(self.panel, FeatureSpec.of(self.use_case))

    @cached_property
    def ahead(self) -> Floats:
        """Feature rows of the horizon (G, H, p)."""
        ahead = self.origin + 1 + np.arange(self.use_case.horizon)
        return self.features[self.panel.rows_at(ahead)]

    @cached_property
    def unseen(self) -> Flags:
        """Groups (G) without an observation at or before the origin."""
        return self.panel.starts > self.origin

    @cached_property
    def naive(self) -> Floats:
        """Seasonal naive forecasts of the horizon (G, H)."""
        return self._naive_from(np.array([self.origin]))[:, 0]

    @cached_property
    def naive_halfwidths(self) -> Floats:
        """Half widths (G, L, H) of the baseline's intervals, from its own backtest."""
        return calibrate(self.naive_residuals, self.use_case.validation.all_levels)

    @cached_property
    def naive_residuals(self) -> Floats:
        """Forecast minus actual (G, F, H) in the baseline's backtest."""
        origins = fold_origins(self.use_case, self.origin)
        forecast = self._naive_from(origins)
        if self.use_case.prediction_floor is not None:
            forecast = np.maximum(forecast, self.use_case.prediction_floor)
        ahead = origins[:, None] + 1 + np.arange(self.use_case.horizon)
        actual = self.panel.values_at(self.panel.target, ahead)
        residuals: Floats = forecast - actual
        return residuals

    def _naive_from(self, origins: Ints) -> Floats:
        use_case = self.use_case
        return seasonal_naive(self.panel, origins, use_case.horizon, use_case.frequency.season)

    def _serve(self, index: int, champion: Champion | None) -> GroupScore:
        problem = self._without_champion(index)
        if champion is not None and not self.unseen[index]:
            try:
                return self._serve_model(index, champion)
            except Exception as error:
                text = f"{champion.name}: {type(error).__name__}: {error}"
                problem = Problem("champion_failed", text)
        found = self.pooled
        if isinstance(found, Problem):
            problem = Problem(problem.reason, f"{problem.error}; {found.error}")
        elif found is not None and np.isfinite(found[index, 0]).all():
            errors = None if self.pooled_residuals is None else self.pooled_residuals[index]
            by = self.stand_in.champion
            return GroupScore("pooled", POOLED, problem, found[index], by, errors)
        if self.unseen[index]:
            return _unserved(problem)
        nothing = np.empty((self.use_case.horizon, 0))
        forecast = self._forecast(index, SeasonalNaive(), nothing, self.naive_halfwidths[index])
        residuals = self.naive_residuals[index]
        return GroupScore("baseline", BASELINE, problem, forecast, residuals=residuals)

    def _without_champion(self, index: int) -> Problem:
        if self.unseen[index]:
            time = self.use_case.frequency.to_time(np.array([self.origin]))[0]
            return Problem("no_observations", f"no {self.use_case.target} at or before {time}")
        return Problem("no_champion", "no model of this group is in production")

    @cached_property
    def pooled(self) -> Floats | Problem | None:
        """What the pooled model says of all groups (G, 1 + 2 L, H)."""
        return self.stand_in.forecast(self.dataset, self.groups, self.panel, self.features)

    @cached_property
    def pooled_residuals(self) -> Floats | None:
        """Forecast minus actual (G, F, H) of the pooled model, for safety stock."""
        if self.use_case.inventory is None:
            return None
        return self.stand_in.residuals(self.dataset, self.groups, self.panel, self.features)

    def _serve_model(self, index: int, champion: Champion) -> GroupScore:
        model = load_champion(champion, self.dataset.keys[self.groups[index]], self.use_case)
        if model.origin > self.origin:
            raise ValueError("it has seen data after this forecast origin")
        halfwidths = model.halfwidths_at(self.use_case.validation.all_levels)
        forecast = self._forecast(index, model.fitted, self.ahead[index], halfwidths)
        return GroupScore("model", model.candidate, None, forecast, champion, model.residuals)

    def _forecast(
        self, index: int, fitted: FittedCandidate, x: Floats, halfwidths: Floats
    ) -> Floats:
        end = int(self.panel.offsets[index + 1]) - self.use_case.horizon
        history = self.panel.target[int(self.panel.offsets[index]) : end]
        outlook = Outlook(x, self.naive[index], history, self.origin)
        floor = self.use_case.prediction_floor
        return forecast_with_intervals(fitted, outlook, halfwidths, floor)


def _tables(
    dataset: Dataset, scores: dict[int, GroupScore], use_case: UseCase, partition: str, origin: int
) -> tuple[pa.Table, pa.Table]:
    times = use_case.frequency.to_time(origin + np.arange(use_case.horizon + 1))
    rows = [
        make_scoring_row(use_case, key, scores[group], partition=partition, origin=times[0])
        for group, key in enumerate(dataset.keys)
    ]
    ledger = pa.Table.from_pylist(rows, schema=scoring_schema(use_case))
    served = [group for group in range(len(dataset.keys)) if scores[group].forecast is not None]
    repeated = ledger.take(np.repeat(served, use_case.horizon).astype(np.int64))
    forecasts = [f for group in served if (f := scores[group].forecast) is not None]
    bounds = use_case.validation.bound_columns
    prediction, *found = np.concatenate([np.empty((1 + len(bounds), 0)), *forecasts], axis=1)
    computed = {
        "time": pa.array(np.tile(times[1:], len(served))),
        "periods_ahead": pa.array(np.tile(np.arange(len(times))[1:], len(served))),
        "prediction": pa.array(prediction),
    }
    for name, values in zip(bounds, found, strict=True):
        computed[name] = pa.array(values, from_pandas=True)  # no interval is null, not NaN
    schema = prediction_schema(use_case)
    arrays = [computed[name] if name in computed else repeated[name] for name in schema.names]
    return pa.table(arrays, schema=schema), ledger
