"""The sensor over a shop's database; the runs that it asks for are mostly faked."""

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest

from many_models import settings
from many_models.adapters.lake.tables import Lake
from many_models.core.errors import SourceError
from many_models.core.forecast.use_case import UseCase
from many_models.defs.due import ingested_windows
from many_models.defs.new_data import RUN_KEY, build_new_data_sensors
from many_models.defs.pipeline import build_many_models_defs
from many_models.defs.raw_data import AVAILABLE_BEFORE, SOURCE_DIGEST, source_digest
from many_models.defs.resources import build_resources
from many_models_tests.defs.conftest import Platform, Shop

SUCCESS = dg.DagsterRunStatus.SUCCESS


@dataclass
class Daemon:
    """Evaluates the sensor and launches what it requests, as Dagster's daemon does.

    A run does nothing but end in ``ending``.
    """

    use_case: UseCase
    instance: dg.DagsterInstance
    cursor: str | None = None
    ending: dg.DagsterRunStatus = SUCCESS
    requests: list[dg.RunRequest] = field(default_factory=list)
    told: str = ""

    def tick(self, *, stored: bool = True) -> list[str]:
        """Windows of the run that one tick has started; none where Dagster knows its key."""
        (sensor,) = build_new_data_sensors(self.use_case)
        context = dg.build_sensor_context(
            self.instance, cursor=self.cursor, resources={"source": build_resources()["source"]}
        )
        result = sensor(context)
        if isinstance(result, dg.SkipReason):
            self.told = result.skip_message or ""
            return []
        assert isinstance(result, dg.SensorResult)
        for event in result.asset_events:
            self.instance.report_runless_asset_event(event)
        self.cursor = result.cursor if stored else self.cursor
        self.told = result.skip_reason.skip_message or "" if result.skip_reason else ""
        return [window for request in result.run_requests or [] for window in self._run(request)]

    def _run(self, request: dg.RunRequest) -> list[str]:
        if self.instance.get_runs(dg.RunsFilter(tags={RUN_KEY: str(request.run_key)})):
            return []
        self.requests.append(request)
        self.add_run(self.ending, **{RUN_KEY: str(request.run_key)})
        (config,) = request.run_config["ops"].values()
        windows: list[str] = config["config"]["windows"]
        return windows

    def add_run(self, status: dg.DagsterRunStatus, **tags: str) -> str:
        run = dg.DagsterRun("sales_refresh", str(uuid4()), status=status, tags=tags)
        return self.instance.add_run(run).run_id


@dataclass
class LoadedShop:
    """The shop, whose rows have a load time."""

    shop: Shop

    def sell(self, day: str, loaded_at: str, count: int = 1) -> None:
        for _ in range(count):
            self.shop.execute(f"INSERT INTO sales VALUES ('a', 'tea', '{day}', 1, '{loaded_at}')")


@pytest.fixture
def loaded(shop: Shop) -> LoadedShop:
    """January to March 2024, each day loaded in the night after."""
    shop.execute("ALTER TABLE sales ADD COLUMN loaded_at TEXT")
    shop.execute("UPDATE sales SET loaded_at = DATETIME(date, '+1 day', '+5 hours')")
    return LoadedShop(shop)


@pytest.fixture
def daemon(home: Path, loaded: LoadedShop, instance: dg.DagsterInstance) -> Daemon:
    """A daemon that begins when all windows were ingested."""
    use_case = loaded.shop.use_case(source={"loaded_at": "loaded_at"})
    metadata = {AVAILABLE_BEFORE: "2024-04-01T00:00:00", SOURCE_DIGEST: source_digest(use_case)}
    for window in ("2024-01-01", "2024-02-01", "2024-03-01"):
        asset = dg.AssetKey(["sales", "raw_data"])
        made = dg.AssetMaterialization(asset, partition=window, metadata=metadata)
        instance.report_runless_asset_event(made)
    return Daemon(use_case, instance)


def test_a_source_without_a_load_time_has_no_sensor(shop: Shop) -> None:
    assert build_new_data_sensors(shop.use_case()) == []


def test_late_rows_ask_for_exactly_the_windows_that_they_touch(
    daemon: Daemon, loaded: LoadedShop
) -> None:
    assert daemon.tick() == []
    assert "Nothing new; the latest load is of 2024-04-01 05:00:00." in daemon.told
    loaded.sell("2024-01-17", "2024-04-01 11:00:00", 2)
    loaded.sell("2024-03-02", "2024-04-01 11:00:00")
    assert daemon.tick() == ["2024-01-01", "2024-03-01"]
    assert daemon.tick() == [] == daemon.tick()


def test_a_request_is_a_run_that_takes_the_late_rows_in(
    daemon: Daemon, loaded: LoadedShop, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("due", "predictions", "forecast_accuracy"):
        monkeypatch.setattr(
            f"many_models.defs.{module}.data_through", lambda *_: datetime(2024, 3, 31)
        )
    monkeypatch.setattr("many_models.defs.predictions.show_examples", lambda *_: "")
    daemon.tick()
    loaded.sell("2024-01-17", "2024-04-01 11:00:00", 2)
    daemon.tick()
    definitions = dg.Definitions.merge(
        build_many_models_defs(daemon.use_case), dg.Definitions(resources=build_resources())
    )
    (request,) = daemon.requests
    definitions.resolve_job_def("sales_refresh").execute_in_process(
        request.run_config, instance=daemon.instance
    )
    rows = Lake(os.environ[settings.LAKE]).raw_data(daemon.use_case).dataset(["2024-01-01"])
    assert rows.count_rows() == 3 * 31 + 2
    assert platform.scored == ["2024-03-31"]
    found = ingested_windows(daemon.use_case, daemon.instance)["2024-01-01"]
    (run,) = daemon.instance.get_run_records(dg.RunsFilter(job_name="sales_refresh"), limit=1)
    assert found.at == datetime.fromtimestamp(run.start_time or 0, UTC).replace(tzinfo=None)


def test_nothing_is_doubled_whatever_becomes_of_the_cursor(
    daemon: Daemon, loaded: LoadedShop
) -> None:
    daemon.tick()
    loaded.sell("2024-01-17", "2024-04-01 11:00:00")
    assert daemon.tick() == ["2024-01-01"]
    loaded.sell("2024-02-17", "2024-04-01 11:30:00")
    assert daemon.tick() == ["2024-02-01"]
    kept, daemon.cursor = daemon.cursor, None  # somebody resets it
    assert daemon.tick() == [] == daemon.tick()
    daemon.cursor = kept
    assert daemon.tick() == []
    daemon.cursor = "what an older version wrote"
    assert daemon.tick() == []


def test_rows_that_came_while_the_cursor_was_lost_are_found(
    daemon: Daemon, loaded: LoadedShop
) -> None:
    daemon.tick()
    loaded.sell("2024-01-17", "2024-04-01 11:00:00")
    assert daemon.tick() == ["2024-01-01"]
    daemon.cursor = None
    loaded.sell("2024-02-17", "2024-04-01 11:30:00")
    assert daemon.tick() == ["2024-02-01"]


def test_a_tick_that_is_evaluated_twice_starts_one_run(daemon: Daemon, loaded: LoadedShop) -> None:
    daemon.tick()
    loaded.sell("2024-01-17", "2024-04-01 11:00:00")
    assert daemon.tick(stored=False) == ["2024-01-01"]
    assert daemon.tick() == [] == daemon.tick()


def test_rows_committed_out_of_order_within_the_overlap_are_not_lost(
    daemon: Daemon, loaded: LoadedShop
) -> None:
    daemon.tick()
    loaded.sell("2024-01-17", "2024-04-01 11:00:00")
    assert daemon.tick() == ["2024-01-01"]
    loaded.sell("2024-02-03", "2024-04-01 10:10:00")
    assert daemon.tick() == ["2024-02-01"]
    assert daemon.tick() == []


def test_a_refresh_under_way_is_waited_for(daemon: Daemon, loaded: LoadedShop) -> None:
    daemon.tick()
    loaded.sell("2024-01-17", "2024-04-01 11:00:00")
    run_id = daemon.add_run(dg.DagsterRunStatus.STARTED)
    assert daemon.tick() == [] and run_id in daemon.told
    daemon.instance.delete_run(run_id)
    assert daemon.tick() == ["2024-01-01"]


def test_a_failed_run_is_asked_for_again_three_times_in_all_and_then_told(
    daemon: Daemon, loaded: LoadedShop
) -> None:
    daemon.tick()
    loaded.sell("2024-01-17", "2024-04-01 11:00:00")
    daemon.ending = dg.DagsterRunStatus.FAILURE
    assert [daemon.tick() for _ in range(3)] == [["2024-01-01"]] * 3
    assert daemon.tick() == [] == daemon.tick()
    assert "Refreshing 2024-01-01 failed 3 times" in daemon.told
    assert [request.tags["many_models/attempt"] for request in daemon.requests] == ["1", "2", "3"]
    daemon.ending = SUCCESS
    loaded.sell("2024-02-17", "2024-04-01 11:10:00")
    assert daemon.tick() == ["2024-01-01", "2024-02-01"]
    assert daemon.tick() == [] and "failed" not in daemon.told


def test_a_run_that_failed_in_some_partitions_alone_is_not_asked_for_again(
    daemon: Daemon, loaded: LoadedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.tick()
    loaded.sell("2024-01-17", "2024-04-01 11:00:00")
    daemon.ending = dg.DagsterRunStatus.FAILURE
    assert daemon.tick() == ["2024-01-01"]
    monkeypatch.setattr("many_models.defs.new_data.got_through", lambda *_: True)
    assert daemon.tick() == [] and "failed" not in daemon.told


def test_a_run_that_somebody_deleted_is_asked_for_again(daemon: Daemon, loaded: LoadedShop) -> None:
    daemon.tick()
    loaded.sell("2024-01-17", "2024-04-01 11:00:00")
    assert daemon.tick() == ["2024-01-01"]
    (run,) = daemon.instance.get_runs()
    daemon.instance.delete_run(run.run_id)
    assert daemon.tick() == ["2024-01-01"]


def test_a_run_that_was_made_and_never_handed_over_is_not_waited_for(
    daemon: Daemon, loaded: LoadedShop
) -> None:
    daemon.tick()
    loaded.sell("2024-01-17", "2024-04-01 11:00:00")
    daemon.ending = dg.DagsterRunStatus.NOT_STARTED
    assert daemon.tick() == ["2024-01-01"]
    daemon.ending = SUCCESS
    assert daemon.tick() == ["2024-01-01"]
    assert daemon.tick() == []


def test_a_database_that_is_away_fails_the_tick_and_the_cursor_stays(
    daemon: Daemon, loaded: LoadedShop
) -> None:
    daemon.tick()
    before = daemon.cursor
    loaded.sell("2024-01-17", "2024-04-01 11:00:00")
    away = loaded.shop.path.with_suffix(".away")
    loaded.shop.path.rename(away)
    with pytest.raises(SourceError, match=r"cannot reach the source database .*shop\.db"):
        daemon.tick()
    assert daemon.cursor == before
    away.rename(loaded.shop.path)
    assert daemon.tick() == ["2024-01-01"]


def test_rows_outside_of_the_span_are_told(daemon: Daemon, loaded: LoadedShop) -> None:
    daemon.tick()
    loaded.sell("2024-04-01", "2024-04-01 11:00:00", 2)
    assert daemon.tick() == []
    assert "2 rows dated 2024-04-01 to 2024-04-01 are outside of source.start" in daemon.told


def test_a_request_is_seen_on_the_page_of_raw_data(daemon: Daemon, loaded: LoadedShop) -> None:
    daemon.tick()
    loaded.sell("2024-01-17", "2024-04-01 11:00:00")
    daemon.tick()
    asset = dg.AssetKey(["sales", "raw_data"])
    (record,) = daemon.instance.fetch_observations(asset, limit=5).records
    assert record.asset_observation is not None
    assert record.asset_observation.description == "New rows in 2024-01-01."
    metadata = record.asset_observation.metadata
    assert metadata["loaded_through"].value == "2024-04-01T11:00:00"
