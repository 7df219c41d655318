"""The command line ``many-models``: what it asks for and what it prints.

Exit codes: 0 done; 1 something is wrong that the message names; 2 the command was misused; 3 the run
ended, but a check on the data or the platform failed (withheld promotions are no failure).
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from many_models import __version__, settings
from many_models.cli_new import new
from many_models.core.errors import ManyModelsError
from many_models.core.use_case import UseCase
from many_models.core.use_case_file import load_use_case

CHECK_FAILED = 3
PACKAGED_USE_CASES = Path(__file__).parent / "use_cases"


class UseCaseFile(click.ParamType):
    """A use case: a YAML file, or the name of one that comes with the package."""

    name = "use_case.yaml"

    def convert(self, value: Any, param: Any, ctx: Any) -> UseCase:
        packaged = PACKAGED_USE_CASES / f"{value}.yaml"
        return load_use_case(packaged if packaged.is_file() else Path(value))


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
    warnings.filterwarnings("ignore", message=".*(preview|beta|superseded|PySpark does not yet)")


main.add_command(new)


@main.command()
@click.argument("use_case", type=UseCaseFile())
@click.option("--partition", "-p", "partitions", multiple=True, help="Train only this partition.")
@click.option("--refresh", is_flag=True, help="Extract every window again, not only what is new.")
def run(use_case: UseCase, partitions: tuple[str, ...], refresh: bool) -> None:
    """Ingest what is new, train, judge, promote, and forecast from the last origin."""
    _run(use_case, partitions, refresh)


@main.command()
def demo() -> None:
    """Run the whole pipeline on a year of real grocery sales."""
    from many_models.adapters.demo_source import load_demo_source

    home = Path(os.environ[settings.HOME])
    with _progress():
        (home / "demo").mkdir(parents=True, exist_ok=True)
        load_demo_source(home / "demo" / "grocery.db")
    _run(load_use_case(PACKAGED_USE_CASES / "grocery.yaml"), (), False)
    click.echo(
        "\nNext: `make ui` shows all of this in Dagster; README.md leads on to your own data."
    )


def _run(use_case: UseCase, partitions: tuple[str, ...], refresh: bool) -> None:
    from many_models.adapters.spark_session import check_java
    from many_models.defs.launch import Launcher, open_instance

    check_java()
    started = time.monotonic()
    with _progress(), open_instance(Path(os.environ[settings.HOME])) as instance:
        report = Launcher(use_case, instance).run(partitions, refresh=refresh)
    click.echo()
    _print_status(use_case)
    click.echo(f"{'whole run':24}{time.monotonic() - started:>10.1f} s")
    if report.withheld:
        click.echo(f"withheld, as too few models qualify: {', '.join(report.withheld)}")
    for check, partition, text in report.broken:
        click.secho(f"check {check} failed on {partition}: {text}", fg="red", err=True)
    if report.broken:
        sys.exit(CHECK_FAILED)


@main.command()
@click.argument("use_case", type=UseCaseFile())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(use_case: UseCase, as_json: bool) -> None:
    """Print how many groups are trained, promoted and forecast."""
    if as_json:
        click.echo(json.dumps(asdict(_read_status(use_case)), indent=2, default=str))
    else:
        _print_status(use_case)


@main.command()
@click.argument("use_case", type=UseCaseFile())
@click.option("--partition", "-p", "partitions", multiple=True, help="Only of this partition.")
@click.option("--limit", default=20, show_default=True, help="Print at most so many; 0 for all.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def models(use_case: UseCase, partitions: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List the champions in the production registry."""
    from many_models.defs.resources import build_registry

    registry = build_registry(use_case, "production", os.environ)
    found = registry.champions(use_case.name, partitions or None)
    shown = found[:limit] if limit else found
    if as_json:
        click.echo(json.dumps([asdict(version) for version in shown], indent=2))
        return
    for version in shown:
        score, candidate = float(version.tags["score"]), version.tags["candidate"]
        click.echo(f"{version.name:50} v{version.version:<4} {candidate:18} {score:8.3f}")
    click.echo(f"{len(shown)} of {len(found)} champions, with {use_case.validation.metric}")


@main.command()
@click.argument("use_cases", type=UseCaseFile(), nargs=-1)
def check(use_cases: tuple[UseCase, ...]) -> None:
    """Check Java, the result store, the registries, and the sources of use cases."""
    from many_models.adapters.result_store import ResultStore
    from many_models.adapters.source_database import SourceDatabase
    from many_models.adapters.spark_session import check_java
    from many_models.defs.resources import build_registry

    environ = os.environ
    any_use_case = (use_cases or (load_use_case(PACKAGED_USE_CASES / "grocery.yaml"),))[0]
    checks: dict[str, Callable[[], object]] = {
        "Java": check_java,
        "result store": lambda: ResultStore(environ[settings.STORE]).check(),
        "training registry": lambda: build_registry(any_use_case, "training", environ),
        "production registry": lambda: build_registry(any_use_case, "production", environ),
    }
    for use_case in use_cases:
        url = settings.source_url(use_case, environ)
        checks[f"source of {use_case.name}"] = SourceDatabase(url).check
    failed = 0
    for name, examine in checks.items():
        try:
            examine()
            click.echo(f"{click.style('ok    ', fg='green')} {name}")
        except ManyModelsError as error:
            failed += 1
            click.echo(f"{click.style('FAILED', fg='red')} {name}: {error}")
    sys.exit(1 if failed else 0)


@main.command()
@click.argument("use_cases", type=click.Path(exists=True, path_type=Path), nargs=-1)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=3000, show_default=True)
def ui(use_cases: tuple[Path, ...], host: str, port: int) -> None:
    """Open Dagster, with the packaged use cases and these files."""
    from many_models.defs.launch import open_instance

    for path in use_cases:
        load_use_case(path)
    added = [str(path.absolute()) for path in use_cases]
    os.environ[settings.USE_CASES] = os.pathsep.join([*added, os.environ[settings.USE_CASES]])
    with open_instance(Path(os.environ[settings.HOME])) as instance:
        workspace = f"{instance.root_directory}/workspace.yaml"
    command = [sys.executable, "-m", "dagster", "dev", "-w", workspace, "-h", host, "-p", str(port)]
    os.execv(sys.executable, command)


def _read_status(use_case: UseCase) -> Any:
    from many_models.adapters.result_store import ResultStore
    from many_models.defs.resources import build_registry
    from many_models.steps.results import Results
    from many_models.steps.status import read_status

    results = Results(ResultStore(os.environ[settings.STORE]), use_case)
    return read_status(results, build_registry(use_case, "production", os.environ))


def _print_status(use_case: UseCase) -> None:
    for name, value in asdict(_read_status(use_case)).items():
        if isinstance(value, dict):
            for stage, seconds in value.items():
                click.echo(f"{stage:24}{seconds:>10.1f} s")
        else:
            shown = f"{value:,}" if isinstance(value, int) else str(value)
            click.echo(f"{name.replace('_', ' '):24}{shown:>10}")


class _progress:
    """Prints what the package logs, with the seconds since the beginning, while it is active."""

    def __enter__(self) -> None:
        started = time.monotonic()
        self._handler = logging.StreamHandler(sys.stdout)
        self._handler.setFormatter(_Elapsed(started))
        logger = logging.getLogger("many_models")
        logger.addHandler(self._handler)
        logger.setLevel(logging.INFO)

    def __exit__(self, *_: object) -> None:
        logging.getLogger("many_models").removeHandler(self._handler)


class _Elapsed(logging.Formatter):
    def __init__(self, started: float) -> None:
        super().__init__()
        self._started = started

    def format(self, record: logging.LogRecord) -> str:
        return f"{time.monotonic() - self._started:7.1f} s  {record.getMessage()}"
