"""The tables that a use case keeps in the result store, and what is asked of them.

``<use case>_ledger``, ``_explanations`` (of each partition's last training run alone),
``_verdicts``, ``_predictions``, ``_scoring``, ``_accuracy``, ``_stages``, where there are pooled
models ``_pooled`` and, after the first rollback, ``_rollbacks``; the views ``_latest_ledger``,
``_latest_pooled`` and ``_latest_verdicts`` hold each partition's last run, ``_accuracy_by_group``
and ``_accuracy_by_horizon`` averages.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from many_models.adapters.results.store import ResultStore, Slice
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

    def name(self, table: str) -> str:
        return self.use_case.table(table)

    def replace(
        self,
        table: str,
        rows: pa.Table | pa.RecordBatchReader,
        where: Where,
    ) -> int:
        """Replace a slice of one table in one transaction; returns the rows written."""
        return self.store.replace_slice(self.name(table), rows, where=where)

    def replace_all(
        self, slices: Mapping[str, tuple[pa.Table | pa.RecordBatchReader, Where]]
    ) -> dict[str, int]:
        """Replace slices of several tables, by name, in one transaction; rows written to each."""
        counts = self.store.replace_slices([Slice(self.name(t), *slices[t]) for t in slices])
        return dict(zip(slices, counts, strict=True))

    def latest(self, table: str, partitions: Sequence[str] | None = None) -> pa.Table:
        """Rows of each partition's last run in ``ledger``, ``pooled`` or ``verdicts``."""
        view = self.name(f"latest_{table}")
        if not self.store.has_table(view):
            return pa.table({"partition": pa.array([], pa.string())})
        if partitions is None or len(partitions) > PARTITIONS_IN_A_QUERY:
            rows = self.store.query(f'SELECT * FROM "{view}"')
            wanted = rows["partition"].unique() if partitions is None else list(partitions)
            return rows.filter(pc.is_in(rows["partition"], value_set=pa.array(wanted, pa.string())))
        named = {f"p{number}": name for number, name in enumerate(partitions)}
        among = ", ".join(f":{name}" for name in named) or "NULL"
        return self.store.query(f'SELECT * FROM "{view}" WHERE "partition" IN ({among})', named)

    def create_views(self, table: str, moment: str) -> None:
        """Make the view of each partition's last run, by the column that says when it was.

        With its index, since the view is asked for far more often than rows are added.
        """
        name = self.name(table)
        self.store.create_index(name, ["partition", moment])
        self.store.create_view(
            self.name(f"latest_{table}"),
            f'SELECT t.* FROM "{name}" t JOIN (SELECT "partition" AS p, MAX("{moment}") AS m '
            f'FROM "{name}" GROUP BY "partition") latest '
            f'ON t."partition" = latest.p AND t."{moment}" = latest.m',
        )


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
    table = pa.Table.from_pylist([row], schema=_STAGES)
    results.replace("stages", table, {"run_id": run_id, "stage": stage})


_STAGES = pa.schema(
    [
        ("run_id", pa.string()),
        ("stage", pa.string()),
        ("started_at", pa.timestamp("us")),
        ("seconds", pa.float64()),
        ("partitions", pa.int64()),
        ("rows", pa.int64()),
    ]
)
