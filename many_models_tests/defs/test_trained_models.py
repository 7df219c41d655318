"""What the page of trained models says of a run, and what its checks judge."""

import dagster as dg
import pyarrow as pa
import pytest

from many_models.defs.trained_models import (
    build_trained_models,
    count_statuses,
    judge_ledger,
    ledger_summary,
    of_run,
    pooled_summary,
)
from many_models_tests.defs.conftest import materialize
from many_models_tests.fakes import make_use_case

LEDGER = pa.Table.from_pylist(
    [
        {"partition": "a", "group_key": "1", "status": "trained", "reason": None, "candidate": "r"},
        {"partition": "a", "group_key": "2", "status": "trained", "reason": None, "candidate": "r"},
        {"partition": "a", "group_key": "3", "status": "skipped", "reason": "x", "candidate": None},
        {"partition": "b", "group_key": "4", "status": "failed", "reason": "y", "candidate": None},
    ]
)


def test_a_partitions_groups_are_counted_by_status() -> None:
    assert count_statuses(LEDGER, "a") == {
        "groups": 3,
        "trained": 2,
        "skipped": 1,
        "failed": 0,
        "dagster/partition_row_count": 3,
    }


def test_the_summary_lists_the_endings_the_commonest_first() -> None:
    assert ledger_summary(LEDGER).splitlines()[2:] == [
        "| trained |  | r | 2 |",
        "| skipped | x |  | 1 |",
        "| failed | y |  | 1 |",
    ]


def _pooled(*scores: float | None) -> pa.Table:
    names = ("partition", "run_id", "groups", "score", "baseline_score", "share_better")
    rows = [(f"p{n}", f"run {n}", 10 + n, score, score, score) for n, score in enumerate(scores)]
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])


def test_the_summary_lists_pooled_models_the_best_first() -> None:
    assert pooled_summary(_pooled(None, 0.9, 0.5)).splitlines()[2:] == [
        "| p2 | 12 | 0.500 | 0.500 | 0.500 |",
        "| p1 | 11 | 0.900 | 0.900 | 0.900 |",
        "| p0 | 10 |  |  |  |",
    ]


def test_only_pooled_models_of_this_run_are_summarised() -> None:
    assert of_run(_pooled(0.1, 0.2), "run 1")["partition"].to_pylist() == ["p1"]
    nothing_yet = pa.table({"partition": pa.array([], pa.string())})
    assert pooled_summary(of_run(nothing_yet, "run 1")).startswith("No partition has one")


def test_a_ledger_with_one_row_for_each_group_is_complete() -> None:
    assert judge_ledger(LEDGER, "a", groups=3).passed


def test_a_missing_group_is_found() -> None:
    result = judge_ledger(LEDGER, "a", groups=4)
    assert (result.passed, result.description) == (False, "3 rows and 3 keys for 4 groups")


def test_a_group_that_is_there_twice_is_found() -> None:
    result = judge_ledger(pa.concat_tables([LEDGER, LEDGER]), "b", groups=2)
    assert (result.passed, result.description) == (False, "2 rows and 1 keys for 2 groups")


@pytest.mark.mlflow
def test_its_page_says_how_the_models_were_registered(
    registry_writer: str, instance: dg.DagsterInstance
) -> None:
    asset = build_trained_models(make_use_case(), dg.AssetKey("grouped_datasets"))
    metadata = materialize(asset, instance, "a")
    assert metadata["registry_writer"] == registry_writer
    assert metadata["core_minutes"] == 1.5
    assert metadata["worst_groups"] == "these are bad"
