"""Making what is declared, held by SQLite and by PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import adbc_driver_sqlite.dbapi
import pyarrow as pa
import pytest

from many_models.adapters.results.store import ResultStore, Slice
from many_models.adapters.results.store_shape import index_name
from many_models.core.errors import StoreError
from many_models.core.result_tables.declaration import declare
from many_models.core.result_tables.spec import SLICE, Column, Declaration, Derivation, Table, View
from many_models.core.use_case import AnyUseCase
from many_models_tests.core.tabular.rows import make_flights
from many_models_tests.fakes import make_use_case

SALES = Table(
    "sales",
    "One row a store and day",
    (
        Column("store", "text", "The store, where it's known"),
        Column("sold", "double precision", "Pieces"),
    ),
    key=("store",),
    indexes=(("store", "sold"),),
)
STORES = Table(
    "stores",
    "One row a store",
    (
        Column("store", "text", "The store"),
        Column("sold", "double precision", "Pieces"),
    ),
    key=("store",),
    unique=True,
    derivations=(
        Derivation(
            "sales",
            (
                f'DELETE FROM "shop_stores" WHERE {SLICE}',
                'INSERT INTO "shop_stores" (store, sold) SELECT store, SUM(sold) '
                f'FROM "shop_sales" WHERE {SLICE} GROUP BY store',
            ),
        ),
    ),
)
BEST = View(
    "best",
    "One row a store",
    (
        Column("store", "text", "The store"),
        Column("most", "double precision", "Top", "MAX(sold)"),
    ),
    'FROM "shop_sales" GROUP BY store',
    "Who sells most?",
    "SELECT * FROM shop_best",
)
SHOP = Declaration("shop", "forecast", "{}", (SALES,), (BEST,))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/results.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def store(url: str) -> ResultStore:
    return ResultStore(url)


def sales(store_name: str, *sold: float) -> pa.Table:
    return pa.table({"store": [store_name] * len(sold), "sold": list(sold)})


def rows(store: ResultStore, name: str) -> list[tuple[object, ...]]:
    found = store.query(f'SELECT * FROM "{name}" ORDER BY 1').to_pylist()
    return [tuple(row.values()) for row in found]


def put(store: ResultStore, declaration: Declaration, name: str, *sold: float) -> None:
    follow = [
        (declaration.name(suffix), statements)
        for suffix, statements in declaration.derived_from("sales")
    ]
    slices = [Slice("shop_sales", sales(name, *sold), {"store": name}, follow)]
    store.replace_slices(slices)


def test_all_that_is_declared_is_made_once(store: ResultStore) -> None:
    assert store.ensure(SHOP)
    assert not store.ensure(SHOP)
    put(store, SHOP, "a", 1.0, 3.0)
    assert store.ensure(replace(SHOP, config='{"horizon": 2}'))
    assert rows(store, "shop_best") == [("a", 3.0)]
    assert store.query("SELECT config FROM many_models_use_cases")["config"].to_pylist() == [
        '{"horizon": 2}'
    ]


STOCKED = make_use_case(name="stocked", inventory={"lead_time": 3, "service_level": 0.95})


@pytest.mark.parametrize(
    "use_case", [make_use_case(), STOCKED, make_flights("regression"), make_flights()]
)
def test_every_use_case_can_be_made_and_each_view_answers(
    store: ResultStore, use_case: AnyUseCase
) -> None:
    declaration = declare(use_case)
    store.ensure(declaration)
    values = {"origin": datetime(2024, 1, 1), "partition": "s1", "group_key": "store=s1"}
    for view in declaration.views:
        asked = {name: value for name, value in values.items() if f":{name}" in view.query}
        assert store.query(view.query, asked).num_rows == 0
        shown = store.columns(declaration.name(view.suffix))
        assert list(shown) == [column.name for column in view.columns]


def test_a_column_that_is_new_is_added_and_its_rows_stay(store: ResultStore) -> None:
    store.ensure(SHOP)
    put(store, SHOP, "a", 1.0)
    wider = replace(SALES, columns=(*SALES.columns, Column("day", "date", "Day of the sale")))
    store.ensure(replace(SHOP, tables=(wider,)))
    assert rows(store, "shop_sales") == [("a", 1.0, None)]


def test_a_table_that_follows_from_another_is_filled_when_it_is_new(store: ResultStore) -> None:
    store.ensure(SHOP)
    put(store, SHOP, "a", 1.0, 2.0)
    with_totals = replace(SHOP, tables=(SALES, STORES))
    store.ensure(with_totals)
    assert rows(store, "shop_stores") == [("a", 3.0)]
    put(store, with_totals, "b", 5.0)
    put(store, with_totals, "a", 4.0)
    assert rows(store, "shop_stores") == [("a", 4.0), ("b", 5.0)]


def test_what_follows_must_have_the_columns_of_the_slice(store: ResultStore) -> None:
    by_day = replace(SALES, columns=(*SALES.columns, Column("day", "text", "Day of the sale")))
    made = replace(SHOP, tables=(by_day, STORES))
    store.ensure(made)
    put(store, made, "a", 1.0)
    follow = [(made.name(suffix), done) for suffix, done in made.derived_from("sales")]
    more = sales("b", 2.0).append_column("day", pa.array(["monday"]))
    with pytest.raises(StoreError, match="day"):
        store.replace_slices([Slice("shop_sales", more, {"day": "monday"}, follow)])
    assert rows(store, "shop_stores") == [("a", 1.0)]


def test_a_view_is_replaced_with_other_columns(store: ResultStore) -> None:
    store.ensure(SHOP)
    put(store, SHOP, "a", 1.0)
    other = replace(BEST, columns=(Column("n", "bigint", "Rows", "COUNT(*)"),))
    store.ensure(replace(SHOP, views=(other,)))
    assert rows(store, "shop_best") == [(1,)]


def test_what_cannot_be_made_leaves_all_as_it_was(store: ResultStore) -> None:
    store.ensure(SHOP)
    put(store, SHOP, "a", 1.0)
    wider = replace(SALES, columns=(*SALES.columns, Column("day", "date", "Day of the sale")))
    broken = replace(BEST, source='FROM "nowhere"')
    with pytest.raises(StoreError, match=r"making the tables of 'shop' failed.*nowhere"):
        store.ensure(replace(SHOP, tables=(wider,), views=(broken,)))
    assert rows(store, "shop_best") == [("a", 1.0)]
    assert list(store.columns("shop_sales")) == ["store", "sold"]


def test_a_column_of_another_type_is_refused_with_a_remedy(store: ResultStore) -> None:
    store.ensure(SHOP)
    other = replace(SALES, columns=(SALES.columns[0], Column("sold", "text", "Pieces")))
    with pytest.raises(StoreError, match=r"'sold' as double precision.*needs text.*another name"):
        store.ensure(replace(SHOP, tables=(other,)))


@pytest.mark.parametrize("names", [("bread", "bread_latest"), ("bread_latest", "bread")])
def test_use_cases_whose_names_would_meet_are_told_apart_before_anything_is_made(
    store: ResultStore, names: tuple[str, str]
) -> None:
    first, second = (declare(make_use_case(name=name)) for name in names)
    store.ensure(first)
    with pytest.raises(StoreError, match=r"needs the name 'bread_latest_\w+'.*another name"):
        store.ensure(second)
    assert not store.ensure(first)
    assert store.columns(second.name("groups")) == {}


def test_the_dictionary_tells_every_column_of_every_table_and_view(store: ResultStore) -> None:
    declaration = declare(make_use_case())
    store.ensure(declaration)
    found = store.query("SELECT * FROM many_models_columns").to_pylist()
    told = {(row["table_name"], row["column_name"]): row["comment"] for row in found}
    assert len(told) == len(found)
    for name in {row["table_name"] for row in found}:
        assert {column for table, column in told if table == name} == set(store.columns(name))
    assert all(len(text) > 3 for text in told.values())
    assert {row["use_case"] for row in found} == {declaration.use_case, None}


@pytest.mark.postgres
def test_whoever_makes_tables_and_whoever_writes_them_never_wait_for_each_other(
    postgres_url: str,
) -> None:
    store, made = ResultStore(postgres_url), replace(SHOP, tables=(STORES, SALES))
    store.ensure(made)
    wider = replace(SALES, columns=(*SALES.columns, Column("day", "date", "Day of the sale")))
    waiting = "SELECT pid::bigint AS pid FROM pg_locks WHERE NOT granted"

    def arriving() -> Iterator[pa.RecordBatch]:
        maker.append(pool.submit(store.ensure, replace(made, tables=(STORES, wider))))
        while not store.query(waiting).num_rows:
            assert not maker[0].done()
        yield from sales("a", 1.0, 2.0).to_batches()

    maker: list[Future[bool]] = []
    follow = [(made.name(suffix), done) for suffix, done in made.derived_from("sales")]
    reader = pa.RecordBatchReader.from_batches(sales("a").schema, arriving())
    with ThreadPoolExecutor() as pool:
        store.replace_slices([Slice("shop_sales", reader, {"store": "a"}, follow)])
    assert maker[0].result()
    assert rows(store, "shop_stores") == [("a", 3.0)]
    assert "day" in store.columns("shop_sales")


@pytest.mark.postgres
def test_postgres_keeps_the_comments(postgres_url: str) -> None:
    store = ResultStore(postgres_url)
    store.ensure(SHOP)
    lacking = store.query(
        "SELECT c.relname::text || '.' || a.attname::text AS name FROM pg_attribute a "
        "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'v') AND a.attnum > 0 "
        "AND col_description(c.oid, a.attnum) IS NULL"
    )
    assert lacking["name"].to_pylist() == []
    of_table = "SELECT obj_description('shop_sales'::regclass) AS said"
    assert store.query(of_table)["said"].to_pylist() == ["One row a store and day"]


@pytest.mark.parametrize(
    ("table", "condition", "columns"),
    [
        ("predictions", "group_key = 'a'", ["group_key", "origin"]),
        ("predictions", "origin = '2024-01-01' AND \"partition\" = 's'", ["origin", "partition"]),
        ("accuracy", "group_key = 'a' AND origin = '2024-01-01'", ["group_key", "origin", "time"]),
        ("ledger", "group_key = 'a' ORDER BY trained_at", ["group_key", "trained_at"]),
        ("accuracy_group_totals", "origin = '2024-01-01'", ["origin", "partition"]),
        ("champions", "group_key = 'a'", ["group_key"]),
        ("explanations", "group_key = 'a'", ["group_key"]),
    ],
)
def test_what_pages_look_up_is_found_by_an_index(
    tmp_path: Path, table: str, condition: str, columns: list[str]
) -> None:
    path = tmp_path / "results.db"
    declaration = declare(make_use_case())
    ResultStore(f"sqlite:///{path}").ensure(declaration)
    name = declaration.name(table)
    with (
        closing(adbc_driver_sqlite.dbapi.connect(str(path), autocommit=True)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f'EXPLAIN QUERY PLAN SELECT * FROM "{name}" WHERE {condition}')
        plan = " ".join(str(row[-1]) for row in cursor.fetchall())
    assert f"SEARCH {name} USING INDEX {index_name(name, columns)}" in plan
    assert "TEMP B-TREE" not in plan
