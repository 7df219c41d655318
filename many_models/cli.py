"""The command line ``many-models``: what it asks for and what it prints.

Exit codes: 0 done; 1 something is wrong that the message names; 2 the command was misused; 3 the
run ended, but a check on the data or the platform failed (withheld promotions are no failure).
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any

import click

from many_models import __version__, settings
from many_models.commands.champions import history, models, rollback
from many_models.commands.demo import demo, simulate
from many_models.commands.explain import explain
from many_models.commands.export import export
from many_models.commands.gc import gc
from many_models.commands.mlflow import mlflow
from many_models.commands.new import new
from many_models.commands.results import results
from many_models.commands.retraining import retraining
from many_models.commands.run import run, status
from many_models.commands.serve import serve
from many_models.commands.store import store
from many_models.commands.use_case import UseCaseFile
from many_models.core.errors import ManyModelsError
from many_models.core.use_case import AnyUseCase
from many_models.core.use_case_file import load_use_case
from many_models.progress import stderr_to


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


for command in (
    *(new, run, demo, simulate, status, models, history, explain, rollback),
    *(retraining, gc, mlflow, serve, store, results, export),
):
    main.add_command(command)


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
