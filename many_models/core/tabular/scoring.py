"""Batch scoring of one shard of rows: by each group's champion, or by the baseline.

The rows of the days after an origin are predicted, whether their target has come meanwhile or not:
nobody knew it at the origin. Pure, and one bad group leaves its neighbours alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits

from many_models.core.arrays import Ints
from many_models.core.failure import Problem
from many_models.core.keys import group_key
from many_models.core.scoring import (
    Champion,
    ShardScores,
    make_prediction_schema,
    make_scoring_row,
    make_scoring_schema,
)
from many_models.core.tabular.dataset import Rows, read_rows
from many_models.core.tabular.model import TabularModel, fit_baseline, load_model
from many_models.core.tabular.use_case import TabularUseCase

NOTHING_TO_PREDICT = "no_rows"


@dataclass(frozen=True, slots=True)
class _Score:
    """How one group was served: ``predictions`` of its ``rows``, or of none of those ``due``."""

    source: Literal["model", "baseline", "none"]
    due: int
    rows: Ints
    problem: Problem | None = None
    candidate: str | None = None
    predictions: pd.DataFrame | None = None
    champion: Champion | None = None


def prediction_schema(use_case: TabularUseCase) -> pa.Schema:
    """Columns of the predictions table: a row for each row that was predicted."""
    number = use_case.target_is_number
    of_classes = [("probability", pa.float64()), ("probabilities", pa.string())]
    predicted = [
        (use_case.row_id, pa.string()),
        ("prediction", pa.float64() if number else pa.string()),
        *([] if number else of_classes),
    ]
    return make_prediction_schema(use_case, predicted)


def scoring_schema(use_case: TabularUseCase) -> pa.Schema:
    """Columns of the scoring ledger: one row per group and origin, with its rows to predict."""
    return make_scoring_schema(use_case, [("rows_due", pa.int64())])


def score_shard(
    table: pa.Table,
    champions: Mapping[str, Champion],
    use_case: TabularUseCase,
    *,
    partition: str,
    origin: np.datetime64,
    data_through: np.datetime64 | None = None,
) -> ShardScores:
    """Predict the rows of the ``days_ahead`` days after the day of ``origin``.

    ``champions`` are looked up by composite key, one at a time. ``data_through`` changes nothing
    here: a row is there, or it is not.

    Returns:
        Predictions (``prediction_schema``) and one row per group (``scoring_schema``).
    """
    rows = read_rows(table, use_case)
    day = int(use_case.frequency.to_period(np.array([origin]))[0])
    scorer = _Scorer(rows, use_case, day)
    with threadpool_limits(1):
        scores = [scorer.score(group, champions) for group in range(len(rows.keys))]
    return ShardScores(*_tables(rows, scores, use_case, partition, day))


def load_champion(
    champion: Champion, key: tuple[str, ...], use_case: TabularUseCase
) -> TabularModel:
    """The model of a group that is in production.

    Raises:
        ValueError: it cannot be read, or is no model of this group as the use case has it now.
    """
    if champion.payload is None:
        raise ValueError(champion.error)
    model, wanted = load_model(champion.payload), use_case.features
    if (model.numeric, model.categorical) != (wanted.numeric, wanted.categorical):
        raise ValueError("its features are not the use case's; train it again")
    if bool(model.classes) == use_case.target_is_number:
        raise ValueError(f"it is not a model of {use_case.problem}; train it again")
    if model.key != key:
        raise ValueError(f"it is the model of another group, {model.key}; train it again")
    return model


@dataclass(frozen=True)
class _Scorer:
    """A shard's rows at one origin, a day."""

    rows: Rows
    use_case: TabularUseCase
    origin: int

    def score(self, group: int, champions: Mapping[str, Champion]) -> _Score:
        wanted = self.rows.of(group)
        ahead = self.rows.days[wanted] - self.origin
        due = wanted.start + np.flatnonzero((ahead >= 1) & (ahead <= self.use_case.days_ahead))
        nobody = np.empty(0, np.int64)
        if problem := self.rows.problems.get(group):
            return _Score("none", len(due), nobody, problem)
        if not len(due):
            text = f"no row in the {self.use_case.days_ahead} days after the origin"
            return _Score("none", len(due), nobody, Problem(NOTHING_TO_PREDICT, text))
        key = self.rows.keys[group]
        champion = champions.get(group_key(self.use_case.keys, key))
        problem = Problem("no_champion", "no model of this group is in production")
        if champion is not None:
            try:
                model = load_champion(champion, key, self.use_case)
                if model.origin > self.origin:
                    raise ValueError("it has seen data after this origin")
                found = self._predict(model, due)
                return _Score("model", len(due), due, None, model.candidate, found, champion)
            except Exception as error:
                text = f"{champion.name}: {type(error).__name__}: {error}"
                problem = Problem("champion_failed", text)
        return self._serve_baseline(group, due, problem)

    def _serve_baseline(self, group: int, due: Ints, problem: Problem) -> _Score:
        labelled = self.rows.labelled(group, self.origin)
        if not len(labelled):
            text = f"{problem.error}, and no row has a {self.use_case.target} by the origin"
            return _Score("none", len(due), due[:0], Problem("no_observations", text))
        target = self.rows.target[labelled]
        model = fit_baseline(self.use_case, self.rows.keys[group], target, self.origin)
        return _Score(
            "baseline", len(due), due, problem, model.candidate, self._predict(model, due)
        )

    def _predict(self, model: TabularModel, due: Ints) -> pd.DataFrame:
        return model.predict(self.rows.features.iloc[due])


def _tables(
    rows: Rows, scores: list[_Score], use_case: TabularUseCase, partition: str, origin: int
) -> tuple[pa.Table, pa.Table]:
    moment = use_case.frequency.to_time(np.array([origin]))[0]
    ledger = pa.Table.from_pylist(
        [
            {
                **make_scoring_row(use_case, key, score, partition=partition, origin=moment),
                "rows_due": score.due,
            }
            for key, score in zip(rows.keys, scores, strict=True)
        ],
        schema=scoring_schema(use_case),
    )
    schema = prediction_schema(use_case)
    served = np.concatenate([np.empty(0, np.int64), *(score.rows for score in scores)])
    repeated = ledger.take(np.repeat(np.arange(len(scores)), [len(s.rows) for s in scores]))
    found = [score.predictions for score in scores if score.predictions is not None]
    if not found:
        return schema.empty_table(), ledger
    predicted = pd.concat(found, ignore_index=True)
    computed = {
        "time": pa.array(rows.times[served]),
        "periods_ahead": pa.array(rows.days[served] - origin),
        use_case.row_id: pa.array(rows.row_ids[served], pa.string(), from_pandas=True),
        **{
            name: pa.array(predicted[name].to_numpy(), schema.field(name).type, from_pandas=True)
            for name in predicted.columns
        },
    }
    arrays = [computed[name] if name in computed else repeated[name] for name in schema.names]
    return pa.table(arrays, schema=schema), ledger
