"""Rows on their way into a slice of a table of the result store."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from many_models.adapters.results.columns import COLUMN_TYPES, as_column
from many_models.adapters.results.engine import Engine
from many_models.core.errors import StoreError

logger = logging.getLogger(__name__)

_BATCH_ROWS = 65_536
_LOG_EVERY_ROWS = 2_000_000


class SliceRows:
    """Rows that a driver takes for `table`: converted, checked and counted as it does.

    `columns` are the SQL types of all of the table's columns, `wanted` the values of the slice.
    """

    def __init__(
        self,
        engine: Engine,
        table: str,
        rows: pa.Table | pa.RecordBatchReader,
        columns: Mapping[str, str],
        wanted: Mapping[str, pa.Array[Any]],
    ) -> None:
        self.count = 0
        self.failure: Exception | None = None
        self.columns, self.wanted = columns, wanted
        self._engine, self._table = engine, table
        self._total = ""
        if isinstance(rows, pa.Table):
            self._total = f" / {rows.num_rows:,}"
            rows = rows.to_reader(_BATCH_ROWS)
        self._source = rows
        self._columns = {name: columns[name] for name in rows.schema.names if name in columns}
        nothing = {name: pa.array([], COLUMN_TYPES[t]) for name, t in self._columns.items()}
        self.schema = pa.schema(
            [(name, engine.stored(array).type) for name, array in nothing.items()]
        )

    def reader(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(self.schema, self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._source:
                converted = self._converted(batch)
                before, self.count = self.count, self.count + batch.num_rows
                if before // _LOG_EVERY_ROWS < self.count // _LOG_EVERY_ROWS:
                    done = f"{self.count:,}{self._total}"
                    logger.info("%s: %s rows written", self._table, done)
                yield converted
        except Exception as error:
            self.failure = error
            raise

    def _converted(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        arrays = {}
        for name, sql_type in self._columns.items():
            arrays[name] = as_column(self._table, name, batch.column(name), sql_type)
        for name, values in self.wanted.items():
            if name not in arrays:
                raise StoreError(f"Rows for {self._table!r} lack column {name!r} of the slice.")
            inside = pc.is_in(arrays[name], value_set=values)
            if inside.false_count:
                outside = arrays[name].filter(pc.invert(inside))[0]
                raise StoreError(
                    f"Rows for {self._table!r} hold {name} = {str(outside)!r}, outside of the "
                    "slice that they replace: filter the rows, or name this value in `where`."
                )
        stored = [self._engine.stored(array) for array in arrays.values()]
        return pa.record_batch(stored, schema=self.schema)
