from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from many_models.adapters.sources import probe
from many_models.adapters.sources.database import SourceDatabase
from many_models.adapters.sources.probe import Roles, SourceProbe
from many_models.core.errors import SourceError
from many_models.core.frequency import Frequency
from many_models_tests.tables import probe_table, shop_table

EVENTS = pd.DataFrame(
    {
        "shop": ["a", "a", "a", "b"],
        "sold_at": [
            "2017-01-02 09:10:00",
            "2017-01-02 09:50:00",
            "2017-01-08 23:59:59",
            "2017-02-01 00:00:00",
        ],
        "money": [1.0, 2.0, 4.0, 8.0],
        "discount": [0.5, 1.5, 1.0, 0.0],
        "town": ["x", "x", "x", "y"],
    }
)
ROLES = Roles(("shop",), "sold_at", ("money", "discount"), ("town",), frozenset({"money"}))
SCHEMA = pa.schema(
    [
        ("shop", pa.string()),
        ("sold_at", pa.timestamp("us")),
        ("money", pa.float64()),
        ("discount", pa.float64()),
        ("town", pa.string()),
    ]
)


def fill_postgres(url: str, time_type: str) -> SourceProbe:
    with (
        closing(adbc_driver_postgresql.dbapi.connect(url)) as connection,
        closing(connection.cursor()) as cursor,
    ):
        cursor.execute(
            f"CREATE TABLE shop (shop text, sold_at {time_type}, money numeric(9, 2), "
            "discount double precision, town text)"
        )
        cursor.adbc_ingest("lines", EVENTS, mode="create")
        cursor.execute(
            f"INSERT INTO shop SELECT shop, sold_at::{time_type}, money, discount, town FROM lines"
        )
        connection.commit()
    source = SourceDatabase(url)
    return SourceProbe(source, source.describe("shop"))


@pytest.fixture(params=["sqlite", *(
    pytest.param(kind, marks=pytest.mark.postgres) for kind in ("timestamp", "timestamptz", "text")
)])  # fmt: skip
def events(request: pytest.FixtureRequest, tmp_path: Path) -> SourceProbe:
    if request.param == "sqlite":
        return probe_table(tmp_path / "events.db", EVENTS)
    return fill_postgres(request.getfixturevalue("postgres_url"), request.param)


def rows_of(probe: SourceProbe, query: str) -> list[tuple[Any, ...]]:
    # From a Monday, as windows of weeks begin.
    window: dict[str, Any] = {"start": datetime(2016, 12, 26), "end": datetime(2017, 3, 1)}
    rows = probe.source.stream(query, schema=SCHEMA, **window).read_all().to_pylist()
    return sorted(tuple(row.values()) for row in rows)


def test_distinct_times_come_sorted(events: SourceProbe) -> None:
    expected = np.array(EVENTS["sold_at"].tolist(), "datetime64[us]")
    assert events.times("sold_at").tolist() == expected.tolist()


def test_of_very_many_times_some_are_read_with_both_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "TIMES_MAX", 1)
    times = probe_table(tmp_path / "shop.db", shop_table()).times("day")
    assert str(times[0]).startswith("2017-01-01") and str(times[-1]).startswith("2017-03-01")


def test_combinations_of_values_are_counted(tmp_path: Path) -> None:
    probe = probe_table(tmp_path / "shop.db", shop_table())
    assert probe.groups(["store_id"], "day") == 2
    assert probe.groups(["store_id", "item"], "day") == 4
    assert probe.groups(["store_id", "region"], "day") == 2
    assert probe.groups(["store_id", "item", "day"], "day") == probe.table.rows


def test_without_a_frequency_the_rows_come_as_they_are(events: SourceProbe) -> None:
    rows = rows_of(events, events.query(ROLES, None))
    expected = [
        tuple(row) for row in EVENTS.assign(sold_at=pd.to_datetime(EVENTS["sold_at"])).values
    ]
    assert rows == expected


@pytest.mark.parametrize(
    ("frequency", "periods"),
    [
        ("h", [datetime(2017, 1, 2, 9), datetime(2017, 1, 8, 23), datetime(2017, 2, 1)]),
        ("D", [datetime(2017, 1, 2), datetime(2017, 1, 8), datetime(2017, 2, 1)]),
        ("W-MON", [datetime(2017, 1, 2), datetime(2017, 1, 30)]),
        ("MS", [datetime(2017, 1, 1), datetime(2017, 2, 1)]),
    ],
)
def test_rows_of_one_period_become_one_on_the_grid(
    events: SourceProbe, frequency: str, periods: list[datetime]
) -> None:
    rows = rows_of(events, events.query(ROLES, frequency))
    assert [row[1] for row in rows] == periods
    together = len(periods) == 2  # all of shop a falls into one period
    assert rows[0] == ("a", periods[0], 7.0 if together else 3.0, 1.0, "x")
    times = np.array(periods, "datetime64[us]")
    grid = Frequency(frequency)
    assert grid.to_time(grid.to_period(times)).tolist() == times.tolist()


def test_rounding_to_an_unusual_week_is_refused(tmp_path: Path) -> None:
    probe = probe_table(tmp_path / "events.db", EVENTS)
    with pytest.raises(SourceError, match=r"'W-TUE' is not known here; .*W-MON.* Make a view"):
        probe.query(ROLES, "W-TUE")


def test_odd_names_are_quoted_in_the_query(tmp_path: Path) -> None:
    frame = EVENTS.rename(columns={"shop": "Order", "money": "select", "discount": "to all"})
    probe = probe_table(tmp_path / "events.db", frame, table="my shop")
    query = probe.query(Roles(("Order",), "sold_at", ("select", "to all")), "D")
    window: dict[str, Any] = {"start": datetime(2017, 1, 1), "end": datetime(2017, 3, 1)}
    assert probe.source.count(query, **window) == 3


@pytest.mark.postgres
def test_switches_of_postgres_are_averaged_as_numbers(postgres_url: str) -> None:
    with (
        closing(adbc_driver_postgresql.dbapi.connect(postgres_url)) as connection,
        closing(connection.cursor()) as cursor,
    ):
        cursor.execute("CREATE TABLE s (k text, t timestamp, y integer, b boolean)")
        cursor.execute("INSERT INTO s VALUES ('a', '2017-01-01 01:00', 1, true)")
        cursor.execute("INSERT INTO s VALUES ('a', '2017-01-01 02:00', 3, false)")
        connection.commit()
    source = SourceDatabase(postgres_url)
    query = SourceProbe(source, source.describe("s")).query(Roles(("k",), "t", ("y", "b")), "D")
    schema = pa.schema([("y", pa.float64()), ("b", pa.float64())])
    window: dict[str, Any] = {"start": datetime(2017, 1, 1), "end": datetime(2017, 1, 2)}
    rows = source.stream(query, schema=schema, **window).read_all().to_pylist()
    assert rows == [{"y": 2.0, "b": 0.5}]
