from __future__ import annotations

import base64
import re
from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest

from many_models.adapters.plots import (
    AccuracyExample,
    BacktestExample,
    ForecastExample,
    plot_accuracy,
    plot_backtests,
    plot_forecasts,
    plot_scores,
)


def _picture(markdown: str, name: str) -> bytes:
    found = re.fullmatch(rf"!\[{name}\]\(data:image/png;base64,([A-Za-z0-9+/=]+)\)", markdown)
    assert found is not None
    return base64.b64decode(found[1])


def _ledger(*scores: tuple[float | None, float | None]) -> pa.Table:
    schema = pa.schema([("score", pa.float64()), ("baseline_score", pa.float64())])
    return pa.Table.from_pylist([dict(zip(schema.names, s, strict=True)) for s in scores], schema)


@pytest.mark.parametrize("scores", [[(0.8, 1.0), (0.5, 1.2), (None, None)], [(0.0, 0.0)]])
def test_scores_become_a_picture(scores: list[tuple[float | None, float | None]]) -> None:
    picture = _picture(plot_scores(_ledger(*scores), "mase"), "scores")
    assert picture.startswith(b"\x89PNG")


def test_a_ledger_without_models_says_so() -> None:
    assert plot_scores(_ledger((None, None)), "mase") == "No model was trained."
    assert plot_scores(_ledger(), "mase") == "No model was trained."


def test_forecasts_become_a_picture_that_grows_with_them() -> None:
    days = np.arange("2024-01-01", "2024-01-15", dtype="datetime64[D]")
    ones = np.ones(7)
    example = ForecastExample("store=$1_x", days[:7], ones, days[7:], ones, ones - 1, ones * np.nan)
    one, two = (_picture(plot_forecasts([example] * n, "sold"), "forecasts") for n in (1, 2))
    heights = [int.from_bytes(picture[20:24], "big") for picture in (one, two)]
    assert heights[1] == 2 * heights[0]


@pytest.mark.parametrize("title", ["$x^$", "\\frac{", "🍎 ü", "x" * 300, " "])
def test_any_key_can_be_a_title(title: str) -> None:
    days, ones = np.arange("2024-01-01", "2024-01-15", dtype="datetime64[D]"), np.ones(7)
    example = ForecastExample(title, days[:7], ones, days[7:], ones, ones, ones)
    assert _picture(plot_forecasts([example], "sold"), "forecasts").startswith(b"\x89PNG")


def test_without_forecasts_there_are_words() -> None:
    assert plot_forecasts([], "sold") == "Nothing was forecast."


def _backtest(title: str, ahead: int = 7) -> BacktestExample:
    days = np.arange("2024-01-01", "2024-01-22", dtype="datetime64[D]")
    values = np.where(np.arange(14) == 3, np.nan, 5.0)
    folds = [(days[7:14], values[:7]), (days[:7], values[7:])]
    after = np.ones(ahead)
    return BacktestExample(
        title, days[:14], values, folds, days[14 : 14 + ahead], after, after * np.nan, after
    )


@pytest.mark.parametrize("title", ["store=$1_x", "\\frac{", "🍎 ü", "x" * 300])
@pytest.mark.parametrize("ahead", [7, 0])
def test_backtests_become_a_picture_that_grows_with_them(title: str, ahead: int) -> None:
    example = _backtest(title, ahead)
    one, two = (_picture(plot_backtests([example] * n, "sold"), "worst groups") for n in (1, 2))
    heights = [int.from_bytes(picture[20:24], "big") for picture in (one, two)]
    assert heights[1] == 2 * heights[0]


def test_without_backtests_there_are_words() -> None:
    assert plot_backtests([], "sold") == "Nothing was forecast."


@pytest.mark.parametrize("since", [None, datetime(2024, 1, 5)])
def test_recent_predictions_become_a_picture_in_whatever_order_they_come(
    since: datetime | None,
) -> None:
    days = np.arange("2024-01-01", "2024-01-15", dtype="datetime64[D]")
    sold, predicted = np.linspace(1, 9, 14), np.ones(14)
    forward, backward = (
        plot_accuracy(
            AccuracyExample("store=$1_x", days[order], sold[order], predicted[order], since), "sold"
        )
        for order in (np.arange(14), np.arange(14)[::-1])
    )
    assert _picture(forward, "worst group") == _picture(backward, "worst group")
