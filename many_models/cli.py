"""The command line ``many-models``: what it asks for and what it prints.

Exit codes: 0 done; 1 something is wrong that the message names; 2 the command was misused; 3 the
run ended, but a check on the data or the platform failed (withheld promotions are no failure).
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from many_models import __version__, settings
from many_models.cli_champions import history, models, rollback
from many_models.cli_explain import explain
from many_models.cli_gc import gc
from many_models.cli_mlflow import mlflow
from many_models.cli_new import new
from many_models.cli_retraining import retraining
from many_models.cli_serve import serve
from many_models.cli_use_case import UseCaseFile
from many_models.core.errors import ManyModelsError
from many_models.core.use_case import AnyUseCase
from many_models.core.use_case_file import load_use_case
from many_models.progress import show_progress, stderr_to

if TYPE_CHECKING:
    from many_models.defs.launch import FailedCheck
    from many_models.steps.status import Status

CHECK_FAILED = 3
WITHHELD_SHOWN = 10


class Commands(click.Group):
    """Shows errors that a user can act on as their one message, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ManyModelsError as error:
            click.secho(f"Error: {error}", fg="red", err=True)
            ctx.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """One model for every combination of group keys: trained, judged, promoted and used."""
    settings.fill_environment(os.environ)


for command in (new, models, history, explain, rollback, retraining, gc, mlflow, serve):
    main.add_command(command)


@main.command()
@click.argument("use_case", type=UseCaseFile())
@click.option("--partition", "-p", "partitions", multiple=True, help="Train only this partition.")
@click.option("--refresh", is_flag=True, help="Extract every window again, not only what is new.")
def run(use_case: AnyUseCase, partitions: tuple[str, ...], refresh: bool) -> None:
    """Ingest what is new, train, judge, promote, and forecast from the last origin."""
    _run(use_case, partitions, refresh=refresh)


@main.command()
@click.argument("name", type=click.Choice(["grocery", "flights"]), default="grocery")
def demo(name: str) -> None:
    """Run the whole pipeline on a year of real data.

    NAME is grocery (sales of every store and department; the default) or flights (late arrivals of
    every route from New York).
    """
    from many_models.adapters.sources.demo import load_demo_source
    from many_models.adapters.sources.flights import load_flights_source

    load: Callable[[Path], object] = load_demo_source if name == "grocery" else load_flights_source
    use_case = load_use_case(settings.PACKAGED_USE_CASES / f"{name}.yaml")
    _run(use_case, prepare=lambda: load(_home() / "demo" / f"{name}.db"))
    click.echo("Next: `make ui` shows all of this in Dagster; README.md leads to your own data.")


@main.command()
@click.option("--stores", default=10, show_default=True, type=click.IntRange(1))
@click.option("--items", default=20, show_default=True, type=click.IntRange(1))
@click.option("--days", default=730, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=0, show_default=True)
@click.option("--url", help="SQLite or PostgreSQL; by default the source of use case simulated.")
def simulate(stores: int, items: int, days: int, seed: int, url: str | None) -> None:
    """Fill table sales of a database with the sales of a simulated retailer."""
    from many_models.adapters.sources.simulated import load_simulated_source
    from many_models.core.simulation import SimulatedSales

    sales = SimulatedSales(stores, items, days, seed)
    if sales.end > date.today():
        most = (date.today() - sales.start).days
        raise click.BadParameter(f"the simulation starts on {sales.start}: at most {most} --days")
    use_case = load_use_case(settings.PACKAGED_USE_CASES / "simulated.yaml")
    target = url or settings.source_url(use_case, os.environ)
    (_home() / "demo").mkdir(parents=True, exist_ok=True)
    with show_progress(_home() / "logs" / "simulate.log"):
        rows = load_simulated_source(sales, target)
    click.echo(f"{rows:,} rows of {sales.groups:,} groups, up to {sales.end}.")
    click.echo(
        "Next: `many-models run simulated`" + (", with this URL in its file." if url else "")
    )


def _run(
    use_case: AnyUseCase,
    partitions: tuple[str, ...] = (),
    *,
    refresh: bool = False,
    prepare: Callable[[], object] = lambda: None,
) -> None:
    from many_models.adapters.spark.session import check_java

    check_java()
    started = time.monotonic()
    with show_progress(_home() / "logs" / "run.log"):
        prepare()
        from many_models.defs.instance import open_instance  # takes seconds
        from many_models.defs.launch import Launcher

        with open_instance(_home()) as instance:
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


@main.command()
@click.argument("use_case", type=UseCaseFile())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(use_case: AnyUseCase, as_json: bool) -> None:
    """Print how many groups are trained, promoted and forecast."""
    found = _read_status(use_case)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2, default=str))
    else:
        _print_status(found)


@main.command()
@click.argument("use_cases", type=UseCaseFile(), nargs=-1)
def check(use_cases: tuple[AnyUseCase, ...]) -> None:
    """Check Java, Spark, the lake, the result store, the registries and use cases' sources."""
    from many_models.prerequisites import examinations

    registries_of = (use_cases or [load_use_case(settings.PACKAGED_USE_CASES / "grocery.yaml")])[0]
    failed = 0
    with stderr_to(_home() / "logs" / "check.log"):
        for name, examine in examinations(use_cases, registries_of, os.environ).items():
            try:
                examine()
                click.echo(f"{click.style('ok    ', fg='green')} {name}")
            except ManyModelsError as error:
                failed += 1
                click.echo(f"{click.style('FAILED', fg='red')} {name}: {error}")
    for unwatched in (u.name for u in use_cases if not u.source.watched):
        click.echo(
            f"note   {unwatched} has no sensor of new data: give source.loaded_at, or "
            "source.changes with a query, where the source tells when rows were loaded"
        )
    sys.exit(1 if failed else 0)


@main.command()
@click.argument("use_cases", type=click.Path(exists=True, path_type=Path), nargs=-1)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=3000, show_default=True)
def ui(use_cases: tuple[Path, ...], host: str, port: int) -> None:
    """Open Dagster, with the packaged use cases and these files."""
    for path in use_cases:
        load_use_case(path)
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise click.BadParameter(f"{host}:{port} is taken ({error.strerror})") from error
    from many_models.defs.instance import open_instance

    added = [str(path.absolute()) for path in use_cases]
    os.environ[settings.USE_CASES] = os.pathsep.join([*added, os.environ[settings.USE_CASES]])
    with open_instance(_home()) as instance:
        workspace = f"{instance.root_directory}/workspace.yaml"
    quiet = ["-W", "ignore:Function `dev_command` is superseded"]
    command = ["-m", "dagster", "dev", "-w", workspace, "-h", host, "-p", str(port)]
    os.execv(sys.executable, [sys.executable, *quiet, *command])


def _home() -> Path:
    return Path(os.environ[settings.HOME])


def _read_status(use_case: AnyUseCase) -> Status:
    from many_models.adapters.results.store import ResultStore
    from many_models.defs.resources import build_champions
    from many_models.steps.results import Results
    from many_models.steps.status import read_status

    results = Results(ResultStore(os.environ[settings.STORE]), use_case)
    return read_status(results, build_champions(use_case, os.environ))


def _print_status(found: Status) -> None:
    for name, value in asdict(found).items():
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
