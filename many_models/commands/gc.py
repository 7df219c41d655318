"""The command ``many-models gc``: its flags and what it prints.

What may go is decided in ``core.retention``, what is done about it in ``steps.collect_garbage``.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import nullcontext
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from many_models import settings
from many_models.commands.use_case import UseCaseFile
from many_models.core.use_case import AnyUseCase
from many_models.progress import show_progress

if TYPE_CHECKING:
    from many_models.steps.collect_garbage import Collected, CollectedGarbage

_AGE = re.compile(r"0|(?P<count>\d+(\.\d+)?) ?(?P<unit>d|days?|h|hours?|min|minutes?)")
_HOURS = {"d": 24, "h": 1, "m": 1 / 60}
_UNITS = ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB"))


class Age(click.ParamType[timedelta]):
    """A span of time with its unit, such as 2d, 36h or '2 days'; or 0."""

    name = "age"

    def convert(self, value: Any, param: Any, ctx: Any) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = _AGE.fullmatch(str(value).strip())
        if found is None:
            self.fail(f"{value!r} is no age: give one such as 2d, 36h, 90min or 0", param, ctx)
        return timedelta(hours=float(found["count"] or 0) * _HOURS[(found["unit"] or "h")[0]])


@click.command()
@click.argument("use_case", type=UseCaseFile())
@click.option(
    "--keep",
    default=3,
    show_default=True,
    type=click.IntRange(1),
    metavar="N",
    help="Versions of each model that stay, besides all that were ever promoted.",
)
@click.option(
    "--min-age",
    default="2 days",
    show_default=True,
    type=Age(),
    help="Packs younger than this stay: a run under way may still need them.",
)
@click.option("--yes", is_flag=True, help="Delete; without it, only tell what would go.")
@click.option("--vacuum", is_flag=True, help="Shrink SQLite's file, which locks it meanwhile.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def gc(
    use_case: AnyUseCase, keep: int, min_age: timedelta, yes: bool, vacuum: bool, as_json: bool
) -> None:
    """Delete old versions from the training registry, and files that no model needs.

    Tells what would go; with --yes it goes. No version goes that was ever promoted.
    """
    from many_models.adapters.registry.mlflow_registry import MlflowRegistry
    from many_models.defs.resources import build_champions, build_registry
    from many_models.steps.collect_garbage import Rules, collect_garbage

    log = Path(os.environ[settings.HOME]) / "logs" / "gc.log"
    with nullcontext() if as_json else show_progress(log):
        champions = build_champions(use_case, os.environ)
        production: MlflowRegistry | None = None
        if os.environ[settings.PRODUCTION_REGISTRY] and champions.is_set_up():
            production = build_registry(use_case, "production", os.environ)
        found = collect_garbage(
            use_case,
            Rules(keep, min_age),
            training=build_registry(use_case, "training", os.environ),
            production=production,
            champions=champions,
            delete=yes,
            vacuum=vacuum,
        )
    click.echo(json.dumps(asdict(found), indent=2) if as_json else describe(found, keep))


def describe(found: CollectedGarbage, keep: int) -> str:
    """The report as a person reads it."""
    verb = "Deleted" if found.done else "Would delete"
    lines = [
        f"{verb} {found.training.versions:,} of {found.versions:,} versions in training: each "
        f"model keeps its last {keep}, and all that were ever promoted ({found.promoted:,} "
        "promotions)."
    ]
    lines += _describe_registry("training", found.training, found.done)
    if found.production is None:
        lines.append("production: not looked at, as it may only be read from here")
    else:
        lines += _describe_registry("production", found.production, found.done)
    if not found.done:
        lines.append("\nNothing was deleted: --yes does it.")
    return "\n".join(lines)


def _describe_registry(name: str, found: Collected, done: bool) -> list[str]:
    lines = [f"\n{name}"]
    if found.protected:
        text = "old versions stay: an alias points to them, or their runs are somebody else's"
        lines.append(f"  {found.protected:,} {text}")
    for table, count in found.rows.items():
        lines.append(f"  {count:>12,} rows of {table}")
    if found.rows:
        lines.append(f"  {sum(found.rows.values()):>12,} rows in all")
    freed = "freed on the disk" if done else "to be freed on the disk"
    lines.append(f"  {found.packs:,} packs that no model needs: {_bytes(found.pack_bytes)} {freed}")
    if found.young_packs:
        size = _bytes(found.young_bytes)
        lines.append(f"  {found.young_packs:,} more, {size}, stay until they reach --min-age")
    if found.held_packs:
        lines.append(
            f"  {found.held_packs:,} packs, {_bytes(found.held_bytes)}, hold living models beside "
            f"those that go: about {_bytes(found.held_dead_bytes)} cannot be freed"
        )
    if found.unpacked:
        text = "models that go were not in packs: the folders of their files stay"
        lines.append(f"  {found.unpacked:,} {text}")
    if found.page_bytes is not None and found.rows:
        lines.append(
            f"  {_bytes(found.page_bytes)} became free in the database's file, for rows to come"
            + ("" if found.vacuumed_bytes else "; --vacuum gives them back")
        )
    if found.vacuumed_bytes:
        lines.append(f"  {_bytes(found.vacuumed_bytes)} of the database's file given back")
    if found.note:
        lines.append(f"  {found.note}.")
    return lines


def _bytes(count: int) -> str:
    for size, unit in _UNITS:
        if abs(count) >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count:,} bytes"
