"""The command ``many-models new``: a use case file from a look at a table, and some answers.

Here belong the flags and what is printed. The questions are in ``questions``, the guesses in
``steps.guesses``, the file's text in ``steps.proposal_file``.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import click

from many_models import settings
from many_models.core.errors import UseCaseError
from many_models.core.frequency import FREQUENCY_CODES

if TYPE_CHECKING:
    from many_models.adapters.sources.database import SourceDatabase
    from many_models.adapters.sources.tables import TableSummary

NONE = "none"
SHOWN_WIDTH = 24
_PASSWORD = re.compile(r"://[^:/@]*:[^@$]+@|password=[^$&]", re.IGNORECASE)
_RELATIVE = re.compile(r"sqlite:///(?!/|\$\{)")


@click.command()
@click.option("--url", help="The database; ${NAME} is taken from the environment at each use.")
@click.option("--table", help="Table or view to look at.")
@click.option("--name", help="Name of the use case.")
@click.option(
    "--problem",
    type=click.Choice(["forecast", "regression", "classification"]),
    help="What to predict: a series, or rows by their features. Default: forecast.",
)
@click.option("--key", "keys", multiple=True, metavar="COLUMN", help="Key column; repeatable.")
@click.option("--time", metavar="COLUMN", help="Column with the date or time.")
@click.option("--frequency", type=click.Choice(FREQUENCY_CODES))
@click.option("--target", metavar="COLUMN", help="Column to predict.")
@click.option(
    "--horizon", type=click.IntRange(1, 10_000), help="Periods (of rows: days) to predict."
)
@click.option(
    "--known", multiple=True, metavar="COLUMN", help="Feature with a known future; repeatable."
)
@click.option(
    "--past", multiple=True, metavar="COLUMN", help="Feature known afterwards; repeatable."
)
@click.option(
    "--static", multiple=True, metavar="COLUMN", help="Feature that never changes; repeatable."
)
@click.option("--row-id", metavar="COLUMN", help="Tells rows of a group and time apart.")
@click.option("--numeric", multiple=True, metavar="COLUMN", help="Feature of rows; repeatable.")
@click.option("--categorical", multiple=True, metavar="COLUMN", help="The same; repeatable.")
@click.option("--gaps", type=click.Choice(["zero", "missing"]), help="What no row means.")
@click.option("--partition-by", metavar="COLUMN", help="One partition for each of its values.")
@click.option("--hash", type=click.IntRange(1, 10_000), help="Number of hash partitions.")
@click.option("--output", type=click.Path(path_type=Path), help="Default: NAME.yaml, here.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@click.option("--yes", is_flag=True, help="Take every guess; ask nothing.")
def new(
    url: str | None,
    table: str | None,
    output: Path | None,
    force: bool,
    yes: bool,
    **flags: Any,
) -> None:
    """Write a use case file by looking at a table and asking for the rest.

    "none" empties a list, as in --past none.
    """
    from many_models.adapters.sources.database import SourceDatabase
    from many_models.adapters.sources.probe import SourceProbe
    from many_models.commands.questions import choose
    from many_models.steps.proposal.file import write_use_case
    from many_models.steps.proposal.propose import build_proposal
    from many_models.steps.proposal.propose_rows import build_row_proposal

    asking = not yes and is_terminal()
    given = _given(flags)
    if output or "name" in given:
        _place(output, given.get("name", ""), force)
    url = url or _ask_url(asking)
    source = SourceDatabase(_fill(url, os.environ))
    summary = _describe(source, table, asking)
    click.echo(_columns_table(summary))
    probe = SourceProbe(source, summary)
    choices = choose(given, probe, asking, lambda name: _place(output, name, force))
    build = build_proposal if choices.problem == "forecast" else build_row_proposal
    proposal = build(choices, probe, url=url, today=date.today())
    text = write_use_case(proposal)
    path = _place(output, str(choices.name), force)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UseCaseError(f"{path} cannot be written: {error}; give another --output") from error
    warnings = [*proposal.warnings, *_url_warnings(url)]
    for warning in warnings:
        click.secho(f"Warning: {warning}", fg="yellow", err=True)
    click.echo(f"\nWritten: {path}\nNext:\n  many-models check {path}\n  many-models run {path}")


def is_terminal() -> bool:
    """Somebody is there to answer."""
    return sys.stdin.isatty()


def _given(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of ``Choices`` that flags were given for."""
    by, buckets = flags["partition_by"], flags["hash"]
    if by is not None and buckets is not None:
        raise click.UsageError("give either --partition-by or --hash, not both")
    fields = {name: flags[name] for name in flags if name not in ("partition_by", "hash")}
    fields["partitioning"] = buckets if by is None else by
    said = {name: value for name, value in fields.items() if value not in (None, ())}
    return {name: () if value == (NONE,) else value for name, value in said.items()}


def _ask_url(asking: bool) -> str:
    if not asking:
        raise UseCaseError("which database? Give --url, such as --url sqlite:///shop.db")
    url: str = click.prompt("Database, such as sqlite:///shop.db or postgresql://${USER}@host/db")
    return url


def _fill(url: str, environ: Mapping[str, str]) -> str:
    filled = dict(environ)
    settings.fill_environment(filled)
    try:
        return Template(url).substitute(filled)
    except (KeyError, ValueError) as error:
        raise UseCaseError(
            f"--url {url!r} needs the environment variable {error}; set it (a $ is written $$)"
        ) from error


def _describe(source: SourceDatabase, table: str | None, asking: bool) -> TableSummary:
    if table is None:
        table = _ask_table(source, asking)
    click.echo(f"Looking at table {table} of {source.shown_url} ...", err=True)
    summary = source.describe(table)
    if not summary.rows:
        raise UseCaseError(
            f"table {table!r} of {source.shown_url} has no rows to look at. Fill it, or name "
            "another with --table"
        )
    return summary


def _ask_table(source: SourceDatabase, asking: bool) -> str:
    tables = source.tables()
    if not tables:
        raise UseCaseError(f"{source.shown_url} has no tables; is it the right --url?")
    if len(tables) == 1:
        return tables[0]
    listed = ", ".join(tables)
    if not asking:
        raise UseCaseError(f"which table? Give --table, one of: {listed}")
    click.echo(f"Tables: {listed}")
    table: str = click.prompt("Table", type=click.Choice(tables), show_choices=False)
    return table


def _columns_table(summary: TableSummary) -> str:
    rows = [("column", "type", "distinct", "nulls", "min", "max")]
    for column in summary.columns:
        distinct = f"> {column.distinct - 1:,}" if column.many else f"{column.distinct:,}"
        ends = [_shorten("" if v is None else v) for v in (column.minimum, column.maximum)]
        name, kind = _shorten(column.name), _shorten(column.sql_type)
        rows.append((name, kind, distinct, f"{column.nulls:,}", ends[0], ends[1]))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"\n{summary.name}: {summary.rows:,} rows"]
    for row in rows:
        cells = [
            text.rjust(width) if place in (2, 3) else text.ljust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([*lines, ""])


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN_WIDTH else f"{text[: SHOWN_WIDTH - 3]}..."


def _place(output: Path | None, name: str, force: bool) -> Path:
    path = output or Path(f"{name}.yaml")
    if path.exists() and not force:
        raise UseCaseError(f"{path} exists: --force replaces it, --output names another file")
    return path


def _url_warnings(url: str) -> list[str]:
    warnings = []
    if _PASSWORD.search(url):
        warnings.append(
            "the file holds the database's password as it is. Write ${NAME} in its place in "
            "source.url, and set that environment variable"
        )
    if _RELATIVE.match(url):
        warnings.append(f"{url} is found from this folder only. Write the whole path in source.url")
    return warnings
