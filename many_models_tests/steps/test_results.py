from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest

from many_models.steps.results import PARTITIONS_IN_A_QUERY, Results, open_results, timed
from many_models_tests.fakes import make_use_case


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def results(request: pytest.FixtureRequest, tmp_path: Path) -> Results:
    url = f"sqlite:///{tmp_path}/results.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    return open_results(url, make_use_case(name="bread"))


def _run(results: Results, run_id: str, day: int, *rows: tuple[str, str]) -> None:
    """Write a run's ledger of (partition, group), as training does."""
    ledger = pa.table(
        {
            "run_id": [run_id] * len(rows),
            "trained_at": pa.array([datetime(2024, 1, day)] * len(rows), pa.timestamp("us")),
            "partition": [partition for partition, _ in rows],
            "group_key": [group for _, group in rows],
        }
    )
    partitions = sorted({partition for partition, _ in rows})
    results.replace("ledger", ledger, {"run_id": run_id, "partition": partitions})


def _found(rows: pa.Table) -> list[tuple[str, str, str]]:
    names = ("partition", "group_key", "run_id")
    return sorted(zip(*(rows[name].to_pylist() for name in names), strict=True))


def test_the_latest_rows_are_those_of_each_partitions_last_run(results: Results) -> None:
    _run(results, "one", 1, ("s1", "a"), ("s1", "b"), ("s'2", "a"))
    _run(results, "two", 2, ("s1", "a"))
    assert _found(results.latest("ledger")) == [("s'2", "a", "one"), ("s1", "a", "two")]
    assert _found(results.latest("ledger", ["s'2", "s9"])) == [("s'2", "a", "one")]
    assert _found(results.latest("ledger", [])) == []
    many = ["s1", *(f"p{number}" for number in range(PARTITIONS_IN_A_QUERY))]
    assert _found(results.latest("ledger", many)) == [("s1", "a", "two")]


def test_groups_are_as_their_last_training_left_them_whichever_was_written_last(
    results: Results,
) -> None:
    _run(results, "one", 1, ("s1", "a"), ("s1", "b"))
    _run(results, "two", 2, ("s2", "a"), ("s2", "c"))
    _run(results, "one", 1, ("s1", "a"), ("s1", "b"))
    _run(results, "three", 2, ("s1", "b"), ("s1", "c"))
    groups = results.store.query('SELECT * FROM "bread_groups"')
    assert _found(groups) == [("s1", "b", "three"), ("s2", "a", "two"), ("s2", "c", "two")]


def test_what_was_never_run_has_no_rows(results: Results) -> None:
    assert results.latest("ledger").num_rows == 0
    assert results.latest("ledger", ["s1"]).num_rows == 0


def test_tables_of_two_use_cases_do_not_meet(results: Results) -> None:
    other = Results(results.store, make_use_case(name="milk"))
    other.store.ensure(other.declaration)
    _run(results, "one", 1, ("s1", "a"))
    _run(other, "two", 1, ("s1", "b"))
    assert _found(results.latest("ledger")) == [("s1", "a", "one")]


def test_a_stage_that_ended_well_is_written_down_with_its_figures(results: Results) -> None:
    for rows in (7, 8):
        with timed(results, "training", "one") as stage:
            stage.count(partitions=3, rows=rows)
    with pytest.raises(ValueError, match="stage"), timed(results, "scoring", "one"):
        raise ValueError("stage")
    found = results.store.query('SELECT * FROM "bread_stages"').to_pylist()
    assert [(r["run_id"], r["stage"], r["partitions"], r["rows"]) for r in found] == [
        ("one", "training", 3, 8)
    ]
    assert found[0]["seconds"] >= 0
    assert isinstance(found[0]["started_at"], datetime)
