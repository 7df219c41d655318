from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.core.errors import RegistryError, UseCaseError
from many_models.core.rollback import Rollback, RollbackPlan
from many_models.steps.results import Results, open_results
from many_models.steps.rollback import Selection, carry_out, plan, read_history
from many_models_tests.fakes import make_use_case

pytestmark = pytest.mark.mlflow

USE_CASE = make_use_case()
AT = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return open_results(f"sqlite:///{tmp_path}/results.db", USE_CASE)


def champions(production: MlflowRegistry) -> dict[str, int]:
    return {c.name.removeprefix("sales."): c.version for c in production.champions("sales")}


def roll_back(
    production: MlflowRegistry, results: Results, rollback_id: str = "x", **selection: str
) -> RollbackPlan:
    found = plan(USE_CASE, Selection.of(**selection), rollback_id, production)
    order = Rollback(rollback_id, AT, "ann", "bad prices")
    carry_out(USE_CASE, found, order, production=production, results=results)
    return found


def test_a_key_goes_back_alone(history: MlflowRegistry, results: Results) -> None:
    roll_back(history, results, key="store=s1,item=tea")
    assert champions(history) == {"s1.rye": 1, "s1.tea": 1, "s2.milk": 1, "s2.nut": 1, "s2.tea": 2}


def test_a_partition_goes_back_by_its_latest_promotion(
    history: MlflowRegistry, results: Results
) -> None:
    roll_back(history, results, "x", partition="s2")
    assert champions(history) == {"s1.rye": 1, "s1.tea": 2, "s2.milk": 1, "s2.tea": 1}
    roll_back(history, results, "y", partition="s2")
    assert champions(history) == {"s1.rye": 1, "s1.tea": 2}


@pytest.mark.parametrize("run", ["r1", "train-r1"])
def test_a_run_is_undone_where_nothing_came_after_it(
    history: MlflowRegistry, results: Results, run: str
) -> None:
    found = roll_back(history, results, run=run)
    assert found.superseded == ("sales.s1.tea", "sales.s2.tea")
    assert champions(history) == {"s1.tea": 2, "s2.nut": 1, "s2.tea": 2}


@pytest.mark.parametrize(
    "selection", [{"key": "store=s2,item=tea"}, {"partition": "s2"}, {"run": "r2"}]
)
def test_the_same_rollback_tried_again_changes_nothing_more(
    history: MlflowRegistry, results: Results, selection: dict[str, str]
) -> None:
    roll_back(history, results, **selection)
    left, rows = champions(history), results.store.query('SELECT * FROM "sales_rollbacks"')
    again = roll_back(history, results, **selection)
    assert again.changes == ()
    assert champions(history) == left
    assert results.store.query('SELECT * FROM "sales_rollbacks"') == rows


def test_a_rollback_is_written_down_for_readers_of_sql(
    history: MlflowRegistry, results: Results
) -> None:
    found = plan(USE_CASE, Selection.of(partition="s2"), "x", history)
    history.roll_back(found.changes, Rollback("x", AT, "ann", "bad prices"))
    roll_back(history, results, "x", partition="s2")  # as after a kill in between
    roll_back(history, results, "y", key="store=s1,item=tea")

    rows = results.store.query(
        'SELECT * FROM "sales_rollbacks" ORDER BY rollback_id, model_name'
    ).to_pylist()

    assert rows[1] == {
        "rollback_id": "x",
        "rolled_back_at": datetime(2026, 1, 5),
        "rolled_back_by": "ann",
        "reason": "bad prices",
        "partition": "s2",
        "group_key": "store=s2,item=tea",
        "model_name": "sales.s2.tea",
        "from_version": 2,
        "to_version": 1,
    }
    assert [(row["rollback_id"], row["model_name"], row["to_version"]) for row in rows] == [
        ("x", "sales.s2.nut", None),
        ("x", "sales.s2.tea", 1),
        ("y", "sales.s1.tea", 1),
    ]


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"key": "store=s9,item=tea"}, "was ever promoted; `many-models models sales` lists"),
        ({"partition": "s9"}, "'s9' was ever promoted; there are champions in s1, s2"),
        ({"run": "r9"}, "by run 'r9'; the champions are of runs r1, r2"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(
    history: MlflowRegistry, selection: dict[str, str], message: str
) -> None:
    with pytest.raises(RegistryError, match=message):
        plan(USE_CASE, Selection.of(**selection), "x", history)


@pytest.mark.parametrize("selection", [{"key": "store=s2,item=nut"}, {"run": "r2"}])
def test_where_nothing_is_left_to_roll_back_that_is_told(
    history: MlflowRegistry, results: Results, selection: dict[str, str]
) -> None:
    roll_back(history, results, run="r2")
    with pytest.raises(RegistryError, match="nothing to roll back of"):
        plan(USE_CASE, Selection.of(**selection), "another", history)


def test_a_key_that_names_other_columns_is_refused(history: MlflowRegistry) -> None:
    with pytest.raises(UseCaseError, match=r"write store=\.\.\.,item=\.\.\."):
        read_history(USE_CASE, "shop=s1", history)


@pytest.mark.parametrize("selection", [{}, {"key": "a", "run": "b"}])
def test_one_thing_is_rolled_back_at_a_time(selection: dict[str, str]) -> None:
    with pytest.raises(UseCaseError, match="only one"):
        Selection.of(**selection)
