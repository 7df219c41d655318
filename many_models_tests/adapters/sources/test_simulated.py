from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from many_models.adapters.sources.database import SourceDatabase
from many_models.adapters.sources.simulated import load_simulated_source
from many_models.core.errors import SourceError
from many_models.core.simulation.retailer import SimulatedSales

SALES = SimulatedSales(stores=2, items=3, days=40, seed=1)
SCHEMA = pa.schema(
    [
        ("store_id", pa.string()),
        ("item_id", pa.string()),
        ("date", pa.timestamp("us")),
        ("promotion", pa.float64()),
        ("sales", pa.float64()),
        ("expected_sales", pa.float64()),
    ]
)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/source.db"
    found: str = request.getfixturevalue("postgres_url")
    return found


def test_what_is_loaded_comes_back_by_window(url: str) -> None:
    assert load_simulated_source(SALES, url) == 240
    source = SourceDatabase(url)
    query = source.window_query("sales", "date", SCHEMA.names)
    window: dict[str, Any] = {"start": datetime(2023, 1, 1), "end": datetime(2023, 2, 1)}
    rows = source.stream(query, schema=SCHEMA, **window).read_all()
    expected = SALES.table(end=datetime(2023, 2, 1).date()).select(SCHEMA.names).cast(SCHEMA)
    keys = [(name, "ascending") for name in ("store_id", "item_id", "date")]
    assert rows.sort_by(keys).equals(expected)
    assert source.count(query, **window) == 2 * 3 * 31


def test_loading_again_replaces_the_table(url: str) -> None:
    load_simulated_source(SALES, url)
    assert load_simulated_source(SimulatedSales(1, 1, 5), url) == 5
    assert SourceDatabase(url).describe("sales").rows == 5


def test_the_time_is_indexed(tmp_path: Path) -> None:
    load_simulated_source(SALES, f"sqlite:///{tmp_path}/source.db", table='my "sales"')
    with closing(sqlite3.connect(tmp_path / "source.db")) as connection:
        indexed = connection.execute("SELECT tbl_name FROM sqlite_master WHERE type = 'index'")
        assert indexed.fetchall() == [('my "sales"',)]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://host/db", "not mysql: change the URL"),
        ("nonsense", "cannot load simulated sales"),
        ("sqlite:////nowhere/at/all.db", "cannot load simulated sales"),
        ("postgresql://ann:s3cret@127.0.0.1:1/shop", "ann:\\*\\*\\*@127"),
    ],
)
def test_a_database_that_cannot_be_loaded_is_an_error(url: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        load_simulated_source(SALES, url)
    assert "s3cret" not in str(caught.value)
