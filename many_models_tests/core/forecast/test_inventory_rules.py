from __future__ import annotations

from typing import Any

import pytest

from many_models.core.config_version import config_version
from many_models.core.errors import UseCaseError
from many_models.core.forecast.inventory_rules import InventoryRules
from many_models.core.use_case_file import parse_use_case
from many_models_tests.fakes import make_use_case

TEXT = """
name: stock
source: {url: "sqlite:///stock.db", table: demand, start: 2024-01-01}
keys: [warehouse, product]
partitioning: {by: warehouse}
time: {column: date, frequency: D}
target: demand
horizon: 14
gaps: zero
features: {past: [stock], static: [days, level]}
"""


def test_numbers_and_columns_are_told_apart() -> None:
    rules = InventoryRules.model_validate(
        {"lead_time": 5, "service_level": "level", "on_hand": "stock"}
    )
    assert rules.review_period == 1
    assert rules.columns == {"service_level": "level", "on_hand": "stock"}


@pytest.mark.parametrize(
    ("inventory", "message"),
    [
        ("{lead_time: -1, service_level: 0.9}", "inventory.lead_time: give whole periods"),
        ("{lead_time: 2.5, service_level: 0.9}", "inventory.lead_time: give whole periods"),
        ("{lead_time: true, service_level: 0.9}", "inventory.lead_time: give whole periods"),
        ("{lead_time: 3, service_level: 95}", "inventory.service_level: give a number above 0.5"),
        ("{lead_time: 3, service_level: 1.0}", "inventory.service_level: give a number above 0.5"),
        ("{lead_time: 3, service_level: 0.5}", "inventory.service_level: give a number above 0.5"),
        ("{lead_time: 3}", "inventory.service_level: this field is required"),
        ("{lead_time: 3, service_level: 0.9, review_period: 0}", "inventory.review_period: "),
        ("{lead_time: 12, service_level: 0.9, review_period: 3}", "reach beyond the horizon of 14"),
        ("{lead_time: dayz, service_level: 0.9}", "inventory.lead_time: 'dayz' is no column of"),
        ("{lead_time: stock, service_level: 0.9}", "'stock' is no column of features.static"),
        ("{lead_time: 3, service_level: 0.9, on_hand: shelf}", "inventory.on_hand: 'shelf' is no"),
        ("{lead_time: 3, service_level: 0.9, on_order: stock}", "inventory.on_order: it counts"),
        ("{lead_tme: 3, service_level: 0.9}", "did you mean 'lead_time'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_path(inventory: str, message: str) -> None:
    with pytest.raises(UseCaseError) as caught:
        parse_use_case(f"{TEXT}inventory: {inventory}\n", name="stock.yaml")
    assert message in str(caught.value)


@pytest.mark.parametrize("problem", ["regression", "classification"])
def test_rows_of_no_series_have_no_inventory(problem: str) -> None:
    rules = "inventory: {lead_time: 3, service_level: 0.9}"
    with pytest.raises(UseCaseError, match=f"inventory: makes no sense in problem '{problem}'"):
        parse_use_case(f"{TEXT}problem: {problem}\n{rules}\n", name="stock.yaml")


def test_a_key_may_not_be_named_like_a_column_of_the_table() -> None:
    rules = {"lead_time": 3, "service_level": 0.9}
    assert make_use_case(keys=["store", "safety_stock"]).inventory is None
    with pytest.raises(ValueError, match="has a column 'safety_stock' of its own"):
        make_use_case(keys=["store", "safety_stock"], inventory=rules)


def test_models_are_trained_again_when_an_inventory_comes_but_not_when_it_changes() -> None:
    def version(**fields: Any) -> str:
        return config_version(make_use_case(**fields))

    first = version(inventory={"lead_time": 3, "service_level": 0.9})
    assert first != version()
    assert first == version(inventory={"lead_time": 2, "service_level": 0.98})
