"""Check results of single partitions, as Dagster's pages read them after any kind of run."""

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
import pytest

from many_models.core.forecast.use_case import UseCase
from many_models.defs.check_results import CheckResult, Event, check_spec, yield_results
from many_models.defs.jobs import RANGE_END, RANGE_START
from many_models.defs.partitions import group_partitions
from many_models_tests.defs.conftest import Statuses
from many_models_tests.fakes import make_use_case


@dataclass(frozen=True)
class Pipeline:
    """An asset with two checks, the second of which fails in partition b, and an asset after it."""

    use_case: UseCase
    definitions: dg.Definitions
    instance: dg.DagsterInstance

    def run(self, start: str, end: str) -> dg.ExecuteInProcessResult:
        job = self.definitions.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=self.instance, tags={RANGE_START: start, RANGE_END: end}
        )

    def materialized(self, asset: str) -> set[str]:
        return self.instance.get_materialized_partitions(dg.AssetKey([self.use_case.name, asset]))


@pytest.fixture
def pipeline(instance: dg.DagsterInstance) -> Pipeline:
    use_case = make_use_case()
    partitions, asset = group_partitions(use_case), dg.AssetKey([use_case.name, "first"])
    specs = [check_spec(name, asset, partitions, name) for name in ("sound", "good")]

    @dg.asset(key=asset, partitions_def=partitions, backfill_policy=dg.BackfillPolicy.single_run())
    def first() -> None: ...

    @dg.multi_asset_check(specs=specs)
    def checks(context: dg.AssetCheckExecutionContext) -> Iterator[Event]:
        results = {
            "sound": {key: CheckResult(True, "is sound") for key in context.partition_keys},
            "good": {
                key: CheckResult(key != "b", "is good", {"rows": 3})
                for key in context.partition_keys
            },
        }
        yield from yield_results(context, specs, results)

    @dg.asset(
        key=[use_case.name, "second"],
        partitions_def=partitions,
        deps=[first],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def second() -> None: ...

    instance.add_dynamic_partitions(partitions.name or "", ["a", "b", "c/d 'é'", "z"])
    return Pipeline(use_case, dg.Definitions([first, second], asset_checks=[checks]), instance)


def test_a_range_run_gives_each_partition_its_own_status(
    pipeline: Pipeline, statuses: Statuses
) -> None:
    pipeline.run("a", "c/d 'é'")
    assert statuses(pipeline.use_case, "first", "good") == {
        "a": "SUCCEEDED",
        "b": "FAILED",
        "c/d 'é'": "SUCCEEDED",
    }
    assert set(statuses(pipeline.use_case, "first", "sound").values()) == {"SUCCEEDED"}


def test_a_run_of_one_partition_leaves_the_statuses_of_the_others(
    pipeline: Pipeline, statuses: Statuses
) -> None:
    pipeline.run("a", "b")
    pipeline.run("z", "z")
    found = statuses(pipeline.use_case, "first", "good")
    assert found == {"a": "SUCCEEDED", "b": "FAILED", "z": "SUCCEEDED"}


def test_siblings_of_a_failing_partition_go_on(pipeline: Pipeline) -> None:
    assert pipeline.run("a", "z").success
    assert pipeline.materialized("second") == {"a", "b", "c/d 'é'", "z"}


def test_a_check_runs_before_everything_downstream(pipeline: Pipeline) -> None:
    events = pipeline.run("a", "a").all_events
    steps = [event.step_key for event in events if event.is_step_success]
    assert steps == ["sales__first", "checks", "sales__second"]


def test_a_result_names_the_materialization_that_it_judges(pipeline: Pipeline) -> None:
    run = pipeline.run("a", "b")
    records = pipeline.instance.fetch_materializations(
        dg.AssetRecordsFilter(dg.AssetKey(["sales", "first"])), limit=10
    ).records
    stored = {record.partition_key: record for record in records}
    for evaluation in run.get_asset_check_evaluations():
        target, record = evaluation.target_materialization_data, stored[evaluation.partition]
        assert target is not None
        assert (target.storage_id, target.run_id) == (record.storage_id, run.run_id)
        assert target.timestamp == record.timestamp


def test_a_result_carries_its_description_and_figures(pipeline: Pipeline) -> None:
    found = pipeline.run("b", "b").get_asset_check_evaluations()
    (failed,) = [evaluation for evaluation in found if not evaluation.passed]
    assert (failed.check_name, failed.partition, failed.description) == ("good", "b", "is good")
    assert failed.metadata["rows"].value == 3


def test_a_partition_checked_again_has_its_new_status(
    pipeline: Pipeline, statuses: Statuses, instance: dg.DagsterInstance
) -> None:
    pipeline.run("a", "z")
    failed = [p for p, s in statuses(pipeline.use_case, "first", "good").items() if s == "FAILED"]
    pipeline.run("a", "a")
    assert failed == ["b"]
    assert statuses(pipeline.use_case, "first", "good")["a"] == "SUCCEEDED"
