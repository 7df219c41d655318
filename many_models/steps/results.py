"""A use case's part of the result store: opening it, replacing what a step has made, last runs.

Which tables and views there are, and what their columns mean, is declared in
``core.result_tables``; all of them are there once the results are opened.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from many_models.adapters.results.store import ResultStore, Slice
from many_models.core.result_tables.declaration import declare
from many_models.core.result_tables.dimensions import calendar_rows
from many_models.core.result_tables.fact_schemas import STAGES
from many_models.core.result_tables.spec import Declaration
from many_models.core.use_case import AnyUseCase

logger = logging.getLogger(__name__)

PARTITIONS_IN_A_QUERY = 500

Where = Mapping[str, str | Sequence[str]]
"""What makes up a slice of a table: for each column its value, or values."""


@dataclass(frozen=True)
class Results:
    """One use case's part of the result store."""

    store: ResultStore
    use_case: AnyUseCase

    @cached_property
    def declaration(self) -> Declaration:
        """Its tables and views."""
        return declare(self.use_case)

    def name(self, table: str) -> str:
        return self.use_case.table(table)

    def replace(
        self,
        table: str,
        rows: pa.Table | pa.RecordBatchReader,
        where: Where,
    ) -> int:
        """Replace a slice of one table in one transaction; returns the rows written."""
        return self.replace_all({table: (rows, where)})[table]

    def replace_all(
        self, slices: Mapping[str, tuple[pa.Table | pa.RecordBatchReader, Where]]
    ) -> dict[str, int]:
        """Replace slices of several tables, by name, in one transaction; rows written by table.

        What follows from them, such as totals, is written in the same transaction.
        """
        counts = self.store.replace_slices(
            [Slice(self.name(t), *slices[t], follow=self._following(t)) for t in slices]
        )
        return dict(zip(slices, counts, strict=True))

    def _following(self, table: str) -> list[tuple[str, Sequence[str]]]:
        found = self.declaration.derived_from(table)
        return [(self.name(suffix), statements) for suffix, statements in found]

    def latest(self, table: str, partitions: Sequence[str] | None = None) -> pa.Table:
        """Rows of each partition's last run in ``ledger``, ``pooled`` or ``verdicts``.

        None of a table that this use case does not have.
        """
        view = self.name(f"latest_{table}")
        if all(self.name(declared.suffix) != view for declared in self.declaration.views):
            return pa.table({"partition": pa.array([], pa.string())})
        if partitions is None or len(partitions) > PARTITIONS_IN_A_QUERY:
            rows = self.store.query(f'SELECT * FROM "{view}"')
            wanted = rows["partition"].unique() if partitions is None else list(partitions)
            return rows.filter(pc.is_in(rows["partition"], value_set=pa.array(wanted, pa.string())))
        named = {f"p{number}": name for number, name in enumerate(partitions)}
        among = ", ".join(f":{name}" for name in named) or "NULL"
        return self.store.query(f'SELECT * FROM "{view}" WHERE "partition" IN ({among})', named)


def open_results(url: str, use_case: AnyUseCase) -> Results:
    """The results of a use case, with all its tables and views, which are made where they are not.

    Raises:
        StoreError: the store cannot be reached or written.
    """
    results = Results(ResultStore(url), use_case)
    if results.store.ensure(results.declaration):
        first, last = use_case.source.start, use_case.source.end or datetime.now(UTC).date()
        write_dates(results, range(first.year, last.year + 1))
    return results


def write_dates(results: Results, years: Iterable[int]) -> None:
    """Put these years into the calendar, as far as they are not there."""
    sql = f'SELECT DISTINCT "year" AS y FROM "{results.name("dates")}"'
    if missing := sorted(set(years) - set(results.store.query(sql)["y"].to_pylist())):
        which = {"year": [str(year) for year in missing]}
        results.replace("dates", calendar_rows(missing), which)


@dataclass
class Stage:
    """Figures of a stage that is under way."""

    partitions: int = 0
    rows: int = 0

    def count(self, *, partitions: int, rows: int) -> None:
        self.partitions, self.rows = partitions, rows


@contextmanager
def timed(results: Results, stage: str, run_id: str) -> Iterator[Stage]:
    """Writes down in table ``stages`` how long a stage of a run took, once it has succeeded."""
    started, clock, figures = datetime.now(UTC), time.perf_counter(), Stage()
    yield figures
    seconds = time.perf_counter() - clock
    logger.info("%s: %d partitions, %.1f s", stage, figures.partitions, seconds)
    row = {
        "run_id": run_id,
        "stage": stage,
        "started_at": started.replace(tzinfo=None),
        "seconds": seconds,
        "partitions": figures.partitions,
        "rows": figures.rows,
    }
    table = pa.Table.from_pylist([row], schema=STAGES)
    results.replace("stages", table, {"run_id": run_id, "stage": stage})
