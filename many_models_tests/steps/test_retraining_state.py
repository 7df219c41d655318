"""What is known of partitions: a ledger, drift and a manifest of a few rows, without Spark."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from many_models import __version__
from many_models.adapters.lake.tables import Lake
from many_models.core.config_version import config_version
from many_models.core.errors import LakeError
from many_models.core.retraining_causes import DriftSeen, LastTraining, PartitionState
from many_models.steps.drift_review import read_drift, summarise
from many_models.steps.results import Results, open_results
from many_models.steps.retraining_state import KnownState, make_standard, read_state
from many_models_tests.fakes import make_use_case
from many_models_tests.retraining_tables import THROUGH, put_drift, put_ledger, put_shards

USE_CASE = make_use_case()
MARCH, APRIL = datetime(2024, 3, 1), datetime(2024, 4, 1)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return open_results(f"sqlite:///{tmp_path}/results.db", USE_CASE)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Store s1 of two shards with five groups, store s2 with one."""
    made = Lake(str(tmp_path / "lake"))
    put_shards(made, USE_CASE, {"s1": [3, 2], "s2": [1]})
    return made


def test_before_anything_was_run_partitions_are_known_by_name_alone(
    results: Results, tmp_path: Path
) -> None:
    found = read_state(USE_CASE, ["s1"], Lake(str(tmp_path / "empty")), results)
    assert found.states == [PartitionState("s1", 0)]
    assert found.standard.data_through is None


def test_groups_are_counted_by_the_manifest(results: Results, lake: Lake) -> None:
    found = read_state(USE_CASE, ["s2", "s1", "s3"], lake, results)
    counts = [(s.partition, s.groups, s.training) for s in found.states]
    assert counts == [("s1", 5, None), ("s2", 1, None), ("s3", 0, None)]
    assert found.standard.data_through == THROUGH


def test_the_last_training_of_each_partition_counts(results: Results, lake: Lake) -> None:
    put_ledger(results, "s1", "one", MARCH, {"core_seconds": 50.0})
    put_ledger(results, "s1", "two", APRIL, {}, {"status": "failed"}, {"core_seconds": None})
    put_ledger(results, "s2", "one", MARCH, {})
    first, second = read_state(USE_CASE, ["s1", "s2"], lake, results).states
    assert first.training == LastTraining("two", APRIL, APRIL, 3, 4.0, "0.9", "before")
    assert second.training == LastTraining("one", MARCH, MARCH, 1, 2.0, "0.9", "before")


def test_a_training_that_could_read_nothing_leaves_the_age_of_the_one_before(
    results: Results, lake: Lake
) -> None:
    unread = {"status": "failed", "trained_through": None, "core_seconds": None}
    put_ledger(results, "s1", "one", MARCH, {})
    put_ledger(results, "s1", "two", APRIL, unread)
    put_ledger(results, "s2", "two", APRIL, unread)
    first, second = read_state(USE_CASE, ["s1", "s2"], lake, results).states
    assert first.training == LastTraining("two", APRIL, MARCH, 1, 0.0, "0.9", "before")
    assert second.training is None


def test_a_ledger_from_before_there_was_a_config_version_is_read_and_grows_the_column(
    results: Results, lake: Lake
) -> None:
    put_ledger(results, "s1", "old", MARCH, {}, old=True)
    put_ledger(results, "s2", "old", MARCH, {}, old=True)
    found = read_state(USE_CASE, ["s1", "s2"], lake, results).states
    assert [s.training.config_version for s in found if s.training] == [None, None]
    put_ledger(results, "s1", "new", APRIL, {"config_version": "now"})
    found = read_state(USE_CASE, ["s1", "s2"], lake, results).states
    assert [s.training.config_version for s in found if s.training] == ["now", None]


def test_drift_is_added_up_over_the_champions_that_enough_actuals_judged(
    results: Results, lake: Lake
) -> None:
    rows = [(MARCH, 7, True, 10.0), (MARCH, 30, False, 0.0), (APRIL, 6, False, 0.0)]
    put_drift(results, "s1", *rows, (APRIL, 9, True, 5.5))
    (state,) = read_state(USE_CASE, ["s1"], lake, results).states
    assert state.drift == DriftSeen(
        measured_at=THROUGH + timedelta(hours=3),
        judged=3,
        drifted=2,
        excess=15.5,
        drifted_by_through={MARCH: 1, APRIL: 1},
    )


def test_the_share_that_drifted_is_the_one_of_the_drift_check(results: Results, lake: Lake) -> None:
    rows = [(MARCH, 7, True, 10.0), (MARCH, 30, False, 0.0), (APRIL, 6, False, 0.0)]
    put_drift(results, "s1", *rows)
    put_drift(results, "s2", (MARCH, 20, False, 0.0), promised=None)
    checked = summarise(USE_CASE, read_drift(["s1", "s2"], results), ["s1", "s2"])
    for state in read_state(USE_CASE, ["s1", "s2"], lake, results).states:
        found = checked[state.partition]
        assert state.drift is not None
        assert (state.drift.judged, state.drift.drifted) == (found.judged, found.drifted)
        assert state.drift.excess == found.excess


def test_groups_that_had_too_little_data_are_counted_when_they_have_enough(
    results: Results, lake: Lake
) -> None:
    young = {"status": "skipped", "reason": "too_few_observations", "observations": 5}
    young |= {"first_time": APRIL - timedelta(days=4)}
    put_ledger(
        results,
        "s1",
        "one",
        APRIL,
        young,
        {**young, "observations": 1},
        {**young, "reason": "constant_target", "observations": 30},
        {**young, "first_time": None},
    )
    put_ledger(results, "s2", "one", THROUGH, young)  # nothing has come since
    first, second = read_state(USE_CASE, ["s1", "s2"], lake, results).states
    assert (first.grown, second.grown) == (1, 0)


def test_models_without_their_data_are_an_error_and_no_reason_to_train(
    results: Results, tmp_path: Path
) -> None:
    put_ledger(results, "s1", "one", MARCH, {})
    with pytest.raises(LakeError, match="materialize grouped_datasets"):
        read_state(USE_CASE, ["s1"], Lake(str(tmp_path / "gone")), results)


def test_the_standard_is_the_use_case_as_it_is_now() -> None:
    standard = make_standard(USE_CASE, THROUGH)
    assert standard.config_version == config_version(USE_CASE)
    assert (standard.code_version, standard.max_age_days) == (__version__, 90)
    own = make_use_case(retraining={"max_age_days": 30}, drift={"share_max": 0.5})
    assert make_standard(own, THROUGH).max_age_days == 30
    assert make_standard(own, THROUGH).drift_share == 0.5


@pytest.mark.postgres
def test_postgres_tells_the_same(postgres_url: str, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    put_shards(lake, USE_CASE, {"s1": [3], "s2": [1]})
    young = {"status": "skipped", "reason": "too_few_observations", "observations": 20}
    found: list[KnownState] = []
    for url in (postgres_url, f"sqlite:///{tmp_path}/results.db"):
        results = open_results(url, USE_CASE)
        put_ledger(results, "s1", "old", MARCH, {}, old=True)
        put_drift(results, "s1", (MARCH, 7, True, 10.0), (APRIL, 9, False, 0.0))
        found.append(read_state(USE_CASE, ["s1", "s2"], lake, results))
        put_ledger(results, "s2", "new", APRIL, {**young, "first_time": MARCH}, {})
        found.append(read_state(USE_CASE, ["s1", "s2"], lake, results))
    assert found[:2] == found[2:]
    assert found[1].states[1].grown == 1
