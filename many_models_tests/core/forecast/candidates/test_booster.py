from __future__ import annotations

import pickle

import lightgbm
import numpy as np
import pytest

from many_models.core.forecast.candidates.booster import StoredBooster
from many_models_tests.core.forecast.candidates.samples import NAN, make_rows


def _train(columns: int = 4) -> tuple[np.ndarray, lightgbm.Booster]:
    x, y, _ = make_rows(400, columns)
    x[:, 0] = np.arange(400) % 7
    x[::9, 1] = NAN
    settings = {"verbosity": -1, "num_threads": 1, "num_leaves": 15}
    data = lightgbm.Dataset(x, y, categorical_feature=[0])
    return x, lightgbm.train(settings, data, 40)


def test_a_reduced_booster_predicts_nearly_the_same_in_less_space() -> None:
    x, booster = _train()
    whole, reduced = StoredBooster(booster), StoredBooster.reduced_to_predict(booster)
    np.testing.assert_allclose(reduced.predict_rows(x), whole.predict_rows(x), rtol=1e-4)
    assert len(pickle.dumps(reduced)) < 0.6 * len(pickle.dumps(whole))


@pytest.mark.parametrize("store", [StoredBooster, StoredBooster.reduced_to_predict])
def test_it_predicts_the_same_from_its_pickle_of_which_there_is_one(store: object) -> None:
    x, booster = _train()
    stored = store(booster)  # type: ignore[operator]
    payload = pickle.dumps(stored)
    loaded = pickle.loads(payload)
    np.testing.assert_array_equal(loaded.predict_rows(x), stored.predict_rows(x))
    assert pickle.dumps(loaded) == pickle.dumps(stored) == payload


def test_a_reduced_booster_still_tells_what_its_features_gained() -> None:
    _, booster = _train()
    text = StoredBooster.reduced_to_predict(booster).text()
    gains = lightgbm.Booster(model_str=text).feature_importance("gain")
    np.testing.assert_allclose(gains, booster.feature_importance("gain"), rtol=1e-4)
