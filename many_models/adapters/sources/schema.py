"""Batches from any source, cast to the schema a use case declares; what does not fit is refused.

Here belong the rules for values. How a database is asked does not. A schema has three kinds of
columns: keys (``string``), numbers (``float64``) and times (``timestamp[us]`` without a zone).
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from many_models.adapters.sources.query import Window
from many_models.core.errors import SourceError

_TIME = pa.timestamp("us")
_ISO = r"^\s*\d{4}-?\d{2}-?\d{2}([T ]\d{2}.*)?$"
_REMEDY = {
    "number": "Make the query return a number, for instance with NULLIF or CAST, or leave such "
    "rows out in its WHERE",
    "time": "Make the query return a date, a timestamp or ISO text such as 2017-01-31 12:00:00",
    "text": "Make the query return text in UTF-8, for instance with CAST",
}


class _MisfitError(Exception):
    """A value that does not fit: what was expected, the value, and its position in the batch."""

    def __init__(self, kind: str, value: object, row: int | None) -> None:
        super().__init__(kind)
        self.kind, self.value, self.row = kind, value, row


def check_columns(found: Sequence[str], schema: pa.Schema, where: str) -> None:
    """Every column of the schema is among those ``found``, once.

    Raises:
        SourceError: one is missing or ambiguous.
    """
    for name in schema.names:
        if name not in found:
            raise SourceError(unknown_column(name, found, where))
        if list(found).count(name) > 1:
            raise SourceError(
                f"{where} has more than one column {name!r}: give each another name with AS"
            )


def unknown_column(name: str, found: Sequence[str], where: str) -> str:
    """The text for a column that is not there: those that are, and the most similar one."""
    lower = {column.lower(): column for column in found}
    close = difflib.get_close_matches(name.lower(), list(lower), n=1)
    hint = f" Did you mean {lower[close[0]]!r}?" if close else ""
    return f"{where} has no column {name!r}; it has {', '.join(map(repr, found))}.{hint}"


def cast_batch(batch: pa.RecordBatch, schema: pa.Schema, window: Window) -> pa.RecordBatch:
    """The columns of ``schema`` in its order and types; NULL, NaN and infinity stay what they are.

    Keys that are whole numbers become text without a decimal point, whatever the number's type
    (17, 17.0 and 17.00 are one key); dates become ISO text; times with a zone become UTC.

    Raises:
        SourceError: a value does not fit; names the column, the value, its row and the window.
    """
    columns = []
    for field in schema:
        try:
            columns.append(_cast(batch.column(field.name), field.type))
        except _MisfitError as misfit:
            raise SourceError(_describe(misfit, field.name, batch, schema, window)) from misfit
    result = pa.RecordBatch.from_arrays(columns, schema=schema)
    _check_within(result, window)
    return result


def as_times(array: pa.Array[Any], column: str) -> pa.Array[Any]:
    """Times as ``timestamp[us]``, in UTC where they had a zone.

    Raises:
        SourceError: a value is no time.
    """
    if array.null_count == len(array):  # of any type: a driver cannot tell it from no values
        return pa.nulls(len(array), _TIME)
    try:
        return _cast(array, _TIME)
    except _MisfitError as misfit:
        raise SourceError(
            f"column {column!r} must be a time, but the source returned {misfit.value!r}. "
            f"{_REMEDY['time']}."
        ) from misfit


def _describe(
    misfit: _MisfitError, column: str, batch: pa.RecordBatch, schema: pa.Schema, window: Window
) -> str:
    row = ""
    if misfit.row is not None:
        one = batch.slice(misfit.row, 1).to_pydict()
        others = [f"{name}={one[name][0]!r}" for name in schema.names if name != column]
        row = f" in the row with {', '.join(others)}" if others else ""
    return (
        f"column {column!r} must be a {misfit.kind}, but the source returned {misfit.value!r}{row} "
        f"(window {window}). {_REMEDY[misfit.kind]}."
    )


def _cast(array: pa.Array[Any], target: pa.DataType) -> pa.Array[Any]:
    if isinstance(array, pa.ExtensionArray):
        array = array.storage if pa.types.is_string(array.storage.type) else _as_texts(array)
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if pa.types.is_null(array.type):
        return array.cast(target)
    if pa.types.is_string(target):
        return _key(array)
    if pa.types.is_floating(target):
        return _number(array).cast(target)
    if target == _TIME:
        return _time(array)
    raise TypeError(f"a source column is string, float64 or timestamp[us], not {target}")


def _key(array: pa.Array[Any]) -> pa.Array[Any]:
    kind = array.type
    if pa.types.is_floating(kind):
        return _whole_or_decimal(array.cast(pa.float64()))
    if pa.types.is_decimal(kind):
        return pa.array(
            [None if v is None else _plain(v) for v in array.to_pylist()], type=pa.string()
        )
    if pa.types.is_timestamp(kind):
        return pc.replace_substring_regex(_time(array).cast(pa.string()), r"\.0+$", "")
    if pa.types.is_nested(kind) or pa.types.is_interval(kind):
        array = _as_texts(array)
    try:
        texts = array.cast(pa.string())
        texts.validate(full=True)
    except pa.ArrowInvalid as error:
        row = next(i for i in range(len(array)) if not _is_utf8(array.slice(i, 1)))
        raw = array.slice(row, 1).cast(pa.binary(), safe=False)[0].as_py()
        raise _MisfitError("text", raw, None) from error
    return texts


def _whole_or_decimal(array: pa.Array[Any]) -> pa.Array[Any]:
    array = pc.if_else(pc.is_nan(array), None, array)
    exact = pc.and_(pc.equal(pc.floor(array), array), pc.less(pc.abs(array), pa.scalar(2.0**53)))
    whole = pc.if_else(exact, array, 0.0).cast(pa.int64()).cast(pa.string())
    texts: pa.Array[Any] = pc.if_else(exact, whole, array.cast(pa.string()))
    return texts


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}" if value.is_finite() else str(value)


def _is_utf8(one: pa.Array[Any]) -> bool:
    try:
        one.cast(pa.string()).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _as_texts(array: pa.Array[Any]) -> pa.Array[Any]:
    return pa.array([None if v is None else str(v) for v in array.to_pylist()], type=pa.string())


def _number(array: pa.Array[Any]) -> pa.Array[Any]:
    kind = array.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return array.cast(pa.float64(), safe=False)
    if pa.types.is_boolean(kind):
        return array.cast(pa.float64())
    if not _is_text(kind):
        raise _first("number", array)
    try:
        return pc.utf8_trim_whitespace(array).cast(pa.float64())
    except pa.ArrowInvalid as error:
        for row, value in enumerate(array.to_pylist()):
            try:
                pa.scalar("0" if value is None else value.strip()).cast(pa.float64())
            except pa.ArrowInvalid:
                raise _MisfitError("number", value, row) from error
        raise


def _time(array: pa.Array[Any]) -> pa.Array[Any]:
    kind = array.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        # A cast from one zone to none keeps the moment in UTC.
        return array.cast(_TIME, safe=False)
    if not _is_text(kind):
        raise _first("time", array)
    try:
        return array.cast(_TIME)
    except pa.ArrowInvalid:
        return _odd_time(array.cast(pa.string()))


def _odd_time(texts: pa.Array[Any]) -> pa.Array[Any]:
    """ISO text that Arrow does not read: zones, nanoseconds, compact dates."""
    series = pd.Series(texts.to_pylist(), dtype=object)
    iso = series.where(series.isna() | series.str.match(_ISO).eq(True), "?")
    times = pd.to_datetime(iso, format="ISO8601", errors="coerce", utc=True)
    bad = times.isna() & series.notna()
    if bad.any():
        row = int(bad.to_numpy().argmax())
        raise _MisfitError("time", series[row], row)
    naive = times.dt.tz_localize(None).astype("datetime64[us]")
    return pa.array(naive, type=_TIME, from_pandas=True)


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view()
    )


def _first(expected: str, array: pa.Array[Any]) -> _MisfitError:
    valid = pc.indices_nonzero(pc.is_valid(array))
    row = valid[0].as_py() if len(valid) else None
    return _MisfitError(expected, None if row is None else array[row].as_py(), row)


def _check_within(batch: pa.RecordBatch, window: Window) -> None:
    """A query must filter on the very time it returns, or windows overwrite each other's rows."""
    times = [field.name for field in batch.schema if field.type == _TIME]
    if len(times) != 1 or batch.num_rows == 0:
        return
    column = batch.column(times[0])
    outside = pc.or_(
        pc.less(column, pa.scalar(window.start, _TIME)),
        pc.greater_equal(column, pa.scalar(window.end, _TIME)),
    )
    if pc.any(outside).as_py():
        row = batch.filter(outside).slice(0, 1).to_pylist()[0]
        raise SourceError(
            f"the source query returned {times[0]} {row[times[0]]} for the window {window}, in the "
            f"row {row}. The query must select by the same time that it returns (in UTC where the "
            "database knows zones; in SQLite with a blank, not a T, between date and time)."
        )
