from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from many_models.adapters.sources.database import SourceDatabase
from many_models.core.errors import SourceError, UseCaseError
from many_models.core.forecast.use_case import UseCase
from many_models.core.new_data import BEGINNING, WatchState
from many_models.steps.new_data import check_watch, first_state, read_loads
from many_models_tests.fakes import make_use_case

WHERE = "WHERE date >= :window_start AND date < :window_end"
VALUES = "store, item, date, SUM(sold) AS sold, MAX(loaded_at) AS loaded_at"
QUERY = f"SELECT {VALUES} FROM sales {WHERE} GROUP BY 1, 2, 3"
CHANGES = "SELECT date, loaded_at FROM sales WHERE loaded_at >= :since"


@pytest.fixture
def source(tmp_path: Path) -> SourceDatabase:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
        connection.execute(
            "CREATE TABLE sales (store TEXT, item TEXT, date TEXT, sold REAL, loaded_at TEXT)"
        )
        connection.executemany(
            "INSERT INTO sales VALUES ('a', 'tea', ?, 1, ?)",
            [("2024-01-01", "2024-01-02 05:00:00"), ("2024-01-02", "2024-01-03 05:00:00")],
        )
    return SourceDatabase(f"sqlite:///{tmp_path}/shop.db")


def use_case(**fields: Any) -> UseCase:
    return make_use_case(source={"url": "sqlite:///shop.db", "start": "2024-01-01", **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {"table": "sales", "loaded_at": "loaded_at"},
        {"query": QUERY, "loaded_at": "loaded_at"},
        {"query": QUERY, "changes": CHANGES},
    ],
)
def test_every_way_to_watch_gives_the_days_loaded_since(
    source: SourceDatabase, fields: dict[str, Any]
) -> None:
    watched = use_case(**fields)
    check_watch(watched, source)
    state = WatchState(digest="", since=datetime(2024, 1, 2, 6), watermark=datetime(2024, 1, 3, 7))
    (day,) = read_loads(watched, source, state).days
    assert (day.day, day.rows, day.kept) == (date(2024, 1, 2), 1, 0)
    assert len(read_loads(watched, source, WatchState(digest="")).days) == 2


@pytest.mark.parametrize(
    ("now", "watermark"),
    [(datetime(2024, 1, 3, 6), datetime(2024, 1, 3, 5)), (datetime(2023, 12, 1), BEGINNING)],
)
def test_the_first_state_knows_the_latest_load_unless_that_is_far_ahead(
    source: SourceDatabase, now: datetime, watermark: datetime
) -> None:
    for fields in (
        {"table": "sales", "loaded_at": "loaded_at"},
        {"query": QUERY, "loaded_at": "loaded_at"},
    ):
        state = first_state(use_case(**fields), source, "d", now)
        assert (state.watermark, state.since, state.looked) == (watermark, BEGINNING, False)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"table": "sales", "loaded_at": "loaded"},
            r"source\.loaded_at of 'sales': table 'sales' has no column 'loaded'; .*'loaded_at'\?",
        ),
        (
            {"table": "sales", "loaded_at": "sold"},
            r"source\.loaded_at of 'sales': column 'sold' of table 'sales' is REAL",
        ),
        (
            {"query": QUERY, "loaded_at": "loaded"},
            r"source\.loaded_at of 'sales': .* no such column: source_rows.loaded",
        ),
        (
            {"query": QUERY, "changes": "SELECT date FROM sales WHERE loaded_at >= :since"},
            r"source\.changes of 'sales': .* no such column: source_rows.loaded_at",
        ),
        (
            {"query": QUERY, "changes": CHANGES.replace("FROM", "FORM")},
            r"source\.changes of 'sales': .* syntax error",
        ),
    ],
)
def test_what_cannot_be_watched_is_told_by_its_field(
    source: SourceDatabase, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(UseCaseError, match=f"(?s){message}"):
        check_watch(use_case(**fields), source)


def test_a_source_that_is_away_fails_the_look(tmp_path: Path) -> None:
    watched = use_case(table="sales", loaded_at="loaded_at")
    with pytest.raises(SourceError, match=r"cannot reach .*away\.db"):
        read_loads(watched, SourceDatabase(f"sqlite:///{tmp_path}/away.db"), WatchState(digest=""))
