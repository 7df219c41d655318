from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from many_models.core.arrays import Floats
from many_models.core.forecast.backtest import (
    TRAINING_ROWS_MIN,
    Backtest,
    fit_candidate,
    fold_origins,
    history_needed,
    run_backtest,
)
from many_models.core.forecast.candidates.catalogue import CANDIDATES
from many_models.core.forecast.candidates.port import Outlook, Sample
from many_models.core.forecast.dataset import read_dataset
from many_models.core.forecast.features import FeatureSpec, build_features
from many_models.core.forecast.panel import build_panel
from many_models.core.forecast.use_case import BASELINE, UseCase
from many_models_tests.fakes import (
    Columns,
    make_series,
    make_shard,
    make_use_case,
    noisy_weeks,
)

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


def _errors(test: Backtest) -> dict[int, dict[str, str]]:
    return {group: {n: p.error for n, p in found.items()} for group, found in test.errors.items()}


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
    assert test.scale.absolute.tolist() == [np.abs(known[7:] - known[:-7]).mean()]
    assert test.scale.squared.tolist() == [((known[7:] - known[:-7]) ** 2).mean()]


def test_a_group_is_judged_on_the_folds_it_is_old_enough_for() -> None:
    use_case = make_use_case(candidates=TWO)
    assert history_needed(use_case) == 10
    lengths = [16, 17, 23, 24, 30, 31]
    test, _ = _backtest(use_case, *([float(n % 5) for n in range(size)] for size in lengths))
    assert test.folds.tolist() == [0, 1, 1, 2, 2, 3]
    for forecasts in test.forecasts.values():
        there: Any = np.isfinite(forecasts).all(axis=2)
        assert there.sum(axis=1).tolist() == [0, 1, 1, 2, 2, 3]
        assert there[1].tolist() == [True, False, False]
    assert np.isnan(test.scale.absolute).tolist() == [True, False, False, False, False, False]


@pytest.mark.parametrize(
    ("code", "horizon", "needed"),
    [("D", 7, 10), ("D", 28, 28), ("W-MON", 8, 78), ("MS", 6, 18), ("h", 24, 36), ("YS", 4, 8)],
)
def test_the_history_needed_is_a_horizon_and_one_and_a_half_seasons(
    code: str, horizon: int, needed: int
) -> None:
    use_case = make_use_case(time={"column": "date", "frequency": code}, horizon=horizon)
    assert history_needed(use_case) == needed


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
    assert _errors(test) == {0: {"ridge": "RuntimeError: out of luck"}}
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
    assert _errors(test) == {0: {"ridge": "ValueError: the forecast is not finite"}}
    assert np.isnan(test.forecasts["ridge"]).all()


def test_what_is_judged_is_what_would_be_served_nothing_below_the_floor() -> None:
    values = [float(n % 7 - 3) for n in range(60)]
    named = {"candidates": [*TWO, "gradient_boosting"], "ensembles": False}
    free, _ = _backtest(make_use_case(**named), values)
    floored, _ = _backtest(make_use_case(**named, prediction_floor=0), values)
    for name, forecasts in free.forecasts.items():
        assert (forecasts < 0).any()
        np.testing.assert_array_equal(floored.forecasts[name], np.maximum(forecasts, 0))


def test_ensembles_are_of_the_baseline_and_all_candidates_that_did_not_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(sample: Sample) -> LastValue:
        raise RuntimeError("out of luck")

    monkeypatch.setitem(CANDIDATES, "median", fail)
    names = [*TWO, "median", "mean", "theta"]
    values = [float(n % 9) for n in range(60)]
    test, _ = _backtest(make_use_case(candidates=names), values)
    members = ["seasonal_naive", "ridge", "mean", "theta"]
    assert test.members == {0: tuple(members)}
    medians = np.median([test.forecasts[name] for name in members], axis=0)
    np.testing.assert_array_equal(test.forecasts["ensemble_median"], medians)
    fewer, _ = _backtest(make_use_case(candidates=names[:-1]), values)
    assert fewer.members == {}


DESCRIBED: list[Any] = [
    {"name": "log_ridge", "estimator": "ridge", "with": {"log_target": True, "half_life": 60}},
    {"name": "trees", "estimator": "sklearn.tree.DecisionTreeRegressor", "with": {"max_depth": 5}},
]
EVERY_CANDIDATE: list[Any] = [
    None,
    *([BASELINE, name] for name in CANDIDATES if name != BASELINE),
    *([BASELINE, description] for description in DESCRIBED),
]
FEATURES = {"known": ["price", "offer"], "past": ["visits"], "holidays": "US"}


def _name_of(candidates: list[Any] | None) -> str:
    last = "auto" if candidates is None else candidates[-1]
    return str(last["name"] if isinstance(last, dict) else last)


def _changed(series: Columns, first: int, **values: float) -> Columns:
    """The same series, where each of these columns has one other value from row ``first`` on."""
    size = len(series["date"])
    return {
        **series,
        **{name: [*series[name][:first], *[v] * (size - first)] for name, v in values.items()},
    }


def _backtest_through(use_case: UseCase, series: Columns, row: int) -> Backtest:
    """Backtest at the end of the ``row``-th row, with whatever the source says of later."""
    dataset = read_dataset(make_shard(use_case, {("1", "a"): series}), use_case)
    origin = int(dataset.periods[row])
    panel = build_panel(dataset, np.arange(1), use_case, origin=origin)
    return run_backtest(panel, build_features(panel, FeatureSpec.of(use_case)), use_case)


@pytest.mark.parametrize("demand", ["steady", "intermittent"])
@pytest.mark.parametrize("candidates", EVERY_CANDIDATE, ids=_name_of)
def test_what_comes_after_the_origin_changes_nothing(
    candidates: list[Any] | None, demand: str
) -> None:
    """Not after the day of training, and not after the origin of any fold.

    Known features may say what they like of periods ahead, but only of those.
    """
    use_case = make_use_case(candidates=candidates, features=FEATURES, prediction_floor=0)
    chance, days, after = np.random.default_rng(0), 130, 10
    sold = np.array(noisy_weeks(days + after))
    sold = sold if demand == "steady" else np.where(chance.random(len(sold)) < 0.6, 0.0, sold)
    known = {name: chance.normal(size=len(sold)).tolist() for name in ("price", "offer")}
    series = make_series(use_case, "2024-01-01", sold.tolist(), visits=(2 * sold).tolist(), **known)

    found = _backtest_through(use_case, series, days - 1)
    assert found.errors == {}
    assert len(found.forecasts) == 2 if candidates else len(found.forecasts) > 4
    values, plans = {"sold": 1e6, "visits": -1e6}, {"price": 1e6, "offer": -1e6}
    later = _backtest_through(use_case, _changed(series, days, **values, **plans), days - 1)
    for name, forecasts in found.forecasts.items():
        np.testing.assert_array_equal(later.forecasts[name], forecasts)

    for fold in range(use_case.validation.folds):
        after_origin = days - (fold + 1) * use_case.horizon
        changed = _changed(series, after_origin, **values)
        changed = _changed(changed, after_origin + use_case.horizon, **plans)
        later = _backtest_through(use_case, changed, days - 1)
        assert later.forecasts.keys() == found.forecasts.keys()
        for name in found.forecasts:
            np.testing.assert_array_equal(
                later.forecasts[name][:, fold:], found.forecasts[name][:, fold:]
            )


def test_a_missing_target_is_neither_learnt_from_nor_judged(last_value: LastValue) -> None:
    use_case = make_use_case(candidates=TWO, gaps="missing", validation={"folds": 1})
    values: list[float | None] = [float(n % 9) for n in range(60)]
    values[10] = values[55] = None
    test, _ = _backtest(use_case, values)
    assert np.isnan(test.actual[0, 0]).tolist() == [False, False, True, *[False] * 4]
    assert len(last_value.fits[0]) == 52


def test_a_candidate_is_not_fitted_on_a_handful_of_rows() -> None:
    y = np.where(np.arange(20) < TRAINING_ROWS_MIN - 1, 1.0, NAN)
    sample = Sample(np.ones((20, 1)), y, np.array([True]), season=7, horizon=7, origin=19)
    with pytest.raises(ValueError, match="7 rows to fit on; 8 are needed"):
        fit_candidate("ridge", sample, make_use_case())
    fit_candidate("seasonal_naive", sample, make_use_case())
    enough = np.where(np.arange(20) < TRAINING_ROWS_MIN, 1.0, NAN)
    fit_candidate("ridge", replace(sample, y=enough), make_use_case())


def test_time_is_counted_for_every_group() -> None:
    values = [float(n % 9) for n in range(60)]
    test, _ = _backtest(make_use_case(candidates=TWO), values, values[:8])
    assert len(test.costs) == 2
    assert all(cost.seconds > 0 and cost.core_seconds >= 0 for cost in test.costs)


def _with_pooled(candidates: Any, pooled: Floats, groups: int = 2) -> Backtest:
    use_case = make_use_case(candidates=candidates, prediction_floor=0)
    series = {
        ("1", str(number)): make_series(use_case, "2024-01-01", noisy_weeks(80, number))
        for number in range(groups)
    }
    dataset = read_dataset(make_shard(use_case, series), use_case)
    origin = int(dataset.periods[-1])
    panel = build_panel(dataset, np.arange(groups), use_case, origin=origin)
    return run_backtest(panel, build_features(panel, FeatureSpec.of(use_case)), use_case, pooled)


@pytest.mark.parametrize("candidates", ["auto", ["seasonal_naive", "pooled"]])
def test_the_pooled_model_is_judged_by_what_it_has_forecast_for_each_group(candidates: Any) -> None:
    pooled = np.random.default_rng(0).normal(40, 30, (2, 3, 7))
    test = _with_pooled(candidates, pooled)
    np.testing.assert_array_equal(test.forecasts["pooled"], np.maximum(pooled, 0))


def test_a_group_that_lacks_a_pooled_forecast_in_one_fold_goes_without_and_has_no_error() -> None:
    pooled = np.full((2, 3, 7), 40.0)
    pooled[1, 2] = NAN
    test = _with_pooled(["seasonal_naive", "pooled"], pooled)
    assert np.isnan(test.forecasts["pooled"][1]).all()
    assert np.isfinite(test.forecasts["pooled"][0]).all()
    assert _errors(test) == {}


def test_without_a_pooled_model_nobody_misses_it() -> None:
    use_case = make_use_case(candidates=["seasonal_naive", "ridge", "pooled"])
    test, _ = _backtest(use_case, noisy_weeks(80))
    assert "pooled" not in test.forecasts
    assert _errors(test) == {}
