"""Commands about production: ``models``, ``history`` and ``rollback``.

Here belong the flags and what is printed; what a rollback is stands in ``steps.rollback``.
"""

from __future__ import annotations

import getpass
import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click

from many_models import settings
from many_models.commands.table import as_table
from many_models.commands.use_case import UseCaseFile
from many_models.core.registration import (
    CANDIDATE_TAG,
    PROMOTED_AT_TAG,
    PROMOTED_BY_TAG,
    REPLACES_TAG,
    ROLLBACK_ID_TAG,
    ROLLBACK_REASON_TAG,
    ROLLED_BACK_AT_TAG,
    ROLLED_BACK_BY_TAG,
    ROLLED_BACK_TO_TAG,
    ModelVersion,
)
from many_models.core.rollback import BASELINE, ChampionChange, Rollback, RollbackPlan
from many_models.core.use_case import AnyUseCase

if TYPE_CHECKING:
    from many_models.adapters.registry.mlflow_registry import MlflowRegistry
    from many_models.adapters.registry.readable_registry import ReadableRegistry

CHANGES_SHOWN = 20
_SAID = {
    "promoted_at": PROMOTED_AT_TAG,
    "promoted_by": PROMOTED_BY_TAG,
    "candidate": CANDIDATE_TAG,
    "score": "score",
    "replaces": REPLACES_TAG,
    "rolled_back_at": ROLLED_BACK_AT_TAG,
    "rolled_back_by": ROLLED_BACK_BY_TAG,
    "rolled_back_to": ROLLED_BACK_TO_TAG,
    "reason": ROLLBACK_REASON_TAG,
    "rollback_id": ROLLBACK_ID_TAG,
}
_COLUMNS = ("version", "promoted at (UTC)", "by run", "candidate", "score", "replaces", "")


@click.command()
@click.argument("use_case", type=UseCaseFile())
@click.option("--partition", "-p", "partitions", multiple=True, help="Only of this partition.")
@click.option("--limit", default=20, show_default=True, help="Print at most so many; 0 for all.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def models(use_case: AnyUseCase, partitions: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List the champions in the production registry."""
    found = _champions(use_case).champions(use_case.name, partitions or None)
    shown = found[:limit] if limit else found
    if as_json:
        click.echo(json.dumps([asdict(version) for version in shown], indent=2))
        return
    for version in shown:
        score, candidate = float(version.tags["score"]), version.tags["candidate"]
        click.echo(f"{version.name:50} v{version.version:<4} {candidate:18} {score:8.3f}")
    click.echo(f"{len(shown)} of {len(found)} champions, with {use_case.metric}")


@click.command()
@click.argument("use_case", type=UseCaseFile())
@click.option("--key", required=True, help="Such as store_id=17,department=DELI.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def history(use_case: AnyUseCase, key: str, as_json: bool) -> None:
    """List the versions that one key had in production, and which is champion."""
    from many_models.steps.rollback import read_history

    found = read_history(use_case, key, _champions(use_case))
    rows = [_described(version, found.champion) for version in reversed(found.versions)]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    click.echo(found.name)
    click.echo(as_table(_COLUMNS, [_shown(row) for row in rows]))
    if found.champion is None:
        click.echo("No version is champion: the pooled model or the baseline stands in.")


@click.command()
@click.argument("use_case", type=UseCaseFile())
@click.option("--key", help="Undo the last promotion of store_id=17,department=DELI, for instance.")
@click.option("--partition", help="Undo the latest promotion in this partition.")
@click.option("--run", "run_id", help="Undo what this run promoted and is champion still.")
@click.option("--reason", required=True, help="Why; the history keeps it.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
def rollback(
    use_case: AnyUseCase,
    key: str | None,
    partition: str | None,
    run_id: str | None,
    reason: str,
    yes: bool,
) -> None:
    """Let champions give way to those that they replaced: of a key, a partition or a run.

    Rolling back again goes back one further. Where nothing came before, the
    pooled model or the baseline stands in.
    """
    from many_models.steps.results import open_results
    from many_models.steps.rollback import Selection, carry_out, plan

    if sum(value is not None for value in (key, partition, run_id)) != 1:
        raise click.UsageError("give one of --key, --partition and --run")
    order = Rollback(str(uuid4()), datetime.now(UTC), _user(), reason)
    results = open_results(os.environ[settings.STORE], use_case)
    results.store.check()
    production = _production(use_case)
    found = plan(
        use_case, Selection.of(key=key, partition=partition, run=run_id), order.id, production
    )
    _announce(found)
    if not yes:
        click.confirm("Roll back?", abort=True)
    count = carry_out(use_case, found, order, production=production, results=results)
    click.echo(
        f"Rolled back {count:,} {_models(count)}; rollback {order.id}. The next predictions are "
        "made by these champions; those written before stay."
    )


def _champions(use_case: AnyUseCase) -> ReadableRegistry:
    from many_models.defs.resources import build_champions

    return build_champions(use_case, os.environ)


def _production(use_case: AnyUseCase) -> MlflowRegistry:
    from many_models.defs.resources import build_registry

    return build_registry(use_case, "production", os.environ)


def _announce(found: RollbackPlan) -> None:
    rows = [(c.name, f"v{c.from_version}", _target(c)) for c in found.changes[:CHANGES_SHOWN]]
    click.echo(as_table(("model", "from", "to"), rows))
    if (more := len(found.changes) - CHANGES_SHOWN) > 0:
        click.echo(f"... and {more:,} more")
    count, last = len(found.changes), sum(c.to_version is None for c in found.changes)
    text = f"{count:,} {_models(count)}"
    click.echo(f"{text}, of which {last:,} to the baseline" if last else text)
    if stay := len(found.superseded):
        click.echo(f"not of {stay:,} {_models(stay)}: another version is champion by now")
    if stay := len(found.undone):
        click.echo(f"not of {stay:,} {_models(stay)}: rolled back before")


def _target(change: ChampionChange) -> str:
    return BASELINE if change.to_version is None else f"v{change.to_version}"


def _models(count: int) -> str:
    return "model" if count == 1 else "models"


def _described(version: ModelVersion, champion: int | None) -> dict[str, Any]:
    """What the history says of one version; None for what it does not know."""
    row: dict[str, Any] = {name: version.tags.get(tag) for name, tag in _SAID.items()}
    if row["replaces"] is not None:
        row["replaces"] = int(row["replaces"])
    return {"version": version.version, "champion": version.version == champion, **row}


def _shown(row: dict[str, Any]) -> tuple[str, ...]:
    state = "champion" if row["champion"] else ""
    if row["rolled_back_at"] is not None and not row["champion"]:
        target = row["rolled_back_to"]
        to = BASELINE if target == BASELINE else f"v{target}"
        when, by = _minute(row["rolled_back_at"]), row["rolled_back_by"]
        state = f"rolled back to {to} on {when} by {by}: {row['reason']}"
    score = "" if row["score"] is None else f"{float(row['score']):.3f}"
    replaces = "" if row["replaces"] is None else f"v{row['replaces']}"
    when, run_id = _minute(row["promoted_at"]), row["promoted_by"] or ""
    return (f"v{row['version']}", when, run_id, row["candidate"] or "", score, replaces, state)


def _minute(moment: str | None) -> str:
    return "" if moment is None else moment[:16].replace("T", " ")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"user {os.getuid()}"
