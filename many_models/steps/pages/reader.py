"""Reading for pages: rows of a query that names tables by their suffix, and pages of long lists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from many_models.adapters.results.snapshot import Snapshot
from many_models.core.use_case import AnyUseCase
from many_models.steps.exports import exported
from many_models.steps.results import Results

Row = dict[str, Any]

ROWS_A_PAGE = 50
_TABLE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a long list: ``rows`` of ``total``, the first of them number ``start`` of it."""

    rows: Sequence[Row]
    total: int
    start: int = 0
    size: int = ROWS_A_PAGE

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.size))

    @property
    def page(self) -> int:
        return self.start // self.size + 1


@dataclass(frozen=True, slots=True)
class Reader:
    """Asks about one use case; ``{ledger}`` in a query stands for its table of that suffix.

    All answers are of one moment, whatever is written meanwhile.
    """

    results: Results
    snapshot: Snapshot

    @property
    def use_case(self) -> AnyUseCase:
        return self.results.use_case

    def has(self, suffix: str) -> bool:
        """Whether this use case has such a table or view; not all have all."""
        return any(one.suffix == suffix for one in exported(self.results))

    def rows(self, sql: str, **values: object) -> list[Row]:
        """Rows of the query."""
        text = _TABLE.sub(lambda found: f'"{self.results.name(found[1])}"', sql)
        found: list[Row] = self.snapshot.query(text, values).to_pylist()
        return found

    def row(self, sql: str, **values: object) -> Row:
        """The first row of the query; empty where there is none."""
        return next(iter(self.rows(sql, **values)), {})

    def listing(self, select: str, order: str, page: int, **values: object) -> Listing:
        """One page of a SELECT, by its order; a page past the end is empty."""
        total = int(self.row(f"SELECT COUNT(*) AS n FROM ({select}) counted", **values).get("n", 0))
        start = (max(page, 1) - 1) * ROWS_A_PAGE
        paged = (
            f"SELECT * FROM ({select}) listed ORDER BY {order} LIMIT {ROWS_A_PAGE} OFFSET {start}"
        )
        return Listing(self.rows(paged, **values) if total else [], total, start)


@contextmanager
def open_reader(results: Results) -> Iterator[Reader]:
    """A reader of the results as they are now; to be used by one thread, and not for long."""
    with results.store.snapshot() as snapshot:
        yield Reader(results, snapshot)


def median_sql(value: str, source: str, by: str = "") -> str:
    """A SELECT of the median of an expression over a source, by a column, with how many there are.

    Written with window functions, which both databases have; columns ``median`` and ``n``.
    """
    partition = f"PARTITION BY {by} " if by else ""
    name = f"{by} AS name, " if by else ""
    inner = (
        f"SELECT {name}{value} AS v, ROW_NUMBER() OVER ({partition}ORDER BY {value}) AS place, "
        f"COUNT(*) OVER ({partition.strip()}) AS n FROM {source} "
    )
    outer = f"SELECT {'name, ' if by else ''}AVG(v) AS median, MAX(n) AS n FROM ({inner}) ordered "
    middle = "WHERE 2 * place BETWEEN n AND n + 2"
    return f"{outer}{middle}{' GROUP BY name' if by else ''}"
