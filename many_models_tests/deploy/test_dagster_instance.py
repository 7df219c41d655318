"""``dagster.yaml`` on a real PostgreSQL."""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import dagster as dg
import pytest
from dagster._core.instance.config import PoolGranularity
from dagster_postgres.run_storage import PostgresRunStorage

from many_models import settings
from many_models.defs.event_batches import in_batches
from many_models.defs.resources import SPARK_POOL
from many_models_tests.deploy.manifests import DEPLOY

pytestmark = pytest.mark.postgres


@pytest.fixture
def instance(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """The instance that the file describes, as every service of compose.yaml opens it."""
    server = urlsplit(postgres_url)
    monkeypatch.setenv(
        "PGHOST", parse_qs(server.query)["host"][0]
    )  # a socket: no host has its name
    monkeypatch.setenv("DAGSTER_POSTGRES_HOST", "")
    monkeypatch.setenv("DAGSTER_POSTGRES_USER", str(server.username))
    monkeypatch.setenv("DAGSTER_POSTGRES_PASSWORD", "")
    monkeypatch.setenv("DAGSTER_POSTGRES_DB", server.path[1:])
    monkeypatch.setenv("DAGSTER_LOGS", str(tmp_path / "logs"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    shutil.copy(DEPLOY / "dagster.yaml", tmp_path)
    with dg.DagsterInstance.get() as opened:
        yield opened


@dg.op(pool=SPARK_POOL)
def use_spark() -> int:
    return os.getpid()


@dg.job
def spark_job() -> None:
    use_spark()


def test_a_run_is_kept_in_postgresql_and_a_full_pool_does_not_stop_one_that_has_begun(
    instance: dg.DagsterInstance,
) -> None:
    assert isinstance(instance.run_storage, PostgresRunStorage)
    instance.event_log_storage.set_concurrency_slots(SPARK_POOL, 0)  # as in a queue that is full
    result = spark_job.execute_in_process(instance=instance)
    stored = instance.get_run_by_id(result.run_id)
    assert stored and stored.status == dg.DagsterRunStatus.SUCCESS
    assert "use_spark" in {entry.step_key for entry in instance.all_logs(result.run_id)}


@dg.op
def tell_of_partitions(context: dg.OpExecutionContext) -> Iterator[object]:
    step, asset = context.get_step_execution_context(), dg.AssetKey("stores")
    made = [dg.AssetMaterialization(asset, partition=name) for name in "abc"]
    yield from in_batches(step, made)
    yield from in_batches(
        step,
        [
            dg.AssetCheckEvaluation(asset, "sound", passed=True, metadata={}, partition=name)
            for name in "abc"
        ],
    )
    yield dg.Output(None)


@dg.job
def telling_job() -> None:
    tell_of_partitions()


def test_batches_are_of_what_postgresql_takes_in_batches(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried, stored = list[int](), list[int]()
    log = instance.event_log_storage
    store = log.store_event_batch

    def remember(events: Sequence[dg.EventLogEntry]) -> None:
        tried.append(len(events))
        store(events)
        stored.append(len(events))

    monkeypatch.setattr(log, "store_event_batch", remember)
    monkeypatch.setenv(settings.EVENT_BATCH, settings.EVENTS_A_BATCH)
    result = telling_job.execute_in_process(instance=instance)
    kinds = dg.DagsterEventType
    assert tried == stored == [3]  # none was refused, and written one by one
    for kind in (kinds.ASSET_MATERIALIZATION, kinds.ASSET_CHECK_EVALUATION):
        assert len(instance.all_logs(result.run_id, of_type=kind)) == 3


def test_what_the_file_says_is_what_dagster_does(instance: dg.DagsterInstance) -> None:
    limits = instance.get_concurrency_config()
    assert limits.run_queue_config
    assert limits.run_queue_config.max_concurrent_runs == 8
    assert {limit["key"] for limit in limits.run_queue_config.tag_concurrency_limits} == {
        "dagster/backfill",
        "many_models/use_case",
    }
    assert limits.pool_config.pool_granularity == PoolGranularity.RUN
    assert limits.pool_config.default_pool_limit == 2
    assert instance.run_monitoring_enabled
    assert instance.run_retries_enabled
    assert instance.run_retries_max_retries == 2
    assert not instance.run_retries_retry_on_asset_or_op_failure
    assert not instance.telemetry_enabled
