"""Jobs on any choice of partitions; everything after the ingestion is faked, see ``platform``."""

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from many_models import settings
from many_models.core.errors import PartitionsError, StoreError, UseCaseError
from many_models.core.forecast.use_case import UseCase
from many_models.core.use_case import AnyUseCase
from many_models.core.use_case_file import load_use_case
from many_models.defs import promoted_models
from many_models.defs.launch import Launcher
from many_models.defs.partitions import raw_windows
from many_models.defs.pipeline import build_many_models_defs
from many_models.defs.resources import build_resources
from many_models.defs.run_job import run_job
from many_models.defs.selections import (
    got_through,
    refresh_config,
    refreshed_windows,
    retrain_config,
)
from many_models_tests.defs.conftest import Platform, Shop, Statuses

Instance = dg.DagsterInstance


@pytest.fixture(autouse=True)
def data_ends_with_march(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("due", "predictions", "forecast_accuracy"):
        monkeypatch.setattr(
            f"many_models.defs.{module}.data_through", lambda *_: datetime(2024, 3, 31)
        )
    monkeypatch.setattr("many_models.defs.predictions.show_examples", lambda *_: "")


@pytest.fixture
def use_case(home: Path, shop: Shop, instance: Instance) -> UseCase:
    """Stores a to f, all of whose windows were ingested; f sells in March alone."""
    shop.fill(["d", "e"], "2024-01-01", 91, ["tea"])
    shop.fill(["f"], "2024-03-01", 31, ["tea"])
    Launcher(shop.use_case(), instance).ingest()
    return shop.use_case()


def job_of(use_case: AnyUseCase, job: str) -> dg.JobDefinition:
    definitions = dg.Definitions.merge(
        build_many_models_defs(use_case), dg.Definitions(resources=build_resources())
    )
    return definitions.resolve_job_def(f"{use_case.name}_{job}")


def retrain(use_case: UseCase, instance: Instance, *partitions: str) -> dg.ExecuteInProcessResult:
    config = retrain_config(use_case, partitions)
    return job_of(use_case, "retrain").execute_in_process(config, instance=instance)


def refresh(use_case: UseCase, instance: Instance, *windows: str) -> dg.ExecuteInProcessResult:
    config = refresh_config(use_case, windows)
    return job_of(use_case, "refresh").execute_in_process(config, instance=instance)


def materialized(instance: Instance, run_id: str) -> dict[str, list[str]]:
    """Partitions of each asset that a run has materialized, in the order of its events."""
    found: dict[str, list[str]] = {}
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        event = entry.dagster_event
        assert event is not None
        assert event.asset_key is not None
        found.setdefault(event.asset_key.path[-1], []).append(str(event.partition))
    return found


def test_scattered_partitions_are_one_run_with_a_status_each(
    use_case: UseCase, instance: Instance, platform: Platform, statuses: Statuses
) -> None:
    platform.failing = {"c"}
    run = retrain(use_case, instance, "e", "a", "c", "a")
    assert platform.trained == [["e", "a", "c"]]
    assert platform.promoted == ["e", "a"]
    assert materialized(instance, run.run_id) == {
        asset: ["e", "a", "c"]
        for asset in ("grouped_datasets", "trained_models", "promoted_models")
    }
    passed = dict.fromkeys(["a", "c", "e"], "SUCCEEDED")
    assert statuses(use_case, "grouped_datasets", "rows_conserved") == passed
    assert statuses(use_case, "trained_models", "ledger_complete") == passed
    assert statuses(use_case, "trained_models", "promotion_rules") == passed | {"c": "FAILED"}
    assert statuses(use_case, "promoted_models", "only_qualified") == passed


def test_an_assets_page_tells_the_same_after_either_kind_of_run(
    use_case: UseCase, instance: Instance
) -> None:
    keys = [dg.AssetKey(["sales", name]) for name in ("trained_models", "promoted_models")]

    def shown() -> list[dict[str, object]]:
        events = [instance.get_latest_materialization_event(key) for key in keys]
        found = [event.asset_materialization for event in events if event]
        return [{n: v.value for n, v in made.metadata.items()} for made in found if made]

    Launcher(use_case, instance).train(["a"])
    by_assets = shown()
    retrain(use_case, instance, "a")
    assert shown() == by_assets
    assert by_assets[0]["worst_groups"] == "these are bad"


def test_partitions_of_a_selection_are_as_fresh_as_those_of_a_range(
    use_case: UseCase, instance: Instance
) -> None:
    retrain(use_case, instance, "a", "c")
    for name in ("grouped_datasets", "trained_models", "promoted_models"):
        statuses = instance.get_status_by_partition(
            dg.AssetKey(["sales", name]),
            ["a", "b", "c"],
            dg.DynamicPartitionsDefinition(name="sales_groups"),
        )
        assert statuses is not None
        found = {partition: status and status.value for partition, status in statuses.items()}
        assert found == {"a": "MATERIALIZED", "b": None, "c": "MATERIALIZED"}


@pytest.mark.parametrize(
    ("job", "chosen", "message"),
    [
        ("retrain", ["a", "x"], "no partition 'x'; it has a, b, c, d, e, f"),
        ("retrain", ["y", "x"], r"no partition 'x' \(nor 1 more that were named\)"),
        ("retrain", [], "no partition of use case 'sales' was named"),
        ("refresh", ["2024-02-01", "2024-02-02"], "no window '2024-02-02'; it has 2024-01-01"),
        ("refresh", [], "no window of use case 'sales' was named"),
    ],
)
def test_what_does_not_exist_is_refused_before_anything_is_done(
    job: str,
    chosen: Sequence[str],
    message: str,
    use_case: UseCase,
    instance: Instance,
    platform: Platform,
) -> None:
    with pytest.raises(UseCaseError, match=message):
        (retrain if job == "retrain" else refresh)(use_case, instance, *chosen)
    (run,) = instance.get_runs(dg.RunsFilter(job_name=f"sales_{job}"))
    assert materialized(instance, run.run_id) == {}
    assert platform.trained == []


def test_a_partition_that_has_gone_since_it_was_requested_stops_no_other(
    use_case: UseCase, instance: Instance, platform: Platform
) -> None:
    config = retrain_config(use_case, ["a", "gone", "c"], "retrain-1")
    job_of(use_case, "retrain").execute_in_process(config, instance=instance)
    assert platform.trained == [["a", "c"]]


def test_a_late_row_brings_its_window_and_the_partitions_in_it_up_to_date(
    use_case: UseCase, instance: Instance, shop: Shop, platform: Platform, statuses: Statuses
) -> None:
    shop.execute("INSERT INTO sales VALUES ('g', 'tea', '2024-02-03', 1)")
    shop.execute("DELETE FROM sales WHERE store = 'b' AND date LIKE '2024-02-%'")
    run = refresh(use_case, instance, "2024-02-01")
    assert materialized(instance, run.run_id) == {
        "raw_data": ["2024-02-01"],
        "grouped_datasets": ["a", "b", "c", "d", "e", "g"],  # what it held is not forgotten
        "predictions": ["2024-03-31"],
    }
    assert platform.scored == ["2024-03-31"]
    assert set(statuses(use_case, "grouped_datasets", "rows_conserved")) == set("abcdeg")


def test_a_partition_that_lost_its_data_is_forgotten(
    use_case: UseCase, instance: Instance, shop: Shop
) -> None:
    shop.execute("DELETE FROM sales WHERE store = 'f'")
    run = refresh(use_case, instance, "2024-03-01")
    assert instance.get_dynamic_partitions("sales_groups") == ["a", "b", "c", "d", "e"]
    assert materialized(instance, run.run_id)["grouped_datasets"] == ["a", "b", "c", "d", "e"]


def test_a_refresh_judges_predictions_whose_actuals_have_come(
    use_case: UseCase, instance: Instance, platform: Platform
) -> None:
    job_of(use_case, "score").execute_in_process(instance=instance, partition_key="2024-03-20")
    run = refresh(use_case, instance, "2024-03-01")
    assert materialized(instance, run.run_id)["forecast_accuracy"] == ["2024-03-20"]
    again = refresh(use_case, instance, "2024-03-01")
    assert "forecast_accuracy" not in materialized(instance, again.run_id)
    assert platform.measured == ["2024-03-20"]
    checked = {(e.asset_key.path[1], e.check_name) for e in run.get_asset_check_evaluations()}
    assert ("raw_data", "up_to_date") in checked
    assert ("predictions", "few_fallbacks") in checked
    assert ("forecast_accuracy", "coverage_as_promised") in checked


def test_a_refresh_measures_the_drift_of_what_it_touches_and_was_promoted(
    use_case: UseCase, instance: Instance, platform: Platform, statuses: Statuses
) -> None:
    retrain(use_case, instance, "b", "f")
    platform.drifting = {"b"}
    run = refresh(use_case, instance, "2024-02-01")  # f sells in March alone
    assert materialized(instance, run.run_id)["model_drift"] == ["b"]
    assert statuses(use_case, "model_drift", "accuracy_as_promised") == {"b": "FAILED"}


def test_the_very_first_run_may_be_a_refresh(
    home: Path, shop: Shop, instance: Instance, platform: Platform
) -> None:
    run = refresh(shop.use_case(), instance, "2024-02-01", "2024-01-01")
    assert materialized(instance, run.run_id) == {
        "raw_data": ["2024-02-01", "2024-01-01"],
        "grouped_datasets": ["a", "b", "c"],
        "predictions": ["2024-03-31"],
    }


@pytest.mark.parametrize("failing", ["group_partitions", "score_origin"])
def test_a_refresh_that_failed_in_some_partitions_alone_got_through(
    use_case: UseCase,
    instance: Instance,
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
    failing: str,
) -> None:
    def group_all_but_b(_: object, keys: Sequence[str], *rest: object) -> Any:
        raise PartitionsError({"b": "rows lack a key"}, platform.group_partitions(use_case, keys))

    def refuse(*_: object, **__: object) -> None:
        raise StoreError("the result store is away")

    if failing == "group_partitions":
        monkeypatch.setattr("many_models.steps.group.group_partitions", group_all_but_b)
    else:
        monkeypatch.setattr("many_models.defs.predictions.score_origin", refuse)
    job, config = job_of(use_case, "refresh"), refresh_config(use_case, ["2024-03-01"])
    with suppress(StoreError):
        run_job(job, instance, {}, config)
    (run,) = instance.get_runs(dg.RunsFilter(job_name="sales_refresh"))
    assert run.status == dg.DagsterRunStatus.FAILURE
    through = failing == "group_partitions"
    assert got_through(use_case, instance, run, ["2024-03-01"]) == through
    assert not got_through(use_case, instance, run, ["2024-03-01", "2024-02-01"])
    assert refreshed_windows(use_case, run) == ["2024-03-01"]


def test_windows_may_have_been_extracted_for_other_keys(
    use_case: UseCase, instance: Instance, shop: Shop
) -> None:
    shop.execute("ALTER TABLE sales ADD COLUMN region TEXT DEFAULT 'north'")
    regional = shop.use_case(keys=["region", "item"], partitioning={"by": "region"})
    run = refresh(regional, instance, *raw_windows(regional).get_partition_keys())
    assert materialized(instance, run.run_id)["grouped_datasets"] == ["north"]
    assert instance.get_dynamic_partitions("sales_groups") == ["north"]


def retrain_job_of_home() -> dg.JobDefinition:
    """What another process would load."""
    return job_of(load_use_case(Path(os.environ[settings.HOME], "sales.yaml")), "retrain")


def test_a_run_that_failed_goes_on_where_it_failed(
    use_case: UseCase,
    instance: Instance,
    home: Path,
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (home / "sales.yaml").write_text(yaml.safe_dump(use_case.model_dump(mode="json")))
    job = dg.reconstructable(retrain_job_of_home)
    config = {"ops": {"sales_retrain_partitions": {"config": {"partitions": ["d", "b"]}}}}
    with monkeypatch.context() as patched:
        patched.setattr(promoted_models, "promote_partitions", None)
        with dg.execute_job(job, instance, run_config=config) as failed:
            assert not failed.success
    lineages: list[object] = []

    def promote(*args: Any, trained_by: object, **options: Any) -> Any:
        lineages.append(trained_by)
        return platform.promote_partitions(*args, **options)

    monkeypatch.setattr(promoted_models, "promote_partitions", promote)
    options = dg.ReexecutionOptions.from_failure(failed.run_id, instance)
    with dg.execute_job(job, instance, reexecution_options=options) as retried:
        assert retried.success
    assert platform.trained == [["d", "b"]]
    assert platform.promoted == ["d", "b"]
    assert lineages == [{failed.run_id, retried.run_id}]
    assert materialized(instance, retried.run_id) == {"promoted_models": ["d", "b"]}
