"""Whether the raw data is up to date, in runs that extract and when nothing runs."""

from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.freshness import TimeWindowFreshnessPolicy

from many_models.core.forecast.use_case import UseCase
from many_models.defs import due, freshness
from many_models.defs.current_run import CurrentRun
from many_models.defs.freshness import (
    UP_TO_DATE,
    build_freshness_sensor,
    check_freshness,
    freshness_evaluation,
)
from many_models.defs.launch import Launcher
from many_models.defs.raw_data import freshness_policy
from many_models.defs.resources import LakeResource
from many_models_tests.defs.conftest import Shop
from many_models_tests.fakes import make_use_case

RAW_DATA = dg.AssetKey(["sales", "raw_data"])
IN_TIME, LATE = datetime(2024, 4, 2, 7), datetime(2024, 4, 5, 7)


@pytest.fixture
def use_case(shop: Shop) -> UseCase:
    """Its source has data until 31 March, and has not ended."""
    return shop.use_case(source={"end": None})


@pytest.fixture
def lake(home: Path) -> LakeResource:
    return LakeResource(root=f"{home}/lake")


def ingest(
    use_case: UseCase, instance: dg.DagsterInstance, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[str, bool]]:
    """Extract what is due at ``now``; checks that failed, and whether they only warn."""
    for module in (due, freshness):
        monkeypatch.setattr(module, "utc_now", lambda: now)
    monkeypatch.setattr(CurrentRun, "requested_at", now)
    failed = Launcher(use_case, instance).ingest()
    return [(check.name, check.is_warning) for check in failed]


def test_a_run_that_extracts_says_whether_the_source_had_what_is_due(
    use_case: UseCase,
    lake: LakeResource,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert ingest(use_case, instance, IN_TIME, monkeypatch) == []
    found = check_freshness(use_case, instance, lake=lake, now=LATE)
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "no run has asked the source for it" in found.description
    assert found.metadata["periods_late"] == 3
    assert found.metadata["age_hours"] == 5 * 24 + 7

    assert ingest(use_case, instance, LATE, monkeypatch) == [(UP_TO_DATE, True)]
    found = check_freshness(use_case, instance, lake=lake, now=LATE)
    assert "the source was asked and had no more" in found.description


def test_the_sensor_evaluates_the_check_when_its_answer_changes_and_starts_nothing(
    use_case: UseCase,
    lake: LakeResource,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ingest(use_case, instance, IN_TIME, monkeypatch)
    sensor = build_freshness_sensor(use_case, RAW_DATA)
    assert sensor.default_status == dg.DefaultSensorStatus.STOPPED

    def tick(now: datetime, cursor: str | None) -> dg.SensorResult:
        monkeypatch.setattr(freshness, "utc_now", lambda: now)
        context = dg.build_sensor_context(instance, cursor, resources={"lake": lake})
        found = sensor(context)
        assert isinstance(found, dg.SensorResult)
        assert not found.run_requests
        return found

    first = tick(IN_TIME, None)
    (event,) = first.asset_events
    assert isinstance(event, dg.AssetCheckEvaluation) and event.passed
    assert tick(IN_TIME + timedelta(minutes=15), first.cursor).asset_events == []
    (event,) = tick(LATE, first.cursor).asset_events
    assert isinstance(event, dg.AssetCheckEvaluation)
    assert (event.asset_key, event.check_name, event.passed) == (RAW_DATA, UP_TO_DATE, False)


def test_an_evaluation_without_a_run_is_the_checks_status(
    use_case: UseCase,
    lake: LakeResource,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ingest(use_case, instance, IN_TIME, monkeypatch)
    found = check_freshness(use_case, instance, lake=lake, now=LATE)
    instance.report_runless_asset_event(freshness_evaluation(RAW_DATA, found))
    key = dg.AssetCheckKey(RAW_DATA, UP_TO_DATE)
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=5)
    evaluated = [record for record in records if record.status.value != "PLANNED"]
    assert [(record.status.value, record.partition) for record in evaluated] == [
        ("FAILED", None),
        ("SUCCEEDED", None),
    ]


def test_dagster_watches_over_sources_that_go_on() -> None:
    policy = freshness_policy(make_use_case())
    assert isinstance(policy, TimeWindowFreshnessPolicy)
    assert policy.fail_window.to_timedelta() == timedelta(days=2)
    source = {"url": "sqlite:///sales.db", "table": "sales", "start": "2024-01-01"}
    assert freshness_policy(make_use_case(source={**source, "end": "2024-12-31"})) is None
    patient = make_use_case(source={**source, "expected_within_hours": None})
    assert freshness_policy(patient) is None
