from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from many_models.adapters.registry import version_removal
from many_models.adapters.registry.database import RegistryDatabase
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.promotion import promote
from many_models.adapters.registry.readable_registry import ReadableRegistry
from many_models.core.errors import RegistryError
from many_models.core.registration import ModelVersion
from many_models.steps.collect_garbage import CollectedGarbage, Rules, collect_garbage
from many_models_tests.fakes import make_use_case
from many_models_tests.fakes_crashes import find_faults, finish, kill_within, start
from many_models_tests.fakes_models import constant_record

pytestmark = pytest.mark.mlflow

USE_CASE = make_use_case(name="grocery")
NO_AGE = timedelta(0)


def register(registry: MlflowRegistry, names: Collection[str]) -> list[ModelVersion]:
    """A new version of each, whose payload is like no other."""
    records = [constant_record(name, random.random()) for name in names]
    found = [v for v in registry.register(records) if isinstance(v, ModelVersion)]
    assert len(found) == len(names)
    return found


def collect(
    training: MlflowRegistry, production: MlflowRegistry, **options: Any
) -> CollectedGarbage:
    """Collect without min-age, keeping one version of each model, unless ``options`` differ."""
    given: dict[str, Any] = {"keep": 1, "min_age": NO_AGE, "delete": True, **options}
    return collect_garbage(
        USE_CASE,
        Rules(given.pop("keep"), given.pop("min_age")),
        training=training,
        production=production,
        champions=ReadableRegistry(production.uri, "production"),
        **given,
    )


def packs_of(registry: MlflowRegistry) -> list[Path]:
    return sorted(Path(str(registry.artifact_root), "packs").iterdir())


def found_in(registry: MlflowRegistry) -> set[tuple[str, int]]:
    return {(version.name, version.version) for version in registry.versions("grocery")}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def training(request: pytest.FixtureRequest, registry: MlflowRegistry) -> MlflowRegistry:
    """The training registry, in either of the databases that are written in bulk."""
    if request.param == "sqlite":
        return registry
    url = request.getfixturevalue("postgres_url")
    return MlflowRegistry(url, registry.artifact_root, registry.experiment)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version_removal, "CHUNK", 7)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("seed", range(3))
def test_what_was_promoted_or_is_among_the_last_never_goes_and_all_else_does(
    training: MlflowRegistry, production: MlflowRegistry, seed: int
) -> None:
    dice = random.Random(seed)
    names = [f"m{number}" for number in range(9)]
    everything, ever = [], set()
    for _ in range(5):
        new = register(training, dice.sample(names, dice.randint(4, 9)))
        everything += new
        chosen = dice.sample(new, dice.randint(0, 3))
        ever |= {(v.name, v.version) for v in chosen}
        list(promote(training, production, chosen, {}))
    champions = production.champions("grocery")
    keep = dice.randint(1, 2)
    last = {
        (name, number)
        for name in names
        for number in sorted(v.version for v in everything if v.name == name)[-keep:]
    }

    planned = collect(training, production, keep=keep, delete=False)
    assert len(found_in(training)) == len(everything)
    done = collect(training, production, keep=keep)

    assert found_in(training) == last | ever
    assert done.training.versions == len(everything) - len(last | ever) > 0
    assert done.training.rows == planned.training.rows
    assert done.training.pack_bytes == planned.training.pack_bytes
    assert production.champions("grocery") == champions
    assert done.production is not None
    assert done.production.versions == done.production.packs == 0
    assert find_faults(training, gaps=True) == find_faults(production, gaps=True) == []
    again = collect(training, production, keep=keep)
    assert (again.training.versions, again.training.packs) == (0, 0)


def test_no_row_of_any_table_speaks_of_what_went(
    training: MlflowRegistry, production: MlflowRegistry
) -> None:
    production.check()
    first = register(training, ["a", "b"])
    before = count_rows(training)
    register(training, ["a", "b"])
    doubled = count_rows(training)
    gone = {text for v in first for text in (v.run_id, v.location, v.location.split("/")[-2])}

    done = collect(training, production)

    assert count_rows(training) == before
    assert done.training.rows == {
        table: doubled[table] - count for table, count in before.items() if doubled[table] > count
    }
    assert not [text for text in every_value(training) if text in gone]
    assert [path.name for path in packs_of(training)] == [
        v.location.split("/")[-2] for v in training.versions("grocery")[:1]
    ]


def reflect(registry: MlflowRegistry) -> dict[str, list[Any]]:
    metadata = sa.MetaData()
    with RegistryDatabase(registry.uri).engine.connect() as connection:
        metadata.reflect(connection)
        return {t.name: list(connection.execute(t.select())) for t in metadata.tables.values()}


def count_rows(registry: MlflowRegistry) -> dict[str, int]:
    return {name: len(rows) for name, rows in reflect(registry).items()}


def every_value(registry: MlflowRegistry) -> set[str]:
    return {str(value) for rows in reflect(registry).values() for row in rows for value in row}


def test_a_version_that_an_alias_points_to_stays(
    training: MlflowRegistry, production: MlflowRegistry
) -> None:
    production.check()
    for _ in range(3):
        register(training, ["a"])
    training._client.set_registered_model_alias("a", "favourite", "1")

    done = collect(training, production)

    assert found_in(training) == {("a", 1), ("a", 3)}
    assert (done.training.versions, done.training.protected) == (1, 1)


def test_what_others_made_in_the_same_database_stays(
    training: MlflowRegistry, production: MlflowRegistry
) -> None:
    production.check()
    other = MlflowRegistry(training.uri, training.artifact_root, "somebody else's")
    (theirs,) = register(other, ["a"])
    for _ in range(3):
        register(training, ["a", "b"])
    runs = [run for run in reflect(training)["runs"] if run.run_uuid == theirs.run_id]

    done = collect(training, production)

    assert found_in(training) == {("a", 1), ("a", 4), ("b", 3)}
    assert done.training.protected == 1
    assert [run for run in reflect(training)["runs"] if run.run_uuid == theirs.run_id] == runs
    assert other.read(theirs).payload


def test_a_logged_model_that_another_version_stands_on_stays(
    training: MlflowRegistry, production: MlflowRegistry
) -> None:
    production.check()
    for _ in range(2):
        register(training, ["a"])
    training._client.create_registered_model("copy")
    copied = training._client.copy_model_version("models:/a/1", "copy")

    done = collect(training, production)

    assert found_in(training) - {("copy", 1)} == {("a", 2)}
    assert done.training.rows["model_versions"] == 1
    assert "runs" not in done.training.rows
    assert training._client.get_run(str(copied.run_id)).info.lifecycle_stage == "active"
    assert len(packs_of(training)) == 2


def test_packs_go_when_nothing_needs_them_and_they_are_old_enough(
    registry: MlflowRegistry, production: MlflowRegistry
) -> None:
    production.check()
    register(registry, ["a"])
    (pack,) = packs_of(registry)
    orphan, tmp, young, alien = (
        pack.with_name(name) for name in ("1.pack", "2.pack.tmp", "3.pack", "notes.txt")
    )
    for path in (orphan, tmp, young, alien):
        path.write_bytes(b"x" * 10)
    for path in (pack, orphan, tmp, alien):
        os.utime(path, (0, 0))

    planned = collect(registry, production, min_age=timedelta(hours=1), delete=False)
    assert (planned.training.packs, planned.training.pack_bytes) == (2, 20)
    assert orphan.exists() and tmp.exists()
    done = collect(registry, production, min_age=timedelta(hours=1))

    assert (done.training.packs, done.training.pack_bytes) == (2, 20)
    assert (done.training.young_packs, done.training.young_bytes) == (1, 10)
    assert packs_of(registry) == sorted([pack, young, alien])


def test_orphans_of_production_go_and_its_packs_stay(
    registry: MlflowRegistry, production: MlflowRegistry
) -> None:
    list(promote(registry, production, register(registry, ["a"]), {}))
    (pack,) = packs_of(production)
    pack.with_name("1.pack").write_bytes(b"x" * 10)

    done = collect(registry, production)

    assert done.production is not None
    assert (done.production.packs, done.production.pack_bytes) == (1, 10)
    assert packs_of(production) == [pack]


def test_registries_that_share_a_folder_take_nothing_from_each_other(
    registry: MlflowRegistry, production: MlflowRegistry
) -> None:
    beside = MlflowRegistry(production.uri, registry.artifact_root, "production")
    list(promote(registry, beside, register(registry, ["a"]), {}))
    assert len(packs_of(registry)) == 2

    done = collect(registry, beside)

    assert done.training.packs == 0
    assert len(packs_of(registry)) == 2


def test_a_pack_with_a_living_model_is_told_with_what_it_holds(
    registry: MlflowRegistry, production: MlflowRegistry
) -> None:
    production.check()
    register(registry, ["a", "b", "c", "d"])
    size = packs_of(registry)[0].stat().st_size
    register(registry, ["a"])

    found = collect(registry, production).training

    assert (found.versions, found.packs, found.held_packs) == (1, 0, 1)
    assert (found.held_bytes, found.held_dead_bytes) == (size, round(size / 4))


def test_where_nobody_knows_what_was_promoted_nothing_goes(
    registry: MlflowRegistry, production: MlflowRegistry
) -> None:
    for _ in range(2):
        register(registry, ["a"])
    Path(production.uri.removeprefix("sqlite:///")).unlink()

    with pytest.raises(RegistryError, match="Nothing was deleted, as only production knows"):
        collect(registry, production)

    assert len(found_in(registry)) == 2


def test_a_copied_registry_deletes_no_pack_of_the_first(
    registry: MlflowRegistry, production: MlflowRegistry, tmp_path: Path
) -> None:
    production.check()
    for _ in range(2):
        register(registry, ["a"])
    shutil.copytree(tmp_path / "training", tmp_path / "copy")
    uri, artifacts = f"sqlite:///{tmp_path}/copy/registry.db", str(tmp_path / "copy" / "artifacts")
    copy = MlflowRegistry(uri, artifacts, "training")

    with pytest.raises(RegistryError, match="is this a copy"):
        collect(copy, production)

    assert len(found_in(copy)) == 2
    assert find_faults(registry) == []


def test_without_the_right_to_write_production_only_training_is_cleaned(
    registry: MlflowRegistry, production: MlflowRegistry
) -> None:
    list(promote(registry, production, register(registry, ["a"]), {}))
    for _ in range(2):
        register(registry, ["a"])
    champions = ReadableRegistry(production.uri, "production")
    rules = Rules(1, NO_AGE)

    done = collect_garbage(
        USE_CASE, rules, training=registry, production=None, champions=champions, delete=True
    )

    assert done.production is None
    assert found_in(registry) == {("a", 1), ("a", 3)}


def test_freed_pages_are_told_and_given_back_when_asked_for(
    registry: MlflowRegistry, production: MlflowRegistry
) -> None:
    production.check()
    names = [f"m{number}" for number in range(200)]
    for _ in range(2):
        register(registry, names)
    path = Path(registry.uri.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    before = path.stat().st_size

    done = collect(registry, production, vacuum=True)

    assert done.training.page_bytes is not None
    assert 0 < done.training.page_bytes <= done.training.vacuumed_bytes
    assert path.stat().st_size < before
    assert find_faults(registry, gaps=True) == []


def test_a_registry_that_is_only_reached_by_mlflow_is_cleaned_one_by_one(
    make_registry: Callable[..., MlflowRegistry], production: MlflowRegistry
) -> None:
    training = make_registry("training", allow_bulk=False)
    versions = [v for _ in range(4) for v in register(training, ["a"])]
    list(promote(training, production, versions[:1], {}))
    training._client.set_registered_model_alias("a", "favourite", "2")

    planned = collect(training, production, delete=False).training
    assert len(found_in(training)) == 4
    training._client.delete_run(versions[2].run_id)  # as if killed in between
    done = collect(training, production).training

    assert found_in(training) == {("a", 1), ("a", 2), ("a", 4)}
    assert (planned.versions, planned.protected) == (done.versions, done.protected) == (1, 1)
    assert "one by one" in (done.note or "")
    stages = {run.run_uuid: run.lifecycle_stage for run in reflect(training)["runs"]}
    assert [stages[v.run_id] for v in versions] == ["active", "active", "deleted", "active"]


def test_killed_at_any_instant_it_leaves_whole_models_and_goes_on_later(
    training: MlflowRegistry, production: MlflowRegistry
) -> None:
    dice = random.Random(7)
    names = [f"m{number}" for number in range(100)]
    versions = [version for _ in range(6) for version in register(training, names)]
    list(promote(training, production, versions[:50], {}))
    killed = 0
    for _ in range(6):
        killed += kill_within(start("collect", 0, training, production), 0.4, dice)
        assert find_faults(training, gaps=True) == []

    assert finish(start("collect", 0, training, production)) == 0

    assert killed >= 2
    assert find_faults(training, gaps=True) == find_faults(production) == []
    kept = {(v.name, v.version) for v in (*versions[:50], *versions[-100:])}
    assert found_in(training) == kept
    used = training.packs_in_use()
    assert {path.name for path in packs_of(training)} == used
    assert not [index for index in indexes_of(training) if index.startswith("many_models")]


def indexes_of(registry: MlflowRegistry) -> list[str]:
    with RegistryDatabase(registry.uri).engine.connect() as connection:
        found = sa.inspect(connection).get_indexes("logged_model_metrics")
    return [str(index["name"]) for index in found]


def test_beside_a_registration_under_way_nothing_is_lost(
    training: MlflowRegistry, production: MlflowRegistry
) -> None:
    production.check()
    for _ in range(2):
        register(training, [f"m{number}" for number in range(100)])
    process = start("register", 400, training)
    rounds = 0
    while process.poll() is None:
        collect(training, production, keep=2, min_age=timedelta(minutes=5))
        rounds += 1

    assert finish(process) == 0
    assert rounds > 1
    collect(training, production, keep=2, min_age=timedelta(minutes=5))
    assert find_faults(training, gaps=True) == []
    expected = {(f"m{n}", v) for n in range(100) for v in (2, 3)}
    assert found_in(training) == expected | {(f"m{n}", 1) for n in range(100, 400)}
