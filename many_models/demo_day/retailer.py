"""The retailer of the story: stores whose sales are loaded into a database as the days go by."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import adbc_driver_sqlite.dbapi
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from many_models.core.errors import SourceError
from many_models.core.simulation.retailer import SimulatedSales

DAYS_TOLD = 15  # of the story, up to yesterday

USE_CASE = """\
# A day in the life: `many-models demo day` wrote this file and plays the story.
name: day
description: Daily sales of every store and item of a retailer to whom a lot happens.
source:
  url: sqlite:///{database}
  table: sales
  loaded_at: loaded_at        # the sensor day_new_data looks here for what is new
  window: daily
  start: {start}
  expected_within_hours: null # the story has a clock of its own
keys: [store_id, item_id]
partitioning: {{by: store_id}}
time: {{column: date, frequency: D}}
target: sales
horizon: 14
gaps: zero
prediction_floor: 0
candidates: [seasonal_naive, mean, ets]
validation: {{metric: mase, folds: 3, min_observations: 60, interval: 0.9}}
"""


@dataclass(frozen=True)
class Retailer:
    """A simulated retailer and the SQLite database that its stores report to.

    ``sales`` are what would be sold if nothing happened; its last store has not opened yet.
    """

    folder: Path
    sales: SimulatedSales

    @classmethod
    def founded(cls, folder: Path, stores: int, items: int, history_days: int) -> Retailer:
        """One with so much history before the story begins, and an empty database.

        Raises:
            SourceError: the story was played in this home before, and left its traces everywhere.
        """
        days = history_days + DAYS_TOLD
        first = date.today() - timedelta(days=days)
        folder.mkdir(parents=True, exist_ok=True)
        made = cls(folder, SimulatedSales(stores + 1, items, days, seed=7, start=first))
        if made.database.exists():
            raise SourceError(
                f"{made.database} is there: the story was played in this home before. Let "
                "MANY_MODELS_HOME name another folder to play it again"
            )
        text = USE_CASE.format(database=made.database, start=first)
        made.file.write_text(text, encoding="utf-8")
        return made

    @property
    def database(self) -> Path:
        return self.folder / "day.db"

    @property
    def file(self) -> Path:
        """The use case's."""
        return self.folder / "day.yaml"

    @property
    def stores(self) -> list[str]:
        """All stores, the one that is yet to open last."""
        first = self.sales.table(end=self.sales.start + timedelta(days=1))
        return sorted(set(first["store_id"].to_pylist()))

    def load(
        self,
        stores: Collection[str],
        start: date,
        end: date,
        *,
        times: float = 1.0,
        ago: timedelta = timedelta(0),
    ) -> None:
        """Load sales of some stores, from ``start`` to before ``end``: now, or so long ``ago``.

        They are so many ``times`` what would be sold otherwise.
        """
        rows = self.sales.table(start=start, end=end)
        rows = rows.filter(pc.is_in(rows["store_id"], pa.array(sorted(stores))))
        loaded_at = (datetime.now(UTC) - ago).replace(tzinfo=None)
        table = pa.table(
            {
                "store_id": rows["store_id"],
                "item_id": rows["item_id"],
                "date": pc.cast(rows["date"], pa.string()),
                "sales": np.round(rows["sales"].to_numpy() * times),
                "loaded_at": pa.array([str(loaded_at)] * len(rows), pa.string()),
            }
        )
        path = str(self.database)
        with (
            closing(adbc_driver_sqlite.dbapi.connect(path)) as connection,
            closing(connection.cursor()) as cursor,
        ):
            cursor.adbc_ingest("sales", table, mode="create_append")
            cursor.execute("CREATE INDEX IF NOT EXISTS sales_loaded_at ON sales (loaded_at)")
            cursor.execute("CREATE INDEX IF NOT EXISTS sales_date ON sales (date)")
            connection.commit()
