from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from many_models.core.plausibility import (
    HIGHEST,
    LEAST,
    LOWEST,
    MOST,
    OBSERVATIONS,
    OUTSIDE,
    find_implausible,
    ranges_outside,
)


@pytest.mark.parametrize(
    ("predicted", "history", "outside"),
    [
        ((2.0, 9.0), (0.0, 10.0), 0.0),
        ((2.0, 15.0), (0.0, 10.0), 0.5),
        ((-20.0, 15.0), (0.0, 10.0), 2.0),
        ((100.0, 105.0), (100.0, 100.0), 0.5),  # a flat history counts as a tenth of its level
        ((0.0, 0.0), (0.0, 0.0), 0.0),
        ((0.0, 1.0), (0.0, 0.0), np.inf),
    ],
)
def test_the_unit_is_the_range_of_history(
    predicted: tuple[float, float], history: tuple[float, float], outside: float
) -> None:
    arrays = [(np.array([low]), np.array([high])) for low, high in (predicted, history)]
    assert ranges_outside(arrays[0], arrays[1]).tolist() == [outside]


def _find(most: float, **highest: float | None) -> list[tuple[Any, ...]]:
    predicted = pa.table({"item": list(highest), LOWEST: [1.0] * 3, HIGHEST: [*highest.values()]})
    history = {"item": list(highest), LEAST: [0.0] * 3, MOST: [10.0] * 3, OBSERVATIONS: [20] * 3}
    found = find_implausible(predicted, pa.table(history), ["item"], most_ranges=most)
    return [(row["item"], row[OUTSIDE]) for row in found.to_pylist()]


def test_the_farthest_group_comes_first_and_the_near_ones_not_at_all() -> None:
    assert _find(1.0, tea=25.0, jam=40.0, bread=20.0) == [("jam", 3.0), ("tea", 1.5)]
    assert _find(3.0, tea=25.0, jam=40.0, bread=20.0) == []


def test_groups_that_were_hardly_ever_seen_are_not_judged() -> None:
    predicted = pa.table({"item": ["tea", "jam"], LOWEST: [99.0, 99.0], HIGHEST: [99.0, 99.0]})
    seen = {"item": ["tea", "jam"], LEAST: [0.0, 0.0], MOST: [1.0, 1.0], OBSERVATIONS: [19, 20]}
    found = find_implausible(predicted, pa.table(seen), ["item"], most_ranges=1.0)
    assert found["item"].to_pylist() == ["jam"]
