from __future__ import annotations

import numpy as np

from many_models.core.retraining_growth import has_enough
from many_models.core.use_case import AnyUseCase
from many_models_tests.core.tabular.rows import make_flights
from many_models_tests.fakes import make_use_case

DAILY = make_use_case(validation={"min_observations": 20})


def enough(
    observations: int,
    through: str,
    *,
    use_case: AnyUseCase = DAILY,
    first: str = "2024-01-01",
    before: str = "2024-01-10",
) -> bool:
    def moments(text: str) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
        return np.array([text], dtype="datetime64[us]")

    (found,) = has_enough(
        use_case,
        observations=np.array([observations]),
        first_time=moments(first),
        trained_through=moments(before),
        through=np.datetime64(through, "us"),
    ).tolist()
    return bool(found)


def test_a_group_with_a_row_each_day_has_enough_when_the_days_are_over() -> None:
    assert not enough(10, "2024-01-19")
    assert enough(10, "2024-01-20")


def test_a_group_with_a_row_every_other_day_needs_twice_the_days() -> None:
    assert not enough(5, "2024-01-30")
    assert enough(5, "2024-02-09")


def test_history_must_suffice_for_a_fold_too() -> None:
    use_case = make_use_case(validation={"min_observations": 2})
    assert not enough(10, "2024-01-16", use_case=use_case)
    assert enough(10, "2024-01-17", use_case=use_case)  # ten days to learn from and seven ahead


def test_without_data_since_nothing_has_changed() -> None:
    assert not enough(30, "2024-01-10")


def test_rows_are_taken_to_come_at_the_rate_of_before() -> None:
    use_case = make_flights(validation={"min_rows": 50})
    assert not enough(10, "2024-02-18", use_case=use_case)
    assert enough(10, "2024-02-19", use_case=use_case)
