from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import sklearn.linear_model

from many_models.core.arrays import Floats
from many_models.core.forecast.candidates.options import RidgeOptions
from many_models.core.forecast.candidates.port import Outlook, Sample
from many_models.core.forecast.candidates.ridge import (
    HALF_LIVES,
    PENALTIES,
    LogRidge,
    Ridge,
    fit_ridge,
)
from many_models.core.frequency import SEASONS
from many_models_tests.core.forecast.candidates.samples import NAN, ahead, make_rows, sample_of

PLAIN = RidgeOptions(trend=False, half_life="none")


def _plain(sample: Sample) -> Ridge:
    """Ridge on the features and nothing else, all periods alike."""
    fitted = fit_ridge(sample, PLAIN)
    assert isinstance(fitted, Ridge)
    return fitted


def _scores(x: Floats, y: Floats, penalty: float) -> tuple[float, Floats]:
    """Generalised cross-validation error and predictions of scikit-learn's ridge."""
    standardised = (x - x.mean(axis=0)) / x.std(axis=0)
    model = sklearn.linear_model.Ridge(alpha=penalty * len(y)).fit(standardised, y)
    predictions = model.predict(standardised)
    gram = standardised @ standardised.T
    hat = gram @ np.linalg.inv(gram + len(y) * penalty * np.eye(len(y)))
    freedom = len(y) - 1 - np.trace(hat)
    return ((y - predictions) ** 2).sum() / freedom**2, predictions


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("shape", [(60, 6), (12, 6), (15, 25)])
def test_ridge_is_scikit_learns_at_the_penalty_with_the_least_cross_validation_error(
    shape: tuple[int, int], seed: int
) -> None:
    x, y, linear = make_rows(*shape, seed)
    by_penalty = [_scores(x, y, penalty) for penalty in PENALTIES]
    _, expected = min(by_penalty, key=lambda scored: scored[0])
    found = _plain(sample_of(x, y, linear)).predict(ahead(x, y))
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_ridge_does_not_care_for_units() -> None:
    x, y, linear = make_rows(100, 4)
    plain, scaled = (
        _plain(sample_of(x, y, linear)),
        _plain(sample_of(x * 1e-12, y * 1e12, linear)),
    )
    np.testing.assert_allclose(
        scaled.predict(ahead(x * 1e-12, y)),
        plain.predict(ahead(x, y)) * 1e12,
        rtol=1e-8,
    )


@pytest.mark.parametrize("constant", [0.0, 1.0, 0.1, -3e15])
def test_a_constant_feature_gets_no_weight_whatever_its_value(constant: float) -> None:
    x, y, linear = make_rows(60, 3)
    x[:, 1] = constant
    model = _plain(sample_of(x, y, linear))
    changed = x.copy()
    changed[:, 1] += 1e3
    assert model.coefficients[1] == 0
    np.testing.assert_array_equal(model.predict(ahead(changed, y)), model.predict(ahead(x, y)))


def test_a_missing_feature_counts_as_its_mean() -> None:
    x, y, linear = make_rows(60, 3)
    x[::4, 1] = NAN
    model = _plain(sample_of(x, y, linear))
    mean = np.nanmean(x[:, 1])
    np.testing.assert_allclose(
        model.predict(ahead(np.array([[1, NAN, 2]]), y)),
        model.predict(ahead(np.array([[1, mean, 2]]), y)),
    )
    assert np.isfinite(model.predict(ahead(x, y))).all()


def test_ridge_without_any_usable_feature_predicts_the_mean() -> None:
    y = np.arange(12.0)
    model = _plain(sample_of(np.full((12, 2), NAN), y, np.array([True, True])))
    assert model.predict(ahead(np.ones((3, 2)), y[:3])).tolist() == [5.5] * 3
    model = _plain(sample_of(np.ones((12, 2)), y, np.array([False, False])))
    assert model.predict(ahead(np.ones((3, 2)), y[:3])).tolist() == [5.5] * 3


def test_ridge_ignores_what_is_not_for_linear_models() -> None:
    x, y, _ = make_rows(60, 3)
    model = _plain(sample_of(x, y, np.array([True, False, True])))
    x[:, 1] = 1e9
    without = _plain(sample_of(x[:, [0, 2]], y, np.array([True, True])))
    np.testing.assert_array_equal(
        model.predict(ahead(x, y)), without.predict(ahead(x[:, [0, 2]], y))
    )


def test_ridge_of_a_constant_target_predicts_it() -> None:
    x, _, linear = make_rows(60, 3)
    np.testing.assert_allclose(
        _plain(sample_of(x, np.full(60, 7.0), linear)).predict(ahead(x, x[:, 0])), 7
    )


def test_ridge_survives_pickling() -> None:
    x, y, linear = make_rows(50, 3)
    model = _plain(sample_of(x, y, linear))
    loaded: Ridge = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict(ahead(x, y)), model.predict(ahead(x, y)))


DAYS = np.arange(200.0)


def _line(slope: float = 1.0, **options: object) -> Floats:
    """Forecast of the 28 days after a straight line of 200, by a ridge of no feature."""
    nothing = np.empty((200, 0))
    sample = sample_of(nothing, 100 + slope * DAYS, np.empty(0, dtype=bool))
    fitted = fit_ridge(sample, RidgeOptions.model_validate(options))
    return fitted.predict(Outlook(np.empty((28, 0)), np.zeros(28), np.empty(0), origin=199))


def test_a_trend_goes_on_and_flattens() -> None:
    steps = np.diff(_line())
    assert 295 < _line()[0] < 302
    assert (steps > 0).all()
    assert (np.diff(steps) < 0).all()
    assert _line()[-1] < 300 + 10  # a tenth less each day: nine days' worth in all
    assert np.ptp(_line(trend=False)) == 0


def test_a_trend_flattens_from_the_last_day_of_training_on_whatever_the_origin() -> None:
    sample = sample_of(np.empty((200, 0)), DAYS, np.empty(0, dtype=bool))
    fitted = fit_ridge(sample)
    ahead_of = [Outlook(np.empty((28, 0)), np.zeros(28), np.empty(0), day) for day in (199, 206)]
    first, later = (fitted.predict(outlook) for outlook in ahead_of)
    np.testing.assert_allclose(first[7:], later[:21])


def test_recent_periods_count_more_with_a_half_life() -> None:
    y = np.repeat([100.0, 200.0], 100)
    sample = sample_of(np.empty((200, 0)), y, np.empty(0, dtype=bool))
    for half_life, expected in (("none", 150.0), (50, 180.0), (25, 2**4 / (1 + 2**4) * 100 + 100)):
        options = RidgeOptions.model_validate({"half_life": half_life, "trend": False})
        found = fit_ridge(sample, options).predict(ahead(np.empty((1, 0)), np.zeros(1)))
        np.testing.assert_allclose(found, expected, rtol=2e-3)


@pytest.mark.parametrize(("season", "half_life"), [(7, "none"), (12, HALF_LIVES[12])])
def test_months_quarters_and_years_count_less_with_age_and_days_do_not(
    season: int, half_life: object
) -> None:
    x, y, linear = make_rows(60, 3)
    sample = replace(sample_of(x, y, linear), season=season)
    found, expected = (
        fit_ridge(sample, RidgeOptions.model_validate(options)).predict(ahead(x, y))
        for options in ({}, {"half_life": half_life})
    )
    np.testing.assert_array_equal(found, expected)
    assert set(HALF_LIVES) == {SEASONS[code] for code in ("MS", "QS", "YS")}


def _doubling(noise: float, seed: int = 0) -> tuple[Sample, Floats, Floats]:
    """Sales that a promotion doubles, at levels that differ tenfold; and what to expect of them."""
    chance = np.random.default_rng(seed)
    x = np.column_stack([chance.integers(0, 2, 600), chance.normal(size=600)]).astype(float)
    expected = 20 * 2 ** x[:, 0] * np.exp(x[:, 1])
    error = np.exp(noise * chance.normal(size=600) - noise**2 / 2)
    return sample_of(x, expected * error, np.array([True, True])), x, expected


def test_effects_that_multiply_are_learnt_from_the_logarithm() -> None:
    sample, x, expected = _doubling(noise=0.0)
    found = fit_ridge(sample, RidgeOptions(log_target=True)).predict(ahead(x, expected))
    assert np.abs(found / expected - 1).mean() < 0.05
    assert np.abs(fit_ridge(sample).predict(ahead(x, expected)) / expected - 1).mean() > 0.3


@pytest.mark.parametrize("seed", range(3))
def test_a_forecast_from_the_logarithm_is_of_the_mean_not_of_the_median(seed: int) -> None:
    sample, x, expected = _doubling(noise=0.8, seed=seed)
    fitted = fit_ridge(sample, RidgeOptions(log_target=True))
    assert isinstance(fitted, LogRidge)
    within = x[:, 1] < 1  # beyond, forecasts may reach the ceiling
    ratio = fitted.predict(ahead(x, expected))[within].sum() / expected[within].sum()
    assert 0.9 < ratio < 1.12
    assert ratio / fitted.smearing < 0.85


def test_no_forecast_from_the_logarithm_is_negative_or_far_above_all_that_was_seen() -> None:
    x, _, linear = make_rows(60, 2)
    sample = sample_of(x, np.round(np.exp(x[:, 0] / x[:, 0].std())), linear)
    fitted = fit_ridge(sample, RidgeOptions(log_target=True))
    extremes = np.array([[1e6, 0], [-1e6, 0], [1e300, 1e300]])
    found = fitted.predict(ahead(extremes, np.zeros(3)))
    assert found.min() == 0
    assert found.max() == 2 * sample.y.max() - sample.y.min()


def test_the_logarithm_of_a_negative_target_is_refused() -> None:
    x, y, linear = make_rows(60, 2)
    with pytest.raises(ValueError, match="log_target takes no negative target, and the smallest"):
        fit_ridge(sample_of(x, y - 100, linear), RidgeOptions(log_target=True))


def test_a_promotion_may_work_on_some_days_of_the_week_only() -> None:
    chance = np.random.default_rng(0)
    day = np.arange(280)
    waves = [f(2 * np.pi * h * day / 7) for h in (1, 2, 3) for f in (np.sin, np.cos)]
    promotion = chance.integers(0, 2, 280).astype(float)
    x = np.column_stack([promotion, *waves])
    y = 50 + 40 * promotion * (day % 7 == 5) + chance.normal(size=280)
    plain = sample_of(x, y, np.ones(7, dtype=bool))
    crossed = replace(plain, crossed=tuple((0, wave) for wave in range(1, 7)))
    errors = {}
    for name, sample in (("plain", plain), ("crossed", crossed)):
        errors[name] = np.abs(fit_ridge(sample).predict(Outlook(x, y, y, -1)) - y).mean()
    alone = fit_ridge(crossed, RidgeOptions(interactions=False)).predict(Outlook(x, y, y, -1))
    assert errors["crossed"] < 0.3 * errors["plain"]
    np.testing.assert_allclose(np.abs(alone - y).mean(), errors["plain"])


@pytest.mark.parametrize("options", [PLAIN, RidgeOptions(log_target=True)])
def test_a_feature_that_leaps_takes_no_forecast_farther_than_targets_were_apart(
    options: RidgeOptions,
) -> None:
    chance = np.random.default_rng(0)
    x = 10 + 1e-6 * chance.normal(size=(40, 1))  # a price that was never changed, but for rounding
    y = 50 + 1e6 * (x[:, 0] - 10) + chance.normal(size=40)
    model = fit_ridge(sample_of(x, y, np.array([True])), options)
    found = model.predict(ahead(np.array([[9.0], [10.0], [11.0]]), np.zeros(3)))
    reach = np.ptp(y)
    assert (found >= y.min() - reach).all()
    assert (found <= y.max() + reach).all()
    assert y.min() < found[1] < y.max()
