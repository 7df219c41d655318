from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi
import pytest

from many_models.adapters.sources.database import SourceDatabase
from many_models.adapters.sources.loads import LoadBounds, LoadColumns
from many_models.adapters.sources.query import Window
from many_models.core.errors import SourceError
from many_models.core.new_data import DayLoads, Loads

COLUMNS = LoadColumns("t", "loaded")
CHANGES = "SELECT t, loaded FROM s WHERE loaded >= :since; -- of s"
EVER = datetime(1900, 1, 1)
NINE, TEN = datetime(2024, 3, 9, 9), datetime(2024, 3, 9, 10)
ROWS = [
    ("2024-03-01", "2024-03-09 08:59:59"),
    ("2024-03-02", "2024-03-09 09:00:00"),
    ("2024-03-02 12:00:00", "2024-03-09 10:00:00.250"),
    ("2024-02-01", "2024-03-09 10:00:00"),
    ("2024-02-01", None),
]
SECOND = DayLoads(
    date(2024, 3, 2),
    rows=2,
    kept=1,
    loaded=datetime(2024, 3, 9, 10, 0, 0, 250_000),
    first=datetime(2024, 3, 2),
    last=datetime(2024, 3, 2, 12),
)
FEBRUARY = DayLoads(date(2024, 2, 1), 1, 1, TEN, datetime(2024, 2, 1), datetime(2024, 2, 1))


@pytest.fixture(params=["auto", "sqlalchemy"])
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


def sqlite(folder: Path, rows: list[tuple[Any, Any]], engine: Any = "auto") -> SourceDatabase:
    path = folder / "shop.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE s (t, loaded TEXT, n INTEGER)")
        connection.executemany("INSERT INTO s VALUES (?, ?, 1)", rows)
    return SourceDatabase(f"sqlite:///{path}", engine=engine)


def postgres(url: str, kind: str, rows: list[tuple[Any, Any]], engine: Any) -> SourceDatabase:
    values = ", ".join(f"('{t}', {'NULL' if at is None else repr(at)})" for t, at in rows)
    with (
        closing(adbc_driver_postgresql.dbapi.connect(url)) as connection,
        closing(connection.cursor()) as cursor,
    ):
        cursor.execute("SET TIME ZONE 'UTC'")
        cursor.execute(f"CREATE TABLE s (t timestamp, loaded {kind})")
        cursor.execute(f"INSERT INTO s VALUES {values}")
        connection.commit()
    return SourceDatabase(url, engine=engine)


def loads(source: SourceDatabase, since: datetime = NINE, kept_from: datetime = TEN) -> Loads:
    query = source.loaded_query("s", "t", "loaded")
    return source.loads(query, COLUMNS, LoadBounds(since, kept_from))


def test_days_are_counted_with_their_latest_load(tmp_path: Path, engine: Any) -> None:
    source = sqlite(tmp_path, ROWS, engine)
    assert loads(source) == Loads((FEBRUARY, SECOND), zoned=False)
    assert source.loads(CHANGES, COLUMNS, LoadBounds(NINE, TEN)).days == (FEBRUARY, SECOND)
    assert [day.rows for day in loads(source, EVER, EVER).days] == [1, 1, 2]
    assert loads(source, datetime(9999, 1, 1)).days == ()
    assert source.newest_load(CHANGES, COLUMNS) == SECOND.loaded


def test_a_source_without_rows_has_no_latest_load(tmp_path: Path, engine: Any) -> None:
    assert sqlite(tmp_path, [], engine).newest_load(CHANGES, COLUMNS) is None


def test_a_query_that_returns_the_load_time_is_read_over_all_of_its_time(
    tmp_path: Path, engine: Any
) -> None:
    where = "t >= :window_start AND t < :window_end"
    query = f"SELECT t, MAX(loaded) AS loaded FROM s WHERE {where} GROUP BY t"
    window = Window(EVER, datetime(9999, 1, 1))
    source = sqlite(tmp_path, ROWS, engine)
    assert source.loads(query, COLUMNS, LoadBounds(NINE, TEN), window).days == (FEBRUARY, SECOND)


def test_text_with_zones_and_letters_sorts_as_time(tmp_path: Path) -> None:
    texts = [
        *("2024-03-09T09:00:00Z", "2024-03-09T10:30:00.000+01:00", "2024-03-09 03:00:00-07:00"),
        *("2024-03-09T08:59:59", "2024-03-09 10:59:59+02:00", "2024-03-08 23:00:00-09:00"),
    ]
    source = sqlite(tmp_path, [("2024-03-01", at) for at in texts])
    (day,) = loads(source).days
    assert (day.rows, day.kept, day.loaded) == (3, 1, TEN)


def test_text_that_is_no_time_is_refused(tmp_path: Path) -> None:
    source = sqlite(tmp_path, [("2024-03-01", "soon"), ("2024-03-01", "2024-03-09 10:00:00")])
    with pytest.raises(SourceError, match=r"source\.loaded_at: loaded is 'soon', which is no time"):
        loads(source)


def test_an_index_of_the_load_time_serves(tmp_path: Path) -> None:
    source = sqlite(tmp_path, ROWS)
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
        connection.execute("CREATE INDEX by_load ON s (loaded)")
        inner = source.loaded_query("s", "t", "loaded").replace(":since", "'2024-03-08'")
        outer = (
            f"SELECT DATE(t), COUNT(*) FROM ({inner}) q WHERE strftime('%s', loaded) > 0 GROUP BY 1"
        )
        plan = connection.execute(f"EXPLAIN QUERY PLAN {outer}").fetchall()
    assert "USING INDEX by_load" in plan[0][3]


@pytest.mark.parametrize(
    ("table", "time", "loaded_at", "message"),
    [
        ("s", "t", "loadd", "table 's' has no column 'loadd'; .* mean 'loaded'"),
        ("s", "tt", "loaded", "table 's' has no column 'tt'"),
        ("s", "t", "n", "column 'n' of table 's' is INTEGER; it must be a timestamp"),
        ("r", "t", "loaded", "no table 'r'"),
    ],
)
def test_columns_that_cannot_be_watched_are_named(
    tmp_path: Path, table: str, time: str, loaded_at: str, message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        sqlite(tmp_path, ROWS).loaded_query(table, time, loaded_at)


def test_changes_without_the_parameter_are_refused(tmp_path: Path) -> None:
    source = sqlite(tmp_path, ROWS)
    with pytest.raises(SourceError, match=r"source\.changes does not use :since"):
        source.loads("SELECT t, loaded FROM s -- :since", COLUMNS, LoadBounds(NINE, TEN))


def test_a_database_that_is_away_is_named(tmp_path: Path) -> None:
    source = SourceDatabase(f"sqlite:///{tmp_path}/gone.db")
    with pytest.raises(SourceError, match=r"cannot reach .*gone\.db"):
        source.loads(CHANGES, COLUMNS, LoadBounds(NINE, TEN))


@pytest.mark.postgres
@pytest.mark.parametrize("kind", ["timestamp", "timestamptz"])
def test_postgres_days_are_counted_in_utc(postgres_url: str, engine: Any, kind: str) -> None:
    source = postgres(postgres_url, kind, ROWS, engine)
    assert loads(source) == Loads((FEBRUARY, SECOND), zoned=kind == "timestamptz")
    assert source.newest_load(CHANGES, COLUMNS) == SECOND.loaded
    assert loads(source, datetime(9999, 1, 1)).days == ()


@pytest.mark.postgres
def test_postgres_text_is_refused_in_the_words_of_the_database(postgres_url: str) -> None:
    with pytest.raises(SourceError, match="operator does not exist: text >= timestamp"):
        loads(postgres(postgres_url, "text", ROWS, "auto"))


@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMPTZ"])
def test_another_adbc_driver_is_asked_by_changes(tmp_path: Path, kind: str) -> None:
    dbapi = pytest.importorskip("adbc_driver_duckdb.dbapi")
    path = tmp_path / "shop.duckdb"
    values = ", ".join(f"('{t}', {'NULL' if at is None else repr(at)})" for t, at in ROWS)
    with closing(dbapi.connect(str(path))) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("SET TimeZone = 'UTC'")
        cursor.execute(f"CREATE TABLE s (t TIMESTAMP, loaded {kind})")
        cursor.execute(f"INSERT INTO s VALUES {values}")
        connection.commit()
    found = SourceDatabase(f"adbc+duckdb:{path}").loads(CHANGES, COLUMNS, LoadBounds(NINE, TEN))
    assert found == Loads((FEBRUARY, SECOND), zoned=kind == "TIMESTAMPTZ")
