from __future__ import annotations

from typing import Any

import pytest

from many_models.core.forecast.candidates.description import (
    BUILT_IN,
    RESERVED,
    ForecastCandidate,
    check_candidates,
)
from many_models.core.forecast.candidates.ensemble import ENSEMBLES

FOREST = {"estimator": "sklearn.ensemble.RandomForestRegressor", "with": {"n_estimators": 50}}
LOG = {"name": "my_ridge", "estimator": "ridge", "with": {"log_target": True, "half_life": 180}}


def _described(*entries: Any) -> list[ForecastCandidate]:
    return [ForecastCandidate.model_validate(entry) for entry in entries]


def _check(*entries: Any) -> list[str]:
    candidates = _described("seasonal_naive", *entries)
    check_candidates(candidates)
    return [candidate.name for candidate in candidates]


def test_a_candidate_is_a_name_or_a_mapping_with_an_estimator() -> None:
    assert _check(*BUILT_IN[1:]) == list(BUILT_IN)
    found = _check("ridge", LOG, FOREST, {**FOREST, "name": "forest"})
    assert found[1:] == ["ridge", "my_ridge", "RandomForestRegressor", "forest"]


def test_options_of_ridge_are_read() -> None:
    (described,) = _described(LOG)
    assert described.ridge_options.log_target
    assert described.ridge_options.half_life == 180
    assert described.ridge_options.trend
    assert _described("ridge")[0].ridge_options.half_life == "auto"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("prophet", "candidates.1.estimator: 'prophet' is unknown; there are seasonal_naive, mean"),
        ("sklearn.nothing.Model", "estimator: 'sklearn.nothing.Model' cannot be imported"),
        ("sklearn.ensemble.Model", "estimator: 'sklearn.ensemble.Model' cannot be imported"),
        ("sklearn.ensemble.__doc__", "is a str, not a class or a function"),
        ("collections.OrderedDict", "makes a OrderedDict, not an estimator"),
        ("sklearn.svm.SVC", "sklearn.svm.SVC makes a SVC, which is no regressor"),
        ({**FOREST, "with": {"trees": 1}}, "RandomForestRegressor cannot be made with"),
        ({**LOG, "with": {"log": True}}, "log: unknown; there are log_target, half_life, trend"),
        ({**LOG, "with": {"half_life": 0}}, "half_life: Input should be greater than 0"),
        ({**LOG, "with": {"half_life": "x"}}, "ridge cannot be made with {'half_life': 'x'}"),
        ({"estimator": "theta", "with": {"a": 1}}, "theta cannot be made with {'a': 1}"),
        ("seasonal_naive", "candidates.1: 'seasonal_naive' is named twice; give it a name"),
        ({"name": "ensemble_median", "estimator": "ridge"}, "a name of the platform's own"),
    ],
)
def test_what_cannot_be_made_is_refused(entry: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=r"candidates\.1") as caught:
        _check(entry)
    assert expected in str(caught.value)


def test_the_baseline_must_be_there_and_be_itself() -> None:
    with pytest.raises(ValueError, match="the baseline 'seasonal_naive' must be one of them"):
        check_candidates(_described("ridge"))
    with pytest.raises(ValueError, match=r"candidates.0: 'seasonal_naive' is a name of the"):
        check_candidates(_described({"name": "seasonal_naive", "estimator": "ridge"}))


def test_no_candidate_may_be_called_like_an_ensemble() -> None:
    assert set(RESERVED) == set(ENSEMBLES)


@pytest.mark.parametrize(
    "given", [{"name": "pooled", "estimator": "ridge"}, {"name": "mine", "estimator": "pooled"}]
)
def test_the_pooled_model_goes_by_its_own_name(given: dict[str, str]) -> None:
    check_candidates(_described("seasonal_naive", "pooled"))
    with pytest.raises(ValueError, match=r"candidates.1: only 'pooled' itself has the name"):
        check_candidates(_described("seasonal_naive", given))
