from __future__ import annotations

import pytest

from many_models.adapters.sources.tables import DISTINCT_LIMIT, ColumnSummary
from many_models.steps.proposal import column_kinds as kinds


def column(
    name: str = "x", kind: str = "TEXT", low: str | None = None, high: str | None = None,
    distinct: int = 5, nulls: int = 0,
) -> ColumnSummary:  # fmt: skip
    return ColumnSummary(name, kind, nulls, distinct, low, high)


@pytest.mark.parametrize(
    ("sql_type", "low", "high", "kind"),
    [
        ("DATE", "2017-01-01", "2017-12-31", "time"),
        ("TEXT", "2017-01-01", "2017-12-31 23:59:59.5", "time"),
        ("VARCHAR(30)", "2017-01-01T00:00", "2017-12-31T23:59:59Z", "time"),
        ("TIMESTAMP", "2017-01-01 00:00:00+00:00", "2017-01-02 00:00:00+00:00", "time"),
        ("NULL", "2017-01-01", "2017-12-31", "time"),
        ("TIME", "12:00:00", "13:00:00", "text"),
        ("TEXT", "20170101", "20171231", "text"),
        ("TEXT", "01/02/2017", "31/01/2017", "text"),
        ("DATE", "1483228800", "1514764799", "number"),
        ("NUMERIC(9, 2)", "-1.50", "12.00", "number"),
        ("DOUBLE PRECISION", "0.0", "NaN", "number"),
        ("REAL", "0.5", "none", "text"),
        ("BOOLEAN", None, None, "flag"),
        ("UUID", None, None, "other"),
    ],
)
def test_values_say_what_a_column_is(sql_type: str, low: str, high: str, kind: str) -> None:
    assert kinds.kind_of(column(kind=sql_type, low=low, high=high)) == kind


def test_a_column_without_values_is_empty() -> None:
    assert kinds.kind_of(column(distinct=0, nulls=9)) == "empty"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (column("store_id", "INTEGER", "1", "9"), True),
        (column("StoreNo", "BIGINT", "1", "9"), True),
        (column("region", "TEXT", "north", "south"), True),
        (column("pack", "INTEGER", "1", "9"), False),
        (column("tax_id", "REAL", "0.5", "9.0"), False),
        (column("store_id", "INTEGER", "1", "9", nulls=1), False),
        (column("line_id", "INTEGER", "1", "100", distinct=100), False),
        (column("basket_id", "INTEGER", "1", "9", distinct=DISTINCT_LIMIT + 1), False),
    ],
)
def test_a_key_is_text_or_an_identifier_whose_values_come_back(
    found: ColumnSummary, expected: bool
) -> None:
    assert kinds.may_be_key(found, rows=100) is expected


@pytest.mark.parametrize(
    ("name", "rank"),
    [("sales", 2), ("Quantity", 2), ("sales_value", 1), ("unitsSold", 1), ("expected_sales", 0),
     ("price", 0)],
)  # fmt: skip
def test_a_name_speaks_for_the_target(name: str, rank: int) -> None:
    assert kinds.target_rank(name) == rank


def test_neither_identifiers_nor_parts_of_the_date_are_measures() -> None:
    names = ["price", "item_no", "week", "week_sales"]
    found = [n for n in names if kinds.may_be_measure(column(n, "INTEGER", "1", "9"))]
    assert found == ["price", "week_sales"]


def test_more_names_are_reserved_for_keys_than_for_numbers() -> None:
    assert kinds.is_reserved("Status", carried=True)
    assert not kinds.is_reserved("status", carried=False)
    assert kinds.is_reserved("window", carried=False)


def test_the_time_of_a_load_is_known_by_its_name() -> None:
    ranks = {name: kinds.load_rank(name) for name in ("loaded_at", "updatedAt", "created", "day")}
    assert ranks == {"loaded_at": 2, "updatedAt": 1, "created": 0, "day": 0}
