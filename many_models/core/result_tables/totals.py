"""Small facts, added up when the large ones are written: what the views answer quickly from.

Each follows from one fact in the transaction that writes it, so that the two never differ. Sums and
counts only: they may be added up again, over any rows.
"""

from __future__ import annotations

import pyarrow as pa

from many_models.core.actuals import accuracy_schema
from many_models.core.forecast.use_case import UseCase
from many_models.core.result_tables.comments import describe
from many_models.core.result_tables.fact_schemas import ledger_schema
from many_models.core.result_tables.spec import SLICE, Column, Derivation, Table, names
from many_models.core.shapes import shape_of
from many_models.core.use_case import AnyUseCase

_COUNT = "bigint"
_SUM = "double precision"
_FORECASTS = ("origin", "partition", "time", "source")
_ENDINGS = ("run_id", "trained_at", "partition", "status", "reason", "candidate")


def total_tables(use_case: AnyUseCase) -> list[Table]:
    """Tables of sums: of accuracy by group and by day, of forecasts, of how trainings ended."""
    return [
        _accuracy_by_group(use_case),
        _accuracy_by_day(use_case),
        _accuracy(use_case),
        _ledger(use_case),
        *([_predictions(use_case)] if isinstance(use_case, UseCase) else []),
    ]


def accuracy_sums(use_case: AnyUseCase) -> tuple[Column, ...]:
    """The sums that every figure of accuracy is made of; expressions are over table accuracy."""
    counted = Column("n", _COUNT, "Predictions whose actual has come", "COUNT(*)")
    if not use_case.target_is_number:
        return counted, Column("hits", _COUNT, "Predictions that were right", "SUM(hit)")
    unit = f"in the unit of {use_case.target}"
    sums = (
        counted,
        Column("absolute_error", _SUM, f"Sum of absolute errors, {unit}", "SUM(ABS(deviation))"),
        Column("deviation", _SUM, f"Sum of prediction minus actual, {unit}", "SUM(deviation)"),
        Column("actual", _SUM, f"Sum of actuals, {unit}", "SUM(actual)"),
        Column("absolute_actual", _SUM, f"Sum of absolute actuals, {unit}", "SUM(ABS(actual))"),
    )
    if not isinstance(use_case, UseCase):
        return sums
    covered = "Actuals within the main prediction interval"
    intervals = "Predictions that have a main interval"
    return (
        *sums,
        Column("covered", _COUNT, covered, "SUM(covered)"),
        Column("intervals", _COUNT, intervals, "COUNT(covered)"),
    )


def _accuracy_by_group(use_case: AnyUseCase) -> Table:
    by = ("origin", "partition", "group_key", *use_case.keys, "source")
    told = _columns(use_case, "accuracy_group_totals", accuracy_schema(use_case), by)
    sums = accuracy_sums(use_case)
    return Table(
        "accuracy_group_totals",
        "One row a group, origin and source, with sums over its predictions judged",
        (*told, *sums),
        key=("origin", "group_key", "source"),
        indexes=(("origin", "partition"), ("group_key", "origin")),
        derivations=(_added_up(use_case, "accuracy", "accuracy_group_totals", told, sums),),
    )


def _accuracy_by_day(use_case: AnyUseCase) -> Table:
    return _by_day(
        use_case,
        "accuracy_day_totals",
        "One row a partition, origin, day, distance from the origin and source, with sums over "
        "the predictions judged",
        ("origin", "partition", "periods_ahead", "source"),
        (("origin", "partition"), ("partition", "date")),
    )


def _accuracy(use_case: AnyUseCase) -> Table:
    return _by_day(
        use_case,
        "accuracy_totals",
        "One row an origin, day, distance from the origin and source, with sums over the "
        "predictions judged of all groups",
        ("origin", "periods_ahead", "source"),
        (("origin",),),
    )


def _by_day(
    use_case: AnyUseCase,
    suffix: str,
    grain: str,
    by: tuple[str, ...],
    indexes: tuple[tuple[str, ...], ...],
) -> Table:
    day = Column("date", "date", "Day of the time that was predicted", 'date("time")')
    told = (*_columns(use_case, suffix, accuracy_schema(use_case), by), day)
    sums = accuracy_sums(use_case)
    derivation = _added_up(use_case, "accuracy", suffix, told, sums)
    return Table(suffix, grain, (*told, *sums), (*by, "date"), indexes, derivations=(derivation,))


def _ledger(use_case: AnyUseCase) -> Table:
    by = _columns(use_case, "ledger_totals", ledger_schema(use_case), _ENDINGS)
    sums = ledger_sums(use_case)
    return Table(
        "ledger_totals",
        "One row a training run, partition, way that groups ended and candidate, with sums over "
        "these groups",
        (*by, *sums),
        key=_ENDINGS,
        indexes=(("run_id", "partition"),),
        derivations=(_added_up(use_case, "ledger", "ledger_totals", by, sums),),
    )


def _predictions(use_case: UseCase) -> Table:
    schema, by = shape_of(use_case).prediction_schema(use_case), _FORECASTS
    told = _columns(use_case, "prediction_totals", schema, by)
    sums = (
        Column("n", _COUNT, "Forecasts that there are", "COUNT(prediction)"),
        Column(
            *("prediction", _SUM, f"Sum of forecasts, in the unit of {use_case.target}"),
            "SUM(prediction)",
        ),
    )
    return Table(
        "prediction_totals",
        "One row a partition, origin, time and source, with sums over the forecasts",
        (*told, *sums),
        key=by,
        indexes=(("origin", "partition"),),
        derivations=(_added_up(use_case, "predictions", "prediction_totals", told, sums),),
    )


def ledger_sums(use_case: AnyUseCase) -> tuple[Column, ...]:
    """The sums that summaries of the ledger are made of; expressions are over table ledger."""
    sign = ">" if use_case.higher_is_better else "<"
    better = f"SUM(CASE WHEN score {sign} baseline_score THEN 1 ELSE 0 END)"
    scored = f"by {use_case.metric}, of the groups that have one"
    return (
        Column("groups", _COUNT, "Groups that ended so", "COUNT(*)"),
        Column("scored", _COUNT, "Groups of these with a score", "COUNT(score)"),
        Column("better", _COUNT, "Groups of these whose model beats the baseline", better),
        Column("score", _SUM, f"Sum of scores, {scored}", "SUM(score)"),
        Column("baseline_score", _SUM, f"Sum of the baseline's, {scored}", "SUM(baseline_score)"),
        Column("core_seconds", _SUM, "Core-seconds that training took", "SUM(core_seconds)"),
        Column("payload_bytes", _COUNT, "Size of the models, in bytes", "SUM(payload_bytes)"),
    )


def _columns(
    use_case: AnyUseCase, suffix: str, schema: pa.Schema, by: tuple[str, ...]
) -> tuple[Column, ...]:
    """The columns of a fact by which its sums are told apart."""
    return describe(use_case, suffix, pa.schema([schema.field(name) for name in by]))


def _added_up(
    use_case: AnyUseCase,
    fact: str,
    suffix: str,
    by: tuple[Column, ...],
    sums: tuple[Column, ...],
) -> Derivation:
    table, source = use_case.table(suffix), use_case.table(fact)
    told = ", ".join(column.expression or f'"{column.name}"' for column in by)
    added = ", ".join(column.expression for column in sums)
    return Derivation(
        fact,
        (
            f'DELETE FROM "{table}" WHERE {SLICE}',
            f'INSERT INTO "{table}" ({names((*by, *sums))}) SELECT {told}, {added} '
            f'FROM "{source}" WHERE {SLICE} GROUP BY {told}',
        ),
    )
