from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pytest

from many_models.core.failure import Problem
from many_models.core.forecast.dataset import read_dataset
from many_models.core.forecast.screening import find_reasons_to_skip
from many_models.core.forecast.use_case import UseCase
from many_models_tests.fakes import Columns, make_series, make_shard, make_use_case, without_rows

VALIDATION = {"min_observations": 20}
DAILY = make_use_case(validation=VALIDATION)
SENSOR = make_use_case(validation=VALIDATION, gaps="missing")
DAY = 19_723  # 2024-01-01
VARIED = [float(1 + n % 5) for n in range(60)]


def _problem(use_case: UseCase, series: Any, origin: int = DAY + 59) -> Problem | None:
    dataset = read_dataset(make_shard(use_case, {("1", "a"): series}), use_case)
    return find_reasons_to_skip(dataset, use_case, origin).get(0)


def _reason(use_case: UseCase, series: Any, origin: int = DAY + 59) -> str | None:
    problem = _problem(use_case, series, origin)
    return problem.reason if problem else None


@pytest.mark.parametrize("use_case", [DAILY, SENSOR])
def test_a_long_varied_series_is_trained(use_case: UseCase) -> None:
    assert _problem(use_case, make_series(use_case, "2024-01-01", VARIED)) is None


def test_too_few_observations_are_counted() -> None:
    thin = without_rows(make_series(DAILY, "2024-01-01", VARIED), range(1, 42))
    assert _problem(DAILY, thin) == Problem(
        "too_few_observations", "19 observations; validation.min_observations is 20"
    )
    enough = without_rows(make_series(DAILY, "2024-01-01", VARIED), range(1, 41))
    assert _problem(DAILY, enough) is None


def test_only_observations_through_the_origin_count() -> None:
    series = make_series(DAILY, "2024-01-01", VARIED)
    assert _reason(DAILY, series, origin=DAY + 18) == "too_few_observations"
    nothing = _problem(DAILY, series, origin=DAY - 1)
    assert nothing is not None
    assert nothing.error.startswith("0 observations")


def test_a_short_but_dense_series_lacks_history() -> None:
    use_case = make_use_case(validation={"min_observations": 10})
    series = make_series(use_case, "2024-02-09", VARIED[:17])
    assert _problem(use_case, series, DAY + 54) == Problem(
        "history_too_short", "16 periods of history; one fold needs 17"
    )
    assert _problem(use_case, series, DAY + 55) is None


@pytest.mark.parametrize("value", [0.0, 7.0, -3.0])
@pytest.mark.parametrize("use_case", [DAILY, SENSOR])
def test_a_series_that_never_changes_is_skipped(use_case: UseCase, value: float) -> None:
    problem = _problem(use_case, make_series(use_case, "2024-01-01", [value] * 60))
    assert problem == Problem("constant_target", f"all 60 observations are {value:g}")


def test_zeros_in_the_gaps_make_a_constant_series_vary() -> None:
    assert _reason(DAILY, _without_sundays(DAILY, 7.0)) is None
    assert _reason(SENSOR, _without_sundays(SENSOR, 7.0)) == "constant_target"
    assert _reason(DAILY, _without_sundays(DAILY, 0.0)) == "constant_target"


def test_nulls_are_no_zeros() -> None:
    nulls = [None if n % 7 == 6 else 7.0 for n in range(60)]
    assert _reason(DAILY, make_series(DAILY, "2024-01-01", nulls)) == "constant_target"


def test_a_sensor_that_fell_silent_is_skipped_and_an_article_that_sells_no_more_is_not() -> None:
    silent = make_series(SENSOR, "2024-01-01", VARIED[:53])
    assert _problem(SENSOR, silent) == Problem(
        "no_recent_observations", "none in the last 7 periods"
    )
    assert _problem(SENSOR, make_series(SENSOR, "2024-01-01", VARIED[:54])) is None
    assert _problem(DAILY, silent) is None


def test_groups_that_cannot_be_counted_do_not_stop_the_others() -> None:
    broken: Columns = {"date": [None, datetime(2024, 1, 1)], "sold": [1.0, 1.0]}
    good = make_series(DAILY, "2024-01-01", VARIED)
    shard = make_shard(DAILY, {("1", "a"): broken, ("1", "b"): good})
    found = find_reasons_to_skip(read_dataset(shard, DAILY), DAILY, DAY + 59)
    assert {group: problem.reason for group, problem in found.items()} == {
        0: "too_few_observations"
    }


def _without_sundays(use_case: UseCase, value: float) -> Any:
    series = make_series(use_case, "2024-01-01", [value] * 60)
    return without_rows(series, np.arange(6, 60, 7).tolist())
