"""The page that documents the result store: ``docs/results/schema.md``, from the declaration.

``make schema`` writes it anew; a test holds it to the declaration.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from many_models.core.markdown import tabulate
from many_models.core.result_tables.declaration import declare
from many_models.core.result_tables.shared import SHARED_TABLES
from many_models.core.result_tables.spec import Column, Declaration, Table, View
from many_models.core.use_case_file import load_use_case

_INTRODUCTION = """\
# Tables and views of the result store

Written by `make schema` from the declaration in `many_models/core/result_tables/`; a test holds the
two equal. Names, types and comments are the same in SQLite and PostgreSQL. In PostgreSQL the
comments stand in the database, too (`\\d+`); in both they are rows of `many_models_columns`. Every
table of a use case is called `<use case>_<name>`; all are there once the use case was opened.

A star: facts (`predictions`, `accuracy`, `ledger`, ...) have `group_key`, which joins `groups`, and
times, whose date joins `dates`. Times are without a zone: those of the data as the source has them,
those of the platform in UTC. In SQLite a date is the text `2017-12-31`, a time `2017-12-31
00:00:00`, a boolean 0 or 1.

Shown is `{name}`, with keys {keys}; yours has its own keys, static features and
interval levels in their places.
"""
_ROWS = """\
## Of regression and classification

Use cases of independent rows have the same tables and views but for `pooled`, and these columns
instead of intervals; shown is `{name}`, a {problem}.
"""
_STOCK = """\
## Of forecasts with an inventory

Use cases whose file has `inventory` have these, too; shown is `{name}`.
"""


def write_page(
    forecast: Declaration, keys: Sequence[str], rows: Declaration, stock: Declaration
) -> str:
    """The page about a forecast, with what is other in independent rows and with an inventory."""
    parts = [
        _INTRODUCTION.format(name=forecast.use_case, keys=" and ".join(f"`{key}`" for key in keys))
    ]
    parts += ["## Views", *_all(forecast, forecast.views)]
    parts += ["## Tables", *_all(forecast, forecast.tables)]
    usual = {*(t.suffix for t in forecast.tables), *(v.suffix for v in forecast.views)}
    of_stock: tuple[Table | View, ...] = (*stock.tables, *stock.views)
    parts += [_STOCK.format(name=stock.use_case)]
    parts += _all(stock, [part for part in of_stock if part.suffix not in usual])
    parts += [_ROWS.format(name=rows.use_case, problem=rows.problem)]
    for table in rows.tables:
        known = next((t for t in forecast.tables if t.suffix == table.suffix), None)
        there = {column.name for column in known.columns} if known else set()
        if new := [column for column in table.columns if column.name not in there]:
            parts += [f"### `{rows.name(table.suffix)}`", _columns(new)]
    parts += ["## Shared by all use cases"]
    parts += [text for table in SHARED_TABLES for text in _described(table.suffix, table)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _all(declaration: Declaration, parts: Iterable[Table | View]) -> list[str]:
    return [
        text
        for part in sorted(parts, key=lambda part: part.suffix)
        for text in _described(declaration.name(part.suffix), part)
    ]


def _described(name: str, part: Table | View) -> list[str]:
    if isinstance(part, View):
        told = f"{part.grain}. *{part.question}*\n\n```sql\n{part.query}\n```"
    else:
        told = f"{part.grain}. Key: {', '.join(f'`{column}`' for column in part.key)}."
    return [f"### `{name}`", told, _columns(part.columns)]


def _columns(columns: Iterable[Column]) -> str:
    return tabulate(
        [{"column": f"`{c.name}`", "type": c.sql_type, "meaning": c.comment} for c in columns]
    )


def packaged_page() -> str:
    """The page about the use cases that come with the package."""
    folder = Path(__file__).parents[2] / "use_cases"
    grocery, *others = (
        load_use_case(folder / f"{name}.yaml") for name in ("grocery", "flights", "warehouse")
    )
    return write_page(declare(grocery), grocery.keys, *(declare(other) for other in others))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(packaged_page(), encoding="utf-8")
