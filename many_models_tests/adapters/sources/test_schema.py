from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from many_models.adapters.sources.query import Window
from many_models.adapters.sources.schema import cast_batch, check_columns
from many_models.core.errors import SourceError

WINDOW = Window(datetime(2017, 1, 1), datetime(2018, 1, 1))


def cast(values: Any, kind: pa.DataType, given: pa.DataType | None = None) -> list[Any]:
    batch = pa.record_batch({"x": pa.array(values, type=given)})
    found = cast_batch(batch, pa.schema([("x", kind)]), WINDOW).column("x")
    return list(found.to_pylist())


@pytest.mark.parametrize(
    ("values", "keys"),
    [
        ([17, None], ["17", None]),
        ([17.0, 2.5, -3.0, math.nan, None], ["17", "2.5", "-3", None, None]),
        ([Decimal("17.00"), Decimal("2.50"), Decimal("100")], ["17", "2.5", "100"]),
        ([True, None], ["true", None]),
        ([date(2017, 1, 31)], ["2017-01-31"]),
        ([datetime(2017, 1, 31, 12, 30)], ["2017-01-31 12:30:00"]),
        (["a/b:c", 'it\'s "so"', "..", "🥦", "", "x" * 300], None),
        ([None, None], [None, None]),
        ([b"caf\xc3\xa9"], ["café"]),
    ],
)
def test_keys_become_text(values: list[Any], keys: list[Any] | None) -> None:
    assert cast(values, pa.string()) == (values if keys is None else keys)


def test_a_key_may_come_as_a_dictionary() -> None:
    batch = pa.record_batch({"x": pa.array(["a", "b", "a"]).dictionary_encode()})
    assert cast_batch(batch, pa.schema([("x", pa.string())]), WINDOW)["x"].to_pylist() == list(
        "aba"
    )


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        ([1, None, -2], [1.0, None, -2.0]),
        ([2**60], [float(2**60)]),
        ([Decimal("1.50"), None], [1.5, None]),
        ([True, False], [1.0, 0.0]),
        ([" 1.5 ", "1e3", None], [1.5, 1000.0, None]),
        ([math.inf, -math.inf], [math.inf, -math.inf]),
        ([None], [None]),
    ],
)
def test_numbers_become_floats(values: list[Any], numbers: list[Any]) -> None:
    assert cast(values, pa.float64()) == numbers


def test_nan_stays_nan() -> None:
    assert math.isnan(cast([math.nan], pa.float64())[0])


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2017-01-31", datetime(2017, 1, 31)),
        ("2017-01-31 12:30", datetime(2017, 1, 31, 12, 30)),
        ("2017-01-31T12:30:00.25", datetime(2017, 1, 31, 12, 30, 0, 250_000)),
        ("2017-01-31 12:30:00.123456789", datetime(2017, 1, 31, 12, 30, 0, 123_456)),
        ("2017-01-31T12:30:00Z", datetime(2017, 1, 31, 12, 30)),
        ("2017-01-31 12:30:00+02:00", datetime(2017, 1, 31, 10, 30)),
        ("20170131", datetime(2017, 1, 31)),
        (" 2017-01-31", datetime(2017, 1, 31)),
        (date(2017, 1, 31), datetime(2017, 1, 31)),
        (datetime(2017, 1, 31, 12), datetime(2017, 1, 31, 12)),
        (datetime(2017, 1, 31, 12, tzinfo=UTC), datetime(2017, 1, 31, 12)),
        (None, None),
    ],
)
def test_times_become_naive_timestamps_in_utc(value: Any, time: datetime | None) -> None:
    assert cast([value], pa.timestamp("us")) == [time]


def test_text_times_of_several_forms_may_be_mixed() -> None:
    texts = ["2017-01-31", None, "2017-01-31 12:00:00+01:00"]
    expected = [datetime(2017, 1, 31), None, datetime(2017, 1, 31, 11)]
    assert cast(texts, pa.timestamp("us")) == expected


def test_a_time_in_another_zone_is_taken_to_utc() -> None:
    kind = pa.timestamp("us", "America/New_York")
    noon = datetime(2017, 1, 31, 12, tzinfo=UTC)
    assert cast([noon], pa.timestamp("us"), kind) == [datetime(2017, 1, 31, 12)]


@pytest.mark.parametrize("text", ["31.01.2017", "now", "", "1485820800", "2017", "2017-13-01"])
def test_text_that_is_no_iso_time_is_named(text: str) -> None:
    with pytest.raises(SourceError, match=r"column 'x' must be a time") as caught:
        cast(["2017-01-01", text], pa.timestamp("us"))
    assert repr(text) in str(caught.value) and "ISO text" in str(caught.value)


def test_a_number_is_no_time() -> None:
    with pytest.raises(SourceError, match="must be a time, but the source returned 1485820800"):
        cast([1485820800], pa.timestamp("us"))


def test_text_in_a_number_is_named_with_its_row_the_window_and_the_remedy() -> None:
    schema = pa.schema([("store", pa.string()), ("day", pa.timestamp("us")), ("y", pa.float64())])
    batch = pa.record_batch(
        {"y": ["1", None, "n/a"], "day": ["2017-01-0" + d for d in "123"], "store": [7, 8, 9]}
    )
    with pytest.raises(SourceError) as caught:
        cast_batch(batch, schema, WINDOW)
    assert str(caught.value) == (
        "column 'y' must be a number, but the source returned 'n/a' in the row with store=9, "
        "day='2017-01-03' (window [2017-01-01 00:00:00, 2018-01-01 00:00:00)). Make the query "
        "return a number, for instance with NULLIF or CAST, or leave such rows out in its WHERE."
    )


def test_a_date_is_no_number() -> None:
    with pytest.raises(SourceError, match="'x' must be a number"):
        cast([None, date(2017, 1, 1)], pa.float64())


def test_bytes_that_are_no_utf8_are_named() -> None:
    with pytest.raises(SourceError, match=r"'x' must be a text, .* b'caf\\xe9'"):
        cast([b"ok", b"caf\xe9"], pa.string())


@pytest.mark.parametrize("time", ["2016-12-31 23:59:59", "2018-01-01"])
def test_a_row_outside_the_window_is_refused(time: str) -> None:
    with pytest.raises(SourceError, match="must select by the same time that it returns"):
        cast(["2017-01-01", time], pa.timestamp("us"))


def test_columns_come_in_the_order_of_the_schema_and_others_are_left_out() -> None:
    batch = pa.record_batch({"c": [1], "b": [2], "a": [3]})
    schema = pa.schema([("a", pa.string()), ("c", pa.float64())])
    assert cast_batch(batch, schema, WINDOW).to_pylist() == [{"a": "3", "c": 1.0}]


def test_a_missing_column_is_answered_with_those_there_are_and_the_closest() -> None:
    schema = pa.schema([("Store_ID", pa.string())])
    with pytest.raises(SourceError) as caught:
        check_columns(["date", "store_id"], schema, "the query")
    assert str(caught.value) == (
        "the query has no column 'Store_ID'; it has 'date', 'store_id'. Did you mean 'store_id'?"
    )


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(SourceError, match="more than one column 'x'"):
        check_columns(["x", "x"], pa.schema([("x", pa.string())]), "the query")


def test_a_type_no_column_can_have_is_a_programming_error() -> None:
    with pytest.raises(TypeError, match="int8"):
        cast([1], pa.int8())
