from __future__ import annotations

import math
import pickle
import random
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from many_models.adapters.registry import bulk_writer, tables
from many_models.adapters.registry.artifact_template import ArtifactTemplate
from many_models.adapters.registry.database import RegistryDatabase
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.model_artifact import sha256
from many_models.adapters.registry.packing import Packing
from many_models.adapters.registry.promotion import promote
from many_models.adapters.registry.tables import TABLES
from many_models.core.errors import RegistryError
from many_models.core.registration import ModelRecord, ModelVersion, RegistrationFailure
from many_models_tests.adapters.registry.test_mlflow_registry import log_with_stock_mlflow, register
from many_models_tests.fakes_crashes import find_faults, kill_within, start
from many_models_tests.fakes_models import constant_record

pytestmark = pytest.mark.mlflow

ROWS = pd.DataFrame({"day": pd.to_datetime(["2026-01-01", "2026-01-02"]), "price": [1.5, 2.5]})
RECORD = replace(
    constant_record(
        "grocery.one", 4.0, group_key="7", note="a\tb\\c\n\\.\nd,'e' \"f\" 🧈", empty=""
    ),
    metrics={"mase": 0.5, "worst": math.nan, "ratio": math.inf, "least": -math.inf},
    params={"candidate": "constant", "note": "x" * 3000, "empty": ""},
)


def all_rows(uri: str, name: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table that speaks of the model ``name``; ids and times by what they are.

    Also the tables that nobody expects anything in: whatever names the model is found.
    """
    engine = RegistryDatabase(uri).engine
    metadata = sa.MetaData()
    with engine.connect() as connection:
        metadata.reflect(connection)
        tables = metadata.sorted_tables
        rows = {t.name: [dict(r._mapping) for r in connection.execute(t.select())] for t in tables}
    versions = [row for row in rows["model_versions"] if row["name"] == name]
    ids = {name}.union(*({v["run_id"], v["source"].removeprefix("models:/")} for v in versions))
    places = [version["storage_location"] for version in versions]
    return {
        table: sorted((_plain(row, name, places) for row in found), key=_in_order)
        for table in rows
        if (found := [row for row in rows[table] if ids & {str(value) for value in row.values()}])
    }


def _in_order(row: dict[str, Any]) -> str:
    return str(sorted((column, str(value)) for column, value in row.items()))


def _plain(row: dict[str, Any], name: str, places: list[str]) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, int) and value > 1_700_000_000_000:
            return "TIME"
        if not isinstance(value, str):
            return value
        for place in places:
            value = value.replace(place, "LOCATION")
        value = value.replace(name, "NAME")
        return re.sub("[0-9a-f]{32}", "ID", re.sub("[0-9a-f]{8}(-[0-9a-f]{4,12}){4}", "ID", value))

    return {column: plain(value) for column, value in row.items()}


@pytest.mark.usefixtures("stock_mlflow")
def test_leaves_the_rows_of_stock_log_model_field_by_field(registry: MlflowRegistry) -> None:
    for _ in range(2):  # the second replaces the first
        (ours,) = register(registry, [RECORD], alias="champion", example=ROWS)
        log_with_stock_mlflow(replace(RECORD, name="grocery.two"), ours)

    found = all_rows(registry.uri, "grocery.one")

    assert found == all_rows(registry.uri, "grocery.two")
    assert {table.name for table in TABLES} == set(found)


@pytest.mark.postgres
@pytest.mark.parametrize("writer", ["bulk"])
def test_leaves_the_same_rows_in_postgres(
    postgres_url: str, tmp_path: Path, registry: MlflowRegistry
) -> None:
    other = MlflowRegistry(postgres_url, str(tmp_path / "artifacts"), "training")
    assert other.writer.name == "bulk"
    for place in (registry, other):
        for _ in range(2):
            register(place, [RECORD], alias="champion", example=ROWS)
        register(place, [RECORD, constant_record("b")], example=ROWS)

    ours, theirs = (all_rows(place.uri, RECORD.name) for place in (registry, other))

    for found in (ours, theirs):
        for run in found["runs"]:
            run["artifact_uri"] = ""
    assert theirs == ours
    assert [(v.name, v.version) for v in other.champions("grocery")] == [(RECORD.name, 2)]


@pytest.mark.postgres
def test_what_the_database_refuses_does_not_stop_its_neighbours(
    postgres_url: str, tmp_path: Path
) -> None:
    registry = MlflowRegistry(postgres_url, str(tmp_path / "artifacts"), "training")
    records = [constant_record(f"m{number}") for number in range(5)]
    records[3] = replace(records[3], tags={**records[3].tags, "note": "nul \0 character"})

    outcomes = list(registry.register(records, alias="champion"))

    assert [isinstance(o, ModelVersion) for o in outcomes] == [True, True, True, False, True]
    assert [c.name for c in registry.champions("grocery")] == ["m0", "m1", "m2", "m4"]


def stored(record: ModelRecord, registry: MlflowRegistry, digest: str = "") -> ModelRecord:
    """``record`` as it comes from a Spark task, which has written its files."""
    template = ArtifactTemplate.from_model(pickle.loads(record.payload), ROWS)
    folder = Path(registry.artifact_root or "", "packs").as_uri()
    with Packing(folder, template).open() as store:
        place = store(record.payload, digest or sha256(record.payload), b"")
    return replace(record, payload=b"", stored=place)


@pytest.mark.parametrize("writer", ["bulk"])
@pytest.mark.usefixtures("stock_mlflow")
def test_a_model_that_is_stored_already_gets_the_same_rows(registry: MlflowRegistry) -> None:
    import mlflow

    register(registry, [RECORD], example=ROWS)
    other = stored(replace(RECORD, name="grocery.two"), registry)
    (version,) = register(registry, [other])

    assert other.stored is not None
    assert (version.location, version.run_id) == (other.stored.location, other.stored.run_id)
    assert all_rows(registry.uri, "grocery.two") == all_rows(registry.uri, "grocery.one")
    assert registry.read(version).payload == RECORD.payload
    assert len(mlflow.pyfunc.load_model("models:/grocery.two/1").predict(ROWS)) == 2
    assert find_faults(registry) == []


@pytest.mark.parametrize("writer", ["bulk"])
def test_a_stored_model_whose_pack_is_not_here_is_not_registered(registry: MlflowRegistry) -> None:
    registry.check()
    elsewhere = stored(RECORD, registry)
    for pack in Path(registry.artifact_root or "", "packs").iterdir():
        pack.unlink()

    with pytest.raises(RegistryError, match="one that driver and executors share"):
        list(registry.register([elsewhere]))
    assert registry.versions("grocery") == []


@pytest.mark.parametrize("writer", ["bulk"])
def test_a_digest_that_a_task_got_wrong_keeps_its_model_from_production(
    registry: MlflowRegistry, production: MlflowRegistry
) -> None:
    good, bad = constant_record("good"), constant_record("bad", 2.0)
    records = [stored(good, registry), stored(bad, registry, digest=sha256(b"something else"))]
    versions = register(registry, records)

    outcomes = {outcome.name: outcome for outcome in promote(registry, production, versions, {})}

    assert (outcomes["good"].outcome, outcomes["bad"].outcome) == ("promoted", "failed")
    assert re.search("model bad: .* has SHA-256", outcomes["bad"].error or "")


@pytest.mark.parametrize("writer", ["client"])
def test_mlflows_own_calls_do_not_take_a_model_that_is_stored_already(
    registry: MlflowRegistry,
) -> None:
    (outcome,) = registry.register([stored(RECORD, registry)])
    assert isinstance(outcome, RegistrationFailure)
    assert "packs" in outcome.error


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_writer, "CHUNK", 2)


@pytest.mark.parametrize("writer", ["bulk"])
@pytest.mark.usefixtures("small_chunks")
def test_a_name_that_comes_again_gets_the_next_version(registry: MlflowRegistry) -> None:
    records = [constant_record("a", float(value)) for value in range(5)]

    versions = register(registry, [*records, constant_record("b")], alias="champion")

    assert [(v.name, v.version) for v in versions] == [*(("a", n) for n in range(1, 6)), ("b", 1)]
    assert [(v.name, v.version) for v in registry.champions("grocery")] == [("a", 5), ("b", 1)]


@pytest.mark.parametrize("writer", ["bulk"])
@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize(("alias", "transactions"), [(None, [2, 4, 6, 7]), ("champion", [5, 7])])
def test_a_partition_gets_its_alias_in_one_transaction(
    registry: MlflowRegistry, alias: str | None, transactions: list[int]
) -> None:
    registry.check()
    partitions = ["17"] * 5 + ["18"] * 2
    records = [constant_record(f"m{n}", partition=p) for n, p in enumerate(partitions)]
    seen = set()
    with closing(sqlite3.connect(registry.uri.removeprefix("sqlite:///"))) as other:
        for _ in registry.register(records, alias=alias):
            seen.add(other.execute("SELECT count(*) FROM model_versions").fetchone()[0])

    assert sorted(seen) == transactions


@pytest.mark.parametrize("writer", ["bulk"])
def test_packs_are_there_before_a_row_speaks_of_them(
    registry: MlflowRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.check()

    def fail(*_: object) -> list[int]:
        packs.extend((tmp_path / "training" / "artifacts" / "packs").iterdir())
        raise sqlite3.OperationalError("disk I/O error")

    packs: list[Path] = []
    monkeypatch.setattr("many_models.adapters.registry.database.RegistryTransaction.add", fail)
    with pytest.raises(RegistryError, match="disk I/O error"):
        list(registry.register([constant_record("a")]))

    assert [path.suffix for path in packs] == [".pack"]
    assert registry.versions("grocery") == []


@pytest.mark.parametrize("writer", ["bulk"])
def test_records_are_read_as_the_outcomes_are_asked_for(registry: MlflowRegistry) -> None:
    made: list[str] = []

    def records() -> Any:
        for number in range(10):
            made.append(f"m{number}")
            yield constant_record(made[-1])

    outcomes = registry.register(records())
    assert made == []
    assert next(iter(outcomes)) is not None


@pytest.mark.parametrize("writer", ["bulk"])
def test_under_another_revision_models_are_registered_by_mlflow(
    registry: MlflowRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "TESTED_REVISIONS", frozenset({"feedc0ffee00"}))

    (version,) = register(registry, [RECORD], alias="champion")

    assert registry.writer.name == "client"
    assert "bulk writing was tested with feedc0ffee00" in registry.writer.reason
    assert registry.champions("grocery") == [version]


@pytest.mark.parametrize("writer", ["bulk"])
def test_killed_at_any_instant_it_leaves_whole_transactions(registry: MlflowRegistry) -> None:
    require_whole_after_kills(registry, 8)


@pytest.mark.postgres
def test_killed_at_any_instant_it_leaves_whole_transactions_in_postgres(
    postgres_url: str, tmp_path: Path
) -> None:
    require_whole_after_kills(MlflowRegistry(postgres_url, str(tmp_path), "training"), 4)


def require_whole_after_kills(registry: MlflowRegistry, kills: int) -> None:
    dice = random.Random(7)
    registry.check()
    killed = 0
    for _ in range(kills):
        killed += kill_within(start("register", 400, registry), 1.5, dice)
        assert find_faults(registry) == []

    process = start("register", 400, registry)
    process.communicate()

    assert killed >= 2
    assert process.returncode == 0
    assert find_faults(registry) == []
    assert len({v.name for v in registry.versions("grocery")}) == 400


@pytest.mark.parametrize("writer", ["bulk"])
def test_two_processes_at_once_leave_versions_without_gaps(registry: MlflowRegistry) -> None:
    require_no_gaps_between_two(registry)


@pytest.mark.postgres
def test_two_processes_at_once_leave_versions_without_gaps_in_postgres(
    postgres_url: str, tmp_path: Path
) -> None:
    require_no_gaps_between_two(MlflowRegistry(postgres_url, str(tmp_path), "training"))


def require_no_gaps_between_two(registry: MlflowRegistry) -> None:
    registry.check()
    processes = [start("register", 300, registry) for _ in range(2)]
    for process in processes:
        process.communicate()

    assert [process.returncode for process in processes] == [0, 0]
    assert find_faults(registry) == []
    versions = registry.versions("grocery")
    assert len(versions) == 600
    assert {v.version for v in versions} == {1, 2}


@pytest.mark.postgres
def test_postgres_knows_its_tables_as_soon_as_many_models_are_written(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_writer, "MANY", 3)
    registry = MlflowRegistry(postgres_url, str(tmp_path / "artifacts"), "training")
    known = "SELECT reltuples FROM pg_class WHERE oid = 'model_version_tags'::regclass"

    register(registry, [constant_record(f"m{number}") for number in range(2)])
    assert RegistryDatabase(registry.uri).query(known) == [(-1,)]
    register(registry, [constant_record(f"m{number}") for number in range(3)])
    ((rows,),) = RegistryDatabase(registry.uri).query(known)

    assert rows >= 25
