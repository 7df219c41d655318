from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from many_models.adapters.registry.connection import open_client
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.promotion import promote
from many_models.core.errors import RegistryError
from many_models.core.registration import ModelVersion
from many_models.core.rollback import ChampionChange, Rollback, plan_rollback
from many_models_tests.adapters.registry.test_bulk_writer import all_rows
from many_models_tests.adapters.registry.test_mlflow_registry import register
from many_models_tests.conftest import copy_registry
from many_models_tests.fakes_crashes import find_faults, half_rolled_back, kill_within, start
from many_models_tests.fakes_models import constant_record

pytestmark = pytest.mark.mlflow

ROLLBACK = Rollback("r1", datetime(2026, 1, 5, tzinfo=UTC), "ann", 'it\'s 100% "wrong"; 🧈')


def champions(registry: MlflowRegistry) -> dict[str, int]:
    return {champion.name: champion.version for champion in registry.champions("grocery")}


def promoted(registry: MlflowRegistry, *names: str, **tags: str) -> list[ModelVersion]:
    records = [constant_record(name, 1.0, **tags) for name in names]
    return register(registry, records, alias="champion")


def changes_of(
    registry: MlflowRegistry, chosen: Sequence[ModelVersion], rollback: Rollback = ROLLBACK
) -> Sequence[ChampionChange]:
    histories = registry.histories([version.name for version in chosen])
    return plan_rollback(chosen, histories, rollback.id).changes


def roll_back(
    registry: MlflowRegistry, *names: str, rollback: Rollback = ROLLBACK
) -> Sequence[ChampionChange]:
    chosen = [c for c in registry.champions("grocery") if c.name in names]
    changes = changes_of(registry, chosen, rollback)
    registry.roll_back(changes, rollback)
    return changes


def test_champions_give_way_and_say_why(registry: MlflowRegistry) -> None:
    promoted(registry, "a", "b")
    promoted(registry, "a", "c")

    roll_back(registry, "a", "c")

    assert champions(registry) == {"a": 1, "b": 1}
    marked = registry.rolled_back("grocery")
    assert [(v.name, v.version) for v in marked] == [("a", 2), ("c", 1)]
    assert ROLLBACK.tags(ChampionChange("a", "", "", 2, 1)).items() <= marked[0].tags.items()
    assert marked[1].tags["rolled_back_to"] == "baseline"
    assert registry.champion("c") is None


def test_rolling_back_goes_one_further_until_nothing_is_left(registry: MlflowRegistry) -> None:
    for _ in range(3):
        promoted(registry, "a")
    for left in ({"a": 2}, {"a": 1}, {}):
        roll_back(registry, "a", rollback=replace(ROLLBACK, id=f"to {left}"))
        assert champions(registry) == left
    promoted(registry, "a")
    assert champions(registry) == {"a": 4}
    assert "replaces" not in registry.versions("grocery")[-1].tags


def test_a_history_tells_all_versions_and_the_champion(registry: MlflowRegistry) -> None:
    promoted(registry, "a", "b")
    versions = [*registry.versions("grocery", {"group_key": "item=a"}), *promoted(registry, "a")]
    register(registry, [constant_record("c")])

    found = registry.histories(["a", "c", "nobody"])

    assert list(found) == ["a", "c"]
    assert (found["a"].champion, found["a"].versions) == (2, tuple(versions))
    assert (found["c"].champion, len(found["c"].versions)) == (None, 1)
    assert registry.histories([]) == {}


def test_a_model_goes_back_to_the_partition_that_it_was_in(registry: MlflowRegistry) -> None:
    promoted(registry, "a", partition="16")
    promoted(registry, "a", partition="17")

    roll_back(registry, "a")

    assert [v.version for v in registry.champions("grocery", ["16"])] == [1]
    assert registry.champions("grocery", ["17"]) == []


def test_nothing_changes_when_a_champion_is_another_by_now(registry: MlflowRegistry) -> None:
    promoted(registry, "a", "b", "c")
    planned = changes_of(registry, registry.champions("grocery"))
    promoted(registry, "b")

    with pytest.raises(RegistryError, match=r"model b has version 2 as champion.*Look at its hist"):
        registry.roll_back(planned, ROLLBACK)

    assert champions(registry) == {"a": 1, "b": 2, "c": 1}
    assert registry.rolled_back("grocery") == []


def test_what_was_rolled_back_is_not_promoted_again_and_a_new_model_is(
    registry: MlflowRegistry, production: MlflowRegistry
) -> None:
    first = register(registry, [constant_record("a"), constant_record("b")])
    list(promote(registry, production, first, {}, "run 1"))
    bad = register(registry, [constant_record("a", 2.0)])
    (outcome,) = promote(registry, production, bad, {}, "run 2")
    assert outcome.version is not None
    assert outcome.version.tags["promoted_by"] == "run 2"
    roll_back(production, "a")

    again = {p.name: p for p in promote(registry, production, [*bad, first[1]], {}, "run 3")}

    assert {name: p.outcome for name, p in again.items()} == {"a": "rolled_back", "b": "unchanged"}
    assert (again["a"].version or first[0]).version == 2
    assert champions(production) == {"a": 1, "b": 1}
    new = register(registry, [constant_record("a", 3.0)])
    (outcome,) = promote(registry, production, new, {}, "run 4")
    assert outcome.version is not None
    assert outcome.version.tags["replaces"] == "1"
    assert champions(production) == {"a": 3, "b": 1}


@pytest.mark.parametrize("writer", ["bulk"])
def test_both_ways_leave_the_same_rows(
    make_registry: Callable[[str], MlflowRegistry], tmp_path: Path, empty_registry_database: Path
) -> None:
    bulk = make_registry("bulk")
    client = copy_registry(empty_registry_database, tmp_path, "client", allow_bulk=False)
    rows = []
    for registry in (bulk, client):
        promoted(registry, "grocery.a", partition="16")
        promoted(registry, "grocery.a", partition="17")
        promoted(registry, "grocery.b")
        roll_back(registry, "grocery.a", "grocery.b")
        by_name = {name: all_rows(registry.uri, name) for name in ("grocery.a", "grocery.b")}
        for found in by_name.values():
            for run in found["runs"]:
                run["artifact_uri"] = ""
            found.pop("experiments", None)
        rows.append(by_name)
    assert (bulk.writer.name, client.writer.name) == ("bulk", "client")
    ours, theirs = rows
    for name, tables in ours.items():
        for table in ("model_version_tags", "registered_model_tags", "registered_model_aliases"):
            assert tables.get(table) == theirs[name].get(table)
        assert tables.keys() == theirs[name].keys()


@pytest.mark.postgres
def test_postgres_rolls_back_as_sqlite_does(postgres_url: str, tmp_path: Path) -> None:
    registry = MlflowRegistry(postgres_url, str(tmp_path / "artifacts"), "production")
    assert registry.writer.name == "bulk"
    promoted(registry, "a", "b")
    promoted(registry, "a", partition="18")
    planned = changes_of(registry, registry.champions("grocery"))

    roll_back(registry, "a", "b")

    assert champions(registry) == {"a": 1}
    assert [c.name for c in registry.champions("grocery", ["17"])] == ["a"]
    marked = registry.rolled_back("grocery")
    assert [v.tags["rolled_back_to"] for v in marked] == ["1", "baseline"]
    assert marked[0].tags["rollback_reason"] == ROLLBACK.reason
    assert registry.histories(["a"])["a"].champion == 1
    with pytest.raises(RegistryError, match="by now"):
        registry.roll_back(planned, ROLLBACK)


def test_a_server_rolls_back_as_a_database_does(registry_server: str) -> None:
    registry = MlflowRegistry(registry_server, None, "production")
    promoted(registry, "a", "b")
    promoted(registry, "a")

    roll_back(registry, "a", "b")

    assert champions(registry) == {"a": 1}
    assert [(v.name, v.version) for v in registry.rolled_back("grocery")] == [("a", 2), ("b", 1)]
    assert registry.histories(["a", "b"])["b"].champion is None


@pytest.mark.parametrize("writer", ["client"])
@pytest.mark.parametrize("calls", [0, 1, 4, 5, 6, 11])
def test_one_by_one_an_end_at_any_call_is_completed_by_trying_again(
    registry: MlflowRegistry, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        promoted(registry, "a", "b")
    chosen = registry.champions("grocery")
    client = open_client(registry.uri)
    left = iter([None] * calls)

    def end_after(call: Callable[..., object]) -> Callable[..., object]:
        def made(*arguments: object) -> object:
            next(left)  # StopIteration: the process ends here
            return call(*arguments)

        return made

    for name in ("set_model_version_tag", "set_registered_model_alias"):
        monkeypatch.setattr(type(client), name, end_after(getattr(type(client), name)))
    with pytest.raises(RegistryError):
        registry.roll_back(changes_of(registry, chosen), ROLLBACK)
    monkeypatch.undo()

    rest = changes_of(registry, chosen)
    registry.roll_back(rest, ROLLBACK)

    assert champions(registry) == {"a": 1, "b": 1}
    assert changes_of(registry, registry.champions("grocery")) == ()
    assert [v.version for v in registry.rolled_back("grocery")] == [2, 2]


@pytest.mark.parametrize("writer", ["bulk"])
def test_a_rollback_killed_at_any_instant_leaves_whole_partitions(
    registry: MlflowRegistry, production: MlflowRegistry
) -> None:
    dice = random.Random(7)
    production.check()
    killed = 0
    for _ in range(6):
        killed += kill_within(start("rollback", 900, registry, production), 0.6, dice)
        assert find_faults(production) == []
        assert half_rolled_back(production) == []

    process = start("rollback", 900, registry, production)
    process.communicate()

    assert process.returncode == 0
    assert killed >= 2
    assert find_faults(production) == []
    assert half_rolled_back(production) == []


@pytest.mark.parametrize("writer", ["bulk"])
def test_promotion_and_rollback_at_once_end_as_one_after_the_other(
    production: MlflowRegistry,
) -> None:
    names = [f"m{number}" for number in range(100)]
    promoted(production, *names)
    outcomes = set()
    for _ in range(10):
        before = {champion.version for champion in production.champions("grocery")}
        other = MlflowRegistry(production.uri, production.artifact_root, "production")
        with ThreadPoolExecutor() as pool:
            promotion = pool.submit(promoted, other, *names)
            rollback = pool.submit(_try_to_roll_back, production, names)
        new = {version.version for version in promotion.result()}
        replaced = {version.tags.get("replaces") for version in promotion.result()}
        now = {champion.version for champion in production.champions("grocery")}
        assert len(new) == len(now) == 1
        if rollback.result() and now != new:  # promoted first, rolled back then
            assert replaced == {str(number) for number in before}
            assert now == before
        else:
            assert now == new
        outcomes.add(rollback.result())
        assert half_rolled_back(production) == []
        assert find_faults(production) == []
    assert outcomes


def _try_to_roll_back(registry: MlflowRegistry, names: Sequence[str]) -> bool:
    try:
        return bool(roll_back(registry, *names))
    except RegistryError:
        return False
