from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from many_models.core.forecast.candidates.baseline import SeasonalNaive
from many_models.core.forecast.candidates.port import Outlook
from many_models.core.forecast.model import (
    ForecastModel,
    forecast_with_intervals,
    load_model,
    make_specimen,
)
from many_models.core.forecast.scoring import score_shard
from many_models.core.forecast.training import train_shard
from many_models.core.forecast.use_case import UseCase
from many_models.core.payload import dump_payload
from many_models.core.scoring import Champion
from many_models_tests.fakes import (
    make_series,
    make_shard,
    make_use_case,
    noisy_weeks,
    without_rows,
)

COLUMNS = ["prediction", "lower", "upper", "lower_80", "upper_80"]
KNOWN = ["price", {"name": "offer", "fill": "zero"}]
DAYS = 800  # more than two years, so that the yearly season is described
END = np.datetime64("2024-06-18")
NAN = float("nan")


def _use_case(candidate: str, gaps: str = "zero", **fields: Any) -> UseCase:
    features = {"known": KNOWN, "past": ["visits"]}
    candidates = list({"seasonal_naive": 0, candidate: 0})
    return make_use_case(
        **{
            "candidates": candidates,
            "gaps": gaps,
            "features": features,
            "horizon": 10,
            "validation": {"levels": [0.8]},
            **fields,
        }
    )


def _shard(use_case: UseCase) -> pa.Table:
    """One group that depends on price and offer; days are missing, and its future is known."""
    chance, days = np.random.default_rng(0), DAYS + 10
    price, offer = chance.normal(5, 1, days), (chance.random(days) < 0.2) * 1.0
    sold = (np.array(noisy_weeks(days)) - 6 * price + 15 * offer)[:DAYS]
    series = make_series(
        use_case,
        str(END - DAYS + 1),
        [*sold.tolist(), *[None] * 10],
        price=[NAN if n % 9 == DAYS % 9 else p for n, p in enumerate(price.tolist())],
        offer=[None if n % 11 == 5 else o for n, o in enumerate(offer.tolist())],
        visits=[*(2 * sold).tolist(), *[None] * 10],
    )
    gaps = [5, 66, 67, DAYS - 20, DAYS - 2, DAYS + 3]
    return make_shard(use_case, {("1", "a"): without_rows(series, gaps)})


@cache
def _trained(candidate: str, gaps: str = "zero") -> tuple[UseCase, ForecastModel]:
    """The model that a shard gives when only this candidate can win."""
    use_case = _use_case(candidate, gaps)
    row = train_shard(_shard(use_case), use_case, partition="p", trained_through=END).to_pylist()[0]
    assert (row["status"], row["candidate"]) == ("trained", candidate)
    return use_case, load_model(row["payload"])


def _future(use_case: UseCase) -> pd.DataFrame:
    """All ten days of the horizon, as a client would send them; one is not in the source."""
    rows = _shard(use_case).to_pandas()
    rows = (
        rows[rows["date"] > END].set_index("date").reindex(pd.date_range("2024-06-19", periods=10))
    )
    future: pd.DataFrame = rows[["price", "offer"]].rename_axis("date").reset_index()
    return future


@pytest.mark.parametrize("gaps", ["zero", "missing"])
@pytest.mark.parametrize("candidate", ["ridge", "gradient_boosting"])
def test_a_model_predicts_bit_for_bit_what_batch_scoring_predicts(
    candidate: str, gaps: str
) -> None:
    use_case, model = _trained(candidate, gaps)
    champions = {"store=1,item=a": Champion("sales.1.a", 1, dump_payload(model)[0])}
    scored, ledger, _ = score_shard(
        _shard(use_case), champions, use_case, partition="p", origin=END
    )
    assert ledger["source"].to_pylist() == ["model"]
    found = model.predict(_future(use_case))
    for column in COLUMNS:
        np.testing.assert_array_equal(found[column], scored[column].to_numpy())


@pytest.mark.parametrize("gaps", ["zero", "missing"])
def test_the_baselines_model_predicts_what_batch_scoring_falls_back_to(gaps: str) -> None:
    use_case = _use_case("seasonal_naive", gaps)
    shard = _shard(use_case)
    row = train_shard(shard, use_case, partition="p", trained_through=END).to_pylist()[0]
    model = load_model(row["payload"])
    scored = score_shard(shard, {}, use_case, partition="p", origin=END).predictions
    found = model.predict(_future(use_case))
    for column in COLUMNS:
        np.testing.assert_array_equal(found[column], scored[column].to_numpy())


@pytest.mark.parametrize("candidate", ["ridge", "gradient_boosting"])
def test_rows_come_in_any_order_and_keep_their_index(candidate: str) -> None:
    use_case, model = _trained(candidate)
    rows = _future(use_case).set_index(pd.Index([f"row {n}" for n in range(10)]))
    whole = model.predict(rows)
    assert whole.index.tolist() == rows.index.tolist()
    assert whole.columns.tolist() == COLUMNS
    turned = model.predict(rows.iloc[::-1])
    assert turned.index.tolist() == rows.index.tolist()[::-1]
    pd.testing.assert_frame_equal(turned.iloc[::-1], whole)


def test_a_part_of_the_horizon_is_predicted_as_it_is_in_the_whole() -> None:
    use_case, model = _trained("ridge")
    rows = _future(use_case)
    complete = rows.assign(price=rows["price"].ffill().fillna(5), offer=rows["offer"].fillna(0))
    part = complete.iloc[[8, 2]]
    pd.testing.assert_frame_equal(model.predict(part), model.predict(complete).iloc[[8, 2]])
    assert model.predict(complete.iloc[:0]).empty


def test_the_rows_are_left_as_they_were() -> None:
    use_case, model = _trained("ridge")
    rows = _future(use_case)
    before = rows.copy()
    model.predict(rows)
    pd.testing.assert_frame_equal(rows, before)


def test_times_may_be_text_and_further_columns_are_ignored() -> None:
    use_case, model = _trained("ridge")
    rows = _future(use_case)
    text = rows.assign(date=rows["date"].astype(str), remark="x")
    pd.testing.assert_frame_equal(model.predict(text), model.predict(rows))


def test_known_features_may_be_whole_numbers_and_null_in_any_way() -> None:
    use_case, model = _trained("ridge")
    rows = _future(use_case).assign(price=NAN, offer=[1, *[0] * 9])
    expected = model.predict(rows)
    for nulls in (pd.array([None] * 10, "Int64"), pd.Series([None] * 10, dtype=object)):
        pd.testing.assert_frame_equal(model.predict(rows.assign(price=nulls)), expected)


def test_a_known_feature_changes_the_prediction_of_its_own_day_only() -> None:
    use_case, model = _trained("ridge")
    rows = _future(use_case).fillna({"price": 5.0, "offer": 0.0})
    changed = rows.assign(price=rows["price"] + np.where(rows.index == 4, 1.0, 0.0))
    difference = model.predict(changed)["prediction"] - model.predict(rows)["prediction"]
    assert np.flatnonzero(difference).tolist() == [4]
    assert -9 < difference[4] < -3  # the truth is -6


def test_a_missing_known_feature_takes_its_last_value_or_zero() -> None:
    use_case, model = _trained("ridge")
    rows = _future(use_case).iloc[:3].assign(price=[NAN, 4.0, NAN], offer=[NAN, 1.0, NAN])
    last = float(model.last_known[0])
    filled = rows.assign(price=[last, 4.0, 4.0], offer=[0.0, 1.0, 0.0])
    pd.testing.assert_frame_equal(model.predict(rows), model.predict(filled))


def test_a_feature_that_was_never_known_before_is_served_as_it_is_scored() -> None:
    use_case = _use_case("ridge")
    rows = _shard(use_case).to_pandas()
    rows["price"] = np.where(rows["date"] > pd.Timestamp("2024-06-21"), 5.0, NAN)
    shard = pa.Table.from_pandas(rows, schema=_shard(use_case).schema, preserve_index=False)
    row = train_shard(shard, use_case, partition="p", trained_through=END).to_pylist()[0]
    champion = Champion("sales.1.a", 1, row["payload"])
    scored = score_shard(
        shard, {"store=1,item=a": champion}, use_case, partition="p", origin=END
    ).predictions
    future = _future(use_case).assign(price=[NAN, NAN, NAN, *[5.0] * 7])
    found = load_model(row["payload"]).predict(future)
    np.testing.assert_array_equal(found["prediction"], scored["prediction"].to_numpy())


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda rows: rows.drop(columns="date"),
            "column 'date' is missing; the rows have ['price'",
        ),
        (lambda rows: rows.drop(columns="offer"), "column 'offer' is missing"),
        (
            lambda rows: rows.assign(date=rows["date"] + pd.Timedelta("12h")),
            "date 2024-06-19T12:00:00.000000 cannot be forecast: this model takes times of "
            "frequency 'D' from 2024-06-19T00:00:00.000000 to 2024-06-28T00:00:00.000000",
        ),
        (
            lambda rows: rows.assign(date=rows["date"] + pd.Timedelta(days=1)),
            "date 2024-06-29T00:00:00.000000 cannot be forecast",
        ),
        (
            lambda rows: rows.assign(date=rows["date"] - pd.Timedelta(days=1)),
            "date 2024-06-18T00:00:00.000000 cannot be forecast",
        ),
        (lambda rows: rows.assign(date=pd.NaT), "date NaT cannot be forecast"),
        (
            lambda rows: rows.assign(date=rows["date"].iloc[3]),
            "date 2024-06-22T00:00:00.000000 occurs twice; give one row for each time",
        ),
        (
            lambda rows: rows.assign(date=rows["date"].dt.tz_localize("Europe/Berlin")),
            "date has the time zone Europe/Berlin; leave it away",
        ),
        (lambda rows: rows.assign(price=float("inf")), "price is infinite; give a number, or null"),
        (lambda rows: rows.assign(offer="yes"), "offer must hold numbers: could not convert"),
    ],
)
def test_rows_that_cannot_be_forecast_are_answered_with_what_can(change: Any, text: str) -> None:
    use_case, model = _trained("ridge")
    with pytest.raises(ValueError) as failure:
        model.predict(change(_future(use_case)))
    assert text in str(failure.value)


@pytest.mark.parametrize("code", ["h", "D", "W-WED", "MS"])
def test_a_row_without_time_is_refused_at_every_frequency(code: str) -> None:
    use_case, model = _trained("ridge")
    other = make_use_case(time={"column": "date", "frequency": code}).frequency
    with pytest.raises(ValueError, match="date NaT cannot be forecast"):
        replace(model, spec=replace(model.spec, frequency=other)).predict(
            _future(use_case).assign(date=np.full(10, "NaT", "datetime64[us]"))
        )


def test_the_example_is_accepted() -> None:
    _, model = _trained("gradient_boosting")
    example = model.example()
    assert example.columns.tolist() == ["date", "price", "offer"]
    assert example["date"].tolist() == list(pd.date_range("2024-06-19", periods=3))
    assert np.isfinite(model.predict(example)).all(axis=None)
    assert len(model.example(99)) == 10


def test_a_model_predicts_the_same_from_its_pickle_whose_digest_is_given() -> None:
    use_case, model = _trained("gradient_boosting")
    payload, digest = dump_payload(model)
    assert digest == hashlib.sha256(payload).hexdigest()
    pd.testing.assert_frame_equal(
        load_model(payload).predict(_future(use_case)), model.predict(_future(use_case))
    )
    assert dump_payload(load_model(payload)) == (payload, digest)


def test_a_pickle_of_something_else_is_refused() -> None:
    with pytest.raises(TypeError, match="the payload holds a dict, not a ForecastModel"):
        load_model(pickle.dumps({}))


def test_a_model_carries_no_more_history_than_it_needs() -> None:
    _, model = _trained("ridge")
    assert len(model.target) == len(model.past) == model.spec.memory == 101
    assert model.history == DAYS
    assert model.last_known.shape == (2,)
    assert len(dump_payload(model)[0]) < 8_000


def test_nothing_is_predicted_below_the_floor() -> None:
    use_case, model = _trained("ridge")
    rows = _future(use_case)
    free = model.predict(rows)
    middle = float(free["prediction"].median())
    floored = replace(model, floor=middle).predict(rows)
    np.testing.assert_array_equal(floored["prediction"], free["prediction"].clip(lower=middle))
    np.testing.assert_array_equal(floored["lower"], free["lower"].clip(lower=middle))
    np.testing.assert_array_equal(floored["lower_80"], free["lower_80"].clip(lower=middle))
    assert (floored["upper"] >= free["upper"]).all()


def test_the_interval_lies_around_the_prediction() -> None:
    _, model = _trained("ridge")
    outlook = Outlook(np.empty((2, 0)), naive=np.array([3.0, -1.0]), history=np.empty(0), origin=0)
    widths = np.array([[2.0, 2.0], [1.0, NAN]])
    bounds = forecast_with_intervals(SeasonalNaive(), outlook, widths, floor=0)
    np.testing.assert_array_equal(bounds, [[3, 0], [1, 0], [5, 2], [2, NAN], [4, NAN]])
    assert model.halfwidths.shape == (2, 10)
    found = model.predict(_future(_use_case("ridge")))
    order = ["lower", "lower_80", "prediction", "upper_80", "upper"]
    assert (np.diff(found[order], axis=1) > 0).all()


def test_a_level_that_a_model_was_not_trained_for_has_no_half_width() -> None:
    _, model = _trained("ridge")
    widths = model.halfwidths_at((0.8, 0.5, 0.9))
    np.testing.assert_array_equal(widths[[0, 2]], model.halfwidths[[1, 0]])
    assert np.isnan(widths[1]).all()


@pytest.mark.parametrize("frequency", ["h", "D", "W-MON", "MS"])
def test_a_specimen_takes_and_returns_what_a_trained_model_does(frequency: str) -> None:
    _, trained = _trained("ridge")
    specimen = make_specimen(_use_case("ridge", time={"column": "date", "frequency": frequency}))
    theirs, ours = trained.example(), specimen.example()
    pd.testing.assert_series_equal(ours.dtypes, theirs.dtypes)
    pd.testing.assert_series_equal(specimen.predict(ours).dtypes, trained.predict(theirs).dtypes)
