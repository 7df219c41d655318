"""Predictions beside what happened then: one row for each prediction whose actual has come.

Of any shape of problem. Averages over groups and horizons are the result store's views.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from many_models.core.forecast.use_case import UseCase
from many_models.core.shapes import shape_of
from many_models.core.use_case import AnyUseCase

PLACE, FOUND = "place in time", "rows found"  # no column of a source can be called so


def accuracy_schema(use_case: AnyUseCase) -> pa.Schema:
    """Columns of a prediction, then the ``actual`` and how far off the prediction was.

    ``deviation`` is prediction minus actual in the target's unit; of classes there is ``hit``
    instead, 1 where the prediction is right, else 0. ``covered`` is 1 where an actual lies within
    a forecast's main interval.
    """
    schema = shape_of(use_case).prediction_schema(use_case)
    number = use_case.target_is_number
    judged = [
        schema.field("prediction").with_name("actual"),
        pa.field("deviation", pa.float64()) if number else pa.field("hit", pa.int64()),
        *([pa.field("covered", pa.int64())] if isinstance(use_case, UseCase) else []),
    ]
    return pa.schema([*schema, *judged])


def join_actuals(
    predictions: pa.Table, rows: pa.Table, use_case: AnyUseCase, data_through: np.datetime64
) -> pa.Table:
    """Predictions whose actual is known, with it, in ``accuracy_schema``.

    ``predictions`` are in the shape's schema; ``rows`` hold keys, time, row id and target. Where
    gaps are zeros, a period without a row is one once the data reaches ``data_through`` it. A row
    whose target is null, or that is there twice, says nothing.
    """
    keys = [*use_case.keys, PLACE, *use_case.row_id_columns]
    placed = _append_place(predictions, "time", use_case)
    joined = placed.join(_actuals(rows, use_case, keys), keys=keys, join_type="left outer")
    if isinstance(use_case, UseCase) and use_case.gaps == "zero":
        through = use_case.frequency.to_period(np.array([data_through])).item()
        is_gap = pc.and_(pc.is_null(joined[FOUND]), pc.less_equal(joined[PLACE], through))
        actual = pc.if_else(is_gap, 0.0, joined["actual"])
        joined = joined.set_column(joined.schema.get_field_index("actual"), "actual", actual)
    known = joined.filter(pc.and_(pc.is_valid(joined["actual"]), pc.is_valid(joined["prediction"])))
    order = [(name, "ascending") for name in ("group_key", "time", *use_case.row_id_columns)]
    return _compare(known.sort_by(order), use_case)


def _append_place(table: pa.Table, time: str, use_case: AnyUseCase) -> pa.Table:
    """``table`` with the period of each row; of independent rows, with their moment."""
    moments = table[time].to_numpy().astype("datetime64[us]")
    in_series = isinstance(use_case, UseCase)
    places = use_case.frequency.to_period(moments) if in_series else moments.astype(np.int64)
    return table.append_column(PLACE, pa.array(places))


def _actuals(rows: pa.Table, use_case: AnyUseCase, keys: list[str]) -> pa.Table:
    """Target of each place, null where it is null there or where there are several rows."""
    there = rows.filter(pc.is_valid(rows[use_case.time.column]))
    placed = _append_place(there, use_case.time.column, use_case).group_by(keys)
    found = placed.aggregate([(use_case.target, "max"), ([], "count_all")])
    single = pc.equal(found["count_all"], 1)
    targets = found[f"{use_case.target}_max"]
    actual = pc.if_else(single, targets, pa.scalar(None, targets.type))
    return found.select(keys).append_column("actual", actual).append_column(FOUND, single)


def _compare(known: pa.Table, use_case: AnyUseCase) -> pa.Table:
    prediction, actual = known["prediction"], known["actual"]
    figures = {}
    if use_case.target_is_number:
        figures["deviation"] = pc.subtract(prediction, actual)
    else:
        figures["hit"] = pc.cast(pc.equal(prediction, actual), pa.int64())
    if isinstance(use_case, UseCase):
        inside = pc.and_(
            pc.less_equal(known["lower"], actual), pc.less_equal(actual, known["upper"])
        )
        figures["covered"] = pc.cast(inside, pa.int64())
    schema = accuracy_schema(use_case)
    columns = [figures[name] if name in figures else known[name] for name in schema.names]
    return pa.table(columns, schema=schema)
