"""Queries on the result store as it was at one moment, with parameters bound by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
from adbc_driver_manager.dbapi import Connection

from many_models.adapters.results.columns import COLUMN_TYPES
from many_models.adapters.results.engine import Engine
from many_models.core.errors import StoreError

# String literals, quoted names, comments and casts hide no parameter; group 1 is a parameter.
_PARAMETER = re.compile(
    r"""'[^']*'|"[^"]*"|--[^\n]*|/\*.*?\*/|::|(?<![\w\])]):([A-Za-z_]\w*)""", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The store as it was at one moment; see `ResultStore.snapshot`."""

    engine: Engine
    connection: Connection

    def query(self, sql: str, parameters: Mapping[str, object] | None = None) -> pa.Table:
        """The result of one SELECT; each `:name` in it is bound to `parameters[name]`.

        Give a parameter the type of its column (a `date` for date, a `datetime` for timestamp).
        Columns taken from a table as they are have the same Arrow types from both databases. Of
        computed ones SQLite knows less: a boolean is an integer, `max(time)` is a text.
        """
        parts, values = _split_at_parameters(sql.strip().rstrip(";"), parameters or {})
        with self.engine.errors("a query"), self.connection.cursor() as cursor:
            return self.engine.read(cursor, parts, values)

    @contextmanager
    def stream(
        self,
        sql: str,
        parameters: Mapping[str, object] | None,
        types: Mapping[str, str],
        rows_at_once: int,
    ) -> Iterator[pa.RecordBatchReader]:
        """The result of one SELECT, read as it is asked for: memory holds a batch or two.

        `types` names the result's columns, in their order, with their SQL types.
        """
        parts, values = _split_at_parameters(sql.strip().rstrip(";"), parameters or {})
        schema = pa.schema([(name, COLUMN_TYPES[sql_type]) for name, sql_type in types.items()])
        with self.connection.cursor() as cursor:

            def batches() -> Iterator[pa.RecordBatch]:
                with self.engine.errors("an export"):
                    yield from self.engine.stream(cursor, parts, values, types, rows_at_once)

            yield pa.RecordBatchReader.from_batches(schema, batches())


def _split_at_parameters(
    sql: str, parameters: Mapping[str, object]
) -> tuple[list[str], list[object]]:
    """The statement cut at each `:name`, and the values that stand there."""
    parts, values, end = [], [], 0
    for match in _PARAMETER.finditer(sql):
        name = match.group(1)
        if name is None:
            continue
        if name not in parameters:
            raise StoreError(
                f"The query has :{name}, but its parameters are {sorted(parameters)}: add {name!r}."
            )
        parts.append(sql[end : match.start()])
        values.append(parameters[name])
        end = match.end()
    return [*parts, sql[end:]], values
