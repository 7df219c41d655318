"""Tables of a few rows in SQLite, and a look at them."""

from __future__ import annotations

import sqlite3
from collections.abc import Hashable, Mapping
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from many_models.adapters.sources.database import SourceDatabase
from many_models.adapters.sources.probe import SourceProbe
from many_models_tests.core.tabular.rows import make_route

DAYS = [str(date(2017, 1, 1) + timedelta(days=day)) for day in range(60)]


def shop_table(days: list[str] = DAYS) -> pd.DataFrame:
    """Two stores with two items each, sold every day; each store has one region."""
    cells = [(store, item, day) for store in (1, 2) for item in ("tea", "jam") for day in days]
    return pd.DataFrame(
        {
            "store_id": [store for store, _, _ in cells],
            "region": [f"region {store}" for store, _, _ in cells],
            "item": [item for _, item, _ in cells],
            "day": [day for _, _, day in cells],
            "price": [1.5 + position % 5 for position in range(len(cells))],
            "promoted": [position % 2 for position in range(len(cells))],
            "sales": [float(position % 7) for position in range(len(cells))],
        }
    )


def flights_table(count: int = 200) -> pd.DataFrame:
    """Four routes of two carriers; a flight at most every six hours, late or not."""
    routes = [(origin, dest) for origin in ("JFK", "EWR") for dest in ("LAX", "SFO")]
    frames = [
        pd.DataFrame(make_route(count, seed)).assign(origin_airport=origin, dest=dest)
        for seed, (origin, dest) in enumerate(routes)
    ]
    frame = pd.concat(frames, ignore_index=True)
    return frame.assign(departs=frame["departs"].astype(str))


def write_table(
    path: Path, frame: pd.DataFrame, *, table: str = "shop", types: Mapping[str, str] | None = None
) -> str:
    """The URL of a SQLite database with this table beside those it has; ``types`` as declared."""
    declared: dict[Hashable, Any] = dict((types or {}).items())
    with closing(sqlite3.connect(path)) as connection:
        frame.to_sql(table, connection, index=False, dtype=declared)
    return f"sqlite:///{path}"


def probe_table(path: Path, frame: pd.DataFrame, **arguments: Any) -> SourceProbe:
    """A look at this table, written to SQLite."""
    source = SourceDatabase(write_table(path, frame, **arguments))
    return SourceProbe(source, source.describe(arguments.get("table", "shop")))
