"""Ticks of the retraining sensor; what trains is faked, see ``platform``, the tables are real."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from many_models.adapters.lake.tables import Lake
from many_models.core.config_version import config_version
from many_models.core.forecast.use_case import UseCase
from many_models.core.retraining_requests import Request
from many_models.defs import retraining
from many_models.defs.pipeline import build_many_models_defs
from many_models.defs.resources import LakeResource, StoreResource, build_resources
from many_models.defs.retraining import REQUEST_TAG, build_retraining_sensor, look
from many_models.defs.run_job import run_job
from many_models.defs.selections import retrain_config
from many_models.steps.results import Results, open_results
from many_models.steps.retraining import read_requests
from many_models_tests.defs.conftest import Platform
from many_models_tests.fakes import make_use_case
from many_models_tests.retraining_tables import (
    THROUGH,
    put_drift,
    put_ledger,
    put_shards,
    put_verdicts,
)

Instance = dg.DagsterInstance
Status = dg.DagsterRunStatus
NOW = datetime(2024, 5, 1)
MARCH = datetime(2024, 3, 1)


@pytest.fixture
def use_case() -> UseCase:
    return make_use_case(retraining={"code_version": False})


@pytest.fixture
def lake(home: Path, instance: Instance, use_case: UseCase) -> Lake:
    """Stores a, b and c, which Dagster knows, with a group each."""
    instance.add_dynamic_partitions("sales_groups", ["a", "b", "c"])
    made = Lake(f"{home}/lake")
    put_shards(made, use_case, {"a": [1], "b": [1], "c": [1]})
    return made


@pytest.fixture
def results(home: Path, use_case: UseCase) -> Results:
    return open_results(f"sqlite:///{home}/results.db", use_case)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets it be so many days after the first of May."""

    def set_days(days: float) -> None:
        monkeypatch.setattr(retraining, "utc_now", lambda: NOW + timedelta(days=days))

    set_days(0)
    return set_days


@pytest.fixture
def tick(instance: Instance, lake: Lake, results: Results) -> Callable[[], Any]:
    """Evaluates the sensor as the daemon does; what it asks for is not launched."""
    resources = {
        "lake": LakeResource(root=lake.root),
        "store": StoreResource(url=results.store._engine.url),
    }
    sensor = build_retraining_sensor(results.use_case)
    return lambda: sensor.evaluate_tick(
        dg.build_sensor_context(instance=instance, resources=resources)
    )


def trained(results: Results, *partitions: str, **fields: Any) -> None:
    """A training in March of these partitions, just as it would be now."""
    row = {"config_version": config_version(results.use_case), "core_seconds": 60.0} | fields
    for name in partitions:
        put_ledger(results, name, "first", MARCH, {"trained_through": THROUGH} | row)


def drifted(results: Results, *partitions: str, excess: float = 5.0) -> None:
    for name in partitions:
        put_drift(results, name, (THROUGH, 28, True, excess))


def requests(results: Results) -> dict[str, Request]:
    return {r.partition: r for r in read_requests(results, NOW)}


@dg.op
def do_nothing() -> None: ...


def build_all(use_case: UseCase) -> dg.Definitions:
    resources = dg.Definitions(resources=build_resources())
    return dg.Definitions.merge(build_many_models_defs(use_case), resources)


def add_run(instance: Instance, status: Status, tags: dict[str, str], job: str = "retrain") -> str:
    definition = dg.GraphDefinition(name=f"sales_{job}", node_defs=[do_nothing]).to_job()
    return instance.create_run_for_job(definition, status=status, tags=tags).run_id


def test_the_sensor_is_off_until_somebody_switches_it_on() -> None:
    sensor = build_all(make_use_case()).resolve_sensor_def("sales_retraining")
    assert sensor.default_status == dg.DefaultSensorStatus.STOPPED
    assert sensor.job_name == "sales_retrain"


def test_stores_that_nobody_has_trained_are_trained_in_one_run(
    tick: Any, results: Results, instance: Instance, platform: Platform, use_case: UseCase
) -> None:
    trained(results, "b")
    (request,) = tick().run_requests
    assert request.tags[REQUEST_TAG] == request.run_key
    job = build_all(use_case).resolve_job_def(request.job_name)
    run = job.execute_in_process(request.run_config, instance=instance, tags=request.tags)
    assert platform.trained == [["a", "c"]]
    put_verdicts(results, run.run_id, {"a": True, "c": False})

    after = tick()

    assert after.run_requests == []
    audit = requests(results)
    assert {name: (r.outcome, r.run_id) for name, r in audit.items()} == {
        "a": ("trained", run.run_id),
        "c": ("no_better", run.run_id),
    }
    assert (audit["a"].trained, audit["a"].promoted, audit["a"].kept) == (1, 1, 0)
    assert (audit["a"].core_seconds, audit["a"].estimated_core_seconds) == (90.0, 60.0)
    assert after.skip_message == "No partition is due."


def test_a_partition_that_fails_leaves_its_neighbours_requests_fulfilled(
    tick: Any, results: Results, instance: Instance, platform: Platform, use_case: UseCase
) -> None:
    platform.breaking["a"] = "a file is damaged"
    (request,) = tick().run_requests
    config = retrain_config(use_case, ["a", "b", "c"], str(request.run_key))
    job = build_all(use_case).resolve_job_def(request.job_name)
    run_job(job, instance, dict(request.tags), config)
    (run,) = instance.get_runs()
    assert run.status == Status.FAILURE
    put_verdicts(results, run.run_id, {"b": True, "c": False})
    tick()
    outcomes = {name: r.outcome for name, r in requests(results).items()}
    assert outcomes == {"a": "failed", "b": "trained", "c": "no_better"}


def test_a_request_tells_why_in_the_audit(tick: Any, results: Results) -> None:
    trained(results, "a", "b", "c")
    drifted(results, "b", excess=12.5)
    (request,) = tick().run_requests
    (row,) = requests(results).values()
    assert (row.partition, row.request_id, row.outcome) == ("b", request.run_key, "requested")
    assert (row.reason, row.value, row.attempt, row.requested_at) == ("drift", 12.5, 1, NOW)
    assert row.detail.startswith("1 of 1 judged champions drifted (100%, more than 10%)")


def test_a_tick_that_was_killed_before_it_launched_is_made_up_for(
    tick: Any, results: Results
) -> None:
    first = tick()
    audit = requests(results)
    second = tick()
    assert [(r.run_key, r.run_config, r.tags) for r in second.run_requests] == [
        (r.run_key, r.run_config, r.tags) for r in first.run_requests
    ]
    assert len(second.run_requests) == 1
    assert requests(results) == audit


def test_a_tick_that_was_killed_before_it_wrote_is_as_if_it_had_not_been(
    tick: Any, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(retraining, "write_requests", lambda *_: exec("raise KeyboardInterrupt"))
        with pytest.raises(KeyboardInterrupt):
            tick()
    assert requests(results) == {}
    (request,) = tick().run_requests
    assert set(requests(results)) == {"a", "b", "c"}
    assert request.run_key == next(iter(requests(results).values())).request_id


def test_two_who_plan_at_once_ask_for_the_same_run(
    results: Results, instance: Instance, lake: Lake, use_case: UseCase
) -> None:
    ticks = [look(use_case, instance, lake, results, NOW + timedelta(minutes=m)) for m in (0, 1)]
    first, second = [found.commit(results) for found in ticks]
    assert first == second
    assert len(read_requests(results, NOW)) == 3


def test_nothing_hangs_on_the_cursor(tick: Any, results: Results, instance: Instance) -> None:
    evaluated = tick()
    assert evaluated.cursor is None
    add_run(instance, Status.STARTED, evaluated.run_requests[0].tags)
    assert tick().run_requests == []


def test_a_run_that_was_made_and_not_handed_over_is_asked_for_again(
    tick: Any, results: Results, instance: Instance
) -> None:
    (request,) = tick().run_requests
    add_run(instance, Status.NOT_STARTED, request.tags)
    assert [again.run_key for again in tick().run_requests] == [request.run_key]


def test_while_its_run_is_under_way_a_partition_is_let_alone(
    tick: Any, results: Results, instance: Instance
) -> None:
    trained(results, "a", "b", "c")
    drifted(results, "a")
    (request,) = tick().run_requests
    run_id = add_run(instance, Status.STARTED, request.tags)
    drifted(results, "b")
    (other,) = tick().run_requests
    assert other.run_key != request.run_key
    audit = requests(results)
    assert {name: (r.outcome, r.run_id) for name, r in audit.items()} == {
        "a": ("requested", run_id),
        "b": ("requested", None),
    }


@pytest.mark.parametrize(
    ("status", "outcome"), [(Status.FAILURE, "failed"), (Status.CANCELED, "canceled")]
)
def test_a_run_that_came_to_nothing_is_told_and_tried_again_after_a_while(
    tick: Any,
    results: Results,
    instance: Instance,
    clock: Callable[[float], None],
    status: Status,
    outcome: str,
) -> None:
    trained(results, "a", "b")
    (request,) = tick().run_requests
    run_id = add_run(instance, status, request.tags)
    skipped = tick()
    assert skipped.skip_message == (
        "1 cooling down (c; new_groups: cooling down until 2024-05-08 00:00)"
    )
    row = requests(results)["c"]
    assert (row.outcome, row.run_id, row.promoted) == (outcome, run_id, None)
    clock(7)
    (again,) = tick().run_requests
    assert again.run_key != request.run_key
    assert requests(results)["c"].attempt == 2


def test_a_run_that_is_tried_again_is_the_one_that_counts(
    tick: Any, results: Results, instance: Instance
) -> None:
    (request,) = tick().run_requests
    add_run(instance, Status.FAILURE, request.tags)
    run_id = add_run(instance, Status.STARTED, request.tags)
    tick()
    assert {(r.outcome, r.run_id) for r in requests(results).values()} == {("requested", run_id)}


def test_a_failed_run_that_somebody_tries_again_later_counts_as_well(
    tick: Any, results: Results, instance: Instance
) -> None:
    (request,) = tick().run_requests
    add_run(instance, Status.FAILURE, request.tags)
    tick()
    assert {r.outcome for r in requests(results).values()} == {"failed"}
    run_id = add_run(instance, Status.STARTED, request.tags)
    assert tick().run_requests == []
    assert {(r.outcome, r.run_id) for r in requests(results).values()} == {("requested", run_id)}


def test_a_request_that_never_became_a_run_is_lost_after_a_day(
    tick: Any, results: Results, clock: Callable[[float], None]
) -> None:
    tick()
    clock(1.5)
    assert tick().run_requests == []
    assert {r.outcome for r in requests(results).values()} == {"lost"}


@pytest.mark.parametrize("job", ["train", "retrain"])
def test_partitions_wait_while_somebody_trains(
    tick: Any, results: Results, instance: Instance, job: str
) -> None:
    run_id = add_run(instance, Status.STARTING, {}, job)
    evaluated = tick()
    assert evaluated.run_requests == []
    assert evaluated.skip_message == (
        "3 waiting for another run (a, b, c; new_groups: "
        f"run {run_id} of sales_{job} trains at the moment)"
    )
    assert requests(results) == {}


def test_what_is_over_the_budget_waits_and_the_tick_says_so(
    tick: Any, results: Results, use_case: UseCase
) -> None:
    trained(results, "a", "b", "c", core_seconds=6_000.0)
    drifted(results, "a", "b", "c")
    evaluated = tick()
    assert len(evaluated.run_requests) == 1
    assert set(requests(results)) == {"a", "b"}
    assert len(tick().run_requests) == 1  # the same one


@pytest.mark.parametrize(
    ("tags", "attempt"), [({}, 1), ({"dagster/schedule_name": "sales_weekly"}, 2)]
)
def test_only_a_person_makes_attempts_count_anew(
    tick: Any,
    results: Results,
    instance: Instance,
    clock: Callable[[float], None],
    tags: dict[str, str],
    attempt: int,
) -> None:
    trained(results, "a", "b", "c")
    drifted(results, "a")
    (request,) = tick().run_requests
    add_run(instance, Status.FAILURE, request.tags)
    run_id = add_run(instance, Status.SUCCESS, tags, "train")
    put_ledger(results, "a", run_id, NOW + timedelta(days=1), {"trained_through": THROUGH})
    put_drift(results, "a", *[(THROUGH, 28, True, 5.0)] * 240)  # measured for ten days since
    clock(20)
    tick()
    assert requests(results)["a"].attempt == attempt


def test_looking_changes_nothing(
    results: Results, instance: Instance, lake: Lake, use_case: UseCase
) -> None:
    found = look(use_case, instance, lake, results, NOW)
    assert [asdict(p)["partition"] for p in found.plan.proposals] == ["a", "b", "c"]
    assert requests(results) == {}
