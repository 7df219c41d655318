from __future__ import annotations

import pickle
from functools import cache

import numpy as np
import pandas as pd
import pytest

from many_models.core.forecast.features import FeatureSpec, build_features
from many_models.core.forecast.pooled.model import (
    PooledModel,
    load_pooled,
    make_pooled_model,
)
from many_models.core.payload import dump_payload
from many_models_tests.core.forecast.pooled.partitions import (
    DAYS,
    GROUPS,
    HORIZON,
    USE_CASE,
    Groups,
    fits,
    panel_of,
    rows_of,
    series,
)
from many_models_tests.fakes import make_shard

COLUMNS = ["prediction", "lower", "upper", "lower_80", "upper_80"]


@cache
def _model() -> PooledModel:
    return make_pooled_model(rows_of(GROUPS), fits(), USE_CASE, "p")


def _frame(groups: Groups) -> pd.DataFrame:
    frame: pd.DataFrame = make_shard(USE_CASE, groups).to_pandas()
    return frame


def test_it_predicts_several_groups_of_any_age_from_raw_rows_in_any_order() -> None:
    groups = {("s0", "old"): series(5, 1), ("s9", "young"): series(5000, 2, days=4)}
    rows = _frame(groups).sample(frac=1, random_state=0)
    found = _model().predict(rows)
    assert found.columns.tolist() == COLUMNS
    assert found.index.equals(rows.index)
    assert found.notna().all(axis=1).tolist() == rows["sold"].isna().tolist()
    means = found["prediction"].groupby(rows["item"]).mean()
    assert 2 < means["old"] < 12
    assert 2_000 < means["young"] < 12_000


def test_it_predicts_what_batch_scoring_would() -> None:
    groups = {("s0", "i0"): GROUPS[("s0", "i0")]}
    dataset, _, panel = panel_of(groups)
    values = [(*dataset.keys[0], *dataset.statics[0])]
    features = build_features(panel, FeatureSpec.of(USE_CASE))
    served = _model().serve(panel, features, values, USE_CASE.validation.all_levels)[0]
    online = _model().predict(_frame(groups)).iloc[DAYS:]
    np.testing.assert_allclose(online.to_numpy().T, served)


def test_it_needs_neither_keys_nor_a_past() -> None:
    rows = _frame({("", ""): series(1, 0)})[["date", "promo"]].tail(HORIZON)
    found = _model().predict(rows)
    assert found.notna().all(axis=None)


def test_its_example_suits_it() -> None:
    example = _model().example()
    found = _model().predict(example)
    assert found["prediction"].notna().tolist() == [False, True, True, True]
    assert {"store", "item", "region", "date", "sold", "promo"} == set(example.columns)


def test_intervals_hold_the_prediction_and_nothing_is_below_the_floor() -> None:
    found = _model().predict(_frame(GROUPS)).dropna()
    assert (found["lower"] <= found["lower_80"]).all()
    assert (found["lower_80"] <= found["prediction"]).all()
    assert (found["prediction"] <= found["upper_80"]).all()
    assert (found["upper_80"] <= found["upper"]).all()
    assert (found["lower"] >= 0).all()


def test_a_level_that_it_was_not_trained_for_has_no_bounds() -> None:
    dataset, _, panel = panel_of({("s0", "i0"): GROUPS[("s0", "i0")]})
    values = [(*dataset.keys[0], *dataset.statics[0])]
    features = build_features(panel, FeatureSpec.of(USE_CASE))
    served = _model().serve(panel, features, values, (0.5, 0.8))[0]
    assert np.isnan(served).all(axis=1).tolist() == [False, True, True, False, False]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop(columns="promo"), "column 'promo' is missing"),
        (lambda rows: pd.concat([rows, rows]), "date occurs twice"),
        (lambda rows: rows.assign(date=rows["date"] + pd.Timedelta("1h")), "not on the grid"),
        (lambda rows: rows.assign(sold=[1.0, *[None] * (len(rows) - 1)]), "cannot be forecast"),
    ],
)
def test_rows_that_it_cannot_take_are_refused(change: object, message: str) -> None:
    rows = _frame({("s0", "i0"): GROUPS[("s0", "i0")]})
    with pytest.raises(ValueError, match=message):
        _model().predict(change(rows))  # type: ignore[operator]


def test_its_pickle_is_one_and_the_same_and_tells_no_source() -> None:
    payload, digest = dump_payload(_model())
    again, same = dump_payload(make_pooled_model(rows_of(GROUPS), fits(), USE_CASE, "p"))
    assert (payload, digest) == (again, same)
    assert b"sales.db" not in payload
    assert len(payload) < 60_000
    rows = _frame({("s0", "old"): series(5, 1)})
    loaded = load_pooled(payload)
    pd.testing.assert_frame_equal(loaded.predict(rows), _model().predict(rows))
    assert dump_payload(loaded)[0] == payload
    assert loaded.use_case == _model().use_case


def test_a_pickle_of_something_else_is_refused() -> None:
    with pytest.raises(TypeError, match="holds a dict"):
        load_pooled(pickle.dumps({}))
