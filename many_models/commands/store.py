"""Commands ``store``: which version the result store has, upgrading it, who may read it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click

from many_models import settings
from many_models.commands.use_case import UseCaseFile
from many_models.core.use_case import AnyUseCase

if TYPE_CHECKING:
    from many_models.adapters.results.store import ResultStore


@click.group()
def store() -> None:
    """The SQL database of results: its version, its tables, and who may read it."""


@store.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Tell the store's version, this code's, and the use cases whose results are there."""
    found = _describe(_open(read_only=True))
    if as_json:
        click.echo(json.dumps(found, indent=2, default=str))
        return
    for name, value in found.items():
        if not isinstance(value, list):
            click.echo(f"{name.replace('_', ' '):24}{value}")
    for row in found["use_cases"]:
        click.echo(f"{row['name']:24}{row['problem']}, tables as of {str(row['changed_at'])[:16]}")


@store.command()
@click.argument("use_cases", type=UseCaseFile(), nargs=-1)
def upgrade(use_cases: tuple[AnyUseCase, ...]) -> None:
    """Bring the store to this code's version, and make the tables and views of these use cases.

    Runs do the same when they begin; nobody need wait for one. All or nothing:
    whoever reads meanwhile sees the store as it was, or as it is then.
    """
    from many_models.defs.resources import build_champions
    from many_models.steps.champions import mend_champions
    from many_models.steps.results import open_results

    url = os.environ[settings.STORE]
    done = _open().upgrade()
    click.echo(f"ran revisions {', '.join(done)}" if done else "the store has this version already")
    for use_case in use_cases:
        results = open_results(url, use_case)
        production = build_champions(use_case, os.environ)
        champions = production.champions(use_case.name)
        mended = mend_champions(use_case, champions, production, results)
        click.echo(
            f"{use_case.name}: tables and views are there, champions of {len(mended)} partitions "
            "were copied"
        )


@store.command()
@click.argument("role")
@click.option("--print", "only_print", is_flag=True, help="Print the SQL, and change nothing.")
def grant(role: str, only_print: bool) -> None:
    """Let a role of PostgreSQL read all results, those made later too, and write nothing."""
    statements = _open().grant_reading(role, carry_out=not only_print)
    if only_print:
        click.echo(";\n".join(statements) + ";")
    else:
        click.echo(f"{role} may read the results, and nothing else of ours")


def _open(*, read_only: bool = False) -> ResultStore:
    from many_models.adapters.results.store import ResultStore

    return ResultStore(os.environ[settings.STORE], read_only=read_only)


def _describe(opened: ResultStore) -> dict[str, Any]:
    from many_models.adapters.results.upgrade import HEAD
    from many_models.core.result_tables.shared import USE_CASES

    made = bool(opened.columns(USE_CASES))
    sql = f"SELECT name, problem, changed_at FROM {USE_CASES} ORDER BY name"
    return {
        "store": opened.url,
        "version": opened.revision() or "none: it is new, or older than versions are",
        "version_of_this_code": HEAD,
        "use_cases": opened.query(sql).to_pylist() if made else [],
    }
