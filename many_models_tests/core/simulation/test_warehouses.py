from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from many_models.core.simulation.warehouses import LEAD_TIMES, SERVICE_LEVELS, SimulatedWarehouses

SMALL = SimulatedWarehouses(warehouses=4, products=30, days=200, seed=1)


def test_demand_is_whole_and_averages_to_the_truth() -> None:
    frame = SimulatedWarehouses(10, 50, days=200, seed=2).table().to_pandas()
    assert (frame["demand"] == np.floor(frame["demand"])).all() and (frame["demand"] >= 0).all()
    assert frame["demand"].sum() == pytest.approx(frame["expected_demand"].sum(), rel=0.01)
    assert frame["demand"].eq(0).mean() > 0.2  # there are slow movers, and weekends


def test_what_is_on_order_is_what_was_asked_for_in_the_lead_time() -> None:
    frame = SMALL.table().to_pandas()
    group = frame[(frame["warehouse"] == "w0002") & (frame["product"] == "p0005")]
    lead = int(group["lead_time_days"].iloc[0])
    expected = group["demand"].rolling(lead).sum()
    assert (group["on_order"][lead:] == expected[lead:]).all()
    position = group["on_hand"] + group["on_order"]
    assert position.nunique() == 1


def test_terms_are_those_of_the_product() -> None:
    frame = SMALL.table().to_pandas()
    terms = ["lead_time_days", "target_service", "class"]
    assert (frame.groupby("product")[terms].nunique() == 1).all(axis=None)
    assert set(frame["lead_time_days"]) <= set(LEAD_TIMES)
    assert dict(zip(frame["class"], frame["target_service"], strict=True)) == dict(
        zip("ABC", SERVICE_LEVELS, strict=True)
    )
    means = frame.groupby("class")["demand"].mean()
    assert means["A"] > means["B"] > means["C"]


def test_futures_begin_where_the_past_ends_and_differ_from_each_other() -> None:
    last = SMALL.start + timedelta(days=99)
    one, two = SMALL.futures(last, 14, draws=2)
    assert one.shape == (120, 14)
    assert (one != two).any()
    again = next(SMALL.futures(last, 14, draws=1))
    assert (again == one).all()


def test_what_came_is_one_of_the_futures() -> None:
    """In as many groups as it should be, what came is below most of what might have come."""
    simulation = SimulatedWarehouses(20, 40, days=160, seed=5)
    last = simulation.start + timedelta(days=139)
    came = simulation.table(start=last + timedelta(days=1)).to_pandas()
    demand = came["demand"].to_numpy().reshape(800, 20).sum(axis=1)
    futures = np.stack([draw.sum(axis=1) for draw in simulation.futures(last, 20, draws=100)])
    ranks = (futures < demand).mean(axis=0) + (futures == demand).mean(axis=0) / 2
    assert ranks.mean() == pytest.approx(0.5, abs=0.04)
    assert (ranks > 0.9).mean() == pytest.approx(0.1, abs=0.04)
    assert (ranks < 0.1).mean() == pytest.approx(0.1, abs=0.04)
