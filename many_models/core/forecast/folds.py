"""What a group's winner forecast in each fold of its backtest, beside what happened, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from many_models.core.arrays import Floats
from many_models.core.forecast.backtest import Backtest
from many_models.core.forecast.use_case import UseCase


@dataclass(frozen=True, slots=True)
class Folds:
    """Forecasts and actuals (F, H) of one group, from each of ``origins`` (F), period numbers."""

    origins: Sequence[int]
    forecasts: Sequence[Sequence[float]]
    actuals: Sequence[Sequence[float]]


_ROWS = pa.list_(pa.list_(pa.float64()))
BACKTEST_TYPE = pa.struct(
    [("origins", pa.list_(pa.int64())), ("forecasts", _ROWS), ("actuals", _ROWS)]
)


def folds_of(backtest: Backtest, index: int, forecasts: Floats) -> Folds:
    """The folds that the ``index``-th group was judged on, by its winner's ``forecasts`` (F, H)."""
    judged = np.isfinite(forecasts).all(axis=1)
    return Folds(
        backtest.origins[judged].tolist(),
        forecasts[judged].tolist(),
        backtest.actual[index][judged].tolist(),
    )


def backtest_schema(use_case: UseCase) -> pa.Schema:
    """Columns of the table of backtests: one row for each group, fold and period of its horizon."""
    return pa.schema(
        [
            ("partition", pa.string()),
            ("group_key", pa.string()),
            *((name, pa.string()) for name in use_case.keys),
            ("run_id", pa.string()),
            ("trained_at", pa.timestamp("us")),
            ("candidate", pa.string()),
            ("origin", pa.timestamp("us")),
            ("time", pa.timestamp("us")),
            ("periods_ahead", pa.int64()),
            ("prediction", pa.float64()),
            ("actual", pa.float64()),
        ]
    )


def backtest_table(ledger: pa.Table, folds: pa.ChunkedArray[Any], use_case: UseCase) -> pa.Table:
    """Rows in ``backtest_schema`` of ledger rows with the folds of each, in their order."""
    schema, horizon = backtest_schema(use_case), use_case.horizon
    found = folds.combine_chunks()
    origins = found.field("origins")
    of_fold = pc.list_parent_indices(origins)
    rows = ledger.take(pa.array(np.repeat(of_fold.to_numpy(), horizon)))
    starts = np.repeat(pc.list_flatten(origins).to_numpy(), horizon)
    ahead = np.tile(np.arange(1, horizon + 1), len(of_fold))
    made = {
        "origin": use_case.frequency.to_time(starts),
        "time": use_case.frequency.to_time(starts + ahead),
        "periods_ahead": ahead,
        "prediction": pc.list_flatten(pc.list_flatten(found.field("forecasts"))),
        "actual": pc.list_flatten(pc.list_flatten(found.field("actuals"))),
    }
    arrays = [made[name] if name in made else rows[name] for name in schema.names]
    return pa.table(arrays, schema=schema)
