"""Command ``retraining``: what the sensor would ask for now and why, and what became of requests.

It looks and changes nothing: requesting is the sensor's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from many_models import settings
from many_models.commands.table import as_table
from many_models.commands.use_case import UseCaseFile
from many_models.core.retraining import Plan
from many_models.core.retraining_requests import Request
from many_models.core.retraining_summary import HURDLES
from many_models.core.use_case import AnyUseCase

Row = Mapping[str, Any]

_DUE = ("partition", "reason", "value", "core-minutes", "attempt", "why")
_DEFERRED = ("partition", "reason", "hurdle", "until (UTC)", "what it waits for", "why")
_REQUESTS = (
    *("requested at (UTC)", "partition", "reason", "attempt", "outcome"),
    *("promoted", "core-minutes", "run", "why"),
)


@click.command()
@click.argument("use_case", type=UseCaseFile())
@click.option("--limit", default=20, show_default=True, help="Rows of each table; 0 for all.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def retraining(use_case: AnyUseCase, limit: int, as_json: bool) -> None:
    """Tell which partitions are due for retraining and why, and how past requests ended.

    Starts nothing: sensor <name>_retraining does, when it is switched on in Dagster.
    """
    plan, requests = _look(use_case)
    past = sorted(requests, key=lambda r: (r.requested_at, r.request_id), reverse=True)
    found = {"due": _due(plan), "deferred": _deferred(plan), "requests": [asdict(r) for r in past]}
    if as_json:
        shown = {name: rows[:limit] if limit else rows for name, rows in found.items()}
        click.echo(json.dumps(shown, indent=2, default=str))
        return
    _print("Due now", _DUE, [_due_row(row) for row in found["due"]], limit)
    _print("Deferred", _DEFERRED, [_deferred_row(row) for row in found["deferred"]], limit)
    _print("Requests", _REQUESTS, [_request_row(row) for row in found["requests"]], limit)


def _look(use_case: AnyUseCase) -> tuple[Plan, Sequence[Request]]:
    from many_models.adapters.lake.tables import Lake
    from many_models.defs.instance import open_instance  # takes seconds
    from many_models.defs.retraining import look
    from many_models.steps.results import open_results

    results = open_results(os.environ[settings.STORE], use_case)
    with open_instance(Path(os.environ[settings.HOME])) as instance:
        found = look(use_case, instance, Lake(os.environ[settings.LAKE]), results)
    return found.plan, found.history


def _due(plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            "partition": p.partition,
            "reason": p.cause.reason,
            "value": p.cause.value,
            "estimated_core_seconds": p.core_seconds,
            "attempt": p.attempt,
            "detail": p.cause.detail,
        }
        for p in plan.proposals
    ]


def _deferred(plan: Plan) -> list[dict[str, Any]]:
    return [asdict(deferral) for deferral in plan.deferrals]


def _due_row(row: Row) -> list[str]:
    minutes = row["estimated_core_seconds"] / 60
    figures = f"{row['value']:.4g}", f"{minutes:,.1f}", str(row["attempt"])
    return [row["partition"], row["reason"], *figures, row["detail"]]


def _deferred_row(row: Row) -> list[str]:
    hurdle = HURDLES[row["hurdle"]]
    words = [row["partition"], row["reason"], hurdle, _minute(row["until"])]
    return [*words, row["text"], row["detail"]]


def _request_row(row: Row) -> list[str]:
    promoted = "" if row["promoted"] is None else f"{row['promoted']} of {row['trained']}"
    minutes = "" if row["core_seconds"] is None else f"{row['core_seconds'] / 60:,.1f}"
    words = [_minute(row["requested_at"]), row["partition"], row["reason"], str(row["attempt"])]
    return [*words, row["outcome"], promoted, minutes, (row["run_id"] or "")[:8], row["detail"]]


def _minute(moment: object) -> str:
    return "" if moment is None else str(moment)[:16]


def _print(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], limit: int) -> None:
    click.secho(f"{title}: {len(rows):,}", bold=True)
    shown = rows[:limit] if limit else rows
    if shown:
        click.echo(as_table(header, shown))
    if len(shown) < len(rows):
        click.echo(f"... and {len(rows) - len(shown):,} more; --limit 0 shows all")
    click.echo()
