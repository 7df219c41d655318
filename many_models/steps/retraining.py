"""The audit of retraining: table ``<use case>_retraining``, a row for each request of a partition.

Here belong reading and writing it, and what the ledger and the verdicts say of a request's run.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, fields
from datetime import datetime, timedelta

import pyarrow as pa

from many_models.core.result_tables.fact_schemas import retraining_schema
from many_models.core.retraining_requests import Request, TrainedCounts
from many_models.steps.results import Results

TABLE = "retraining"
REMEMBERED = timedelta(days=400)
"""Requests that are older have no say in anything any more; the table keeps them."""


def read_requests(results: Results, now: datetime) -> list[Request]:
    """Requests that may still matter, the oldest first."""
    names = ", ".join(f'"{field.name}"' for field in fields(Request))
    rows = results.store.query(
        f'SELECT {names} FROM "{results.name(TABLE)}" WHERE requested_at > :since '
        'ORDER BY requested_at, request_id, "partition"',
        {"since": now - REMEMBERED},
    ).to_pylist()
    return [Request(**row) for row in rows]


def write_requests(results: Results, requests: Sequence[Request], changed: Collection[str]) -> None:
    """Make the rows of the ``changed`` requests (by id) what they are among ``requests``.

    One transaction: who reads sees all of a tick or nothing.
    """
    rows = [asdict(request) for request in requests if request.request_id in changed]
    if rows:
        table = pa.Table.from_pylist(rows, schema=retraining_schema())
        results.replace(TABLE, table, {"request_id": sorted(changed)})


def read_counts(results: Results, run_ids: Collection[str]) -> dict[tuple[str, str], TrainedCounts]:
    """What these runs trained and promoted, by run and partition; none of what they never began."""
    if not run_ids:
        return {}
    named = {f"r{number}": run_id for number, run_id in enumerate(sorted(run_ids))}
    among = f"run_id IN ({', '.join(f':{name}' for name in named)})"
    trained = results.store.query(
        "SELECT run_id, \"partition\", SUM(CASE WHEN status = 'trained' THEN 1 ELSE 0 END) AS n, "
        f'SUM(core_seconds) AS core_seconds FROM "{results.name("ledger")}" WHERE {among} '
        'GROUP BY run_id, "partition"',
        named,
    ).to_pylist()
    rows = results.store.query(
        f'SELECT run_id, "partition", COUNT(*) AS n FROM "{results.name("verdicts")}" '
        f'WHERE {among} AND accepted AND group_key IS NOT NULL GROUP BY run_id, "partition"',
        named,
    ).to_pylist()
    accepted = {(row["run_id"], row["partition"]): int(row["n"]) for row in rows}
    return {
        (row["run_id"], row["partition"]): TrainedCounts(
            trained=int(row["n"]),
            promoted=accepted.get((row["run_id"], row["partition"]), 0),
            core_seconds=float(row["core_seconds"] or 0),
        )
        for row in trained
    }
