"""Schedules on a home folder whose use case was ingested; what follows raw data is faked."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from many_models.core.forecast.use_case import UseCase
from many_models.defs.pipeline import build_many_models_defs
from many_models.defs.raw_data import AVAILABLE_BEFORE, SOURCE_DIGEST, source_digest
from many_models.defs.resources import build_resources
from many_models.defs.schedules import build_schedules, daily_request, weekly_request
from many_models.defs.selections import refresh_config
from many_models_tests.defs.conftest import Platform, Shop

TICK = datetime(2024, 4, 2, 6, tzinfo=UTC)


@pytest.fixture
def use_case(home: Path, shop: Shop) -> UseCase:
    return shop.use_case()


def ingest(use_case: UseCase, instance: dg.DagsterInstance, *windows: str) -> None:
    asset = dg.AssetKey([use_case.name, "raw_data"])
    metadata = {AVAILABLE_BEFORE: "2024-04-01T00:00:00", SOURCE_DIGEST: source_digest(use_case)}
    for window in windows:
        made = dg.AssetMaterialization(asset, partition=window, metadata=metadata)
        instance.report_runless_asset_event(made)


def test_both_are_there_at_their_times_and_off_until_they_are_switched_on(shop: Shop) -> None:
    fields = {"score": "30 5 * * mon-fri", "timezone": "Europe/Berlin"}
    daily, weekly = build_schedules(shop.use_case(schedules=fields))
    assert (daily.name, daily.job_name, daily.cron_schedule) == (
        "sales_daily",
        "sales_refresh",
        "30 5 * * mon-fri",
    )
    assert (weekly.name, weekly.job_name, weekly.cron_schedule) == (
        "sales_weekly",
        "sales_train",
        "0 3 * * 0",
    )
    for schedule in (daily, weekly):
        assert schedule.execution_timezone == "Europe/Berlin"
        assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED


def test_null_leaves_one_out(shop: Shop) -> None:
    (weekly,) = build_schedules(shop.use_case(schedules={"score": None}))
    assert weekly.name == "sales_weekly"
    assert build_schedules(shop.use_case(schedules={"score": None, "train": None})) == []


def test_the_day_takes_in_what_is_due_under_the_key_of_its_tick(
    use_case: UseCase, instance: dg.DagsterInstance
) -> None:
    ingest(use_case, instance, "2024-01-01", "2024-02-01")
    request = daily_request(use_case, instance, TICK)
    assert isinstance(request, dg.RunRequest)
    assert request.run_key == "2024-04-02T06:00:00+00:00"
    (config,) = request.run_config["ops"].values()
    assert config["config"]["windows"] == ["2024-02-01", "2024-03-01"]
    assert daily_request(use_case, instance, TICK) == request


def test_a_day_on_which_nothing_is_due_is_skipped(
    use_case: UseCase, instance: dg.DagsterInstance
) -> None:
    ingest(use_case, instance, "2024-01-01", "2024-02-01", "2024-03-01")
    skipped = daily_request(use_case, instance, TICK)
    assert isinstance(skipped, dg.SkipReason)
    assert "Nothing is due" in str(skipped.skip_message)


@pytest.mark.parametrize(
    ("status", "windows"),
    [
        (dg.DagsterRunStatus.FAILURE, ["2024-02-01", "2024-03-01"]),
        (dg.DagsterRunStatus.CANCELED, None),
        (dg.DagsterRunStatus.SUCCESS, None),
    ],
)
def test_a_refresh_that_failed_is_due_again_though_its_windows_were_ingested(
    use_case: UseCase,
    instance: dg.DagsterInstance,
    status: dg.DagsterRunStatus,
    windows: list[str] | None,
) -> None:
    ingest(use_case, instance, "2024-01-01", "2024-02-01", "2024-03-01")
    config = refresh_config(use_case, ["2024-03-01", "2024-02-01", "2023-01-01"])
    run = dg.DagsterRun("sales_refresh", run_config=config.to_config_dict(), status=status)  # type: ignore[no-untyped-call]
    instance.add_run(run)
    request = daily_request(use_case, instance, TICK)
    if windows is None:
        assert isinstance(request, dg.SkipReason)
    else:
        assert isinstance(request, dg.RunRequest)
        assert request.run_config == refresh_config(use_case, windows).to_config_dict()  # type: ignore[no-untyped-call]


def test_a_source_that_has_not_begun_is_skipped(
    home: Path, shop: Shop, instance: dg.DagsterInstance
) -> None:
    source = {"start": "2199-01-01", "end": None}
    skipped = daily_request(shop.use_case(source=source), instance, TICK)
    assert isinstance(skipped, dg.SkipReason)
    assert "has no data yet" in str(skipped.skip_message)


def test_the_week_trains_all_partitions_in_one_run(
    use_case: UseCase, instance: dg.DagsterInstance, platform: Platform
) -> None:
    instance.add_dynamic_partitions("sales_groups", ["c", "a", "b"])
    request = weekly_request(use_case, instance, TICK)
    assert isinstance(request, dg.RunRequest)
    assert request.run_key == "2024-04-02T06:00:00+00:00"
    definitions = dg.Definitions.merge(
        build_many_models_defs(use_case), dg.Definitions(resources=build_resources())
    )
    definitions.resolve_job_def("sales_train").execute_in_process(
        instance=instance, tags=dict(request.tags)
    )
    assert platform.trained == [["c", "a", "b"]]


def test_a_week_without_partitions_is_skipped(
    use_case: UseCase, instance: dg.DagsterInstance
) -> None:
    skipped = weekly_request(use_case, instance, TICK)
    assert isinstance(skipped, dg.SkipReason)
    assert "nothing to train" in str(skipped.skip_message)


def test_a_tick_asks_for_what_is_due_at_its_time(
    use_case: UseCase, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(use_case, instance, "2024-01-01")
    instance.add_dynamic_partitions("sales_groups", ["a"])
    # A schedule's context takes no instance that is in memory.
    monkeypatch.setattr(dg.ScheduleEvaluationContext, "instance", instance)
    context = dg.build_schedule_context(scheduled_execution_time=TICK)
    requests = [schedule(context) for schedule in build_schedules(use_case)]
    assert requests == [
        daily_request(use_case, instance, TICK),
        weekly_request(use_case, instance, TICK),
    ]
