from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from many_models.core.failure import Problem
from many_models.core.forecast.features import FeatureSpec, build_features
from many_models.core.forecast.pooled.model import make_pooled_model
from many_models.core.forecast.pooled.stand_in import POOLED_KEY, PooledStandIn
from many_models.core.forecast.use_case import UseCase
from many_models.core.payload import dump_payload
from many_models.core.scoring import Champion
from many_models_tests.core.forecast.pooled.partitions import (
    GROUPS,
    HORIZON,
    ORIGIN,
    USE_CASE,
    fits,
    panel_of,
    rows_of,
)


@cache
def _payload() -> bytes:
    return dump_payload(make_pooled_model(rows_of(GROUPS), fits(), USE_CASE, "p"))[0]


def _forecast(
    champion: Champion | None, origin: int = ORIGIN, use_case: UseCase = USE_CASE
) -> object:
    dataset, every, panel = panel_of(GROUPS, origin=origin, ahead=use_case.horizon)
    champions = {} if champion is None else {POOLED_KEY: champion}
    features = build_features(panel, FeatureSpec.of(USE_CASE))
    return PooledStandIn(champions, use_case, origin).forecast(dataset, every, panel, features)


def test_it_forecasts_every_group_with_its_bounds() -> None:
    found = _forecast(Champion("m", 1, _payload()))
    assert isinstance(found, np.ndarray)
    assert found.shape == (len(GROUPS), 5, HORIZON)
    assert np.isfinite(found).all()


def test_without_one_nobody_stands_in() -> None:
    assert _forecast(None) is None


@pytest.mark.parametrize(
    ("champion", "origin", "horizon", "text"),
    [
        (Champion("m", 1, None, "its pack is gone"), ORIGIN, HORIZON, "its pack is gone"),
        (Champion("m", 1, _payload()), ORIGIN - 1, HORIZON, "has seen data after this forecast"),
        (Champion("m", 1, _payload()), ORIGIN, HORIZON + 1, "are not the use case's"),
        (Champion("m", 1, b"nonsense"), ORIGIN, HORIZON, "UnpicklingError"),
    ],
)
def test_one_that_cannot_be_used_says_why(
    champion: Champion, origin: int, horizon: int, text: str
) -> None:
    found = _forecast(champion, origin, USE_CASE.model_copy(update={"horizon": horizon}))
    assert isinstance(found, Problem)
    assert found.reason == "pooled_failed"
    assert found.error.startswith("m: ")
    assert text in found.error
