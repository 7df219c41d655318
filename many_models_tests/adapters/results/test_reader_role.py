from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from many_models.adapters.results.store import ResultStore
from many_models.core.errors import StoreError
from many_models.core.result_tables.declaration import declare
from many_models_tests.adapters.results.old_stores import execute
from many_models_tests.conftest import PostgresServer
from many_models_tests.fakes import make_use_case

USE_CASE = make_use_case()


@pytest.fixture
def reader_url(postgres_server: PostgresServer, postgres_url: str) -> str:
    """The store as role ``analyst`` opens it, which may do nothing yet."""
    postgres_server.execute(
        "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'analyst') "
        "THEN CREATE ROLE analyst LOGIN; END IF; END $$"
    )
    return postgres_url.replace("postgres@", "analyst@")


@pytest.mark.postgres
def test_a_reader_sees_every_table_and_view_and_writes_none(
    postgres_url: str, reader_url: str
) -> None:
    store, reader = ResultStore(postgres_url), ResultStore(reader_url)
    store.ensure(declare(USE_CASE))
    with pytest.raises(StoreError, match="permission denied"):
        reader.query("SELECT * FROM sales_predictions")

    store.grant_reading("analyst")
    store.ensure(declare(make_use_case(name="later")))

    names = reader.query("SELECT DISTINCT table_name AS t FROM many_models_columns")["t"]
    assert {"sales_accuracy_by_group", "later_forecast_vs_actual"} <= set(names.to_pylist())
    for name in names.to_pylist():
        reader.query(f'SELECT * FROM "{name}"')
    for statement in (
        "INSERT INTO sales_dates (year) VALUES (2024)",
        "DELETE FROM sales_predictions",
        "UPDATE many_models_use_cases SET config = ''",
        "DROP VIEW sales_cost",
        "TRUNCATE sales_ledger",
    ):
        with pytest.raises(Exception, match=r"permission denied|must be owner"):
            execute(reader_url, statement)


@pytest.mark.postgres
def test_a_view_that_is_made_anew_can_be_read_as_before(postgres_url: str, reader_url: str) -> None:
    store, declaration = ResultStore(postgres_url), declare(USE_CASE)
    store.ensure(declaration)
    store.grant_reading("analyst")
    view = declaration.view("cost")
    fewer = replace(view, columns=view.columns[1:])
    store.ensure(replace(declaration, views=(fewer,)))
    assert ResultStore(reader_url).query("SELECT * FROM sales_cost").num_rows == 0


@pytest.mark.postgres
def test_the_statements_can_be_had_without_being_run(postgres_url: str, reader_url: str) -> None:
    store = ResultStore(postgres_url)
    store.ensure(declare(USE_CASE))
    statements = store.grant_reading("analyst", carry_out=False)
    assert [statement.split()[0] for statement in statements] == ["GRANT"] * 3 + ["ALTER"]
    with pytest.raises(StoreError, match="permission denied"):
        ResultStore(reader_url).query("SELECT * FROM sales_predictions")


@pytest.mark.postgres
def test_a_role_that_is_missing_and_an_empty_store_are_named(
    postgres_url: str, reader_url: str
) -> None:
    store = ResultStore(postgres_url)
    assert reader_url
    with pytest.raises(StoreError, match=r"no role 'nobody_there'.*CREATE ROLE"):
        store.grant_reading("nobody_there")
    with pytest.raises(StoreError, match="no results yet"):
        store.grant_reading("analyst")


def test_a_sqlite_file_has_no_roles(tmp_path: Path) -> None:
    store = ResultStore(f"sqlite:///{tmp_path}/results.db")
    with pytest.raises(StoreError, match=r"no roles.*mode=ro"):
        store.grant_reading("analyst")


@pytest.mark.postgres
def test_a_store_that_is_only_read_keeps_the_options_of_its_url(postgres_url: str) -> None:
    execute(postgres_url, "CREATE SCHEMA shop")
    url = f"{postgres_url}&options=-csearch_path%3Dshop"
    ResultStore(url).ensure(declare(USE_CASE))
    reader = ResultStore(url, read_only=True)
    assert reader.columns("sales_ledger")
    with pytest.raises(StoreError, match="read-only"):
        reader.check()
