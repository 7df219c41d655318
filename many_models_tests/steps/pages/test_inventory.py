"""What the inventory page tells: what is to be ordered, what of it is urgent, what nobody knows."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from many_models.steps.pages.inventory import count_due, list_inventory, read_stock
from many_models.steps.pages.reader import open_reader
from many_models.steps.results import Results
from many_models_tests.fakes import make_use_case
from many_models_tests.stored_results import make_results, put_rows

RULES = {"lead_time": 3, "service_level": 0.95}
ORIGIN = datetime(2024, 1, 7)
LEVELS = {"reorder_point": 10.0, "order_up_to": 14.0, "safety_stock": 5.0}
STOCKS: dict[str, dict[str, float | None]] = {
    "ample": {"on_hand": 20.0, "on_order": None, "order_quantity": 0.0},
    "below": {"on_hand": 2.0, "on_order": 9.0, "order_quantity": 3.0},
    "urgent": {"on_hand": 10.0, "on_order": None, "order_quantity": 4.0},
    "unknown": {"on_hand": None, "on_order": None, "order_quantity": None},
}


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return make_results(tmp_path, make_use_case(inventory=RULES))


def put(results: Results, *names: str) -> None:
    schema = results.declaration.table("inventory").schema
    rows = [{"store": "s", "item": name, **LEVELS, **STOCKS[name]} for name in names]
    put_rows(results, "inventory", schema, rows, ORIGIN)


def test_what_is_below_its_level_is_to_be_ordered_and_urgent_at_the_reorder_point(
    results: Results,
) -> None:
    put(results, *STOCKS)
    with open_reader(results) as reader:
        found, rows = count_due(reader), list_inventory(reader).rows
        stock = read_stock(reader, "store=s,item=urgent")
    counted = {name: found[name] for name in ("groups", "known", "due", "low", "quantity")}
    assert counted == {"groups": 4, "known": 3, "due": 2, "low": 1, "quantity": 7.0}
    assert [row["item"] for row in rows] == ["urgent", "below", "ample", "unknown"]
    assert [row["low"] for row in rows] == [1, 0, 0, 0]
    assert stock["low"] == 1


def test_nothing_is_said_of_orders_where_no_stock_is_known(results: Results) -> None:
    put(results, "unknown")
    with open_reader(results) as reader:
        found = count_due(reader)
    assert (found["groups"], found["known"], found["quantity"]) == (1, 0, None)
