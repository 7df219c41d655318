"""Views of accuracy: predictions beside their actuals, and averages of how far off they were.

Averages are over the totals, which are some thousand times smaller than the facts.
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from many_models.core.actuals import accuracy_schema
from many_models.core.forecast.use_case import UseCase
from many_models.core.result_tables.comments import describe
from many_models.core.result_tables.spec import Column, View
from many_models.core.shapes import shape_of
from many_models.core.use_case import AnyUseCase

_REAL = "double precision"
_JUDGED = {
    "deviation": "p.prediction - a.actual",
    "hit": "CASE WHEN a.actual IS NULL THEN NULL WHEN p.prediction = a.actual THEN 1 ELSE 0 END",
    "covered": "CASE WHEN a.actual IS NULL OR p.lower IS NULL OR p.upper IS NULL THEN NULL "
    "WHEN a.actual BETWEEN p.lower AND p.upper THEN 1 ELSE 0 END",
}
"""How a prediction is judged by its actual."""


def accuracy_views(use_case: AnyUseCase) -> list[View]:
    """Views of how good predictions were."""
    return [
        _forecast_vs_actual(use_case),
        _by_group(use_case),
        _averages(
            use_case,
            "accuracy_by_partition",
            ("origin", "partition", "source"),
            "One row a partition, origin and source",
            "How good were the predictions of each partition from one origin?",
            "WHERE origin = :origin",
            totals="accuracy_day_totals",
        ),
        _averages(
            use_case,
            "accuracy_by_date",
            ("date", "source"),
            "One row a day that was predicted and a source, over all origins and partitions",
            "How has accuracy gone from day to day?",
            'ORDER BY "date"',
        ),
        _averages(
            use_case,
            "accuracy_by_horizon",
            ("periods_ahead", "source"),
            "One row a distance from the origin and a source, over all origins and partitions",
            "How much worse are predictions of what is further away?",
            "ORDER BY periods_ahead",
        ),
    ]


def _forecast_vs_actual(use_case: AnyUseCase) -> View:
    """Of accuracy, the actuals alone: an origin that was predicted anew may not be judged yet."""
    predicted = shape_of(use_case).prediction_schema(use_case)
    judged = [field for field in accuracy_schema(use_case) if field.name not in predicted.names]
    columns = [
        *_shown(use_case, predicted, "p"),
        *(
            replace(column, expression=_JUDGED.get(column.name, column.expression))
            for column in _shown(use_case, pa.schema(judged), "a")
        ),
    ]
    same = ("origin", "group_key", "time", *use_case.row_id_columns)
    on = " AND ".join(f'a."{name}" = p."{name}"' for name in same)
    name = use_case.table("forecast_vs_actual")
    return View(
        "forecast_vs_actual",
        "One row a prediction, with what happened as far as it is known",
        tuple(columns),
        f'FROM "{use_case.table("predictions")}" p '
        f'LEFT JOIN "{use_case.table("accuracy")}" a ON {on}',
        "What was forecast for one group from one origin, and what happened?",
        f'SELECT "time", prediction, actual FROM "{name}" '
        'WHERE group_key = :group_key AND origin = :origin ORDER BY "time"',
    )


def _shown(use_case: AnyUseCase, schema: pa.Schema, alias: str) -> list[Column]:
    return [
        Column(c.name, c.sql_type, c.comment, f'{alias}."{c.name}"')
        for c in describe(use_case, "accuracy", schema)
    ]


def _by_group(use_case: AnyUseCase) -> View:
    by = ("origin", "partition", "group_key", *use_case.keys, "source")
    name = use_case.table("accuracy_by_group")
    error = "mae DESC" if use_case.target_is_number else "accuracy"
    return View(
        "accuracy_by_group",
        "One row a group, origin and source",
        (*_told(use_case, by), *_figures(use_case, "")),
        f'FROM "{use_case.table("accuracy_group_totals")}"',
        "Which groups were forecast worst from one origin?",
        f'SELECT * FROM "{name}" WHERE origin = :origin ORDER BY {error} LIMIT 20',
    )


def _averages(
    use_case: AnyUseCase,
    suffix: str,
    by: tuple[str, ...],
    grain: str,
    question: str,
    rest: str,
    totals: str = "accuracy_totals",
) -> View:
    """Averages over totals."""
    told = ", ".join(f'"{name}"' for name in by)
    return View(
        suffix,
        grain,
        (*_told(use_case, by), *_figures(use_case, "SUM")),
        f'FROM "{use_case.table(totals)}" GROUP BY {told}',
        question,
        f'SELECT * FROM "{use_case.table(suffix)}" {rest}',
    )


def _told(use_case: AnyUseCase, by: tuple[str, ...]) -> list[Column]:
    schema = accuracy_schema(use_case).append(pa.field("date", pa.date32()))
    return list(describe(use_case, "accuracy", pa.schema([schema.field(name) for name in by])))


def _figures(use_case: AnyUseCase, add: str) -> list[Column]:
    """Figures of accuracy of sums, which ``add`` adds up where there are several rows of them."""

    def total(name: str) -> str:
        return f"CAST({add}({name}) AS {_REAL})"

    counted = Column(
        "n", "bigint", "Predictions whose actual has come", f"CAST({add}(n) AS bigint)"
    )
    if not use_case.target_is_number:
        share = "Share of predictions that were right, a fraction"
        return [counted, Column("accuracy", _REAL, share, _over(total("hits"), total("n")))]
    unit = f"in the unit of {use_case.target}"
    figures = [
        counted,
        Column(
            *("mae", _REAL, f"Mean absolute error, {unit}"),
            _over(total("absolute_error"), total("n")),
        ),
        Column(
            *("bias", _REAL, f"Mean of prediction minus actual, {unit}"),
            _over(total("deviation"), total("n")),
        ),
        Column(
            *("wape", _REAL, "Sum of absolute errors over that of absolute actuals, a fraction"),
            _over(total("absolute_error"), total("absolute_actual")),
        ),
        Column("actual", _REAL, f"Sum of actuals, {unit}", total("actual")),
    ]
    if isinstance(use_case, UseCase):
        share = "Share of actuals within the main prediction interval, a fraction"
        covered = _over(total("covered"), total("intervals"))
        figures.append(Column("coverage", _REAL, share, covered))
    return figures


def _over(sum_: str, count: str) -> str:
    return f"{sum_} / NULLIF({count}, 0)"
