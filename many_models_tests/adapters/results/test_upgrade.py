"""An old store becomes a new one, held by SQLite and by PostgreSQL."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory

from many_models.adapters.results.store import ResultStore
from many_models.adapters.results.upgrade import HEAD, SCRIPTS
from many_models.core.errors import StoreError
from many_models.core.result_tables.declaration import declare
from many_models.core.result_tables.spec import SLICE
from many_models_tests.adapters.results.old_stores import (
    TABLES,
    execute,
    make_old_store,
    old_use_case,
)
from many_models_tests.adapters.results.upgrading import upgrade_until

SPAWN = multiprocessing.get_context("spawn")
NEW = "bread_groups", "bread_accuracy_group_totals", "bread_accuracy_totals"
AVERAGES = "n", "mae", "bias", "wape", "coverage"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/results.db"
    return str(request.getfixturevalue("postgres_url"))


def rows(store: ResultStore, sql: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = store.query(sql).to_pylist()
    return sorted(found, key=str)


def averages(store: ResultStore) -> list[Any]:
    """Accuracy by group and by horizon, as the views tell it."""
    found = [
        [row["group_key"], str(row["origin"]), row["source"], *(row[name] for name in AVERAGES)]
        for row in rows(store, "SELECT * FROM bread_accuracy_by_group")
    ]
    steps = rows(store, "SELECT * FROM bread_accuracy_by_horizon")
    found += [[row["periods_ahead"], row["source"], *(row[n] for n in AVERAGES)] for row in steps]
    return sorted(found, key=str)


def test_no_row_of_an_old_store_is_lost_and_its_views_tell_the_same(url: str) -> None:
    make_old_store(url)
    store = ResultStore(url)
    before = {table: rows(store, f"SELECT * FROM bread_{table}") for table in TABLES}
    latest, judged = rows(store, "SELECT * FROM bread_latest_ledger"), averages(store)

    store.ensure(declare(old_use_case()))

    assert {table: rows(store, f"SELECT * FROM bread_{table}") for table in TABLES} == before
    assert rows(store, "SELECT * FROM bread_latest_ledger") == latest
    assert len(judged) > 8
    for now, then in zip(averages(store), judged, strict=True):
        assert now == pytest.approx(then)


def test_the_dimension_of_groups_is_filled_from_old_ledgers(url: str) -> None:
    make_old_store(url)
    store = ResultStore(url)
    store.ensure(declare(old_use_case()))
    groups = rows(store, "SELECT group_key, region, status, run_id FROM bread_groups")
    assert [tuple(group.values()) for group in groups] == [
        ("store=s1,item=bun", "north", "trained", "second"),
        ("store=s1,item=rye", "north", "trained", "second"),
        ("store=s2,item=new", "south", "skipped", "first"),
        ("store=s2,item=rye", "north", "trained", "first"),
    ]


def test_what_the_migration_fills_is_what_is_written_from_then_on(url: str) -> None:
    make_old_store(url)
    store, declaration = ResultStore(url), declare(old_use_case())
    store.ensure(declaration)
    derived = [table.suffix for table in declaration.tables if table.derivations]
    migrated = {name: rows(store, f"SELECT * FROM bread_{name}") for name in derived}
    assert all(migrated.values())
    for table in declaration.tables:
        for _, statements in declaration.derived_from(table.suffix):
            execute(url, *(statement.replace(SLICE, "1 = 1") for statement in statements))
    assert {name: rows(store, f"SELECT * FROM bread_{name}") for name in derived} == migrated


def test_a_store_is_upgraded_without_any_use_case(url: str) -> None:
    make_old_store(url)
    store = ResultStore(url)
    assert store.revision() is None
    assert store.upgrade() == ["0001", "0002"]
    assert (store.revision(), store.upgrade()) == (HEAD, [])
    assert len(rows(store, "SELECT * FROM bread_groups")) == 4
    store.ensure(declare(old_use_case()))
    assert len(rows(store, "SELECT * FROM bread_groups")) == 4


def test_an_empty_store_begins_with_this_version(url: str) -> None:
    store = ResultStore(url)
    assert store.upgrade() == [HEAD]
    assert store.revision() == HEAD


def test_a_store_of_a_newer_version_is_refused(url: str) -> None:
    store = ResultStore(url)
    store.ensure(declare(old_use_case()))
    execute(url, "UPDATE many_models_migrations SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"version 9999.*knows 0001 to 0002.*newer many-models"):
        store.ensure(declare(old_use_case()))
    with pytest.raises(StoreError, match="9999"):
        store.upgrade()


def test_the_version_of_this_code_is_the_last_migration() -> None:
    scripts = ScriptDirectory(str(SCRIPTS))
    assert scripts.get_heads() == [HEAD]


@pytest.mark.parametrize("statements", [1, 6, 14])
def test_an_upgrade_killed_in_the_middle_leaves_the_old_store(url: str, statements: int) -> None:
    make_old_store(url)
    store, count = ResultStore(url), "SELECT COUNT(*) AS n FROM bread_accuracy_by_group"
    receiver, sender = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=upgrade_until, args=(url, statements, sender))
    process.start()
    assert receiver.poll(60), "the upgrade did not come so far"

    assert store.query(count).to_pylist() == [{"n": 4}]  # who reads sees the old store all along
    process.kill()
    process.join()

    assert store.revision() is None
    assert {name for name in NEW if store.columns(name)} == set()
    assert store.query(count).to_pylist() == [{"n": 4}]
    store.ensure(declare(old_use_case()))
    assert {name for name in NEW if store.columns(name)} == set(NEW)


def test_old_predictions_of_classes_are_added_up_too(url: str) -> None:
    execute(
        url,
        'CREATE TABLE "late_accuracy" ("partition" text, "group_key" text, "dest" text, '
        '"origin" timestamp, "time" timestamp, "periods_ahead" bigint, "flight" text, '
        '"prediction" text, "source" text, "actual" text, "hit" bigint)',
        "INSERT INTO late_accuracy VALUES "
        "('J', 'dest=L', 'L', '2024-01-01', '2024-01-02 06:00:00', 1, 'a', 'y', 'model', 'y', 1), "
        "('J', 'dest=L', 'L', '2024-01-01', '2024-01-02 09:00:00', 1, 'b', 'y', 'model', 'n', 0), "
        "('J', 'dest=L', 'L', '2024-01-01', '2024-01-03 06:00:00', 2, 'c', 'n', 'model', 'n', 1)",
    )
    store = ResultStore(url)
    store.upgrade()
    (group,) = rows(store, "SELECT group_key, dest, n, hits FROM late_accuracy_group_totals")
    assert group == {"group_key": "dest=L", "dest": "L", "n": 3, "hits": 2}
    days = rows(store, 'SELECT "date", n, hits FROM late_accuracy_totals')
    assert [(str(day["date"]), day["n"], day["hits"]) for day in days] == [
        ("2024-01-02", 2, 1),
        ("2024-01-03", 1, 1),
    ]
