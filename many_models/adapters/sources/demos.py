"""The gallery's source databases: where the rows of each demo come from, and how many there are.

What the pipeline does with them is the business of the use case files.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pyarrow as pa

from many_models.adapters.sources.demo_database import DemoSource, DemoTables, build_once
from many_models.adapters.sources.flights import FLIGHTS
from many_models.adapters.sources.grocery import GROCERY
from many_models.core.simulation.days import DailySimulation
from many_models.core.simulation.oil_wells import SimulatedWells
from many_models.core.simulation.restaurants import SimulatedRestaurants
from many_models.core.simulation.warehouses import SimulatedWarehouses


def _simulated(layout: int, table: str, simulation: DailySimulation) -> DemoTables:
    def read() -> dict[str, pa.RecordBatchReader]:
        return {table: simulation.reader()}

    index = f"CREATE INDEX {table}_date ON {table} (date)"
    return DemoTables(layout, (table,), read, indexes=(index,))


WAREHOUSES = SimulatedWarehouses(4, 60, days=500, start=date(2024, 1, 1))
RESTAURANTS = SimulatedRestaurants(500, 5, days=745, planned=14, start=date(2024, 1, 1))
WELLS = SimulatedWells(160, 5, days=912, start=date(2022, 1, 1))

DEMOS: Mapping[str, DemoTables] = {
    "grocery": GROCERY,
    "flights": FLIGHTS,
    "warehouse": _simulated(20240101, "demand", WAREHOUSES),
    "restaurants": _simulated(20240102, "covers", RESTAURANTS),
    "oil_wells": _simulated(20220101, "readings", WELLS),
}


def load_demo(name: str, path: Path) -> DemoSource:
    """The database of one of the ``DEMOS`` at ``path``; built unless it is there and complete.

    Raises:
        SourceError: its data package is not installed, or another file is at ``path``.
    """
    return build_once(path, DEMOS[name])
