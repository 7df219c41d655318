from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from many_models.core.simulation.restaurants import SimulatedRestaurants

SMALL = SimulatedRestaurants(restaurants=60, regions=4, days=731, planned=14, seed=3)


def test_days_to_come_have_all_but_their_covers() -> None:
    frame = SMALL.table().to_pandas()
    days = frame["date"].drop_duplicates().sort_values().tolist()
    to_come = frame["date"].isin(days[-14:])
    assert frame.loc[to_come, "covers"].isna().all()
    known = ["promotion", "closed", "temperature", "rain", "expected_covers"]
    assert frame[known].notna().all(axis=None)


def test_newcomers_have_no_covers_before_they_open() -> None:
    frame = SMALL.table().to_pandas()
    count = frame.groupby("restaurant")["covers"].count()
    late = count[count < count.max()]
    assert 0 < len(late) < 10
    assert late.nunique() == 1 and 0 < late.iloc[0] < 0.15 * SMALL.days
    nobody = SimulatedRestaurants(60, 4, days=100, newcomers=0.0).table()
    assert nobody["covers"].null_count == 0


def test_who_is_closed_serves_nobody_and_all_are_at_christmas() -> None:
    frame = SMALL.table().to_pandas()
    closed = frame[frame["closed"] == 1]
    assert (closed["covers"].dropna() == 0).all() and (closed["expected_covers"] == 0).all()
    assert (frame.loc[frame["date"] == date(2024, 12, 25), "closed"] == 1).all()
    assert frame["closed"].mean() < 0.1


def test_covers_follow_promotions_weather_and_the_weekday_each_in_its_own_way() -> None:
    frame = SMALL.table().to_pandas()
    open_days = frame[frame["closed"] == 0].copy()
    open_days["log"] = np.log(open_days["expected_covers"])
    open_days["saturday"] = [day.weekday() == 5 for day in open_days["date"]]
    of_place = open_days.groupby("restaurant")
    promoted = open_days.groupby(["restaurant", "promotion"])["log"].mean().unstack()
    assert (promoted[1] > promoted[0]).mean() > 0.95
    saturday = open_days.groupby(["restaurant", "saturday"])["log"].mean().unstack()
    assert 0.2 < (saturday[True] > saturday[False]).mean() < 0.8
    wet = of_place[["log", "rain"]].corr().unstack()["log"]["rain"]
    assert wet.min() < -0.1 < wet.max()


def test_restaurants_of_a_region_have_one_weather() -> None:
    frame = SMALL.table().to_pandas()
    weather = frame.groupby(["region", "date"])[["temperature", "rain"]].nunique()
    assert (weather == 1).all(axis=None)
    assert frame["temperature"].std() > 4
    assert frame["rain"].eq(0).mean() == pytest.approx(0.7, abs=0.1)
