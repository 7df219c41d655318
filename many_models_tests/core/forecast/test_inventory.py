"""Safety stock in batch scoring: every group of a shard has a row, whatever served it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy import stats

from many_models.core.forecast.inventory import inventory_schema
from many_models.core.forecast.inventory_rules import InventoryRules
from many_models.core.forecast.pooled.model import make_pooled_model
from many_models.core.forecast.pooled.stand_in import POOLED_KEY
from many_models.core.forecast.scoring import score_shard
from many_models.core.forecast.training import train_shard
from many_models.core.forecast.use_case import UseCase
from many_models.core.payload import dump_payload
from many_models.core.scoring import Champion
from many_models_tests.core.forecast.pooled import partitions as pooled_partition
from many_models_tests.fakes import Columns, make_series, make_shard, make_use_case, noisy_weeks

START, END = "2024-01-01", np.datetime64("2024-05-29")  # 150 days
DAYS = 150
RULES = {"lead_time": "days", "service_level": "level", "on_hand": "stock", "on_order": "ordered"}
Groups = Mapping[tuple[str, str], Columns]


def _use_case(**rules: Any) -> UseCase:
    return make_use_case(
        candidates=["seasonal_naive", "ridge"],
        features={"past": ["stock", "ordered"], "static": ["days", "level"]},
        inventory={**RULES, **rules},
        validation={"min_observations": 60},
    )


USE_CASE = _use_case()


def _series(*targets: float | None, days: str = "3", level: str = "0.95") -> Columns:
    """A group whose stock is 40 at the end, as of three days before."""
    count = len(targets)
    first = str(END - count + 1)
    stock: list[float | None] = [*[90.0] * count, 40.0, None, None, None]
    given: dict[str, list[Any]] = {
        "stock": stock[-count:],
        "ordered": [7.0] * count,
        "days": [days] * count,
    }
    return make_series(USE_CASE, first, targets, **given, level=[level] * count)


GOOD = _series(*noisy_weeks(DAYS))
OTHERS = {("1", f"g{n}"): _series(*noisy_weeks(DAYS, seed=n)) for n in range(1, 12)}


def _champions(groups: Groups, use_case: UseCase = USE_CASE) -> dict[str, Champion]:
    shard = make_shard(use_case, groups)
    rows = train_shard(shard, use_case, partition="p", trained_through=END).to_pylist()
    return {row["group_key"]: Champion("m", 1, row["payload"]) for row in rows if row["payload"]}


def _rows(
    groups: Groups, champions: Mapping[str, Champion], use_case: UseCase = USE_CASE
) -> dict[str, dict[str, Any]]:
    """Rows of the inventory by item."""
    shard = make_shard(use_case, groups)
    scores = score_shard(shard, champions, use_case, partition="p", origin=END)
    assert scores.inventory is not None
    assert scores.inventory.schema == inventory_schema(use_case)
    assert scores.inventory["group_key"].equals(scores.ledger["group_key"])
    return {row["item"]: row for row in scores.inventory.to_pylist()}


def test_levels_are_those_of_the_forecast_and_stock_is_the_last_known() -> None:
    groups = {("1", "a"): GOOD, **OTHERS}
    champions = _champions(groups)
    row = _rows(groups, champions)["a"]
    shard = make_shard(USE_CASE, groups)
    scores = score_shard(shard, champions, USE_CASE, partition="p", origin=END)
    forecast = [r["prediction"] for r in scores.predictions.to_pylist() if r["item"] == "a"]
    assert row["reason"] is None and row["source"] == "model"
    assert (row["lead_time"], row["review_period"], row["service_level"]) == (3, 1, 0.95)
    assert row["demand_over_lead_time"] == pytest.approx(sum(forecast[:3]))
    assert row["demand_over_protection"] == pytest.approx(sum(forecast[:4]))
    assert row["safety_stock"] == pytest.approx(row["order_up_to"] - sum(forecast[:4]))
    assert row["demand_over_lead_time"] < row["reorder_point"] < row["order_up_to"]
    # Noise of two a day, which a ridge forecasts nearly as well as can be.
    usual = stats.norm.ppf(0.95) * 2 * np.sqrt(4)
    assert 0.8 * usual < row["safety_stock"] < 2 * usual
    assert (row["on_hand"], row["on_order"]) == (40, 7)
    assert row["order_quantity"] == pytest.approx(row["order_up_to"] - 47)


def test_every_group_has_a_row_with_levels_or_a_reason() -> None:
    groups = {
        ("1", "a"): GOOD,
        **OTHERS,
        ("1", "no model"): _series(*noisy_weeks(DAYS, seed=20)),
        ("1", "young"): _series(*noisy_weeks(10)),
        ("1", "nothing"): _series(None, None),
        ("1", "infinite"): _series(*noisy_weeks(9), float("inf")),
        ("1", "late"): _series(*noisy_weeks(DAYS), days="7"),
        ("1", "half days"): _series(*noisy_weeks(DAYS), days="2.5"),
        ("1", "words"): _series(*noisy_weeks(DAYS), days="soon"),
        ("1", "unsaid"): _series(*noisy_weeks(DAYS), level=""),
        ("1", "percent"): _series(*noisy_weeks(DAYS), level="95"),
    }
    champions = _champions({("1", "a"): GOOD, **OTHERS})
    rows = _rows(groups, champions)
    assert set(rows) == {item for _, item in groups}
    reasons = {item: row["reason"] for item, row in rows.items() if row["reason"]}
    assert reasons == {
        "nothing": "no_observations",
        "infinite": "non_finite_value",
        "late": "bad_lead_time",
        "half days": "bad_lead_time",
        "words": "bad_lead_time",
        "unsaid": "bad_service_level",
        "percent": "bad_service_level",
    }
    assert {rows[item]["source"] for item in ("no model", "young")} == {"baseline"}
    assert rows["late"]["error"] == (
        "days is '7'; it must be whole periods from 0 to 6, since forecasts reach 7 ahead"
    )
    for item, row in rows.items():
        assert (row["order_up_to"] is None) == (item in reasons)
        assert (row["order_quantity"] is None) == (item in reasons)


def test_a_bad_group_changes_no_other_ones_levels() -> None:
    groups = {("1", "a"): GOOD, **OTHERS}
    champions = _champions(groups)
    bad = {("1", "z"): _series(*noisy_weeks(9), float("inf"))}
    assert _rows(groups, champions)["a"] == _rows({**groups, **bad}, champions)["a"]


def test_a_model_of_before_there_was_an_inventory_says_so() -> None:
    plain = make_use_case(
        candidates=["seasonal_naive", "ridge"], features={"past": ["stock", "ordered"]}
    )
    assert inventory_schema(plain) is None
    before = USE_CASE.model_copy(update={"inventory": None})
    row = _rows({("1", "a"): GOOD}, _champions({("1", "a"): GOOD}, before))["a"]
    assert (row["source"], row["reason"]) == ("model", "no_errors_known")
    assert "train it again" in row["error"]


def test_a_use_case_without_inventory_has_no_rows_of_it() -> None:
    use_case = make_use_case(candidates=["seasonal_naive"])
    shard = make_shard(use_case, {("1", "a"): make_series(use_case, START, noisy_weeks(50))})
    assert score_shard(shard, {}, use_case, partition="p", origin=END).inventory is None


def test_stock_may_stand_in_no_column_or_in_a_static_one() -> None:
    groups = {("1", "a"): GOOD, **OTHERS}
    champions = _champions(groups)
    unknown = _rows(groups, champions, _use_case(on_hand=None, on_order=None))["a"]
    assert unknown["order_up_to"] is not None
    assert (unknown["on_hand"], unknown["order_quantity"]) == (None, None)
    static = _rows(groups, champions, _use_case(on_hand="days", on_order=None))["a"]
    assert static["on_hand"] == 3
    assert static["order_quantity"] == pytest.approx(static["order_up_to"] - 3)


def test_numbers_for_all_groups_need_no_column() -> None:
    groups = {("1", "a"): GOOD, **OTHERS}
    use_case = _use_case(lead_time=0, review_period=2, service_level=0.9)
    row = _rows(groups, _champions(groups), use_case)["a"]
    assert (row["lead_time"], row["review_period"], row["service_level"]) == (0, 2, 0.9)
    assert row["reorder_point"] == row["demand_over_lead_time"] == 0
    assert row["order_up_to"] > row["demand_over_protection"] > 0


def test_who_has_no_model_gets_levels_from_the_pooled_one_by_its_backtest() -> None:
    use_case = pooled_partition.USE_CASE.model_copy(
        update={"inventory": InventoryRules(lead_time=3, service_level=0.95)}
    )
    rows, fits = pooled_partition.rows_of(pooled_partition.GROUPS), pooled_partition.fits()
    model = make_pooled_model(rows, fits, use_case, "p")
    young = {("s9", "new"): pooled_partition.series(10.0, 99, days=5)}
    shard = make_shard(use_case, {**pooled_partition.GROUPS, **young})
    champions = {POOLED_KEY: Champion("m", 1, dump_payload(model)[0])}
    scores = score_shard(shard, champions, use_case, partition="p", origin=pooled_partition.END)
    assert scores.inventory is not None
    found = scores.inventory.to_pandas().set_index("group_key")
    assert set(found["source"]) == {"pooled"} and found["reason"].isna().all()
    # What is sold differs by chance by a third a day, and so by a sixth in four days.
    share = found["safety_stock"] / found["demand_over_protection"]
    assert share.between(0.15, 1.2).all()
    level = found["demand_over_protection"]
    like_new = share[level.between(level["store=s9,item=new"] / 3, level["store=s9,item=new"] * 3)]
    assert share["store=s9,item=new"] == pytest.approx(like_new.median(), rel=0.5)
