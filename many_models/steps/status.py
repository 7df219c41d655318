"""The state of a use case in figures, read from the result store and the production registry."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from many_models.adapters.mlflow_registry import MlflowRegistry
from many_models.steps.results import Results


@dataclass(frozen=True, slots=True)
class Status:
    """Groups by how their last training ended, and what production and the predictions hold.

    ``predictions`` and ``baseline_predictions`` count rows of the last origin; ``seconds`` are of each
    stage's last run.
    """

    groups: int
    trained: int
    skipped: int
    failed: int
    promoted: int
    champions: int
    predictions: int
    baseline_predictions: int
    last_origin: datetime | None
    seconds: dict[str, float]


def read_status(results: Results, production: MlflowRegistry) -> Status:
    """Status of the use case that ``results`` belongs to; zeros for what was never run."""
    ledger = results.latest("ledger").to_pylist()
    statuses = Counter(row["status"] for row in ledger)
    runs = {row["partition"]: row["run_id"] for row in ledger}
    verdicts = results.latest("verdicts").to_pylist()
    origin, sources = _last_origin(results)
    return Status(
        groups=len(ledger),
        trained=statuses["trained"],
        skipped=statuses["skipped"],
        failed=statuses["failed"],
        promoted=sum(v["accepted"] for v in verdicts if v["run_id"] == runs.get(v["partition"])),
        champions=len(production.champions(results.use_case.name)),
        predictions=sum(sources.values()),
        baseline_predictions=sources.get("baseline", 0),
        last_origin=origin,
        seconds=_stage_seconds(results),
    )


def _last_origin(results: Results) -> tuple[datetime | None, dict[str, int]]:
    table = results.name("predictions")
    if not results.store.has_table(table):
        return None, {}
    rows = results.store.query(
        f'SELECT origin, source, COUNT(*) AS n FROM "{table}" '
        f'WHERE origin = (SELECT MAX(origin) FROM "{table}") GROUP BY origin, source'
    ).to_pylist()
    return (rows[0]["origin"] if rows else None), {row["source"]: int(row["n"]) for row in rows}


def _stage_seconds(results: Results) -> dict[str, float]:
    table = results.name("stages")
    if not results.store.has_table(table):
        return {}
    rows: list[dict[str, Any]] = results.store.query(
        f'SELECT stage, seconds FROM "{table}" ORDER BY started_at'
    ).to_pylist()
    return {row["stage"]: round(row["seconds"], 1) for row in rows}
