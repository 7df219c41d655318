from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from many_models.core.simulation.retailer import SIMULATED_SCHEMA, SimulatedSales

SMALL = SimulatedSales(stores=3, items=4, days=60, seed=7)


def test_every_group_has_every_day_once_in_order() -> None:
    frame = SMALL.table().to_pandas()
    assert len(frame) == SMALL.rows == 3 * 4 * 60
    assert not frame.duplicated(["store_id", "item_id", "date"]).any()
    assert frame.equals(frame.sort_values(["store_id", "item_id", "date"], kind="stable"))
    assert frame["store_id"].unique().tolist() == ["s0001", "s0002", "s0003"]
    assert (frame["date"].min(), frame["date"].max()) == (date(2023, 1, 1), date(2023, 3, 1))


@pytest.mark.parametrize("batch_rows", [1, 61, 130, 10_000])
def test_batches_of_any_size_hold_the_same_rows(batch_rows: int) -> None:
    reader = SMALL.reader(batch_rows=batch_rows)
    assert reader.schema == SIMULATED_SCHEMA
    assert reader.read_all().equals(SMALL.table())


def test_a_window_holds_the_rows_the_whole_has_there() -> None:
    start, end = date(2023, 1, 10), date(2023, 1, 12)
    whole = SMALL.table().to_pandas()
    part = SMALL.table(start=start, end=end).to_pandas()
    expected = whole[(whole["date"] >= start) & (whole["date"] < end)].reset_index(drop=True)
    assert len(part) == 24
    assert part.equals(expected)


def test_a_window_outside_the_days_is_empty() -> None:
    assert SMALL.table(start=date(2024, 1, 1), end=date(2024, 2, 1)).num_rows == 0
    assert SMALL.table(start=date(2022, 1, 1), end=date(2022, 2, 1)).num_rows == 0


def test_more_stores_items_and_days_change_no_old_row() -> None:
    larger = replace(SMALL, stores=5, items=6, days=90).table().to_pandas()
    keys = ["store_id", "item_id", "date"]
    common = SMALL.table().to_pandas()[keys].merge(larger, on=keys)
    assert common.equals(SMALL.table().to_pandas())


def test_the_seed_decides() -> None:
    other = replace(SMALL, seed=8).table()
    assert not other["sales"].equals(SMALL.table()["sales"])
    assert replace(SMALL, seed=-1).table().num_rows == SMALL.rows


def test_sales_are_whole_numbers_that_average_to_the_truth() -> None:
    frame = SimulatedSales(stores=40, items=25, days=200, mean_sales=2.0).table().to_pandas()
    error = frame["sales"] - frame["expected_sales"]
    assert (frame["sales"] == np.floor(frame["sales"])).all() and (frame["sales"] >= 0).all()
    assert abs(error.sum() / frame["expected_sales"].sum()) < 0.01
    variance = frame["expected_sales"] + 0.2**2 * frame["expected_sales"] ** 2
    assert (error**2).mean() / variance.mean() == pytest.approx(1, abs=0.15)


def test_the_noise_of_one_day_says_nothing_about_the_next() -> None:
    frame = SimulatedSales(stores=20, items=20, days=100).table().to_pandas()
    surprise = (frame["sales"] - frame["expected_sales"]) / np.sqrt(frame["expected_sales"])
    table = surprise.to_numpy().reshape(400, 100)
    assert abs(np.corrcoef(table[:, :-1].ravel(), table[:, 1:].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(table[:-1].ravel(), table[1:].ravel())[0, 1]) < 0.02


def test_promotions_run_for_their_share_of_weeks_at_a_lower_price_and_sell_more() -> None:
    frame = SimulatedSales(stores=20, items=20, days=364).table().to_pandas()
    assert frame["promotion"].mean() == pytest.approx(0.1, abs=0.01)
    groups = frame.groupby(["store_id", "item_id", "promotion"])
    means = groups[["price", "expected_sales"]].mean().unstack()
    assert (means["price"][1] < means["price"][0]).mean() > 0.99
    assert (means["expected_sales"][1] > means["expected_sales"][0]).mean() > 0.95


def test_a_store_has_a_weekly_season_of_its_own() -> None:
    frame = SimulatedSales(stores=2, items=50, days=364).table().to_pandas()
    weekday = frame["date"].map(lambda day: day.weekday())
    means = frame.groupby(["store_id", weekday])["expected_sales"].mean().unstack()
    shares = means.div(means.mean(axis=1), axis=0)
    assert (shares.max(axis=1) - shares.min(axis=1) > 0.1).all()
    assert np.abs(shares.iloc[0] - shares.iloc[1]).max() > 0.05


@pytest.mark.parametrize(
    "change", [{"stores": 0}, {"days": -1}, {"mean_sales": 0.0}, {"promotion_share": 1.5}]
)
def test_sizes_that_make_no_sense_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(SMALL, **change)  # type: ignore[arg-type]


def test_columns_have_the_declared_types() -> None:
    assert SMALL.table().schema == SIMULATED_SCHEMA
    assert SIMULATED_SCHEMA.field("date").type == pa.date32()
