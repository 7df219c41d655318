"""Partitions: how many groups each has, how they ended, how good their models are."""

from __future__ import annotations

from many_models.core.skill import skill_sql
from many_models.steps.pages.reader import Listing, Reader, Row, median_sql

TILES_MAX = 400
"""Partitions on the map, the largest ones; the table has them all, page by page."""

_BY = {
    "groups": "groups DESC, ",
    "trained": "trained DESC, ",
    "failed": "failed DESC, ",
    "skill": "skill IS NULL, skill, ",
    "trained_at": "trained_at IS NULL, trained_at DESC, ",
}


def list_partitions(reader: Reader, order: str = "groups", page: int = 1) -> Listing:
    """One page: ``name``, ``groups``, ``trained``, ``failed``, ``skill``, ``trained_at``."""
    return reader.listing(_select(reader), f"{_BY.get(order, '')}name", page)


def tiles(reader: Reader) -> list[Row]:
    """The largest partitions, for the map: ``name``, ``groups``, ``trained``, ``skill``."""
    return reader.rows(
        f"SELECT * FROM ({_select(reader)}) listed ORDER BY groups DESC, name LIMIT {TILES_MAX}"
    )


def _select(reader: Reader) -> str:
    value = skill_sql(reader.use_case)
    source = f"{{groups}} WHERE status = 'trained' AND {value} IS NOT NULL"
    medians = median_sql(value, source, by='"partition"')
    return (
        "SELECT counted.name, groups, trained, failed, trained_at, medians.median AS skill "
        'FROM (SELECT "partition" AS name, COUNT(*) AS groups, '
        "SUM(CASE WHEN status = 'trained' THEN 1 ELSE 0 END) AS trained, "
        "SUM(CASE WHEN status = 'failed' THEN 1 ELSE 0 END) AS failed, "
        'MAX(trained_at) AS trained_at FROM {groups} GROUP BY "partition") counted '
        f"LEFT JOIN ({medians}) medians ON medians.name = counted.name"
    )
