"""Materializations of an asset as Dagster's event log has them: of each partition the last, or all.

In pages, so that no list of thousands goes into one query; never one query a partition.
"""

from collections.abc import Collection, Iterator

import dagster as dg

RECORDS_A_QUERY = 500


def latest_materializations(
    instance: dg.DagsterInstance, asset: dg.AssetKey, partitions: Collection[str]
) -> dict[str, dg.EventLogRecord]:
    """The last materialization of each of these partitions that has one."""
    if not partitions:
        return {}  # Dagster would take this for all
    found = instance.event_log_storage.get_latest_storage_id_by_partition(
        asset, dg.DagsterEventType.ASSET_MATERIALIZATION, set(partitions)
    )
    ids = list(found.values())
    return {
        str(record.partition_key): record
        for start in range(0, len(ids), RECORDS_A_QUERY)
        for record in instance.fetch_materializations(
            dg.AssetRecordsFilter(asset, storage_ids=ids[start : start + RECORDS_A_QUERY]),
            limit=RECORDS_A_QUERY,
        ).records
    }


def all_materializations(
    instance: dg.DagsterInstance, asset: dg.AssetKey
) -> Iterator[dg.EventLogRecord]:
    """All of them, the latest first."""
    cursor, more = None, True
    while more:
        page = instance.fetch_materializations(asset, RECORDS_A_QUERY, cursor)
        yield from page.records
        cursor, more = page.cursor, page.has_more
