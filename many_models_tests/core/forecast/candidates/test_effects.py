"""What candidates tell of themselves; every one is asked, whatever the series."""

from __future__ import annotations

import math
import pickle
from typing import get_args

import numpy as np
import pytest

from many_models.core.arrays import Floats
from many_models.core.forecast.candidates.catalogue import CANDIDATES
from many_models.core.forecast.candidates.effects import Effect, EffectKind, Explained
from many_models.core.forecast.candidates.estimator import fit_estimator
from many_models.core.forecast.candidates.options import RidgeOptions
from many_models.core.forecast.candidates.port import Sample
from many_models.core.forecast.candidates.ridge import fit_ridge

WEEKS = 50 + 10 * np.sin(np.arange(120) * 2 * np.pi / 7) + np.random.default_rng(0).normal(size=120)
SERIES = {
    "one row": np.array([5.0]),
    "all equal": np.full(120, 3.0),
    "all zero": np.zeros(120),
    "a scale of 1e9": WEEKS * 1e9,
    "a third missing": np.where(np.arange(120) % 3 == 0, np.nan, WEEKS),
    "weeks": WEEKS,
}
NAMES = ("a", "nothing", "c", "ordinal")
TELLING = {"ridge", "gradient_boosting", "ets", "theta", "optimized_theta", "ces"}


def _sample(y: Floats) -> Sample:
    x = np.random.default_rng(len(y)).normal(size=(len(y), 4))
    x[:, 1] = np.nan
    return Sample(x, y, np.array([True, True, True, False]), 7, 14, len(y) - 1)


def _effects(name: str, y: Floats) -> list[Effect]:
    fitted = CANDIDATES[name](_sample(y))
    loaded = pickle.loads(pickle.dumps(fitted))
    if not isinstance(fitted, Explained):
        return []
    found = list(fitted.effects(_sample(y), NAMES))
    again = loaded.effects(_sample(y), NAMES)
    assert [(e.kind, e.feature) for e in again] == [(e.kind, e.feature) for e in found]
    # LightGBM writes gains with six digits.
    np.testing.assert_allclose([e.value for e in again], [e.value for e in found], rtol=1e-5)
    return found


@pytest.mark.parametrize("series", SERIES)
@pytest.mark.parametrize("name", sorted(CANDIDATES))
def test_it_tells_of_known_kinds_and_of_features_that_it_was_given(name: str, series: str) -> None:
    for effect in _effects(name, SERIES[series]):
        assert effect.kind in get_args(EffectKind)
        assert effect.feature in (*NAMES, "trend") or effect.kind in ("form", "parameter")
        assert effect.standardised is None or math.isfinite(effect.standardised)
        assert effect.feature != "nothing" or effect.value == 0


@pytest.mark.parametrize("name", sorted(CANDIDATES))
def test_models_with_something_to_tell_do(name: str) -> None:
    assert bool(_effects(name, WEEKS)) == (name in TELLING)


def test_ridge_on_the_logarithm_says_so() -> None:
    fitted = fit_ridge(_sample(WEEKS), RidgeOptions(log_target=True))
    form, *terms = fitted.effects(_sample(WEEKS), NAMES)
    assert (form.kind, form.feature) == ("form", "log(1 + target)")
    assert [effect.feature for effect in terms] == ["a", "nothing", "c", "trend"]


def test_an_estimator_of_somebody_elses_tells_of_the_terms_that_it_sees() -> None:
    sample = _sample(WEEKS)
    found = fit_estimator(sample, "sklearn.linear_model.Lasso", {}).effects(sample, NAMES)
    assert [effect.feature for effect in found] == ["a", "nothing", "c", "trend"]
    assert {effect.kind for effect in found} == {"coefficient"}
    silent = fit_estimator(sample, "sklearn.neighbors.KNeighborsRegressor", {})
    assert silent.effects(sample, NAMES) == []


@pytest.mark.parametrize(
    ("name", "form"),
    [("ets", "ETS("), ("ces", "CES("), ("theta", "STM"), ("optimized_theta", "DO")],
)
def test_models_of_a_series_tell_their_form(name: str, form: str) -> None:
    (found,) = [e for e in _effects(name, WEEKS) if e.kind == "form"]
    assert found.feature.startswith(form)
    assert "alpha" in " ".join(e.feature for e in _effects(name, WEEKS) if e.kind == "parameter")
