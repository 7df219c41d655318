"""The same contract as that of candidates that fit on one group: see ``test_catalogue``."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from many_models.core.arrays import Floats
from many_models.core.forecast.candidates.pooled import Pooled
from many_models.core.forecast.candidates.port import Outlook
from many_models.core.forecast.features import FeatureSpec, build_features
from many_models.core.forecast.pooled.contender import Contender
from many_models_tests.core.forecast.candidates.test_catalogue import SERIES, WEEKS
from many_models_tests.core.forecast.pooled.partitions import (
    GROUPS,
    HORIZON,
    ORIGIN,
    USE_CASE,
    fits,
    panel_of,
)

SPEC = FeatureSpec.of(USE_CASE)


def _candidate() -> Pooled:
    dataset, every, panel = panel_of(GROUPS, ahead=0)
    contender = Contender.of(fits(), dataset, every, panel, build_features(panel, SPEC))
    return contender.candidate(3)


def _outlook(history: Floats, origin: int = ORIGIN) -> Outlook:
    return Outlook(np.zeros((HORIZON, len(SPEC.names))), np.zeros(HORIZON), history, origin)


@pytest.mark.parametrize("series", SERIES)
def test_it_forecasts_the_horizon_in_finite_numbers(series: str) -> None:
    forecast = _candidate().predict(_outlook(SERIES[series]))
    assert forecast.shape == (HORIZON,)
    assert np.isfinite(forecast).all()


def test_its_forecasts_are_of_the_groups_own_scale() -> None:
    small, large = (_candidate().predict(_outlook(WEEKS * scale)) for scale in (1e-9, 1e9))
    np.testing.assert_allclose(small * 1e18, large, rtol=0.15)
    assert 0.5 < large.mean() / WEEKS[-28:].mean() / 1e9 < 1.5


def test_it_forecasts_the_same_from_its_pickle_and_from_no_more_than_its_memory() -> None:
    fitted = _candidate()
    expected = fitted.predict(_outlook(WEEKS))
    loaded = pickle.loads(pickle.dumps(fitted))
    recent = WEEKS[len(WEEKS) - fitted.memory :]
    np.testing.assert_array_equal(loaded.predict(_outlook(recent)), expected)
    longer = np.concatenate([np.full(30, 1e6), WEEKS])
    np.testing.assert_array_equal(fitted.predict(_outlook(longer)), expected)


def test_it_has_one_small_pickle_however_often_it_is_used() -> None:
    first, second = _candidate(), _candidate()
    first.predict(_outlook(WEEKS))
    assert pickle.dumps(first) == pickle.dumps(second)
    assert len(pickle.dumps(first)) < 20_000


def test_a_later_origin_sees_later_data() -> None:
    later = np.concatenate([WEEKS, np.full(28, 500.0)])
    assert _candidate().predict(_outlook(later, ORIGIN + 28)).mean() > 300


def test_it_leaves_what_it_is_given_as_it_was() -> None:
    outlook = _outlook(SERIES["a third missing"])
    copy = replace(outlook, x=outlook.x.copy(), history=outlook.history.copy())
    _candidate().predict(outlook)
    np.testing.assert_array_equal(outlook.x, copy.x)
    np.testing.assert_array_equal(outlook.history, copy.history)
