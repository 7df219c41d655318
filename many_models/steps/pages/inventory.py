"""Inventory, of use cases that ask for it: what to order now, and at which stock to order.

What is below its order-up-to level is to be ordered, since what the next review can order comes too
late for it. What has come down to the reorder point is ``low``, which is urgent.
"""

from __future__ import annotations

from many_models.steps.pages.reader import Listing, Reader, Row

VIEW = "latest_inventory"

_BY = {
    "order": "order_quantity IS NULL, order_quantity DESC, ",
    "safety_stock": "safety_stock IS NULL, safety_stock DESC, ",
    "reorder_point": "reorder_point IS NULL, reorder_point DESC, ",
    "demand": "demand_over_protection IS NULL, demand_over_protection DESC, ",
    "on_hand": "on_hand IS NULL, on_hand, ",
}
_POSITION = "on_hand + COALESCE(on_order, 0)"
_LOW = f"CASE WHEN order_quantity > 0 AND {_POSITION} <= reorder_point THEN 1 ELSE 0 END"


def has_inventory(reader: Reader) -> bool:
    """Whether the use case asks for it."""
    return reader.has(VIEW)


def list_inventory(
    reader: Reader, partition: str = "", order: str = "order", page: int = 1
) -> Listing:
    """One page of the groups' stock: all columns of the view, and ``low``, 1 where urgent."""
    select, values = f"SELECT v.*, {_LOW} AS low FROM {{{VIEW}}} v", dict[str, object]()
    if partition:
        select += ' WHERE "partition" = :partition'
        values["partition"] = partition
    return reader.listing(select, f"{_BY.get(order, '')}group_key", page, **values)


def read_stock(reader: Reader, key: str) -> Row:
    """One group's row; empty where there is none."""
    if not has_inventory(reader):
        return {}
    select = f"SELECT v.*, {_LOW} AS low FROM {{{VIEW}}} v WHERE group_key = :key"
    return reader.row(select, key=key)


def count_due(reader: Reader) -> Row:
    """All groups together: ``groups``, of how many the stock is ``known``, how many are ``due``
    to be ordered, how many of these are ``low``, what ``quantity`` that is.
    """
    return reader.row(
        "SELECT COUNT(*) AS groups, COUNT(order_quantity) AS known, "
        f"COUNT(CASE WHEN order_quantity > 0 THEN 1 END) AS due, SUM({_LOW}) AS low, "
        "SUM(order_quantity) AS quantity, SUM(safety_stock) AS safety_stock, "
        f"MAX(origin) AS origin FROM {{{VIEW}}}"
    )
