from __future__ import annotations

from typing import Any

import pytest

from many_models.core.retraining_requests import (
    Request,
    SeenRun,
    TrainedCounts,
    find_unlaunched,
    settle,
)
from many_models_tests.fakes_retraining import DAY, START, make_request

NOW = START + DAY / 2
COUNTS = {("run", "s1"): TrainedCounts(trained=10, promoted=4, core_seconds=50.0)}


def ended(ending: Any, counts: Any = COUNTS) -> Request:
    runs = {"r1": SeenRun("run", ending, NOW - DAY / 4)}
    (found,) = settle([make_request()], runs, counts, NOW)
    return found


def test_a_request_whose_run_promoted_models_was_good_for_something() -> None:
    found = ended("success")
    assert (found.outcome, found.run_id, found.ended_at) == ("trained", "run", NOW - DAY / 4)
    assert (found.trained, found.promoted, found.kept) == (10, 4, 6)
    assert found.charge == 50.0


def test_a_request_whose_challengers_were_no_better_says_so() -> None:
    counts = {("run", "s1"): TrainedCounts(trained=10, promoted=0, core_seconds=50.0)}
    found = ended("success", counts)
    assert (found.outcome, found.promoted, found.kept) == ("no_better", 0, 10)


@pytest.mark.parametrize(
    ("ending", "outcome"), [("success", "failed"), ("failure", "failed"), ("canceled", "canceled")]
)
def test_a_run_that_left_nothing_of_a_partition_has_failed_and_counts_as_estimated(
    ending: Any, outcome: str
) -> None:
    found = ended(ending, {})
    assert (found.outcome, found.trained, found.charge) == (outcome, None, 60.0)


def test_what_a_failed_run_trained_is_told_and_not_that_it_was_promoted() -> None:
    found = ended("failure")
    assert (found.outcome, found.trained, found.promoted) == ("failed", 10, None)
    assert found.charge == 50.0


def test_a_run_that_failed_in_other_partitions_has_done_what_was_asked_in_those_it_promoted() -> (
    None
):
    requests = [make_request(), make_request("s2")]
    counts = {("run", name): TrainedCounts(10, 4, 50.0) for name in ("s1", "s2")}
    runs = {"r1": SeenRun("run", "failure", NOW, promoted=frozenset(["s1"]))}
    first, second = settle(requests, runs, counts, NOW)
    assert (first.outcome, first.promoted, first.kept) == ("trained", 4, 6)
    assert (second.outcome, second.promoted, second.kept) == ("failed", None, None)


@pytest.mark.parametrize("outcome", ["failed", "canceled", "lost"])
def test_a_run_that_is_tried_again_after_its_end_is_followed_too(outcome: Any) -> None:
    request = make_request(outcome=outcome, run_id="run", ended_at=NOW)
    (reopened,) = settle([request], {"r1": SeenRun("again")}, {}, NOW)
    assert (reopened.outcome, reopened.run_id, reopened.ended_at) == ("requested", "again", None)
    again = SeenRun("again", "success", NOW + DAY, retried=frozenset(["run"]))
    (ended,) = settle([request], {"r1": again}, COUNTS, NOW)  # it had trained before it failed
    assert (ended.outcome, ended.run_id, ended.promoted) == ("trained", "again", 4)


def test_a_request_stays_open_while_its_run_is_under_way() -> None:
    (found,) = settle([make_request()], {"r1": SeenRun("run")}, {}, NOW)
    assert (found.is_open, found.run_id, found.charge) == (True, "run", 60.0)
    assert find_unlaunched([found], {"r1": SeenRun("run")}) == {}


def test_a_request_without_a_run_is_to_be_launched_for_a_day_and_lost_then() -> None:
    request = make_request()
    assert settle([request], {}, {}, START + DAY) == [request]
    assert find_unlaunched([request], {}) == {"r1": ["s1"]}
    (lost,) = settle([request], {}, {}, START + 1.01 * DAY)
    assert lost.outcome == "lost"
    assert find_unlaunched([lost], {}) == {}


def test_a_request_whose_run_was_deleted_is_lost() -> None:
    (lost,) = settle([make_request(run_id="run")], {}, {}, NOW)
    assert lost.outcome == "lost"


def test_what_has_ended_is_not_looked_at_again() -> None:
    request = make_request(outcome="failed", run_id="run")
    runs = {"r1": SeenRun("run", "failure", NOW, promoted=frozenset(["s1"]))}
    for seen in ({}, runs):
        assert settle([request], seen, COUNTS, NOW + 30 * DAY) == [request]
