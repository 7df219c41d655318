"""The state of a use case in figures, read from the result store and the production registry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from many_models.adapters.registry.readable_registry import ReadableRegistry
from many_models.core.registration import POOLED_TAG
from many_models.steps.results import Results


@dataclass(frozen=True, slots=True)
class Status:
    """Groups by how their last training ended, and what production and the predictions hold.

    ``promoted`` counts the groups' models of the last training that were accepted, ``champions``
    those in production and ``pooled_models`` the partitions' there; ``predictions`` and what of
    them others than groups' own models have made are rows of the last origin; ``seconds`` are of
    each stage's last run. ``drifted``, ``shifted`` and ``stale`` count champions,
    ``being_retrained`` the partitions that the retraining sensor has asked for and of which it has
    seen no end yet. Where the use case has an inventory, ``with_safety_stock`` counts the groups
    that got one at the last origin, ``to_be_ordered`` those whose stock is below.
    """

    groups: int
    trained: int
    skipped: int
    failed: int
    promoted: int
    champions: int
    pooled_models: int
    predictions: int
    pooled_predictions: int
    baseline_predictions: int
    last_origin: datetime | None
    drifted: int
    shifted: int
    stale: int
    seconds: dict[str, float]
    being_retrained: int = 0
    with_safety_stock: int | None = None
    to_be_ordered: int | None = None


def read_status(results: Results, production: ReadableRegistry) -> Status:
    """Status of the use case that ``results`` belongs to; zeros for what was never run."""
    statuses = _count_statuses(results)
    origin, sources = _last_origin(results)
    champions = production.champions(results.use_case.name)
    pooled = sum(POOLED_TAG in champion.tags for champion in champions)
    return Status(
        groups=sum(statuses.values()),
        trained=statuses.get("trained", 0),
        skipped=statuses.get("skipped", 0),
        failed=statuses.get("failed", 0),
        promoted=_count_accepted(results),
        champions=len(champions) - pooled,
        pooled_models=pooled,
        predictions=sum(sources.values()),
        pooled_predictions=sources.get("pooled", 0),
        baseline_predictions=sources.get("baseline", 0),
        last_origin=origin,
        **_count_drift(results),
        seconds=_stage_seconds(results),
        being_retrained=_count_requested(results),
        **_count_stock(results),
    )


def _count_statuses(results: Results) -> dict[str, int]:
    sql = 'SELECT status, COUNT(*) AS n FROM "{latest_ledger}" GROUP BY status'
    return {row["status"]: int(row["n"]) for row in _query(results, sql, "latest_ledger")}


def _count_accepted(results: Results) -> int:
    """Accepted models of each partition's last training, which may not be judged yet."""
    rows = _query(
        results,
        'SELECT COUNT(*) AS n FROM "{latest_verdicts}" v JOIN '
        '(SELECT DISTINCT "partition", run_id FROM "{latest_ledger}") l '
        'ON v."partition" = l."partition" AND v.run_id = l.run_id '
        "WHERE v.accepted AND v.group_key IS NOT NULL",
        "latest_verdicts",
        "latest_ledger",
    )
    return int(rows[0]["n"]) if rows else 0


def _count_drift(results: Results) -> dict[str, int]:
    """Champions that have drifted, whose data have shifted, or that are old, as last measured."""
    names = ("drifted", "shifted", "stale")
    sums = ", ".join(f"SUM({name}) AS {name}" for name in names)
    rows = _query(results, f'SELECT {sums} FROM "{{drift_by_partition}}"', "drift_by_partition")
    return {name: int((rows[0][name] if rows else 0) or 0) for name in names}


def _last_origin(results: Results) -> tuple[datetime | None, dict[str, int]]:
    rows = _query(
        results,
        'SELECT origin, source, COUNT(*) AS n FROM "{predictions}" '
        'WHERE origin = (SELECT MAX(origin) FROM "{predictions}") GROUP BY origin, source',
        "predictions",
    )
    return (rows[0]["origin"] if rows else None), {row["source"]: int(row["n"]) for row in rows}


def _stage_seconds(results: Results) -> dict[str, float]:
    rows = _query(results, 'SELECT stage, seconds FROM "{stages}" ORDER BY started_at', "stages")
    return {row["stage"]: round(row["seconds"], 1) for row in rows}


def _count_requested(results: Results) -> int:
    sql = "SELECT COUNT(*) AS n FROM \"{retraining}\" WHERE outcome = 'requested'"
    rows = _query(results, sql, "retraining")
    return int(rows[0]["n"]) if rows else 0


def _count_stock(results: Results) -> dict[str, int]:
    if all(table.suffix != "inventory" for table in results.declaration.tables):
        return {}
    rows = _query(
        results,
        "SELECT COUNT(order_up_to) AS known, COUNT(CASE WHEN order_quantity > 0 THEN 1 END) AS low "
        'FROM "{latest_inventory}"',
        "latest_inventory",
    )
    return {"with_safety_stock": int(rows[0]["known"]), "to_be_ordered": int(rows[0]["low"])}


def _query(results: Results, sql: str, *tables: str) -> list[dict[str, Any]]:
    """Rows of a query about these tables; none where one of them is not there yet."""
    names = {table: results.name(table) for table in tables}
    rows: list[dict[str, Any]] = results.store.query(sql.format(**names)).to_pylist()
    return rows
