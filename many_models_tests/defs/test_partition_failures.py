"""One partition's failure does not stop its neighbours, in a run and in backfills."""

from pathlib import Path

import dagster as dg
import pytest
import yaml

from many_models import settings
from many_models.core.errors import LakeError, PartitionsError, SourceError
from many_models.defs.launch import FailedCheck, Launcher
from many_models.defs.partition_failures import attempt, attempt_each
from many_models.defs.pipeline import build_many_models_defs
from many_models.defs.resources import build_resources
from many_models.defs.run_job import run_job
from many_models.defs.selections import refresh_config
from many_models_tests.defs.backfills import Backfills, backfill_instance
from many_models_tests.defs.conftest import Platform, Shop, Statuses, read_statuses


def test_what_went_well_is_kept_beside_the_reasons() -> None:
    def work() -> list[int]:
        raise PartitionsError({"b": "is broken"}, [1, 2])

    assert attempt(work) == ([1, 2], {"b": "is broken"})
    assert attempt(lambda: [3]) == ([3], {})


def test_partitions_one_by_one_fail_one_by_one() -> None:
    def halve(number: int) -> int:
        if number % 2:
            raise LakeError(f"{number} is odd")
        return number // 2

    assert attempt_each({"a": 2, "b": 3, "c": 4}, halve) == ({"a": 1, "c": 2}, {"b": "3 is odd"})
    with pytest.raises(LakeError, match="3 is odd"):
        attempt_each({"b": 3}, halve)


def test_a_partition_that_fails_ends_for_itself_and_its_neighbours_go_on(
    home: Path,
    shop: Shop,
    instance: dg.DagsterInstance,
    platform: Platform,
    statuses: Statuses,
) -> None:
    platform.breaking = {"b": "its shard cannot be read"}
    launcher = Launcher(shop.use_case(), instance)
    launcher.ingest()

    failed = launcher.train()

    assert failed == [FailedCheck("trained_models", "b", "its shard cannot be read")]
    assert platform.promoted == ["a", "c"]
    made = {
        name: instance.get_materialized_partitions(dg.AssetKey(["sales", name]))
        for name in ("grouped_datasets", "trained_models", "promoted_models")
    }
    assert made == {
        "grouped_datasets": {"a", "b", "c"},
        "trained_models": {"a", "c"},
        "promoted_models": {"a", "c"},
    }
    found = statuses(shop.use_case(), "trained_models", "promotion_rules")
    assert found == {"a": "SUCCEEDED", "b": "EXECUTION_FAILED", "c": "SUCCEEDED"}
    (run,) = instance.get_runs(dg.RunsFilter(job_name="sales_train"))
    assert run.status == dg.DagsterRunStatus.FAILURE


def test_a_scattered_retraining_goes_on_without_the_partition_that_fails(
    home: Path, shop: Shop, instance: dg.DagsterInstance, platform: Platform
) -> None:
    platform.breaking = {"c": "its shard cannot be read"}
    launcher = Launcher(shop.use_case(), instance)
    launcher.ingest()
    failed = launcher.train(["a", "c"])
    assert [(one.partition, one.description) for one in failed] == [
        ("c", "its shard cannot be read")
    ]
    assert (platform.trained, platform.promoted) == ([["a", "c"]], ["a"])
    (run,) = instance.get_runs(dg.RunsFilter(job_name="sales_retrain"))
    assert run.status == dg.DagsterRunStatus.FAILURE


def test_a_window_that_fails_leaves_the_other_windows_and_nothing_is_trained_without_it(
    home: Path, shop: Shop, instance: dg.DagsterInstance, platform: Platform
) -> None:
    shop.execute("UPDATE sales SET sold = 'many' WHERE date = '2024-02-07'")
    with pytest.raises(SourceError, match=r"1 of 3 windows.*that of 2024-02-01: .*many"):
        Launcher(shop.use_case(), instance).run()
    made = instance.get_materialized_partitions(dg.AssetKey(["sales", "raw_data"]))
    assert made == {"2024-01-01", "2024-03-01"}
    assert platform.trained == []


def test_a_refresh_groups_nothing_without_one_of_its_windows(
    home: Path, shop: Shop, instance: dg.DagsterInstance, platform: Platform
) -> None:
    shop.execute("UPDATE sales SET sold = 'many' WHERE date = '2024-02-07'")
    definitions = dg.Definitions.merge(
        build_many_models_defs(shop.use_case()), dg.Definitions(resources=build_resources())
    )
    config = refresh_config(shop.use_case(), ["2024-02-01", "2024-03-01"])
    ended = run_job(definitions.resolve_job_def("sales_refresh"), instance, {}, config)
    (failure,) = ended.failures.values()
    assert failure.reasons.keys() == {"2024-02-01"}
    assert [event.partition for event in ended.events if event.is_step_materialization] == [
        "2024-03-01"
    ]


def test_backfills_scattered_resumed_and_of_all_partitions(
    home: Path, shop: Shop, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_case = shop.use_case()
    home.mkdir()
    (home / "sales.yaml").write_text(yaml.safe_dump(use_case.model_dump(mode="json")))
    monkeypatch.setenv(settings.USE_CASES, str(home / "sales.yaml"))
    platform.failing, platform.breaking = {"c"}, {"d": "its shard cannot be read"}
    with backfill_instance() as instance, Backfills.of(use_case, instance) as backfills:
        instance.add_dynamic_partitions("sales_groups", ["a", "b", "c", "d", "e"])

        assert backfills.run(["a", "c", "d"]) == ("COMPLETED_FAILED", 2)
        assert platform.promoted == ["a"]  # c did not meet the rules, d could not be trained
        assert backfills.statuses("trained_models") == {
            "materialized": ["a", "c"],
            "failed": ["d"],
            "unmaterialized": ["b", "d", "e"],
        }
        found = read_statuses(instance, use_case, "trained_models", "promotion_rules")
        assert found == {"a": "SUCCEEDED", "c": "FAILED", "d": "EXECUTION_FAILED"}

        platform.breaking, platform.promoted = {}, []
        assert backfills.run(["b", "d", "e"]) == ("COMPLETED_SUCCESS", 2)  # those that lack it
        assert sorted(platform.promoted) == ["b", "d", "e"]

        platform.trained.clear()
        assert backfills.run([], all_partitions=True) == ("COMPLETED_SUCCESS", 1)
        assert platform.trained == [["a", "b", "c", "d", "e"]]
        assert backfills.statuses("promoted_models")["materialized"] == ["a", "b", "c", "d", "e"]
