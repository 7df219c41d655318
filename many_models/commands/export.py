"""The command ``export``: a slice of the results as a CSV or Parquet file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from many_models import settings
from many_models.commands.use_case import UseCaseFile
from many_models.core.use_case import AnyUseCase

if TYPE_CHECKING:
    from many_models.adapters.results.row_files import FileFormat

STANDARD_OUTPUT = "-"


@click.command()
@click.argument("use_case", type=UseCaseFile())
@click.argument("table", metavar="VIEW_OR_TABLE")
@click.option("--partition", "-p", default="", help="Only of this partition.")
@click.option("--origin", default="", help="Only of this forecast origin: 2017-12-31.")
@click.option("--key", default="", help="Only of one group: store_id=17,department=DELI.")
@click.option("--from", "first", default="", help="From this day or time on.")
@click.option("--to", "last", default="", help="Through this day or time.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "parquet"]),
    help="Taken from the file's name where it is not given; else csv.",
)
@click.option(
    "--output",
    default=STANDARD_OUTPUT,
    show_default=True,
    help="A file, which appears when it is complete; - prints.",
)
def export(
    use_case: AnyUseCase,
    table: str,
    partition: str,
    origin: str,
    key: str,
    first: str,
    last: str,
    kind: str | None,
    output: str,
) -> None:
    """Export a slice of a view or table, such as forecast_vs_actual or latest_ledger.

    The command names those there are when you ask for another. In CSV, text
    that a spreadsheet would take for a formula begins with an apostrophe.
    """
    from many_models.adapters.results.row_files import write_file, write_rows
    from many_models.adapters.results.store import ResultStore
    from many_models.steps.exports import Wish, open_export
    from many_models.steps.pages.catalogue import require_tables
    from many_models.steps.results import Results

    chosen = cast("FileFormat", kind or ("parquet" if output.endswith(".parquet") else "csv"))
    printed = output == STANDARD_OUTPUT
    if printed and chosen == "parquet" and sys.stdout.isatty():
        raise click.UsageError("a Parquet file is nothing to print: name a file with --output")
    results = Results(ResultStore(os.environ[settings.STORE]), use_case)
    require_tables(results)  # to read is no reason to make or change any
    with open_export(results, Wish(table, partition, origin, key, first, last)) as rows:
        if printed:
            write_rows(rows, sys.stdout.buffer, chosen)
            return
        count = write_file(rows, Path(output), chosen)
    click.echo(f"{count:,} rows in {output}")
