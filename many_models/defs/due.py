"""What is due: windows to extract, origins to forecast and to judge, partitions that there are.

Each question is answered by what was materialized so far and by what the lake holds, so that the
command line, jobs, schedules and sensors all answer it alike.
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

import dagster as dg

from many_models.adapters.lake.tables import Lake
from many_models.core.errors import UseCaseError
from many_models.core.new_data import Ingested
from many_models.core.use_case import AnyUseCase
from many_models.defs.forecast_accuracy import MEASURED_THROUGH
from many_models.defs.partitions import (
    available_before,
    available_part,
    group_partitions,
    last_time,
    origin_windows,
    raw_windows,
    readable_before,
    register_partitions,
    utc_now,
    windows_of,
)
from many_models.defs.raw_data import AVAILABLE_BEFORE, SOURCE_DIGEST, source_digest
from many_models.steps.group import data_through
from many_models.steps.ingest import find_partitions

logger = logging.getLogger(__name__)

RECORDS_A_PAGE = 1000


def due_windows(
    use_case: AnyUseCase,
    instance: dg.DagsterInstance,
    *,
    now: datetime | None = None,
    refresh: bool = False,
) -> list[str]:
    """Windows of raw data that are not ingested to their end, and the last one that is.

    Late rows come into the last one. ``refresh`` gives every window. ``now`` is in UTC.

    Raises:
        UseCaseError: no period of the source's span is over yet.
    """
    definition = raw_windows(use_case)
    before = available_before(use_case, now or utc_now())
    found = windows_of(definition, list(definition.get_partition_keys()))
    windows = [available_part(use_case, w, datetime.max) for w in found]
    begun = {window.key for window in windows if window.start < before}
    if not begun:
        raise UseCaseError(
            f"use case {use_case.name!r} has no data yet: no period is over since its "
            f"source.start, {use_case.source.start}"
        )
    reached = {} if refresh else _ingested_before(use_case, instance)
    last = max(reached.keys() & begun, default=None)
    readable = readable_before(use_case, before)
    return [
        window.key
        for window in windows
        if window.start < readable
        and (window.key == last or reached.get(window.key, datetime.min) < window.end)
    ]


def newest_origins(use_case: AnyUseCase, lake: Lake) -> list[str]:
    """The last origin whose window has data in the grouped datasets; none is no origin.

    Raises:
        LakeError: nothing was grouped yet.
    """
    definition, through = origin_windows(use_case), data_through(use_case, lake)
    found = windows_of(definition, list(definition.get_partition_keys()))
    return [window.key for window in found if window.start <= through][-1:]


def due_origins(use_case: AnyUseCase, instance: dg.DagsterInstance, lake: Lake) -> list[str]:
    """Origins of which more actuals have come since they were judged, or were never judged.

    Raises:
        LakeError: nothing was grouped yet.
    """
    definition, through = origin_windows(use_case), data_through(use_case, lake)
    asset = dg.AssetKey([use_case.name, "predictions"])
    predicted = instance.get_materialized_partitions(asset)
    reached = dict[str, datetime]()
    for key, metadata in _materializations(use_case, instance, "forecast_accuracy"):
        reached.setdefault(key, datetime.fromisoformat(str(metadata[MEASURED_THROUGH])))
    keys = list(definition.get_partition_keys())
    return [
        window.key
        for window in windows_of(definition, [key for key in keys if key in predicted])
        if reached.get(window.key, window.end - timedelta.resolution)
        < min(through, last_time(use_case, window))
    ]


def promoted_partitions(
    use_case: AnyUseCase, instance: dg.DagsterInstance, partitions: Sequence[str]
) -> list[str]:
    """Those of some partitions that were promoted at least once, so that they may have drifted."""
    asset = dg.AssetKey([use_case.name, "promoted_models"])
    promoted = instance.get_materialized_partitions(asset)
    return [key for key in partitions if key in promoted]


def sync_partitions(use_case: AnyUseCase, instance: dg.DagsterInstance, lake: Lake) -> list[str]:
    """Partitions of the raw data as it is; what was in others is gone from the lake, and they too.

    In the order in which Dagster has them.
    """
    name = group_partitions(use_case).name or ""
    known = instance.get_dynamic_partitions(name)  # first: what another run adds has data by then
    present = find_partitions(use_case, lake)
    if gone := [key for key in known if key not in set(present)]:
        logger.info("%d partitions have no data any more, such as %s", len(gone), gone[0])
        lake.grouped_datasets(use_case).replace_files(gone, lambda _: [], run_id="")
        for key in gone:
            instance.delete_dynamic_partition(name, key)
    register_partitions(use_case, instance, present)
    return list(instance.get_dynamic_partitions(name))


def new_windows(
    use_case: AnyUseCase, instance: dg.DagsterInstance, *, now: datetime | None = None
) -> list[str]:
    """Those of ``due_windows``, as long as one of them has a period that is over, and not ingested.

    Raises:
        UseCaseError: no period of the source's span is over yet.
    """
    moment = now or utc_now()
    keys, before = due_windows(use_case, instance, now=moment), available_before(use_case, moment)
    reached = _ingested_before(use_case, instance)
    found = windows_of(raw_windows(use_case), keys)
    ends = {w.key: available_part(use_case, w, datetime.max).end for w in found}
    new = any(reached.get(key, datetime.min) < min(end, before) for key, end in ends.items())
    return keys if new else []


def ingested_windows(use_case: AnyUseCase, instance: dg.DagsterInstance) -> dict[str, Ingested]:
    """Each window's last extraction from the source as it is now."""
    digest, found = source_digest(use_case), dict[str, Ingested]()

    @cache
    def started(run_id: str) -> float | None:
        run = instance.get_run_record_by_id(run_id)
        return (run.start_time or run.create_timestamp.timestamp()) if run else None

    for record in materialization_records(use_case, instance, "raw_data"):
        made = record.asset_materialization
        if made is None or made.partition is None:
            continue
        if made.metadata.get(SOURCE_DIGEST) != dg.MetadataValue.text(digest):
            break  # what is older may have made room for this
        reached = datetime.fromisoformat(str(made.metadata[AVAILABLE_BEFORE].value))
        at = datetime.fromtimestamp(started(record.run_id) or record.timestamp, UTC)
        found.setdefault(made.partition, Ingested(reached, at.replace(tzinfo=None)))
    return found


def extracted_before(use_case: AnyUseCase, instance: dg.DagsterInstance) -> datetime | None:
    """The time (exclusive) that extractions from the source have reached; None without any."""
    reached = _ingested_before(use_case, instance)
    ends = {w.key: w.end for w in windows_of(raw_windows(use_case), list(reached))}
    return max((min(before, ends[key]) for key, before in reached.items()), default=None)


def _ingested_before(use_case: AnyUseCase, instance: dg.DagsterInstance) -> dict[str, datetime]:
    """How far each window's last extraction from the source as it is now could reach."""
    return {key: found.reached for key, found in ingested_windows(use_case, instance).items()}


def _materializations(
    use_case: AnyUseCase, instance: dg.DagsterInstance, name: str
) -> Iterator[tuple[str, dict[str, object]]]:
    """Partition and metadata of each materialization of an asset, the latest first."""
    for record in materialization_records(use_case, instance, name):
        found = record.asset_materialization
        if found and found.partition:
            yield found.partition, {n: v.value for n, v in found.metadata.items()}


def materialization_records(
    use_case: AnyUseCase, instance: dg.DagsterInstance, name: str
) -> Iterator[dg.EventLogRecord]:
    """All materializations of an asset, the latest first."""
    asset = dg.AssetKey([use_case.name, name])
    cursor, more = None, True
    while more:
        page = instance.fetch_materializations(asset, RECORDS_A_PAGE, cursor)
        yield from page.records
        cursor, more = page.cursor, page.has_more
