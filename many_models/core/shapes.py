"""The shapes of problems: which functions train, score and describe what a use case is about.

The one place that chooses between forecasting and independent rows. Whoever works with use cases of
any shape asks here, and knows no more of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa

from many_models.core.cost import Allowance
from many_models.core.forecast import inventory, ledger, metrics, model, online, scoring, training
from many_models.core.online import OnlineShape
from many_models.core.scoring import Champion, ShardScores
from many_models.core.tabular import ledger as tabular_ledger
from many_models.core.tabular import metrics as tabular_metrics
from many_models.core.tabular import model as tabular_model
from many_models.core.tabular import online as tabular_online
from many_models.core.tabular import scoring as tabular_scoring
from many_models.core.tabular import training as tabular_training
from many_models.core.use_case import AnyUseCase, ProblemName


class Model(Protocol):
    """What a payload holds: it takes raw rows, and has some that it would take."""

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame: ...

    def example(self) -> pd.DataFrame: ...


class TrainShard(Protocol):
    def __call__(
        self,
        table: pa.Table,
        use_case: Any,
        *,
        partition: str,
        trained_through: np.datetime64,
        allowance: Allowance | None = None,
    ) -> pa.Table: ...


class ScoreShard(Protocol):
    def __call__(
        self,
        table: pa.Table,
        champions: Mapping[str, Champion],
        use_case: Any,
        *,
        partition: str,
        origin: np.datetime64,
        data_through: np.datetime64 | None = None,
    ) -> ShardScores: ...


@dataclass(frozen=True, slots=True)
class Shape:
    """What one shape of problem does; each function takes a use case of that shape.

    ``figures`` names a use case's columns of the ledger that are metrics of a model, ``parameters``
    those that say how it was made, ``judged_on`` those that say on which data it was judged.
    """

    train_shard: TrainShard
    score_shard: ScoreShard
    training_schema: Callable[[Any], pa.Schema]
    prediction_schema: Callable[[Any], pa.Schema]
    scoring_schema: Callable[[Any], pa.Schema]
    inventory_schema: Callable[[Any], pa.Schema | None]
    make_specimen: Callable[[Any], Model]
    load_model: Callable[[bytes], Model]
    online: Callable[[Any], OnlineShape]
    figures: Callable[[Any], tuple[str, ...]]
    parameters: tuple[str, ...]
    judged_on: tuple[str, ...]


def shape_of(use_case: AnyUseCase) -> Shape:
    """The shape of a use case's problem."""
    return _SHAPES[use_case.problem]


def _tabular(figures: tuple[str, ...]) -> Shape:
    return Shape(
        train_shard=tabular_training.train_shard,
        score_shard=tabular_scoring.score_shard,
        training_schema=tabular_ledger.training_schema,
        prediction_schema=tabular_scoring.prediction_schema,
        scoring_schema=tabular_scoring.scoring_schema,
        inventory_schema=lambda _: None,
        make_specimen=tabular_model.make_specimen,
        load_model=tabular_model.load_model,
        online=tabular_online.online_shape,
        figures=lambda _: (*figures, *(f"baseline_{name}" for name in figures)),
        parameters=("candidate", "observations", "holdout_rows"),
        judged_on=("holdout_digest",),
    )


_SHAPES: Mapping[ProblemName, Shape] = {
    "forecast": Shape(
        train_shard=training.train_shard,
        score_shard=scoring.score_shard,
        training_schema=ledger.training_schema,
        prediction_schema=scoring.prediction_schema,
        scoring_schema=scoring.scoring_schema,
        inventory_schema=inventory.inventory_schema,
        make_specimen=model.make_specimen,
        load_model=model.load_model,
        online=online.online_shape,
        figures=lambda use_case: (*use_case.validation.coverage_columns, *metrics.METRICS),
        parameters=("candidate", "observations", "folds"),
        judged_on=("evaluated_from", "trained_through"),
    ),
    "regression": _tabular(tabular_metrics.METRICS_OF["regression"]),
    "classification": _tabular(tabular_metrics.METRICS_OF["classification"]),
}
