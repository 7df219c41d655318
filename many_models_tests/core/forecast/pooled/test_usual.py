from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from many_models.core.forecast.pooled.usual import LEVELS_MAX, Usual, find_usual


def _table(groups: list[tuple[float, str, str]]) -> pa.Table:
    """One row a group: its level, store and item."""
    level, store, item = zip(*groups, strict=True)
    return pa.table(
        {
            "group": pa.array(range(len(groups)), pa.uint64()),
            "level": pa.array(level, pa.float64()),
            "store": pa.array(store).dictionary_encode(),
            "item": pa.array(item).dictionary_encode(),
        }
    )


GRID = [(a * b, f"s{a}", f"i{b}") for a in (1.0, 10.0, 100.0) for b in (1.0, 2.0, 4.0, 8.0)]
COLUMNS = ["store", "item"]


def _usual(groups: list[tuple[float, str, str]]) -> Usual:
    found = find_usual(_table(groups), COLUMNS)
    assert found is not None
    return found


def test_a_level_is_made_of_what_is_usual_for_its_store_and_its_item() -> None:
    usual = _usual(GRID)
    small, large = usual.level(("s1.0", "i1.0")), usual.level(("s100.0", "i8.0"))
    assert small < usual.level(("s10.0", "i2.0")) < large
    assert large / small > 30


def test_what_nobody_knows_has_the_level_of_all() -> None:
    usual = _usual(GRID)
    assert usual.level(("new", "new")) == pytest.approx(np.exp(usual.overall))
    assert np.isnan(usual.codes(("new", "new"))).all()


def test_values_of_one_group_or_of_all_tell_nothing() -> None:
    usual = _usual([(float(n), "the only one", f"i{n}") for n in range(1, 9)])
    assert usual.effects == ({}, {})


def test_no_more_values_are_told_apart_than_trees_bear() -> None:
    usual = _usual([(1.0 + n % 7, f"s{n // 2}", f"i{n % 3}") for n in range(4 * LEVELS_MAX)])
    assert len(usual.effects[0]) == LEVELS_MAX


def test_groups_never_seen_above_zero_say_nothing() -> None:
    nan = float("nan")
    assert find_usual(_table([(nan, "a", "b")]), COLUMNS) is None
    assert _usual([*GRID, (nan, "s1.0", "i1.0")]) == _usual(GRID)


def test_rows_are_looked_up_as_groups_are() -> None:
    usual, table = _usual(GRID), _table([*GRID, (1.0, "new", "i1.0")])
    levels, codes = usual.look_up(table, COLUMNS)
    values = list(zip(*(table[name].to_pylist() for name in COLUMNS), strict=True))
    assert levels.tolist() == pytest.approx([usual.level(value) for value in values])
    np.testing.assert_array_equal(codes, [usual.codes(value) for value in values])
