"""How Arrow columns become columns of the result store, the same in SQLite and PostgreSQL.

Here: the column types that both keep, which Arrow types go into them, what a table lacks for new
rows, converting arrays. Not here: how a database stores the arrays (`engine.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from many_models.core.errors import StoreError
from many_models.core.result_tables.spec import SQL_TYPES

COLUMN_TYPES = SQL_TYPES
_WIDENINGS = {("double precision", "bigint"), ("timestamp", "date")}
_FITS: Mapping[str, Sequence[Callable[[pa.DataType], bool]]] = {
    "bigint": [pa.types.is_integer],
    "double precision": [pa.types.is_floating, pa.types.is_decimal],
    "text": [pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view],
    "boolean": [pa.types.is_boolean],
    "date": [pa.types.is_date],
}


def fits(held: str, brought: str) -> bool:
    """Whether a column takes values of an SQL type as they are."""
    return held == brought or (held, brought) in _WIDENINGS


def new_columns(
    table: str, schema: pa.Schema, columns: Mapping[str, str], untyped_allowed: bool
) -> dict[str, str]:
    """Name and SQL type of what the table lacks; StoreError where a column's types conflict."""
    new = {}
    for field in schema:
        held = columns.get(field.name)
        if held is not None and held not in COLUMN_TYPES:
            raise StoreError(
                f"Table {table!r} holds column {field.name!r} as {held}, which the result store "
                "does not write: drop the table, or give the column another name."
            )
        if pa.types.is_null(field.type):
            if held is None and not untyped_allowed:
                raise StoreError(
                    f"Rows for {table!r}: column {field.name!r} holds no value and has no type: "
                    "give it one in the Arrow schema."
                )
            continue
        brought = _sql_type(table, field)
        if held is None:
            new[field.name] = brought
        elif not fits(held, brought):
            raise StoreError(
                f"Table {table!r} holds column {field.name!r} as {held}, the new rows bring "
                f"{brought} (Arrow {field.type}): convert the rows, give the column another name, "
                "or drop the table."
            )
    return new


def _sql_type(table: str, field: pa.Field[Any]) -> str:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_timestamp(kind):
        return "timestamp with time zone" if kind.tz else "timestamp"
    for sql_type, fits in _FITS.items():
        if any(fit(kind) for fit in fits):
            return sql_type
    raise StoreError(
        f"Rows for {table!r}: column {field.name!r} has Arrow type {field.type}, which the result "
        f"store does not keep: convert it to one for {', '.join(COLUMN_TYPES)}."
    )


def as_column(table: str, name: str, array: pa.Array[Any], sql_type: str) -> pa.Array[Any]:
    """The array in the Arrow type of its column, NaN as null."""
    target = COLUMN_TYPES[sql_type]
    try:
        if pa.types.is_timestamp(array.type):  # nanoseconds are cut to microseconds
            array = array.cast(pa.timestamp("us", array.type.tz), safe=False)
        array = array.cast(target)
    except pa.ArrowException as error:
        raise StoreError(
            f"Rows for {table!r}: column {name!r} does not fit {sql_type}: {error}."
        ) from error
    if pa.types.is_floating(target):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, target), array)
    return array


def slice_values(
    table: str, name: str, sql_type: str, values: str | Sequence[str]
) -> pa.Array[Any]:
    texts = [values] if isinstance(values, str) else [str(value) for value in values]
    return as_column(table, name, pa.array(texts, pa.string()), sql_type)
