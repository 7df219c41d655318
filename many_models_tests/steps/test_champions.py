from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.promotion import promote
from many_models.core.registration import ModelVersion
from many_models.core.rollback import Rollback
from many_models.steps import champions
from many_models.steps.champions import copy_champions, mend_champions
from many_models.steps.results import Results, open_results
from many_models.steps.rollback import Selection, carry_out, plan
from many_models_tests.fakes import make_use_case
from many_models_tests.fakes_models import constant_record

pytestmark = pytest.mark.mlflow

USE_CASE = make_use_case()
AT = datetime(2099, 1, 5, tzinfo=UTC)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return open_results(f"sqlite:///{tmp_path}/results.db", USE_CASE)


def rows(results: Results, *columns: str, of: str = "champions") -> list[tuple[Any, ...]]:
    found = results.store.query(
        f'SELECT {", ".join(columns)} FROM "{results.name(of)}" ORDER BY group_key, model_version'
    ).to_pylist()
    return [tuple(row.values()) for row in found]


def test_every_version_of_a_partition_is_copied(
    history: MlflowRegistry, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(champions, "MODELS_AT_ONCE", 1)
    assert copy_champions(USE_CASE, ["s1"], history, results) == 3
    assert rows(results, "store", "item", "model_version", "is_champion", "replaces") == [
        ("s1", "rye", 1, True, None),
        ("s1", "tea", 1, False, None),
        ("s1", "tea", 2, True, 1),
    ]
    (_, first, second) = rows(results, "promoted_by", "run_id", "promoted_at", "ended_at")
    assert first[:2] == ("r1", "train-r1")
    assert first[3] == second[2] > first[2]
    assert second[3] is None


def test_a_rollback_is_copied_with_who_and_why(history: MlflowRegistry, results: Results) -> None:
    copy_champions(USE_CASE, ["s1", "s2"], history, results)
    found = plan(USE_CASE, Selection.of(partition="s1"), "x", history)
    order = Rollback("x", AT, "ann", "bad prices")
    carry_out(USE_CASE, found, order, production=history, results=results)
    told = ("model_version", "is_champion", "ended_at", "rolled_back_by", "rollback_reason")
    _, first, second, *others = rows(results, *told)
    assert first == (1, True, None, None, None)
    assert second == (2, False, datetime(2099, 1, 5), "ann", "bad prices")
    assert len(others) == 4


def test_a_model_that_was_brought_back_ends_when_it_is_replaced_again(
    registry: MlflowRegistry, history: MlflowRegistry, results: Results
) -> None:
    found = plan(USE_CASE, Selection.of(key="store=s1,item=tea"), "x", history)
    order = Rollback("x", datetime.now(UTC), "ann", "bad prices")
    carry_out(USE_CASE, found, order, production=history, results=results)
    tags = {"partition": "s1", "partition_key": "store=s1,item=tea", "use_case": "sales"}
    records = [constant_record("sales.s1.tea", 2.0, **tags)]
    trained = [v for v in registry.register(records) if isinstance(v, ModelVersion)]
    assert len(list(promote(registry, history, trained, {}, "r3"))) == 1
    copy_champions(USE_CASE, ["s1"], history, results)
    _, first, second, third = rows(results, "replaces", "promoted_at", "rolled_back_at", "ended_at")
    assert first[3] == third[1]
    assert second[3] == second[2] < third[1]
    assert third[0] == 1
    assert third[3] is None


def test_partitions_that_differ_from_the_registry_are_mended(
    history: MlflowRegistry, results: Results
) -> None:
    there = history.champions("sales")
    assert mend_champions(USE_CASE, there, history, results) == ["s1", "s2"]
    assert mend_champions(USE_CASE, there, history, results) == []
    found = plan(USE_CASE, Selection.of(partition="s2"), "x", history)
    history.roll_back(found.changes, Rollback("x", AT, "ann", "bad prices"))  # and killed then

    now = history.champions("sales")
    assert mend_champions(USE_CASE, now, history, results) == ["s2"]

    told = rows(results, "model_name", "model_version", "is_champion")
    assert {(name, version) for name, version, current in told if current} == {
        (champion.name, champion.version) for champion in now
    }


def test_the_history_tells_what_each_model_replaced(
    history: MlflowRegistry, results: Results
) -> None:
    copy_champions(USE_CASE, ["s1"], history, results)
    told = rows(results, "model_version", "replaces", "replaced_candidate", of="champion_history")
    candidate = rows(results, "candidate")[0][0]
    assert told == [(1, None, None), (1, None, None), (2, 1, candidate)]
