"""What a table's column may be in a use case, seen from its name, its type and its range.

Here belongs what one column shows by itself. What the columns of a table are together is guessed in
``propose``.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from many_models.adapters.sources.tables import ColumnSummary
from many_models.core.forecast.use_case import Identifier
from many_models.core.reserved_columns import LAKE_COLUMNS, RESULT_COLUMNS

Kind = Literal["time", "number", "flag", "text", "other", "empty"]
TEXT_KEY_VALUES_MAX = 1_000
ROWS_A_KEY_VALUE_MIN = 10

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}.*)?")
_TEXT_TYPE = re.compile(r"CHAR|TEXT|CLOB|STRING", re.IGNORECASE)
_ID_WORDS = {"id", "no", "nr", "code", "key", "number", "sku"}
_AMOUNTS = {"sales", "demand", "quantity", "qty", "units", "amount", "revenue", "volume", "orders",
            "count", "visits", "consumption", "turnover", "sold"}  # fmt: skip
_TARGETS = {*_AMOUNTS, "target", "y", "value", "load", "power", "temperature"}
_NOT_REALISED = {"expected", "forecast", "predicted", "prediction", "planned", "plan", "budget",
                 "previous", "last", "lag", "average", "avg", "mean"}  # fmt: skip
_CALENDAR = {"year", "quarter", "month", "week", "weekday", "day", "hour", "dayofweek"}
_LOADED, _CHANGED = {"loaded", "ingested", "inserted"}, {"updated", "modified", "changed"}
_BOOKKEEPING = {*_LOADED, *_CHANGED, "created", "deleted", "valid"}


def kind_of(column: ColumnSummary) -> Kind:
    """What a column's values are, by their range: a declared type is not to be relied on.

    ``other`` has values without an order, such as UUIDs.
    """
    if column.minimum is None or column.maximum is None:
        if column.sql_type.upper().startswith("BOOL"):
            return "flag"
        return "other" if column.distinct else "empty"
    if all(_ISO.fullmatch(value) for value in (column.minimum, column.maximum)):
        return "time"
    if _TEXT_TYPE.search(column.sql_type):
        return "text"
    return "number" if reads_as_numbers(column) else "text"


def reads_as_numbers(column: ColumnSummary) -> bool:
    """Both ends of the range are numbers, whatever the type."""
    try:
        float(column.minimum or ""), float(column.maximum or "")
    except ValueError:
        return False
    return True


def is_well_formed(name: str) -> bool:
    """The name may stand in a use case file."""
    try:
        TypeAdapter(Identifier).validate_python(name)
    except ValidationError:
        return False
    return True


def is_reserved(name: str, *, carried: bool) -> bool:
    """The platform has such a column itself; ``carried``: as do results, for keys and statics."""
    return name.lower() in (RESULT_COLUMNS if carried else LAKE_COLUMNS)


def may_be_key(column: ColumnSummary, rows: int) -> bool:
    """Text, or whole numbers named as an identifier, whose values come back often enough."""
    kind = kind_of(column)
    if column.nulls or column.many or ROWS_A_KEY_VALUE_MIN * column.distinct > rows:
        return False
    if kind == "number":
        ends = (float(column.minimum or "nan"), float(column.maximum or "nan"))
        return is_identifier(column.name) and all(end.is_integer() for end in ends)
    few = column.distinct <= TEXT_KEY_VALUES_MAX
    return kind == "text" and (few or is_identifier(column.name))


def may_be_measure(column: ColumnSummary) -> bool:
    """Numbers that differ, and neither an identifier nor a part of the date."""
    plain = not is_identifier(column.name) and not words(column.name) <= _CALENDAR
    return kind_of(column) == "number" and column.distinct > 1 and plain


def target_rank(name: str) -> int:
    """How much a name speaks for the target: 2 by nothing else, 1 among other words, 0 not."""
    found = words(name)
    if found & _NOT_REALISED or not found & _TARGETS:
        return 0
    return 2 if len(found) == 1 else 1


def is_identifier(name: str) -> bool:
    return bool(words(name) & _ID_WORDS)


def is_amount(name: str) -> bool:
    """What the name says adds up, and is zero where nothing happened."""
    return bool(words(name) & _AMOUNTS)


def is_bookkeeping(name: str) -> bool:
    """The time of a change to the row, not of what the row tells."""
    return bool(words(name) & _BOOKKEEPING)


def load_rank(name: str) -> int:
    """How likely this is the time when a row was loaded: 2, 1, or 0 where it is not."""
    found = words(name)
    return 2 if found & _LOADED else int(bool(found & _CHANGED))


def words(name: str) -> set[str]:
    """Lower-case words of a name: ``StoreId`` and ``store_id`` have two."""
    return set(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_"))


def below_zero(column: ColumnSummary) -> bool:
    return float(column.minimum or 0) < 0
