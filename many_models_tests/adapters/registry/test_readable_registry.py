from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.readable_registry import ReadableRegistry
from many_models.core.errors import RegistryError
from many_models.core.registration import ModelVersion
from many_models_tests.fakes_models import constant_record

pytestmark = pytest.mark.mlflow


@pytest.fixture
def reader(production: MlflowRegistry, writer: str) -> ReadableRegistry:
    """Reads ``production``, with the same means as it is written."""
    return ReadableRegistry(production.uri, "production", allow_bulk=writer == "bulk")


def test_a_reader_sees_what_the_writer_sees(
    production: MlflowRegistry, reader: ReadableRegistry
) -> None:
    (a,) = production.register([constant_record("a", 2.0)], alias="champion")
    list(production.register([constant_record("a", 3.0)]))
    assert isinstance(a, ModelVersion)

    assert reader.champions("grocery") == reader.champions("grocery", ["17"]) == [a]
    assert reader.champion("a") == a
    assert [v.version for v in reader.versions("grocery")] == [1, 2]
    assert reader.metrics([a]) == {a.run_id: {"mase": 0.2}}
    assert reader.read(a) == production.read(a)


def test_a_reader_sees_what_is_written_after_it_was_opened(
    production: MlflowRegistry, reader: ReadableRegistry
) -> None:
    assert reader.champions("grocery") == []
    list(production.register([constant_record("a")], alias="champion"))
    assert [c.name for c in reader.champions("grocery")] == ["a"]


def test_a_registry_that_is_not_there_is_empty_and_stays_away(tmp_path: Path) -> None:
    reader = ReadableRegistry(f"sqlite:///{tmp_path}/no/mlflow.db", "production")
    reader.check()
    assert reader.champions("grocery") == reader.versions("grocery") == []
    assert reader.champion("a") is None
    assert list(tmp_path.iterdir()) == []

    (tmp_path / "empty.db").touch()
    assert ReadableRegistry(f"sqlite:///{tmp_path}/empty.db", "p").champions("grocery") == []
    assert (tmp_path / "empty.db").stat().st_size == 0


def test_what_is_no_registry_is_not_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("a letter, and no database" * 100)
    with pytest.raises(RegistryError, match="not a database"):
        ReadableRegistry(f"sqlite:///{tmp_path}/mlflow.db", "production").check()


@pytest.mark.parametrize("folder", ["plain", "50% odd#"])
def test_sqlite_refuses_whatever_a_reader_writes(
    tmp_path: Path, empty_registry_database: Path, folder: str
) -> None:
    (tmp_path / folder).mkdir()
    path = tmp_path / folder / "mlflow.db"
    path.write_bytes(empty_registry_database.read_bytes())
    reader = ReadableRegistry(f"sqlite:///{path}", "production")
    assert reader.champions("grocery") == []
    database = reader._database.database
    assert database is not None

    with (
        pytest.raises(database.failures, match="readonly"),
        closing(database.engine.raw_connection()) as connection,
    ):
        connection.cursor().execute("DELETE FROM registered_models")
