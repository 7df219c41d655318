"""What is due: windows to extract, origins to forecast and to judge, partitions that there are.

Each question is answered by what was materialized so far and by what the lake holds, so that the
command line, jobs, schedules and sensors all answer it alike.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

import dagster as dg

from many_models.adapters.lake.tables import Lake
from many_models.core.errors import UseCaseError
from many_models.core.new_data import Ingested
from many_models.core.use_case import AnyUseCase
from many_models.defs.forecast_accuracy import MEASURED_THROUGH
from many_models.defs.materializations import all_materializations, latest_materializations
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
    reached = {} if refresh else _ingested_before(use_case, instance)
    return _due_windows(use_case, reached, available_before(use_case, now or utc_now()))


def _due_windows(
    use_case: AnyUseCase, reached: Mapping[str, datetime], before: datetime
) -> list[str]:
    """The same, with how far each window's last extraction could reach."""
    definition = raw_windows(use_case)
    found = windows_of(definition, list(definition.get_partition_keys()))
    windows = [available_part(use_case, w, datetime.max) for w in found]
    begun = {window.key for window in windows if window.start < before}
    if not begun:
        raise UseCaseError(
            f"use case {use_case.name!r} has no data yet: no period is over since its "
            f"source.start, {use_case.source.start}"
        )
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
    measured = dg.AssetKey([use_case.name, "forecast_accuracy"])
    reached = {
        key: datetime.fromisoformat(str(made.metadata[MEASURED_THROUGH].value))
        for key, record in latest_materializations(instance, measured, predicted).items()
        if (made := record.asset_materialization) and MEASURED_THROUGH in made.metadata
    }
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
    reached = _ingested_before(use_case, instance)
    before = available_before(use_case, now or utc_now())
    keys = _due_windows(use_case, reached, before)
    found = windows_of(raw_windows(use_case), keys)
    ends = {w.key: available_part(use_case, w, datetime.max).end for w in found}
    new = any(reached.get(key, datetime.min) < min(end, before) for key, end in ends.items())
    return keys if new else []


def ingested_windows(use_case: AnyUseCase, instance: dg.DagsterInstance) -> dict[str, Ingested]:
    """Each window's last extraction from the source as it is now."""
    digest, found = source_digest(use_case), dict[str, Ingested]()
    asset = dg.AssetKey([use_case.name, "raw_data"])
    there = len(instance.get_materialized_partitions(asset))

    @cache
    def started(run_id: str) -> float | None:
        run = instance.get_run_record_by_id(run_id)
        return (run.start_time or run.create_timestamp.timestamp()) if run else None

    for record in all_materializations(instance, asset):
        made = record.asset_materialization
        if made is None or made.partition is None or SOURCE_DIGEST not in made.metadata:
            continue  # somebody has reported one by hand, which says nothing of the lake
        if made.metadata.get(SOURCE_DIGEST) != dg.MetadataValue.text(digest):
            break  # what is older may have made room for this
        if made.partition in found:
            continue
        reached = datetime.fromisoformat(str(made.metadata[AVAILABLE_BEFORE].value))
        at = datetime.fromtimestamp(started(record.run_id) or record.timestamp, UTC)
        found[made.partition] = Ingested(reached, at.replace(tzinfo=None))
        if len(found) == there:
            break  # of each window the last
    return found


def extracted_before(use_case: AnyUseCase, instance: dg.DagsterInstance) -> datetime | None:
    """The time (exclusive) that extractions from the source have reached; None without any."""
    reached = _ingested_before(use_case, instance)
    ends = {w.key: w.end for w in windows_of(raw_windows(use_case), list(reached))}
    return max((min(before, ends[key]) for key, before in reached.items()), default=None)


def _ingested_before(use_case: AnyUseCase, instance: dg.DagsterInstance) -> dict[str, datetime]:
    """How far each window's last extraction from the source as it is now could reach."""
    return {key: found.reached for key, found in ingested_windows(use_case, instance).items()}
