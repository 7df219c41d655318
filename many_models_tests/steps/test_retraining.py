"""The audit table, and what the ledger and the verdicts say of a request's run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from many_models.core.retraining_requests import TrainedCounts
from many_models.steps.results import Results, open_results
from many_models.steps.retraining import read_counts, read_requests, write_requests
from many_models_tests.fakes import make_use_case
from many_models_tests.fakes_retraining import DAY, START, make_request


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return open_results(f"sqlite:///{tmp_path}/results.db", make_use_case())


def test_before_the_first_request_there_is_none(results: Results) -> None:
    assert read_requests(results, START) == []
    assert read_counts(results, {"run"}) == {}


def test_a_request_is_read_as_it_was_written(results: Results) -> None:
    full = replace(
        make_request("s2"),
        champions_through=START,
        run_id="run",
        outcome="trained",
        ended_at=START,
        trained=3,
        promoted=2,
        kept=1,
        core_seconds=1.5,
        gone_since=START,
    )
    requests = [make_request("s1"), full]
    write_requests(results, requests, {"r1"})
    assert read_requests(results, START) == requests


def test_only_the_requests_that_changed_are_written_anew(results: Results) -> None:
    first, second = make_request("s1"), make_request("s1", request_id="r2")
    write_requests(results, [first, second], {"r1", "r2"})
    told = [replace(first, detail="not this"), replace(second, outcome="lost")]
    write_requests(results, told, {"r2"})
    write_requests(results, told, set())
    assert read_requests(results, START) == [first, told[1]]


def test_requests_that_nobody_asks_for_any_more_stay_in_the_table(results: Results) -> None:
    write_requests(results, [make_request()], {"r1"})
    assert read_requests(results, START + 401 * DAY) == []
    assert results.store.query('SELECT * FROM "sales_retraining"').num_rows == 1


def test_a_run_is_counted_by_the_rows_that_it_left(results: Results) -> None:
    ledger = [("a", "s1", "trained"), ("a", "s1", "trained"), ("a", "s1", "skipped")]
    ledger += [("a", "s2", "skipped"), ("b", "s1", "trained")]
    rows = [{"run_id": r, "partition": p, "status": s, "core_seconds": 2.0} for r, p, s in ledger]
    results.replace("ledger", pa.Table.from_pylist(rows), {"run_id": ["a", "b"]})
    verdicts = [("a", "s1", "k1", True), ("a", "s1", "k2", False), ("a", "s1", None, True)]
    rows = [{"run_id": r, "partition": p, "group_key": k, "accepted": a} for r, p, k, a in verdicts]
    results.replace("verdicts", pa.Table.from_pylist(rows), {"run_id": "a"})
    assert read_counts(results, {"a", "none"}) == {
        ("a", "s1"): TrainedCounts(trained=2, promoted=1, core_seconds=6.0),
        ("a", "s2"): TrainedCounts(trained=0, promoted=0, core_seconds=2.0),
    }


@pytest.mark.postgres
def test_postgres_keeps_and_counts_the_same(postgres_url: str) -> None:
    results = open_results(postgres_url, make_use_case())
    request = make_request(outcome="trained", promoted=2, ended_at=START)
    write_requests(results, [request], {"r1"})
    assert read_requests(results, START) == [request]
    test_a_run_is_counted_by_the_rows_that_it_left(results)
