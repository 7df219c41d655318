"""What is told of a training run, of one partition and of all."""

import pyarrow as pa

from many_models.defs.training_figures import (
    core_minutes,
    count_statuses,
    ledger_summary,
    of_run,
    pooled_summary,
)

LEDGER = pa.Table.from_pylist(
    [
        {
            "partition": "a",
            "group_key": "1",
            "status": "trained",
            "reason": None,
            "candidate": "r",
            "core_seconds": 30.0,
        },
        {
            "partition": "a",
            "group_key": "2",
            "status": "trained",
            "reason": None,
            "candidate": "r",
            "core_seconds": 60.0,
        },
        {
            "partition": "a",
            "group_key": "3",
            "status": "skipped",
            "reason": "x",
            "candidate": None,
            "core_seconds": 0.0,
        },
        {
            "partition": "b",
            "group_key": "4",
            "status": "failed",
            "reason": "y",
            "candidate": None,
            "core_seconds": 6.0,
        },
    ]
)


def test_a_partitions_groups_are_counted_by_status() -> None:
    assert count_statuses(LEDGER, "a") == {
        "groups": 3,
        "trained": 2,
        "skipped": 1,
        "failed": 0,
        "core_minutes": 1.5,
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


def test_what_training_took_is_told_of_a_partition_and_of_all() -> None:
    assert (count_statuses(LEDGER, "b")["core_minutes"], core_minutes(LEDGER)) == (0.1, 1.6)
    assert core_minutes(LEDGER.slice(0, 0)) == 0.0
