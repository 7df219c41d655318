from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from many_models.core.actuals import accuracy_schema
from many_models.core.use_case import AnyUseCase
from many_models.steps.champion_errors import Judged, read_errors
from many_models.steps.results import Results, open_results
from many_models_tests.core.tabular.rows import make_flights
from many_models_tests.fakes import make_use_case

END = datetime(2024, 3, 31)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/results.db"
    return str(request.getfixturevalue("postgres_url"))


def results_of(use_case: AnyUseCase, url: str, rows: list[dict[str, Any]]) -> Results:
    """A store in which these were judged, all predicted from the day before unless they say."""
    results = open_results(url, use_case)
    usual = {"partition": "s1", "source": "model", "model_version": 2, "time": END}
    filled = [{**usual, "origin": r.get("time", END) - timedelta(1), **r} for r in rows]
    for origin in {row["origin"] for row in filled}:
        table = [row for row in filled if row["origin"] == origin]
        of_origin = pa.Table.from_pylist(table, schema=accuracy_schema(use_case))
        results.replace("accuracy", of_origin, {"origin": str(origin)})
    return results


def champions_of(use_case: AnyUseCase, *names: str) -> Judged:
    last = use_case.frequency.to_period(np.array([END], dtype="datetime64[us]"))
    ones = np.ones(len(names), np.int64)
    return Judged(["s1"] * len(names), names, 2 * ones, last[0] * ones)


def test_an_actual_counts_once_with_the_mean_of_its_errors(url: str) -> None:
    use_case = make_use_case()
    of_a = [
        {"model_name": "a", "deviation": d, "origin": END - timedelta(n)}
        for n, d in ((1, -4.0), (3, 2.0))
    ]
    rows = [*of_a, {"model_name": "b", "deviation": 1.5, "time": END - timedelta(27)}]
    errors, actuals = read_errors(
        champions_of(use_case, "b", "a", "c"), results_of(use_case, url, rows)
    )
    assert errors.shape == actuals.shape == (3, 28)
    assert np.argwhere(actuals).tolist() == [[0, 0], [1, 27]]
    assert (errors[0, 0], errors[1, 27], actuals.sum()) == (1.5, 3.0, 2)


@pytest.mark.parametrize(
    "other",
    [
        {"model_version": 1},
        {"source": "baseline"},
        {"time": END - timedelta(28)},
        {"partition": "s2"},
        {"model_name": "x"},
    ],
)
def test_what_others_predicted_or_long_ago_does_not_count(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    use_case = make_use_case()
    rows = [{"model_name": "a", "deviation": 9.0, **other}]
    results = results_of(use_case, f"sqlite:///{tmp_path}/results.db", rows)
    assert read_errors(champions_of(use_case, "a"), results)[1].sum() == 0


def test_every_row_of_a_day_is_an_actual_and_a_wrong_class_an_error(url: str) -> None:
    use_case = make_flights()
    rows = [
        {"model_name": "a", "flight": flight, "hit": hit, "origin": END - timedelta(back)}
        for flight, hits in {"F1": [1, 0], "F2": [0, 0], "F3": [1, 1]}.items()
        for back, hit in enumerate(hits, start=1)
    ]
    errors, actuals = read_errors(champions_of(use_case, "a"), results_of(use_case, url, rows))
    assert (actuals[0, 27], errors[0, 27]) == (3, 1.5)


def test_before_anything_was_judged_there_is_no_error(tmp_path: Path) -> None:
    use_case = make_use_case()
    results = open_results(f"sqlite:///{tmp_path}/results.db", use_case)
    assert read_errors(champions_of(use_case, "a"), results)[1].sum() == 0
    assert read_errors(champions_of(use_case), results)[0].shape == (0, 28)
