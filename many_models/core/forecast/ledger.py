"""The ledger of forecasts: what it tells of a model beyond what every ledger tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields

import numpy as np
import pyarrow as pa

from many_models.core.explanation import EFFECTS, ModelEffect, as_rows
from many_models.core.forecast.closeup import CLOSEUP_TYPE, CloseUp
from many_models.core.forecast.folds import BACKTEST_TYPE, Folds
from many_models.core.forecast.metrics import METRICS
from many_models.core.forecast.use_case import UseCase
from many_models.core.ledger import (
    BACKTEST,
    CLOSEUP,
    GroupOutcome,
    make_training_schema,
    make_training_table,
)


@dataclass(frozen=True, slots=True)
class Training:
    """What training made of one group that was trained; metrics are the winning candidate's.

    ``coverages`` are by column of the ledger, one for each level of ``validation``.
    ``latest_mae`` is its mean absolute error in the latest fold alone, in the target's unit.
    ``effects`` explain the model, ``backtest`` is what it forecast in each fold;
    ``closeup`` is there of a few groups only.
    """

    candidate: str
    score: float
    baseline_score: float
    candidate_scores: str
    coverages: Mapping[str, float]
    latest_mae: float
    metrics: Mapping[str, float]
    folds: int
    evaluated_from: np.datetime64
    payload: bytes
    payload_sha256: str
    effects: tuple[ModelEffect, ...] = ()
    backtest: Folds | None = None
    closeup: CloseUp | None = None

    def columns(self, use_case: UseCase) -> dict[str, object]:
        return {
            **{field.name: getattr(self, field.name) for field in fields(self)},
            **self.metrics,
            **self.coverages,
            EFFECTS: as_rows(self.effects),
            BACKTEST: asdict(self.backtest) if self.backtest else None,
            CLOSEUP: asdict(self.closeup) if self.closeup else None,
        }


ForecastOutcome = GroupOutcome[Training]


def training_schema(use_case: UseCase) -> pa.Schema:
    """Columns of a shard's training result: the ledger's, and ``NOT_IN_LEDGER``."""
    figures = [
        *((name, pa.float64()) for name in METRICS),
        *((name, pa.float64()) for name in use_case.validation.coverage_columns),
        ("latest_mae", pa.float64()),
        ("folds", pa.int64()),
    ]
    schema = make_training_schema(use_case, figures).append(pa.field(BACKTEST, BACKTEST_TYPE))
    return schema.append(pa.field(CLOSEUP, CLOSEUP_TYPE))


def training_table(
    outcomes: Iterable[ForecastOutcome],
    use_case: UseCase,
    *,
    partition: str,
    trained_through: np.datetime64,
) -> pa.Table:
    """Outcomes as a table in ``training_schema``."""
    schema = training_schema(use_case)
    return make_training_table(
        outcomes, use_case, schema, partition=partition, trained_through=trained_through
    )
