"""The facts: what the steps of the pipeline write, in the order in which they do.

Their columns are told by the shape of the problem, or by ``fact_schemas``.
"""

from __future__ import annotations

import pyarrow as pa

from many_models.core.actuals import accuracy_schema
from many_models.core.explanation import explanation_schema
from many_models.core.forecast.folds import backtest_schema
from many_models.core.forecast.use_case import UseCase
from many_models.core.result_tables.comments import describe
from many_models.core.result_tables.fact_schemas import (
    ROLLBACKS,
    STAGES,
    drift_schema,
    ledger_schema,
    pooled_schema,
    retraining_schema,
    verdict_schema,
)
from many_models.core.result_tables.spec import Table
from many_models.core.shapes import shape_of
from many_models.core.use_case import AnyUseCase


def fact_tables(use_case: AnyUseCase) -> list[Table]:
    """Tables that the pipeline of this use case fills."""
    rows, shape = use_case.row_id_columns, shape_of(use_case)
    tables = [
        _table(
            use_case,
            "ledger",
            "One row a group and training run, whatever happened to the group",
            ledger_schema(use_case),
            key=("run_id", "group_key"),
            indexes=(("run_id", "partition"), ("partition", "trained_at"), _BY_GROUP_AND_RUN),
        ),
        _table(
            use_case,
            "explanations",
            "One row an effect of a model of its partition's last training run",
            explanation_schema(use_case),
            key=("group_key", "member", "effect", "feature", "class_name"),
            indexes=(("partition",), ("group_key",)),
        ),
        _table(
            use_case,
            "verdicts",
            "One row a model judged in a training run; a pooled model has no group",
            verdict_schema(use_case),
            key=("run_id", "model_name"),
            indexes=(("partition", "run_id"), ("partition", "trained_at"), ("group_key",)),
        ),
        _table(
            use_case,
            "predictions",
            "One row a prediction: a group and a time, from one origin",
            shape.prediction_schema(use_case),
            key=("origin", "group_key", "time", *rows),
            indexes=(("origin", "partition"), ("group_key", "origin")),
        ),
        _table(
            use_case,
            "scoring",
            "One row a group and origin: what served it, and why",
            shape.scoring_schema(use_case),
            key=("origin", "group_key"),
            indexes=(("origin", "partition"), ("origin", "source"), ("group_key", "origin")),
        ),
        _table(
            use_case,
            "accuracy",
            "One row a prediction whose actual has come",
            accuracy_schema(use_case),
            key=("origin", "group_key", "time", *rows),
            indexes=(("origin", "partition"), ("group_key", "origin", "time")),
        ),
        _table(
            use_case,
            "drift",
            "One row a champion, as it was measured last",
            drift_schema(use_case),
            key=("group_key",),
            indexes=(("partition",), ("group_key",)),
        ),
        _table(
            use_case,
            "retraining",
            "One row a partition that the retraining sensor has asked for",
            retraining_schema(),
            key=("request_id", "partition"),
            indexes=(("request_id",), ("requested_at",)),
        ),
        _table(
            use_case,
            "rollbacks",
            "One row a model that was taken back to an earlier version",
            ROLLBACKS,
            key=("rollback_id", "model_name"),
            indexes=(("rollback_id",),),
        ),
        _table(
            use_case,
            "stages",
            "One row a stage of a run that has ended well",
            STAGES,
            key=("run_id", "stage"),
            indexes=(("run_id", "stage"),),
        ),
    ]
    if isinstance(use_case, UseCase):
        tables.append(
            _table(
                use_case,
                "backtests",
                "One row a group, fold and time of the backtest of its partition's last training",
                backtest_schema(use_case),
                key=("group_key", "origin", "time"),
                indexes=(("partition",), ("group_key",)),
            )
        )
        tables.append(
            _table(
                use_case,
                "pooled",
                "One row a partition's pooled model and training run",
                pooled_schema(),
                key=("run_id", "partition"),
                indexes=(("run_id", "partition"), ("partition", "trained_at")),
            )
        )
    if (schema := shape.inventory_schema(use_case)) is not None:
        tables.append(
            _table(
                use_case,
                "inventory",
                "One row a group and origin: safety stock and reorder point, or why there are none",
                schema,
                key=("origin", "group_key"),
                indexes=(("origin", "partition"), ("group_key", "origin")),
            )
        )
    return tables


_BY_GROUP_AND_RUN = ("group_key", "trained_at")


def _table(
    use_case: AnyUseCase,
    suffix: str,
    grain: str,
    schema: pa.Schema,
    *,
    key: tuple[str, ...],
    indexes: tuple[tuple[str, ...], ...],
) -> Table:
    return Table(suffix, grain, describe(use_case, suffix, schema), key, indexes)
