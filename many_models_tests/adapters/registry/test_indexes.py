from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa
from alembic import command
from mlflow.store.db.utils import _get_alembic_config, _upgrade_db
from mlflow.store.tracking.dbmodels.initial_models import Base as FirstTables

from many_models.adapters.registry.connection import with_driver
from many_models.adapters.registry.database import RegistryDatabase
from many_models.adapters.registry.indexes import create_indexes
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.rows import Row
from many_models.adapters.registry.sql_reader import SqlReader
from many_models_tests.adapters.registry.test_mlflow_registry import register
from many_models_tests.fakes_models import constant_record

pytestmark = pytest.mark.mlflow

BEFORE_WORKSPACES = "c8d9e0f1a2b3"
"""A revision of MLflow's schema, after which both tables with an index of ours are made anew."""


class Explained(RegistryDatabase):
    """A SQLite database that keeps how it went about its queries."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self.plan = ""

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        self.plan = str(super().query(f"EXPLAIN QUERY PLAN {sql}", parameters))
        return super().query(sql, parameters)


def index_names(engine: sa.Engine) -> set[str]:
    inspector = sa.inspect(engine)
    found = {
        index["name"]
        for table in ("registered_model_tags", "model_version_tags")
        for index in inspector.get_indexes(table)
    }
    return {name for name in found if name and name.startswith("ix_many_models")}


@pytest.mark.parametrize("writer", ["bulk"])
def test_searches_by_tags_use_an_index(registry: MlflowRegistry) -> None:
    (version,) = register(
        registry, [constant_record("a", dagster_run_id="first")], alias="champion"
    )
    database = Explained(registry.uri)
    reader = SqlReader(database, registry.uri)

    for partitions in (None, ["16", "17"]):
        assert reader.champions("grocery", partitions) == [version]
        assert "ix_many_models_model_tags (key=? AND value=?)" in database.plan
    assert reader.versions({"partition": "17", "dagster_run_id": "first"}) == [version]
    assert "ix_many_models_run_tag (key=? AND value=?)" in database.plan


@pytest.mark.parametrize("writer", ["bulk"])
def test_long_values_are_told_apart(registry: MlflowRegistry) -> None:
    require_long_values_told_apart(registry)


@pytest.mark.postgres
def test_long_values_are_told_apart_in_postgres(postgres_url: str, tmp_path: Path) -> None:
    require_long_values_told_apart(MlflowRegistry(postgres_url, str(tmp_path), "training"))


def require_long_values_told_apart(registry: MlflowRegistry) -> None:
    long = "".join(Random(7).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=4_000))
    records = [constant_record(name, partition=long + name) for name in ("a", "b")]
    first, second = register(registry, records, alias="champion")

    assert registry.champions("grocery", [long + "b"]) == [second]
    assert registry.champions("grocery", [long, long + "a"]) == [first]
    assert registry.champions("grocery", [long + "a", long + "b"]) == [first, second]
    assert registry.versions("grocery", {"partition": long + "a"}) == [first]
    assert registry.versions("grocery", {"partition": long}) == []


@pytest.mark.postgres
def test_mlflow_migrates_a_database_with_our_indexes(tmp_path: Path, postgres_url: str) -> None:
    for uri in (f"sqlite:///{tmp_path}/old.db", with_driver(postgres_url)):
        database = RegistryDatabase(uri)
        FirstTables.metadata.create_all(database.engine)
        config = _get_alembic_config(uri)  # type: ignore[no-untyped-call]
        command.upgrade(config, BEFORE_WORKSPACES)
        create_indexes(database)
        assert len(index_names(database.engine)) == 2

        _upgrade_db(database.engine)  # type: ignore[no-untyped-call]

        registry = MlflowRegistry(uri, str(tmp_path / "artifacts"), "training")
        (version,) = register(registry, [constant_record("a")], alias="champion")
        assert registry.writer.name == "bulk"
        assert registry.champions("grocery", ["17"]) == [version]
        assert len(index_names(database.engine)) == 2


@pytest.mark.postgres
def test_who_may_not_make_an_index_registers_without(postgres_url: str, tmp_path: Path) -> None:
    MlflowRegistry(postgres_url, str(tmp_path), "training").check()
    owner = RegistryDatabase(postgres_url)
    with owner.writing() as transaction:
        transaction.execute("CREATE ROLE clerk LOGIN")
        transaction.execute("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO clerk")
    try:
        clerk = MlflowRegistry(
            postgres_url.replace("postgres@", "clerk@"), str(tmp_path), "training"
        )
        (version,) = register(clerk, [constant_record("a")], alias="champion")

        assert clerk.writer.name == "bulk"
        assert clerk.champions("grocery", ["17"]) == [version]
        assert index_names(owner.engine) == set()
    finally:
        with owner.writing() as transaction:
            transaction.execute("DROP OWNED BY clerk")
            transaction.execute("DROP ROLE clerk")
