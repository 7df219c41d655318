"""Commands ``run`` and ``status``, and the run of a whole pipeline that ``demo`` makes as well."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from many_models import settings
from many_models.commands.use_case import UseCaseFile
from many_models.core.use_case import AnyUseCase
from many_models.progress import show_progress

if TYPE_CHECKING:
    from many_models.defs.launch import FailedCheck
    from many_models.steps.status import Status

CHECK_FAILED = 3
OF_SOME = ("with_safety_stock", "to_be_ordered")  # figures that only some use cases have
WITHHELD_SHOWN = 10


@click.command()
@click.argument("use_case", type=UseCaseFile())
@click.option("--partition", "-p", "partitions", multiple=True, help="Train only this partition.")
@click.option("--refresh", is_flag=True, help="Extract every window again, not only what is new.")
def run(use_case: AnyUseCase, partitions: tuple[str, ...], refresh: bool) -> None:
    """Ingest what is new, train, judge, promote, and forecast from the last origin."""
    run_use_case(use_case, partitions, refresh=refresh)


@click.command()
@click.argument("use_case", type=UseCaseFile())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(use_case: AnyUseCase, as_json: bool) -> None:
    """Print how many groups are trained, promoted and forecast."""
    found = _read_status(use_case)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2, default=str))
    else:
        _print_status(found)


def run_use_case(
    use_case: AnyUseCase,
    partitions: tuple[str, ...] = (),
    *,
    refresh: bool = False,
    prepare: Callable[[], object] = lambda: None,
) -> None:
    """Run the pipeline, once ``prepare`` has made its source, and print what came of it."""
    from many_models.adapters.spark.session import check_java

    check_java()
    started = time.monotonic()
    with show_progress(Path(os.environ[settings.HOME]) / "logs" / "run.log"):
        prepare()
        from many_models.defs.instance import open_instance  # takes seconds
        from many_models.defs.launch import Launcher

        with open_instance(Path(os.environ[settings.HOME])) as instance:
            report = Launcher(use_case, instance).run(partitions, refresh=refresh)
        status = _read_status(use_case)
    click.echo()
    _print_status(status)
    click.echo(f"{'whole run':24}{time.monotonic() - started:>12,.1f} s\n")
    if report.withheld:
        names = _shorten(report.withheld, WITHHELD_SHOWN)
        click.echo(f"Withheld from production, as too few of their models qualify: {names}.\n")
    for found in report.drifted:
        click.echo(f"{_tell(found)}\n")
    for failed in report.warnings:
        click.secho(_tell(failed), fg="yellow", err=True)
    for failed in report.broken:
        click.secho(_tell(failed), fg="red", err=True)
    if report.broken:
        sys.exit(CHECK_FAILED)


def _read_status(use_case: AnyUseCase) -> Status:
    from many_models.defs.resources import build_champions
    from many_models.steps.results import open_results
    from many_models.steps.status import read_status

    results = open_results(os.environ[settings.STORE], use_case)
    return read_status(results, build_champions(use_case, os.environ))


def _print_status(found: Status) -> None:
    for name, value in asdict(found).items():
        if value is None and name in OF_SOME:
            continue
        if isinstance(value, dict):
            for stage, seconds in value.items():
                click.echo(f"{stage:24}{seconds:>12,.1f} s")
        else:
            shown = f"{value:,}" if isinstance(value, int) else str(value or "none yet")
            click.echo(f"{name.replace('_', ' '):24}{shown.removesuffix(' 00:00:00'):>12}")


def _tell(failed: FailedCheck) -> str:
    place = f" on {failed.partition}" if failed.partition else ""
    said = "warns" if failed.is_warning else "failed"
    return f"Check {failed.name} {said}{place}: {failed.description}."


def _shorten(names: Iterable[str], most: int) -> str:
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
