"""Dagster's event log in SQLite files, with a batch of events in one transaction.

Dagster's own writes the events of a batch one by one: each opens both of its files, waits for the
disk several times, and closes them. A run over 1,000 partitions has thousands. ``dagster.yaml``
names this class; it overrides internals of the one that it derives from, and a test fails when they
change.
"""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import dagster as dg
from dagster._config import Field, StringSource
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationPlanned,
)
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._serdes import ConfigurableClassData, serialize_value
from dagster_shared.record import replace
from sqlalchemy.engine import Connection


class BatchingEventLog(SqliteEventLogStorage):
    """Keeps the files where Dagster keeps them, in ``base_dir`` or else below ``DAGSTER_HOME``."""

    def __init__(
        self, base_dir: str | None = None, inst_data: ConfigurableClassData | None = None
    ) -> None:
        self._has_checks = False
        self._batch = threading.local()  # its connections and last events, while one is written
        super().__init__(
            base_dir or str(Path(os.environ["DAGSTER_HOME"], "history/runs")), inst_data
        )
        # A batch holds both files, and with each of them this lock.
        self._db_lock = threading.RLock()  # type: ignore[assignment]  # entered in the same way

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {"base_dir": Field(StringSource, is_required=False)}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "BatchingEventLog":
        return cls(inst_data=inst_data, **config_value)

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store all of them, or none."""
        with self._db_lock, ExitStack() as connections:
            self._batch.connections, self._batch.files = connections, {}
            self._batch.last = {}
            try:
                for event in events:
                    self.store_event(event)
                with self.index_connection() as index:
                    for last, number in self._batch.last.values():
                        super()._store_asset_event(index, last, number)
            finally:
                del self._batch.connections, self._batch.files, self._batch.last

    @property
    def supports_asset_checks(self) -> bool:
        """Looked up once, not at each event: it only ever becomes true."""
        if not self._has_checks:
            self._has_checks = super().supports_asset_checks
        return self._has_checks

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        files = getattr(self._batch, "files", None)
        if files is None:
            with super()._connect(shard) as connection:
                yield connection
            return
        if shard not in files:
            files[shard] = self._batch.connections.enter_context(super()._connect(shard))
        yield files[shard]

    def _store_asset_check_evaluation_planned(
        self, event: dg.EventLogEntry, event_id: int | None
    ) -> None:
        """A row for each partition, without the list of all the others that the event has."""
        assert event.dagster_event is not None
        planned = cast(AssetCheckEvaluationPlanned, event.dagster_event.event_specific_data)
        subset = planned.partitions_subset
        alone = event.dagster_event._replace(
            event_specific_data=replace(planned, partitions_subset=None)
        )
        text = serialize_value(event._replace(dagster_event=alone))
        rows = [
            {
                "asset_key": planned.asset_key.to_string(),
                "check_name": planned.check_name,
                "partition": partition,
                "run_id": event.run_id,
                "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
                "evaluation_event": text,
                "evaluation_event_timestamp": datetime.fromtimestamp(event.timestamp, UTC).replace(
                    tzinfo=None
                ),
                "evaluation_event_storage_id": event_id,
            }
            for partition in (subset.get_partition_keys() if subset else [None])
        ]
        with self.index_connection() as connection:
            connection.execute(AssetCheckExecutionsTable.insert(), rows)

    def _store_asset_event(self, conn: Connection, event: dg.EventLogEntry, event_id: int) -> None:
        """What the table of assets says of the last event: of a batch, once for each kind."""
        if not hasattr(self._batch, "last"):
            super()._store_asset_event(conn, event, event_id)
        elif event.dagster_event and event.dagster_event.asset_key:
            kind = event.dagster_event.event_type_value
            self._batch.last[event.dagster_event.asset_key, kind] = event, event_id
