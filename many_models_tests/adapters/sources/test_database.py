from __future__ import annotations

import gc
import math
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi
import pyarrow as pa
import pytest

from many_models.adapters.sources.database import SourceDatabase
from many_models.core.errors import SourceError

SCHEMA = pa.schema([("k", pa.string()), ("t", pa.timestamp("us")), ("y", pa.float64())])
JANUARY: dict[str, Any] = {"start": datetime(2017, 1, 1), "end": datetime(2017, 2, 1)}
WHERE = "WHERE t >= :window_start AND t < :window_end"
QUERY = f"SELECT k, t, y FROM s {WHERE}"
Row = Sequence[Any]


@pytest.fixture(params=["auto", "sqlalchemy"])
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def sqlite(tmp_path: Path, engine: Any) -> Callable[..., SourceDatabase]:
    """A source with one table ``s(k, t, y)`` whose columns have no type."""

    def build(rows: Sequence[Row], columns: str = "k, t, y") -> SourceDatabase:
        path = tmp_path / "my shop #1.db"
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(f"CREATE TABLE s ({columns})")
            marks = ", ".join("?" for _ in columns.split(","))
            connection.executemany(f"INSERT INTO s VALUES ({marks})", rows)
        return SourceDatabase(f"sqlite:///{path}", engine=engine)

    return build


@pytest.fixture
def postgres(postgres_url: str, engine: Any) -> Callable[..., SourceDatabase]:
    def build(*statements: str) -> SourceDatabase:
        with (
            closing(adbc_driver_postgresql.dbapi.connect(postgres_url)) as connection,
            closing(connection.cursor()) as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)
            connection.commit()
        return SourceDatabase(postgres_url, engine=engine)

    return build


def rows_of(source: SourceDatabase, query: str = QUERY, **options: Any) -> list[tuple[Any, ...]]:
    arguments = {**JANUARY, "schema": SCHEMA, **options}
    reader = source.stream(query, **arguments)
    assert reader.schema == arguments["schema"]
    return [tuple(row.values()) for row in reader.read_all().to_pylist()]


def test_only_the_rows_of_the_window_come_whether_dates_or_times(sqlite: Any) -> None:
    moments = ["2016-12-31 23:59:59", "2017-01-01", "2017-01-31 23:59:59", "2017-02-01"]
    source = sqlite([(i, moment, i) for i, moment in enumerate(moments)])
    assert rows_of(source) == [
        ("1", datetime(2017, 1, 1), 1.0),
        ("2", datetime(2017, 1, 31, 23, 59, 59), 2.0),
    ]
    assert source.count(QUERY, **JANUARY) == 2


def test_times_with_a_t_are_right_in_daily_windows_and_refused_in_shorter_ones(sqlite: Any) -> None:
    source = sqlite([(1, "2017-01-31T01:00:00", 1), (2, "2017-02-01T00:00:00", 2)])
    assert [row[0] for row in rows_of(source)] == ["1"]
    evening: dict[str, Any] = {"start": datetime(2017, 1, 31, 22), "end": datetime(2017, 2, 1)}
    with pytest.raises(SourceError, match="with a blank, not a T"):
        rows_of(source, **evening)


def test_batches_are_no_larger_than_asked_for(sqlite: Any) -> None:
    source = sqlite([(1, "2017-01-01", i) for i in range(25)])
    reader = source.stream(QUERY, schema=SCHEMA, batch_rows=10, **JANUARY)
    sizes = [batch.num_rows for batch in reader]
    assert max(sizes) <= 10 and sum(sizes) == 25


def test_a_window_without_rows_gives_no_rows_in_the_declared_schema(sqlite: Any) -> None:
    source = sqlite([])
    assert rows_of(source) == []
    assert source.count(QUERY, **JANUARY) == 0


@pytest.mark.parametrize(
    "key", ["a/b:c", 'it\'s "so"', "..", "🥦", "x" * 300, "", "%s {} :window_start", "NULL"]
)
def test_any_text_is_a_key(sqlite: Any, key: str) -> None:
    assert rows_of(sqlite([(key, "2017-01-01", 1)])) == [(key, datetime(2017, 1, 1), 1.0)]


def test_keys_that_are_whole_numbers_are_one_key_whatever_their_type(sqlite: Any) -> None:
    values = [17, 17.0, "17", 2.5, 0.1 + 0.2, None]
    source = sqlite([(value, "2017-01-01", 1) for value in values])
    keys = [row[0] for row in rows_of(source)]
    assert keys[:4] == ["17", "17", "17", "2.5"] and keys[5] is None
    assert float(keys[4]) == 0.1 + 0.2


@pytest.mark.parametrize("batch_rows", [2, 100])
def test_values_of_another_type_after_the_first_batch_are_read(
    sqlite: Any, batch_rows: int
) -> None:
    values = [None, None, None, 1, 2**53, 2.5, math.inf, " 4.5", None]
    keys = [None, None, None, 1, "a", 2.0, "b", "c", "d"]
    source = sqlite([(k, "2017-01-01", y) for k, y in zip(keys, values, strict=True)])
    rows = rows_of(source, batch_rows=batch_rows)
    assert [row[2] for row in rows] == [
        None, None, None, 1.0, float(2**53), 2.5, math.inf, 4.5, None,
    ]  # fmt: skip
    assert [row[0] for row in rows] == [None, None, None, "1", "a", "2", "b", "c", "d"]


def test_floats_keep_every_digit_beside_text_that_is_a_number(sqlite: Any) -> None:
    values = [0.1 + 0.2, 1 / 3, 5e-324, "0.25"]
    source = sqlite([(1, "2017-01-01", value) for value in values])
    assert [row[2] for row in rows_of(source)] == [0.1 + 0.2, 1 / 3, 5e-324, 0.25]


def test_text_in_the_target_at_row_150000_is_an_error_not_a_null(sqlite: Any) -> None:
    rows: list[Row] = [(i, "2017-01-01", i) for i in range(150_000)]
    source = sqlite([*rows, ("store 9", "2017-01-05", "n/a")])
    with pytest.raises(SourceError, match=r"'y' must be a number, .* 'n/a' .* k='store 9', t="):
        rows_of(source)


@pytest.mark.parametrize("value", ["", "1,5", b"\x01"])
def test_what_is_no_number_is_refused(sqlite: Any, value: Any) -> None:
    with pytest.raises(SourceError, match="column 'y' must be a number"):
        rows_of(sqlite([(1, "2017-01-01", 1), (2, "2017-01-01", value)]))


def test_a_time_that_cannot_be_read_is_named(sqlite: Any) -> None:
    with pytest.raises(SourceError, match=r"column 't' must be a time, .* '2017-01-99'"):
        rows_of(sqlite([(1, "2017-01-99", 1)]))


def test_a_column_the_query_lacks_is_named_with_the_closest(sqlite: Any) -> None:
    source = sqlite([(1, "2017-01-01", 1)])
    schema = pa.schema([("store_id", pa.string())])
    with pytest.raises(SourceError, match=r"no column 'store_id'; .* Did you mean 'store'\?"):
        source.stream(f"SELECT k AS store, y FROM s {WHERE}", schema=schema, **JANUARY)


def test_a_column_the_table_lacks_is_named_with_those_it_has(sqlite: Any) -> None:
    source = sqlite([(1, "2017-01-01", 1)], columns="store_id, t, y")
    with pytest.raises(SourceError, match=r"stor_id.*'store_id', 't', 'y'.*mean 'store_id'\?"):
        rows_of(source, f"SELECT stor_id AS k, t, y FROM s {WHERE}")


def test_sql_that_is_wrong_is_shown_in_the_words_of_the_database(sqlite: Any) -> None:
    source = sqlite([])
    with pytest.raises(SourceError, match=r"refused the query in the window .*no such table: zzz"):
        rows_of(source, f"SELECT k, t, y FROM zzz {WHERE}")
    with pytest.raises(SourceError, match="syntax error"):
        source.count(f"SELEC k FROM s {WHERE}", **JANUARY)


def test_an_error_in_the_middle_of_the_stream_is_a_source_error(sqlite: Any) -> None:
    rows = [(i, "2017-01-01", i) for i in range(100)]
    source = sqlite([*rows, (-(2**63), "2017-01-01", 1)])
    reader = source.stream(
        f"SELECT abs(k) AS k, t, y FROM s {WHERE}", schema=SCHEMA, batch_rows=10, **JANUARY
    )
    with pytest.raises(SourceError, match="integer overflow"):
        reader.read_all()


def test_a_query_may_be_a_cte_with_comments_and_a_semicolon(sqlite: Any) -> None:
    source = sqlite([(1, "2017-01-01", 1), (1, "2017-01-01", 2)])
    query = f"""-- :window_start is not a parameter here
        WITH d AS (SELECT k, t, SUM(y) AS y FROM s {WHERE} GROUP BY k, t)
        SELECT k || ':window_end' AS k, t, y FROM d; -- done"""
    assert rows_of(source, query) == [("1:window_end", datetime(2017, 1, 1), 3.0)]
    assert source.count(query, **JANUARY) == 1


def test_a_stream_that_is_left_early_releases_the_database(sqlite: Any) -> None:
    source = sqlite([(i, "2017-01-01", i) for i in range(1000)])
    reader = source.stream(QUERY, schema=SCHEMA, batch_rows=10, **JANUARY)
    reader.read_next_batch()
    del reader
    gc.collect()
    with closing(sqlite3.connect(source.url.removeprefix("sqlite:///"), timeout=0)) as writer:
        writer.execute("DROP TABLE s")


def test_a_file_that_is_not_there_is_unreachable_and_is_not_created(
    tmp_path: Path, engine: Any
) -> None:
    path = tmp_path / "nowhere.db"
    source = SourceDatabase(f"sqlite:///{path}", engine=engine)
    for call in (source.check, source.tables, lambda: rows_of(source)):
        with pytest.raises(SourceError, match=r"cannot reach the source database .*nowhere.db"):
            call()
    assert not path.exists()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, however long it may be " * 50)
    with pytest.raises(SourceError, match="file is not a database"):
        SourceDatabase(f"sqlite:///{tmp_path}/notes.txt").check()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:s3cret@127.0.0.1:1/shop",
        "postgres://ann:s3cret@127.0.0.1:1/shop",
        "postgresql://ann@127.0.0.1:1/shop?password=s3cret",
        "postgresql://ann:s3cret%zz@127.0.0.1:1/shop",
        "nosuchdatabase://ann:s3cret@host/shop",
        "adbc+nosuchdriver:ann:s3cret@host",
        "ann:s3cret@host",
    ],
)
def test_an_unreachable_database_is_named_without_its_password(url: str, engine: Any) -> None:
    source = SourceDatabase(url, engine=engine)
    with pytest.raises(SourceError, match="cannot reach the source database") as caught:
        source.check()
    assert "s3cret" not in str(caught.value) + repr(source) + source.shown_url


def test_the_query_of_a_table_quotes_its_names(sqlite: Any) -> None:
    source = sqlite([("a", "2017-01-01", 1)], columns='"my ""k""", "order", y')
    query = source.window_query("s", "order", ["y", 'my "k"', "order"])
    schema = pa.schema(
        [('my "k"', pa.string()), ("order", pa.timestamp("us")), ("y", pa.float64())]
    )
    assert rows_of(source, query, schema=schema) == [("a", datetime(2017, 1, 1), 1.0)]


def test_the_query_of_a_table_or_column_that_is_not_there_is_refused(sqlite: Any) -> None:
    source = sqlite([])
    with pytest.raises(SourceError, match=r"table 's' has no column 'T'; .* mean 't'\?"):
        source.window_query("s", "T", ["k"])
    with pytest.raises(SourceError, match=r"has no table 'ss'; it has 's'. Did you mean 's'\?"):
        source.window_query("ss", "t", ["k"])


def test_another_adbc_driver_is_read_through_its_own_connection_string(tmp_path: Path) -> None:
    dbapi = pytest.importorskip("adbc_driver_duckdb.dbapi")
    path = tmp_path / "shop.duckdb"
    with closing(dbapi.connect(str(path))) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(
            "CREATE TABLE s AS SELECT 17 AS k, d AS t, 1.50::DECIMAL(5, 2) AS y FROM "
            "range(TIMESTAMP '2016-12-31', TIMESTAMP '2017-02-02', INTERVAL 1 DAY) r(d)"
        )
        connection.commit()
    source = SourceDatabase(f"adbc+duckdb:{path}")
    source.check()
    rows = rows_of(source, batch_rows=10)
    assert len(rows) == source.count(QUERY, **JANUARY) == 31
    assert rows[0] == ("17", datetime(2017, 1, 1), 1.5)
    with pytest.raises(SourceError, match="refused the query"):
        rows_of(source, f"SELECT nope AS k FROM s {WHERE}")
    with pytest.raises(SourceError, match="cannot be listed"):
        source.tables()


TYPES = """CREATE TABLE s AS SELECT * FROM (VALUES
    (1::int, 17.00::numeric(10, 2), 17.0::float8, 2.1::float4, date '2017-01-01', true,
     '6c8f2f3e-0d4b-4f6c-9a57-000000000001'::uuid, 'x'::varchar, 1.5::numeric, 7::smallint,
     timestamp '2017-01-01 12:00', timestamptz '2017-01-01 01:00+02'),
    (2, NULL, NULL, NULL, '2017-01-31', false, NULL, NULL, 'NaN', NULL,
     '2017-01-31 23:59:59', '2017-01-31 23:59:59+00')
) v(i, n, f, r, d, b, u, s, y, z, ts, tz)"""


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("column", "key"),
    [
        ("i", "1"), ("n", "17"), ("f", "17"), ("r", "2.1"), ("d", "2017-01-01"), ("b", "true"),
        ("u", "6c8f2f3e-0d4b-4f6c-9a57-000000000001"), ("s", "x"), ("z", "7"),
        ("ts", "2017-01-01 12:00:00"), ("tz", "2016-12-31 23:00:00"),
    ],
)  # fmt: skip
def test_postgres_columns_of_any_type_are_the_same_keys(
    postgres: Any, column: str, key: str
) -> None:
    source = postgres(TYPES)
    query = f"SELECT {column} AS k, d AS t, y FROM s WHERE d >= :window_start AND d < :window_end"
    rows = rows_of(source, query)
    assert rows[0] == (key, datetime(2017, 1, 1), 1.5)
    assert rows[1][1] == datetime(2017, 1, 31) and math.isnan(rows[1][2])


@pytest.mark.postgres
@pytest.mark.parametrize("column", ["n", "f", "i", "z", "b"])
def test_postgres_numbers_of_any_type_are_floats(postgres: Any, column: str) -> None:
    source = postgres(TYPES)
    query = f"SELECT 1 AS k, ts AS t, {column} AS y FROM s WHERE ts >= :window_start::timestamp "
    rows = rows_of(source, query + "AND ts < :window_end")
    assert rows[0][2] == {"n": 17, "f": 17, "i": 1, "z": 7, "b": 1}[column]


@pytest.mark.postgres
def test_postgres_windows_of_times_with_zone_are_in_utc(postgres: Any) -> None:
    source = postgres("SET TIME ZONE 'America/New_York'", TYPES)
    query = "SELECT i AS k, tz AS t, 1 AS y FROM s WHERE tz >= :window_start AND tz < :window_end"
    assert rows_of(source, query) == [("2", datetime(2017, 1, 31, 23, 59, 59), 1.0)]
    new_year: dict[str, Any] = {"start": datetime(2016, 12, 31, 23), "end": datetime(2017, 1, 1)}
    assert rows_of(source, query, **new_year) == [("1", datetime(2016, 12, 31, 23), 1.0)]
    assert source.count(query, **new_year) == 1


@pytest.mark.postgres
def test_postgres_streams_many_batches(postgres: Any) -> None:
    source = postgres(
        "CREATE TABLE s AS SELECT i AS k, timestamp '2017-01-01' AS t, i AS y "
        "FROM generate_series(1, 50000) i"
    )
    reader = source.stream(QUERY, schema=SCHEMA, batch_rows=1000, **JANUARY)
    batches = list(reader)
    assert len(batches) >= 50 and max(batch.num_rows for batch in batches) <= 1000
    assert sum(sum(batch["y"].to_pylist()) for batch in batches) == 50_000 * 50_001 / 2


@pytest.mark.postgres
def test_postgres_errors_are_in_the_words_of_the_database(postgres: Any) -> None:
    source = postgres("CREATE TABLE s (store_id text, t timestamp, y text)")
    with pytest.raises(SourceError, match=r"(?s)stor_id.* does not exist.*mean 'store_id'\?"):
        rows_of(source, f"SELECT stor_id AS k, t, y FROM s {WHERE}")
    with pytest.raises(SourceError, match="operator does not exist"):
        rows_of(source, "SELECT y FROM s WHERE y >= :window_start AND y < :window_end")


@pytest.mark.postgres
def test_postgres_text_in_the_target_and_errors_midway_are_clear(postgres: Any) -> None:
    source = postgres(
        "CREATE TABLE s AS SELECT i AS k, timestamp '2017-01-01' AS t, "
        "CASE i WHEN 20000 THEN 'n/a' ELSE i::text END AS y FROM generate_series(1, 20000) i"
    )
    with pytest.raises(SourceError, match=r"'y' must be a number, .* 'n/a' .* k=20000"):
        rows_of(source, batch_rows=1000)
    with pytest.raises(SourceError, match="division by zero"):
        rows_of(source, f"SELECT k, t, 1 / (20000 - k) AS y FROM s {WHERE}", batch_rows=1000)


@pytest.mark.postgres
def test_postgres_is_only_read(postgres_url: str) -> None:
    source = SourceDatabase(postgres_url)
    with pytest.raises(SourceError, match="read-only"):
        rows_of(
            source,
            "SELECT pg_catalog.lo_create(0)::text AS k, :window_start AS t, 1 AS y "
            "WHERE now() <> :window_end",
        )


@pytest.mark.postgres
def test_postgres_keys_with_any_text_pass_unharmed(postgres: Any) -> None:
    keys = ["a/b:c", "it''s \"so\"", "🥦", "x" * 300, "..", "\\n"]
    values = ", ".join(f"('{key}', timestamp '2017-01-01', 1)" for key in keys)
    source = postgres(f"CREATE TABLE s AS SELECT * FROM (VALUES {values}) v(k, t, y)")
    assert [row[0] for row in rows_of(source)] == [key.replace("''", "'") for key in keys]


@pytest.mark.postgres
def test_postgres_tables_in_any_schema_are_found(postgres: Any) -> None:
    source = postgres(
        "CREATE SCHEMA shop",
        'CREATE TABLE shop."Sales" ("Key" text, "At" timestamp, y int)',
        "INSERT INTO shop.\"Sales\" VALUES ('a', '2017-01-01', 1)",
    )
    query = source.window_query("shop.Sales", "At", ["Key", "y"])
    schema = pa.schema([("Key", pa.string()), ("At", pa.timestamp("us"))])
    assert rows_of(source, query, schema=schema) == [("a", datetime(2017, 1, 1))]
    assert source.describe("shop.Sales").rows == 1
