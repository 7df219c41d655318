"""What holds of every simulation of days, whatever it simulates."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from many_models.core.simulation.days import DailySimulation
from many_models.core.simulation.oil_wells import SimulatedWells
from many_models.core.simulation.restaurants import SimulatedRestaurants
from many_models.core.simulation.retailer import SimulatedSales
from many_models.core.simulation.warehouses import SimulatedWarehouses

SIMULATIONS: dict[str, DailySimulation] = {
    "retailer": SimulatedSales(stores=3, items=4, days=60, seed=7),
    "warehouses": SimulatedWarehouses(warehouses=3, products=4, days=60, seed=7),
    "restaurants": SimulatedRestaurants(restaurants=12, regions=3, days=60, seed=7),
    "oil wells": SimulatedWells(wells=12, fields=3, days=60, seed=7),
}
OF_THE_END = {"covers": "whether it has come", "fails": "whether it is known yet"}


@pytest.fixture(params=list(SIMULATIONS))
def simulation(request: pytest.FixtureRequest) -> DailySimulation:
    return SIMULATIONS[request.param]


def test_every_group_has_every_day_once(simulation: DailySimulation) -> None:
    table = simulation.table()
    keys = table.schema.names[:2]
    assert table.schema == simulation.schema
    assert table.num_rows == simulation.rows == 12 * 60
    frame = table.to_pandas()
    assert not frame.duplicated([*keys, "date"]).any()
    assert frame.groupby(keys)["date"].is_monotonic_increasing.all()


@pytest.mark.parametrize("batch_rows", [1, 130, 10_000])
def test_batches_of_any_size_hold_the_same_rows(
    simulation: DailySimulation, batch_rows: int
) -> None:
    assert simulation.reader(batch_rows=batch_rows).read_all().equals(simulation.table())


def test_a_window_holds_the_rows_the_whole_has_there(simulation: DailySimulation) -> None:
    start, end = simulation.start + timedelta(days=9), simulation.start + timedelta(days=11)
    whole = simulation.table().to_pandas()
    expected = whole[(whole["date"] >= start) & (whole["date"] < end)].reset_index(drop=True)
    assert len(expected) == 24
    assert simulation.table(start=start, end=end).to_pandas().equals(expected)


def test_more_days_change_no_old_row(simulation: DailySimulation) -> None:
    more: Any = replace(simulation, days=90)  # type: ignore[type-var]
    names = [name for name in simulation.schema.names if name not in OF_THE_END]
    longer = more.table(end=simulation.end).select(names)
    assert longer.equals(simulation.table().select(names))


def test_the_seed_decides(simulation: DailySimulation) -> None:
    other: Any = replace(simulation, seed=8)  # type: ignore[type-var]
    assert not other.table().equals(simulation.table())


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("warehouses", {"products": 0}),
        ("warehouses", {"mean_demand": 0.0}),
        ("restaurants", {"regions": 0}),
        ("restaurants", {"planned": 60}),
        ("oil wells", {"days": 0}),
        ("oil wells", {"warning": 1.5}),
    ],
)
def test_sizes_that_make_no_sense_are_refused(name: str, change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(SIMULATIONS[name], **change)  # type: ignore[type-var]


def test_slow_numbers_are_standard_normal_and_resemble_their_neighbours() -> None:
    frame = SimulatedWarehouses(20, 20, days=100, spell=0.5, seed=3).table().to_pandas()
    calm = SimulatedWarehouses(20, 20, days=100, spell=0.0, seed=3).table().to_pandas()
    spell = np.log(frame["expected_demand"] / calm["expected_demand"]) / 0.5 + 0.25
    matrix = spell.to_numpy().reshape(400, 100)
    assert matrix.mean() == pytest.approx(0, abs=0.05)
    assert matrix.std() == pytest.approx(1, abs=0.05)
    near = np.corrcoef(matrix[:, :-1].ravel(), matrix[:, 1:].ravel())[0, 1]
    far = np.corrcoef(matrix[:, :-40].ravel(), matrix[:, 40:].ravel())[0, 1]
    assert near == pytest.approx(0.9, abs=0.03)
    assert abs(far) < 0.05
