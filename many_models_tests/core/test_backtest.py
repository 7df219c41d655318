from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from many_models.core.backtest import (
    TRAINING_ROWS_MIN,
    Backtest,
    fit_candidate,
    fold_origins,
    history_needed,
    run_backtest,
)
from many_models.core.candidates.catalogue import CANDIDATES
from many_models.core.candidates.port import Outlook, Sample
from many_models.core.dataset import Floats, read_dataset
from many_models.core.features import FeatureSpec, build_features
from many_models.core.panel import build_panel
from many_models.core.use_case import UseCase
from many_models_tests.fakes import make_series, make_shard, make_use_case

NAN = float("nan")
TWO = ["seasonal_naive", "ridge"]


@dataclass
class LastValue:
    """Predicts the last target it was fitted on; remembers what it was shown."""

    fits: list[Floats] = field(default_factory=list)
    tests: list[Floats] = field(default_factory=list)
    memory: int = 0

    def fit(self, sample: Sample) -> LastValue:
        self.fits.append(sample.observed()[1])
        return self

    def predict(self, outlook: Outlook) -> Floats:
        self.tests.append(outlook.x)
        return np.full(len(outlook.x), self.fits[-1][-1])


@pytest.fixture
def last_value(monkeypatch: pytest.MonkeyPatch) -> LastValue:
    fake = LastValue()
    monkeypatch.setitem(CANDIDATES, "ridge", fake.fit)
    return fake


def _backtest(use_case: UseCase, *targets: Any, back: int = 0) -> tuple[Backtest, int]:
    """Backtest of groups that all end on one day, and the number of that day."""
    longest = max(map(len, targets))
    groups = {
        ("1", str(number)): make_series(
            use_case, str(np.datetime64("2024-01-01") + (longest - len(values))), values
        )
        for number, values in enumerate(targets)
    }
    dataset = read_dataset(make_shard(use_case, groups), use_case)
    origin = int(dataset.periods[-1]) - back
    panel = build_panel(dataset, np.arange(len(targets)), use_case, origin=origin)
    features = build_features(panel, FeatureSpec.of(use_case))
    return run_backtest(panel, features, use_case), origin


def test_folds_go_back_from_the_last_horizon_by_the_step() -> None:
    assert fold_origins(make_use_case(), 100).tolist() == [93, 86, 79]
    stepped = make_use_case(validation={"folds": 4, "step": 2})
    assert fold_origins(stepped, 100).tolist() == [93, 91, 89, 87]


def test_each_fold_fits_through_its_origin_and_is_judged_on_the_horizon_after_it(
    last_value: LastValue,
) -> None:
    use_case = make_use_case(candidates=TWO, horizon=3, validation={"folds": 2, "step": 5})
    values = [float(value**2 % 101) for value in range(40)]
    test, origin = _backtest(use_case, values)
    assert test.origins.tolist() == [origin - 3, origin - 8]
    assert test.actual.tolist() == [[values[37:40], values[32:35]]]
    assert test.forecasts["ridge"].tolist() == [[[values[36]] * 3, [values[31]] * 3]]
    assert test.forecasts["seasonal_naive"].tolist() == [[values[30:33], values[25:28]]]
    assert [y.tolist() for y in last_value.fits] == [values[:37], values[:32]]
    assert [len(x) for x in last_value.tests] == [3, 3]
    assert test.folds.tolist() == [2]
    assert test.errors == {}


def test_the_scale_is_the_seasonal_naive_error_before_the_oldest_fold() -> None:
    use_case = make_use_case(candidates=TWO, horizon=3, validation={"folds": 2})
    values = np.arange(40.0) ** 2
    test, _ = _backtest(use_case, values.tolist())
    known = values[:34]
    assert test.scale.tolist() == [np.abs(known[7:] - known[:-7]).mean()]


def test_a_group_is_judged_on_the_folds_it_is_old_enough_for() -> None:
    use_case = make_use_case(candidates=TWO)
    assert history_needed(use_case) == 14
    lengths = [20, 21, 27, 28, 34, 35]
    test, _ = _backtest(use_case, *([float(n % 5) for n in range(size)] for size in lengths))
    assert test.folds.tolist() == [0, 1, 1, 2, 2, 3]
    for forecasts in test.forecasts.values():
        there: Any = np.isfinite(forecasts).all(axis=2)
        assert there.sum(axis=1).tolist() == [0, 1, 1, 2, 2, 3]
        assert there[1].tolist() == [True, False, False]
    assert np.isnan(test.scale).tolist() == [True, False, False, False, False, False]


@pytest.mark.parametrize(
    ("code", "horizon", "needed"),
    [("D", 7, 14), ("D", 28, 56), ("W-MON", 8, 60), ("MS", 6, 18), ("h", 24, 48)],
)
def test_the_history_needed_gives_a_scale_of_at_least_a_horizon_of_differences(
    code: str, horizon: int, needed: int
) -> None:
    use_case = make_use_case(time={"column": "date", "frequency": code}, horizon=horizon)
    assert history_needed(use_case) == needed
    assert needed - use_case.frequency.season >= horizon


@pytest.mark.parametrize("fold", [0, 1, 2])
def test_a_candidate_that_fails_in_one_fold_is_judged_on_none(
    monkeypatch: pytest.MonkeyPatch, fold: int
) -> None:
    calls = iter(range(99))

    def fails_once(sample: Sample) -> LastValue:
        if next(calls) == fold:
            raise RuntimeError("out of luck")
        return LastValue().fit(sample)

    monkeypatch.setitem(CANDIDATES, "ridge", fails_once)
    values = [float(n % 9) for n in range(60)]
    test, _ = _backtest(make_use_case(candidates=TWO), values, values)
    assert test.errors == {0: {"ridge": "RuntimeError: out of luck"}}
    assert np.isnan(test.forecasts["ridge"][0]).all()
    assert np.isfinite(test.forecasts["ridge"][1]).all()
    assert np.isfinite(test.forecasts["seasonal_naive"]).all()


def test_a_candidate_whose_forecast_is_not_finite_has_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fit(sample: Sample) -> LastValue:
        return LastValue(fits=[np.array([NAN])])

    monkeypatch.setitem(CANDIDATES, "ridge", fit)
    test, _ = _backtest(make_use_case(candidates=TWO), [float(n % 9) for n in range(60)])
    assert test.errors == {0: {"ridge": "ValueError: the forecast is not finite"}}
    assert np.isnan(test.forecasts["ridge"]).all()


def test_what_is_judged_is_what_would_be_served_nothing_below_the_floor() -> None:
    values = [float(n % 7 - 3) for n in range(60)]
    free, _ = _backtest(make_use_case(), values)
    floored, _ = _backtest(make_use_case(prediction_floor=0), values)
    for name, forecasts in free.forecasts.items():
        assert (forecasts < 0).any()
        np.testing.assert_array_equal(floored.forecasts[name], np.maximum(forecasts, 0))


def test_what_comes_after_the_origin_changes_nothing() -> None:
    values = [float(n % 9) for n in range(60)]
    short, _ = _backtest(make_use_case(), values)
    long, _ = _backtest(make_use_case(), [*values, *[1e6] * 5], back=5)
    np.testing.assert_array_equal(long.origins, short.origins)
    for name, forecasts in short.forecasts.items():
        np.testing.assert_array_equal(long.forecasts[name], forecasts)


def test_a_missing_target_is_neither_learnt_from_nor_judged(last_value: LastValue) -> None:
    use_case = make_use_case(candidates=TWO, gaps="missing", validation={"folds": 1})
    values: list[float | None] = [float(n % 9) for n in range(60)]
    values[10] = values[55] = None
    test, _ = _backtest(use_case, values)
    assert np.isnan(test.actual[0, 0]).tolist() == [False, False, True, *[False] * 4]
    assert len(last_value.fits[0]) == 52


def test_a_candidate_is_not_fitted_on_a_handful_of_rows() -> None:
    y = np.where(np.arange(20) < TRAINING_ROWS_MIN - 1, 1.0, NAN)
    sample = Sample(np.ones((20, 1)), y, np.array([True]), season=7, horizon=7)
    with pytest.raises(ValueError, match="9 rows to fit on; 10 are needed"):
        fit_candidate("ridge", sample)
    fit_candidate("seasonal_naive", sample)
    enough = np.where(np.arange(20) < TRAINING_ROWS_MIN, 1.0, NAN)
    fit_candidate("ridge", replace(sample, y=enough))


def test_time_is_counted_for_every_group() -> None:
    values = [float(n % 9) for n in range(60)]
    test, _ = _backtest(make_use_case(candidates=TWO), values, values[:8])
    assert (test.seconds >= 0).all()
    assert test.seconds.shape == (2,)
