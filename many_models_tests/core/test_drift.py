from __future__ import annotations

import numpy as np
import pytest

from many_models.core.arrays import Floats
from many_models.core.drift import Broken, Promise, judge_accuracy, normal_score
from many_models.core.drift_rules import DriftRules

DAYS = 28
RULES = DriftRules()


def promise_of(error: float, groups: int = 1, *, spread: float | None = None) -> Promise:
    """Of a backtest of three folds of four weeks; errors vary as those of a normal target do."""
    ones = np.ones(groups)
    return Promise(ones * error, ones * (0.76 * error if spread is None else spread), ones * 84.0)


def judge(errors: Floats, promise: Promise, rules: DriftRules = RULES) -> Broken:
    """Of one actual a day, where there is an error."""
    there = ~np.isnan(errors)
    sums = np.where(there, errors, 0.0)
    return judge_accuracy(sums, there.astype(np.int64), promise, rules, judged_min=7)


def draw_errors(groups: int, mean: float = 1.0, seed: int = 0) -> Floats:
    errors: Floats = np.abs(np.random.default_rng(seed).normal(0, mean * 1.2533, (groups, DAYS)))
    return errors


def test_of_champions_as_good_as_promised_hardly_one_has_drifted() -> None:
    found = judge(draw_errors(4000), promise_of(1.0, 4000))
    assert found.drifted.mean() < 0.005


@pytest.mark.parametrize(("times", "least"), [(2.0, 0.8), (3.0, 0.99)])
def test_errors_far_above_the_promise_are_found(times: float, least: float) -> None:
    found = judge(draw_errors(1000, times), promise_of(1.0, 1000))
    assert found.drifted.mean() > least


def test_errors_that_come_in_waves_count_as_fewer() -> None:
    wave = np.repeat([3.5, 0.3], 7)[None, :]
    quick = np.tile([3.5, 0.3], 7)[None, :]
    promise = promise_of(1.0, spread=0.7)
    rules = DriftRules(significance=0.05)
    assert judge(quick, promise, rules).drifted[0]
    assert not judge(wave, promise, rules).drifted[0]


def test_errors_below_the_ratio_are_no_drift_however_sure() -> None:
    found = judge(np.full((1, DAYS), 1.45), promise_of(1.0, spread=0.01))
    assert not found.drifted[0]
    assert judge(np.full((1, DAYS), 1.55), promise_of(1.0, spread=0.01)).drifted[0]


def test_too_few_actuals_tell_nothing() -> None:
    errors = np.full((1, DAYS), np.nan)
    errors[0, -6:] = 9.0
    assert not judge(errors, promise_of(1.0, spread=0.1)).drifted[0]
    errors[0, -7:] = 9.0
    assert judge(errors, promise_of(1.0, spread=0.1)).drifted[0]


def test_a_champion_without_actuals_or_promise_has_not_drifted() -> None:
    errors = np.vstack([np.full(DAYS, np.nan), np.full(DAYS, 9.0)])
    nothing = np.array([1.0, np.nan])
    found = judge(errors, Promise(nothing, nothing, nothing))
    assert found.judged.tolist() == [0, DAYS]
    assert np.isnan(found.error[0])
    assert found.error[1] == 9.0
    assert found.drifted.tolist() == [False, False]


def test_one_sale_of_what_is_never_sold_is_no_drift() -> None:
    errors = np.zeros((1, DAYS))
    errors[0, 20] = 1.0
    assert not judge(errors, promise_of(0.0)).drifted[0]
    assert not judge(errors, promise_of(1e-9)).drifted[0]


def test_drift_costs_what_errors_are_above_the_promise() -> None:
    promise = promise_of(1.0, 2, spread=0.5)
    found = judge(np.vstack([np.full(DAYS, 4.0), np.full(DAYS, 0.9)]), promise)
    assert found.excess(promise).tolist() == [3.0 * DAYS, 0.0]


def test_drift_began_when_errors_became_too_large() -> None:
    errors = np.where(np.arange(DAYS) < 12, 1.0, 5.0)[None, :]
    found = judge(errors, promise_of(1.0, spread=0.3))
    assert (found.drifted[0], found.since[0]) == (True, 12)


def test_several_actuals_a_day_count_each() -> None:
    actuals = np.full((1, DAYS), 10, np.int64)
    wrong = np.full((1, DAYS), 4.0)
    promise = Promise(np.array([0.2]), np.array([0.4]), np.array([200.0]), is_share=True)
    found = judge_accuracy(wrong, actuals, promise, RULES, judged_min=7)
    assert (found.judged[0], found.error[0], bool(found.drifted[0])) == (280, 0.4, True)


@pytest.mark.parametrize("promised", [0.0, 0.01, 0.1])
def test_a_share_that_is_wrong_is_held_against_a_small_one(promised: float) -> None:
    actuals = np.full((2000, DAYS), 4, np.int64)
    draw = np.random.default_rng(0)
    likely = (promised * 200 + 1) / 202
    promise = Promise(
        np.full(2000, promised), np.full(2000, likely**0.5), np.full(2000, 200.0), is_share=True
    )
    as_ever, worse = (draw.binomial(4, p, actuals.shape).astype(float) for p in (promised, 0.5))
    assert judge_accuracy(as_ever, actuals, promise, RULES, judged_min=7).drifted.mean() < 0.005
    assert judge_accuracy(worse, actuals, promise, RULES, judged_min=7).drifted.mean() > 0.95


def test_a_normal_score_is_as_improbable_as_its_statistic() -> None:
    # Quantiles of Student's t at 0.995 with 3, 10 and 1000 degrees of freedom.
    scores = normal_score(np.array([5.841, 3.169, 2.581]), np.array([3.0, 10.0, 1000.0]))
    assert scores == pytest.approx(2.576, abs=0.04)
    assert normal_score(np.array([-np.inf]), np.array([5.0]))[0] == -np.inf
