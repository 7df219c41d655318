"""Ingest: extract time windows from the source database into the lake, and inspect them there."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from many_models.adapters.lake.tables import Lake
from many_models.adapters.sources.database import SourceDatabase
from many_models.core.errors import ManyModelsError, raise_failed
from many_models.core.lake_schema import WINDOW, raw_columns, raw_schema
from many_models.core.sharding import partition_of
from many_models.core.use_case import AnyUseCase

logger = logging.getLogger(__name__)

TRIED_IN_VAIN = 3  # windows at the beginning of a run, before the source itself is to blame
PROGRESS_LINES = 12  # at least, where there are that many windows


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """One partition of raw data: the half-open window [start, end) under its partition key."""

    key: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class WindowReport:
    """What the lake holds of one window, next to what the source would give now."""

    rows: int
    source_rows: int
    null_keys: int
    duplicates: int
    schema_differences: tuple[str, ...]


def ingest_windows(
    use_case: AnyUseCase,
    windows: Sequence[TimeWindow],
    source: SourceDatabase,
    lake: Lake,
    run_id: str,
    *,
    over_before: datetime = datetime.max,
) -> dict[str, int]:
    """Replace windows of ``raw_data`` by what the source holds; returns the rows of each.

    Of a period that is not over (it begins at ``over_before`` or later), only what is known in the
    future is taken: its target and its past-only features are null. A window that fails stays as it
    was.

    Raises:
        SourceError: the source cannot be read, or the first ``TRIED_IN_VAIN`` windows all fail.
        PartitionsError: some windows hold what does not fit the use case; the others are replaced.
    """
    table, query = lake.raw_data(use_case), query_of(use_case, source)
    schema, rows = raw_columns(use_case), dict[str, int]()
    errors: dict[str, ManyModelsError] = {}
    for number, window in enumerate(windows, start=1):
        try:
            batches = source.stream(query, start=window.start, end=window.end, schema=schema)
            if window.end > over_before:
                batches = _without_unfinished(batches, use_case, over_before)
            rows[window.key] = table.replace(window.key, batches, run_id)
        except ManyModelsError as error:
            if not rows and number >= TRIED_IN_VAIN:
                raise
            logger.warning("window %s failed: %s", window.key, error)
            errors[window.key] = error
        if number % max(1, len(windows) // PROGRESS_LINES) == 0:
            done = f"{number} / {len(windows)}"
            logger.info("ingested %s windows, %d rows", done, sum(rows.values()))
    raise_failed(errors, rows, len(windows))
    return rows


def _without_unfinished(
    batches: pa.RecordBatchReader, use_case: AnyUseCase, over_before: datetime
) -> pa.RecordBatchReader:
    hidden = use_case.unknown_ahead
    moment = pa.scalar(over_before, pa.timestamp("us"))

    def masked() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            over = pc.less(batch[use_case.time.column], moment)
            columns = [
                pc.if_else(over, batch[name], None) if name in hidden else batch[name]
                for name in batch.schema.names
            ]
            yield pa.record_batch(columns, schema=batch.schema)

    return pa.RecordBatchReader.from_batches(batches.schema, masked())


def keep_windows(use_case: AnyUseCase, windows: Sequence[str], lake: Lake, run_id: str) -> None:
    """Remove from ``raw_data`` what lies in other windows: the use case had them once."""
    table = lake.raw_data(use_case)
    found = {file.partition[WINDOW] for file in table.snapshot().files}
    if gone := sorted(found - set(windows)):
        logger.info("%d windows leave raw_data: the use case has them no more", len(gone))
        table.replace_files(gone, lambda _: [], run_id)


def query_of(use_case: AnyUseCase, source: SourceDatabase) -> str:
    """The SELECT that gives one window of the use case's columns."""
    if use_case.source.query is not None:
        return use_case.source.query
    assert use_case.source.table is not None  # the use case has a query or a table
    return source.window_query(use_case.source.table, use_case.time.column, use_case.columns)


def find_partitions(
    use_case: AnyUseCase, lake: Lake, windows: Sequence[str] | None = None
) -> list[str]:
    """Partitions of the groups that occur in these windows (in any by default), sorted."""
    return sorted({partition_of(key, use_case) for key in find_keys(use_case, lake, windows)})


def find_keys(
    use_case: AnyUseCase, lake: Lake, windows: Sequence[str] | None = None
) -> set[tuple[str, ...]]:
    """Keys of the groups that occur in these windows (in any by default)."""
    table, names = lake.raw_data(use_case), list(use_case.keys)
    keys: set[tuple[str, ...]] = set()
    for batch in table.dataset(windows).to_batches(columns=names):
        found = pa.Table.from_batches([batch]).group_by(names).aggregate([]).drop_null()
        keys.update(zip(*(found[name].to_pylist() for name in names), strict=True))
    return keys


def inspect_window(
    use_case: AnyUseCase, window: TimeWindow, source: SourceDatabase, lake: Lake
) -> WindowReport:
    """Facts that the checks of ``raw_data`` judge."""
    table = lake.raw_data(use_case)
    columns = [*use_case.keys, use_case.time.column, *use_case.row_id_columns]
    dataset = table.dataset([window.key])
    rows = dataset.to_table(columns=columns)
    null_keys = pc.sum(_any_null(rows, use_case.keys)).as_py() or 0
    distinct = rows.group_by(columns).aggregate([]).num_rows
    return WindowReport(
        rows=rows.num_rows,
        source_rows=source.count(query_of(use_case, source), start=window.start, end=window.end),
        null_keys=null_keys,
        duplicates=rows.num_rows - distinct,
        schema_differences=_compare(raw_schema(use_case), dataset.schema),
    )


def _any_null(rows: pa.Table, columns: tuple[str, ...]) -> pa.ChunkedArray:
    found = pc.is_null(rows[columns[0]])
    for name in columns[1:]:
        found = pc.or_(found, pc.is_null(rows[name]))
    return found


def _compare(declared: pa.Schema, found: pa.Schema) -> tuple[str, ...]:
    differences = []
    for field in declared:
        if field.name == WINDOW:
            continue
        place = found.get_field_index(field.name)
        actual = found.field(place).type if place >= 0 else None
        if actual != field.type:
            differences.append(f"{field.name}: declared {field.type}, found {actual}")
    return tuple(differences)
