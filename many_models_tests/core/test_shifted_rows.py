from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from many_models.core.keys import group_key
from many_models.core.shifted_rows import SHIFT_SCHEMA, measure_shifts
from many_models.core.use_case import AnyUseCase
from many_models_tests.core.tabular.rows import make_flights, make_route, shard_of
from many_models_tests.fakes import Columns, make_series, make_shard, make_use_case, noisy_weeks

START = np.datetime64("2024-01-01", "us")
DAYS, NEW = 200, 28  # trained on the first, and so many have come since
TEA, JAM = ("s1", "tea"), ("s1", "jam")


def measure(
    use_case: AnyUseCase, table: pa.Table, *champions: tuple[str, ...], days: int = DAYS + NEW
) -> dict[str, dict[str, Any]]:
    """Rows by key; the champions have seen the first ``DAYS``."""
    seen = START + np.timedelta64(DAYS - 1, "D")
    trained = {group_key(use_case.keys, key): seen for key in champions}
    found = measure_shifts(table, use_case, trained, START + np.timedelta64(days - 1, "D"))
    assert found.schema == SHIFT_SCHEMA
    return {row["group_key"]: row for row in found.to_pylist()}


def sales_of(times: float = 1.0, seed: int = 0, **columns: Any) -> Columns:
    """Sales, from the training on so many times as high."""
    days = np.array(noisy_weeks(DAYS + NEW, seed))
    days[DAYS:] *= times
    return make_series(make_use_case(), "2024-01-01", days.tolist(), **columns)


def test_the_group_whose_sales_have_changed_has_shifted_and_no_other() -> None:
    use_case = make_use_case()
    table = make_shard(use_case, {JAM: sales_of(), TEA: sales_of(2.0, seed=1)})
    jam, tea = measure(use_case, table, JAM, TEA).values()
    assert (jam["shifted"], tea["shifted"]) == (False, True)
    assert abs(jam["target_shift"]) < 0.5 < tea["target_shift"]
    assert (tea["feature_shift"], tea["shifted_feature"]) == (None, None)


def test_a_group_without_champion_has_no_row() -> None:
    use_case = make_use_case()
    table = make_shard(use_case, {JAM: sales_of(), TEA: sales_of()})
    assert list(measure(use_case, table, TEA)) == ["store=s1,item=tea"]
    assert measure(use_case, make_shard(use_case, {})) == {}


def test_right_after_training_nothing_can_have_shifted() -> None:
    use_case = make_use_case()
    table = make_shard(use_case, {TEA: sales_of(9.0)})
    (row,) = measure(use_case, table, TEA, days=DAYS + 13).values()
    assert (row["target_shift"], row["shifted"]) == (None, False)
    (row,) = measure(use_case, table, TEA, days=DAYS + 14).values()
    assert row["shifted"]


@pytest.mark.parametrize(("gaps", "shifted"), [("zero", True), ("missing", False)])
def test_what_is_no_longer_sold_has_shifted_where_gaps_are_zeros(gaps: str, shifted: bool) -> None:
    use_case = make_use_case(gaps=gaps)
    sold = make_series(use_case, "2024-01-01", noisy_weeks(DAYS))
    (row,) = measure(use_case, make_shard(use_case, {TEA: sold}), TEA).values()
    assert row["shifted"] is shifted
    assert row["target_shift"] == (pytest.approx(-5, abs=4) if shifted else None)


def test_the_feature_that_shifted_is_named() -> None:
    use_case = make_use_case(features={"known": ["price", "promoted"], "past": ["visitors"]})
    draw = np.random.default_rng(0)
    price, promoted = draw.normal(5, 0.5, DAYS + NEW), draw.integers(0, 2, DAYS + NEW).astype(float)
    price[DAYS:] += 1.0
    sold = sales_of(
        price=price.tolist(), promoted=promoted.tolist(), visitors=noisy_weeks(DAYS + NEW)
    )
    (row,) = measure(use_case, make_shard(use_case, {TEA: sold}), TEA).values()
    assert (row["shifted"], row["shifted_feature"]) == (True, "price")
    assert row["feature_shift"] == pytest.approx(2.0, abs=0.4)
    assert abs(row["target_shift"]) < 0.5


def test_planned_rows_after_the_data_do_not_count() -> None:
    use_case = make_use_case(features={"known": ["price"]})
    prices = [5.0 + day % 2 for day in range(DAYS + NEW)]
    prices[DAYS + 14 :] = [99.0] * 14
    (row,) = measure(
        use_case, make_shard(use_case, {TEA: sales_of(price=prices)}), TEA, days=DAYS + 14
    ).values()
    assert row["feature_shift"] == pytest.approx(0.0, abs=0.1)


ROUTE, FLIGHTS = ("JFK", "LAX"), 4 * (DAYS + NEW)


def route(**columns: Any) -> Columns:
    """Flights, one every six hours, with some of their columns."""
    return make_route(FLIGHTS, **columns)


@pytest.mark.parametrize("problem", ["classification", "regression"])
def test_rows_as_ever_have_not_shifted(problem: str) -> None:
    use_case = make_flights(problem)
    (row,) = measure(use_case, shard_of(use_case, {ROUTE: route()}), ROUTE).values()
    assert not row["shifted"]
    assert abs(row["target_shift"]) < 0.3


def test_a_new_category_is_named() -> None:
    use_case = make_flights()
    carriers = [
        ("AB" if n < 4 * DAYS else "ABC")[n % (2 + (n >= 4 * DAYS))] for n in range(FLIGHTS)
    ]
    table = shard_of(use_case, {ROUTE: route(carrier=carriers)})
    (row,) = measure(use_case, table, ROUTE).values()
    assert (row["shifted"], row["shifted_feature"]) == (True, "carrier")


def test_other_shares_of_classes_are_a_shift_of_the_target() -> None:
    use_case = make_flights()
    draw = np.random.default_rng(0).random(FLIGHTS)
    late = ["late" if u < (0.2 if n < 4 * DAYS else 0.7) else "on time" for n, u in enumerate(draw)]
    (row,) = measure(use_case, shard_of(use_case, {ROUTE: route(late=late)}), ROUTE).values()
    assert row["shifted"]
    assert row["target_shift"] == pytest.approx(1.06, abs=0.3)


def test_rows_whose_class_is_yet_to_come_are_no_class() -> None:
    use_case = make_flights()
    late = [*route()["late"][: 4 * (DAYS + 14)], *[None] * (4 * (NEW - 14))]
    (row,) = measure(use_case, shard_of(use_case, {ROUTE: route(late=late)}), ROUTE).values()
    assert not row["shifted"]
