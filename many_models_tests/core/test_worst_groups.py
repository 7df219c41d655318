from __future__ import annotations

import math

import numpy as np
import pytest

from many_models.core.forecast.ledger import training_schema
from many_models.core.forecast.model import load_model
from many_models.core.forecast.training import train_shard
from many_models.core.ledger import CLOSEUP
from many_models.core.worst_groups import WORST, find_worst, shortfall
from many_models_tests.fakes import make_series, make_shard, make_use_case, noisy_weeks

NAN = float("nan")
USE_CASE = make_use_case(
    candidates=["seasonal_naive", "mean"], features={"known": [{"name": "price", "fill": "last"}]}
)
END = np.datetime64("2024-04-09")  # 100 days


@pytest.mark.parametrize(
    ("score", "baseline", "higher_is_better", "expected"),
    [
        (0.5, 1.0, False, 0.5),
        (2.0, 1.0, False, 2.0),
        (0.0, 0.0, False, 1.0),
        (0.1, 0.0, False, math.inf),
        (0.9, 0.8, True, -0.1),
        (-2.0, 0.0, True, 2.0),
    ],
)
def test_a_score_is_measured_by_the_baselines(
    score: float, baseline: float, higher_is_better: bool, expected: float
) -> None:
    found = shortfall(score, baseline, higher_is_better=higher_is_better)
    assert found == pytest.approx(expected)


def test_the_worst_comes_first_and_of_equals_the_one_with_the_worse_score() -> None:
    scores = {0: (0.5, 1.0), 1: (1.0, 1.0), 2: (3.0, 3.0), 3: (3.0, 2.0), 4: (0.1, 9.0)}
    assert find_worst(scores, higher_is_better=False) == [3, 2, 1]
    assert find_worst(scores, higher_is_better=False, most=9) == [3, 2, 1, 0, 4]
    assert find_worst({0: (0.9, 0.5), 1: (0.6, 0.6)}, higher_is_better=True) == [1, 0]
    assert find_worst({}, higher_is_better=True) == []


def _rows() -> list[dict[str, object]]:
    chance = np.random.default_rng(0)
    series = {
        ("s", f"{n}"): make_series(
            USE_CASE, "2024-01-01", [*(v + 5 * n * chance.normal() for v in noisy_weeks(100, n))]
        )
        for n in range(6)
    }
    series["s", "short"] = make_series(USE_CASE, "2024-04-01", [1.0])
    table = train_shard(make_shard(USE_CASE, series), USE_CASE, partition="s", trained_through=END)
    assert table.schema == training_schema(USE_CASE)
    found: list[dict[str, object]] = table.to_pylist()
    return found


def test_training_keeps_close_ups_of_the_worst_groups_alone() -> None:
    rows = _rows()
    trained = [row for row in rows if row["status"] == "trained"]
    assert len(trained) == 6
    scores = [(row["score"], row["baseline_score"]) for row in trained]
    worst = find_worst(dict(enumerate(scores)), higher_is_better=False)  # type: ignore[arg-type]
    assert len(worst) == WORST
    kept = [row["item"] for row in rows if row[CLOSEUP]]
    assert kept == [trained[number]["item"] for number in sorted(worst)]


def test_a_close_up_has_the_history_the_folds_and_the_models_own_forecast() -> None:
    for row in _rows():
        if not (closeup := row[CLOSEUP]):
            continue
        assert isinstance(closeup, dict)
        model = load_model(row["payload"])  # type: ignore[arg-type]
        rows = model.example(USE_CASE.horizon).assign(price=NAN)
        expected = model.predict(rows)
        np.testing.assert_allclose(closeup["prediction"], expected["prediction"])
        np.testing.assert_allclose(closeup["lower"], expected["lower"])
        assert closeup["origin"] == model.origin
        assert closeup["fold_origins"] == [model.origin - 7 * n for n in (1, 2, 3)]
        assert [len(forecast) for forecast in closeup["backtest"]] == [7, 7, 7]
        assert len(closeup["history"]) == (3 + 2) * 7
        np.testing.assert_allclose(closeup["history"][-len(model.target) :], model.target[-35:])
