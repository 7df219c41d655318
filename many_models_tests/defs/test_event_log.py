"""The event log keeps batches as Dagster's own would keep their events."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import dagster as dg
import pytest
from dagster import DagsterEvent
from dagster._core.events import AssetMaterializationPlannedData, StepMaterializationData

from many_models.defs.event_log import BatchingEventLog

ASSET = dg.AssetKey(["sales", "trained_models"])


@pytest.fixture
def log() -> Iterator[BatchingEventLog]:
    named = {"module": "many_models.defs.event_log", "class": "BatchingEventLog", "config": {}}
    with dg.instance_for_test(overrides={"event_log_storage": named}) as instance:
        found = instance.event_log_storage
        assert isinstance(found, BatchingEventLog)
        yield found


def _made(partition: str | None, run_id: str = "run") -> dg.EventLogEntry:
    data = (
        StepMaterializationData(dg.AssetMaterialization(ASSET, partition=partition))
        if partition
        else AssetMaterializationPlannedData(ASSET)
    )
    kind = "ASSET_MATERIALIZATION" if partition else "ASSET_MATERIALIZATION_PLANNED"
    event = DagsterEvent(kind, "job", event_specific_data=data)
    return dg.EventLogEntry(  # type: ignore[no-untyped-call]  # Dagster's is not typed
        None, 10, "", run_id, 1.0, job_name="job", dagster_event=event
    )


def test_a_batch_is_found_by_run_by_asset_and_by_partition(log: BatchingEventLog) -> None:
    log.store_event_batch([_made(None), _made("a"), _made("b"), _made("c")])
    assert len(log.get_logs_for_run("run")) == 4
    assert log.get_materialized_partitions(ASSET) == {"a", "b", "c"}
    (record,) = log.get_asset_records([ASSET])
    assert record.asset_entry.last_run_id == "run"
    last = record.asset_entry.last_materialization
    assert last is not None and last.dagster_event is not None
    assert last.dagster_event.partition == "c"


def test_a_batch_that_fails_leaves_nothing(
    log: BatchingEventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise sqlite3.OperationalError("disk is full")

    log.store_event(_made("a"))
    with monkeypatch.context() as patched:
        patched.setattr(log, "_store_asset_event_tags", refuse)
        with pytest.raises(sqlite3.OperationalError):
            log.store_event_batch([_made("b"), _made("c")])
    assert len(log.get_logs_for_run("run")) == 1
    log.store_event_batch([_made("d"), _made("e", "second run")])
    assert log.get_materialized_partitions(ASSET) == {"a", "d", "e"}


def test_a_batch_is_one_transaction_a_file(
    log: BatchingEventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    find = log.conn_string_for_shard

    def remember(shard: str) -> str:
        opened.append(shard)
        return find(shard)

    monkeypatch.setattr(log, "conn_string_for_shard", remember)
    log.store_event_batch([_made(str(number)) for number in range(20)])
    assert sorted(opened) == ["index", "run"]
    with closing(sqlite3.connect(log.path_for_shard("run"))) as connection:
        assert connection.execute("SELECT COUNT(*) FROM event_logs").fetchone() == (20,)
