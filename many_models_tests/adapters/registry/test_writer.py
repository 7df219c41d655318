from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from many_models.adapters.registry import tables
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.tables import RUNS, TABLES
from many_models.adapters.registry.writer import choose_database, choose_writer, find_pack_folder

pytestmark = pytest.mark.mlflow


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE alembic_version SET version_num = 'feedc0ffee00'", "revision feedc0ffee00"),
        ("DELETE FROM alembic_version", "revision none"),
        ("DROP TABLE alembic_version", "could not be read"),
        ("ALTER TABLE runs RENAME COLUMN user_id TO person", "no column user_id"),
        ("ALTER TABLE runs ADD COLUMN mood TEXT NOT NULL DEFAULT 'good'", None),
        ("CREATE TABLE moods (mood TEXT NOT NULL)", None),
    ],
)
def test_tables_that_are_not_those_we_know_are_left_to_mlflow(
    tmp_path: Path, empty_registry_database: Path, statement: str, reason: str | None
) -> None:
    path = tmp_path / "registry.db"
    path.write_bytes(empty_registry_database.read_bytes())
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement)
        database.commit()

    choice = choose_writer(choose_database(f"sqlite:///{path}"), "/models")

    assert choice.name == ("client" if reason else "bulk")
    assert (reason or "known schema") in choice.reason


@pytest.mark.parametrize("writer", ["bulk"])
def test_a_column_that_would_stay_empty_is_left_to_mlflow(
    registry: MlflowRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = replace(RUNS, columns=RUNS.columns[1:])
    monkeypatch.setattr(tables, "TABLES", (known, *TABLES[1:]))

    choice = choose_writer(choose_database(registry.uri), "/models")
    assert choice.name == "client"
    assert "needs a value for column run_uuid" in choice.reason


@pytest.mark.parametrize(
    ("uri", "location", "reason"),
    [
        ("http://localhost:5000", "/models", "no SQLite or PostgreSQL"),
        ("mysql://localhost/models", "/models", "no SQLite or PostgreSQL"),
        ("databricks", "dbfs:/models", "no SQLite or PostgreSQL"),
    ],
)
def test_other_registries_are_left_to_mlflow(uri: str, location: str, reason: str) -> None:
    choice = choose_writer(choose_database(uri), location)

    assert (choice.name, choice.database) == ("client", None)
    assert reason in choice.reason


@pytest.mark.parametrize(
    ("location", "folder"),
    [
        ("/a b", "file:///a%20b/packs"),
        ("file:///a%20b/", "file:///a%20b/packs"),
        ("s3://bucket/models", "s3://bucket/models/packs"),
        ("mlflow-artifacts:/1", None),
        ("dbfs:/models", None),
    ],
)
def test_packs_stand_beside_the_artifacts(location: str, folder: str | None) -> None:
    assert find_pack_folder(location) == folder
