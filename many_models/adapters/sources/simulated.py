"""A simulation as a source database: a table in SQLite or PostgreSQL.

Here belongs only the loading; the rows come from ``core.simulation``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import adbc_driver_manager
import adbc_driver_postgresql.dbapi
import adbc_driver_sqlite.dbapi
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from many_models.core.errors import SourceError
from many_models.core.simulation.days import DailySimulation

logger = logging.getLogger(__name__)

_LOG_ROWS = 5_000_000


def load_simulated_source(simulation: DailySimulation, url: str, *, table: str = "sales") -> int:
    """Replace ``table`` of the database by the simulation, indexed by date, in a transaction.

    Memory does not grow with the number of rows. Returns that number.

    Raises:
        SourceError: the URL is neither SQLite nor PostgreSQL, or the database refuses.
    """
    name = '"' + table.replace('"', '""') + '"'
    index = '"' + f"{table}_date".replace('"', '""') + '"'
    shown = "the database"
    try:
        parsed = sa.make_url(url)
        shown = parsed.render_as_string(hide_password=True)
        with closing(_connect(parsed)) as connection, closing(connection.cursor()) as cursor:
            batches = _logged(simulation.reader(), simulation.rows)
            reader = pa.RecordBatchReader.from_batches(simulation.schema, batches)
            cursor.adbc_ingest(table, reader, mode="replace")
            cursor.execute(f"CREATE INDEX {index} ON {name} (date)")
            connection.commit()
    except (ArgumentError, adbc_driver_manager.Error, OSError) as error:
        raise SourceError(
            f"cannot load simulated sales into table {table!r} of {shown}: {error}. Check that the "
            "database exists and may be written to"
        ) from error
    return simulation.rows


def _connect(url: sa.URL) -> Any:
    backend = url.get_backend_name()
    if backend == "sqlite" and url.database:
        return adbc_driver_sqlite.dbapi.connect(url.database)
    if backend == "postgresql":
        plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
        return adbc_driver_postgresql.dbapi.connect(plain)
    raise SourceError(
        f"simulated sales go into sqlite:///path or postgresql://..., not {backend}: change the URL"
    )


def _logged(reader: pa.RecordBatchReader, rows: int) -> Iterator[pa.RecordBatch]:
    done = 0
    for batch in reader:
        yield batch
        if (done + batch.num_rows) // _LOG_ROWS > done // _LOG_ROWS:
            logger.info("simulated sales: %d / %d rows loaded", done + batch.num_rows, rows)
        done += batch.num_rows
