from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from many_models.core.arrays import Ints
from many_models.core.forecast.candidates.port import Outlook
from many_models.core.forecast.features import build_features
from many_models.core.forecast.intervals import calibrate
from many_models.core.forecast.model import ForecastModel, load_model
from many_models.core.forecast.panel import Panel, build_panel
from many_models.core.forecast.scoring import prediction_schema, score_shard, scoring_schema
from many_models.core.forecast.training import train_shard
from many_models.core.forecast.use_case import UseCase
from many_models.core.payload import dump_payload
from many_models.core.scoring import Champion
from many_models_tests.fakes import Columns, make_series, make_shard, make_use_case, noisy_weeks

NAN = float("nan")
USE_CASE = make_use_case(candidates=["seasonal_naive", "ridge"])
START, END = "2024-01-01", np.datetime64("2024-05-29")  # 150 days
KEY = "store=1,item=a"
GOOD = make_series(USE_CASE, START, noisy_weeks(150))
Scores = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def _score(
    groups: Mapping[Any, Columns],
    champions: Mapping[str, Champion] | None = None,
    use_case: UseCase = USE_CASE,
    origin: np.datetime64 = END,
    **more: Any,
) -> Scores:
    """Predictions and scoring ledger as rows."""
    tables = score_shard(
        make_shard(use_case, groups),
        champions or {},
        use_case,
        partition="p",
        origin=origin,
        **more,
    )
    assert tables[0].schema == prediction_schema(use_case)
    assert tables[1].schema == scoring_schema(use_case)
    return tables[0].to_pylist(), tables[1].to_pylist()


@cache
def _model() -> ForecastModel:
    shard = make_shard(USE_CASE, {("1", "a"): GOOD})
    row = train_shard(shard, USE_CASE, partition="p", trained_through=END).to_pylist()[0]
    assert row["candidate"] == "ridge"
    return load_model(row["payload"])


def _champion(model: ForecastModel) -> Champion:
    return Champion("sales.1.a", 3, dump_payload(model)[0])


def test_a_champion_serves_its_group_and_is_named_in_every_row() -> None:
    predictions, ledger = _score({("1", "a"): GOOD}, {KEY: _champion(_model())})
    assert ledger == [
        {
            "partition": "p",
            "group_key": KEY,
            "store": "1",
            "item": "a",
            "origin": datetime(2024, 5, 29),
            "source": "model",
            "reason": None,
            "error": None,
            "candidate": "ridge",
            "model_name": "sales.1.a",
            "model_version": 3,
        }
    ]
    assert [row["periods_ahead"] for row in predictions] == [1, 2, 3, 4, 5, 6, 7]
    assert [row["time"] for row in predictions] == [datetime(2024, 5, 30 + n) for n in (0, 1)] + [
        datetime(2024, 6, n) for n in range(1, 6)
    ]
    expected = _model().predict(_model().example(7))
    assert [row["prediction"] for row in predictions] == expected["prediction"].tolist()
    for row in predictions:
        assert (row["source"], row["model_name"], row["model_version"]) == ("model", "sales.1.a", 3)
        assert row["lower"] < row["prediction"] < row["upper"]


def test_a_group_without_a_champion_gets_the_baseline_marked_as_such() -> None:
    predictions, ledger = _score({("1", "a"): GOOD})
    assert [row["prediction"] for row in predictions] == GOOD["sold"][-7:]
    assert {row["source"] for row in predictions} == {"baseline"}
    assert {row["candidate"] for row in predictions} == {"seasonal_naive"}
    assert {row["model_name"] for row in predictions} == {None}
    assert (ledger[0]["source"], ledger[0]["reason"]) == ("baseline", "no_champion")


def test_the_baselines_interval_comes_from_its_own_errors() -> None:
    predictions, _ = _score({("1", "a"): GOOD})
    errors = np.subtract(GOOD["sold"][-21:], GOOD["sold"][-28:-7])
    widths = calibrate(errors.reshape(1, 3, 7)[:, ::-1], (0.9,))[0, 0]
    for row, width in zip(predictions, widths, strict=True):
        assert row["upper"] - row["prediction"] == pytest.approx(width)
        assert row["prediction"] - row["lower"] == pytest.approx(width)


def test_further_levels_have_columns_of_their_own_from_model_and_baseline_alike() -> None:
    rules = {"levels": [0.5, 0.99], "folds": 6}
    use_case = make_use_case(
        candidates=["seasonal_naive", "ridge"], validation=rules, prediction_floor=40
    )
    shard = make_shard(use_case, {("1", "a"): GOOD})
    row = train_shard(shard, use_case, partition="p", trained_through=END).to_pylist()[0]
    champion = Champion("sales.1.a", 3, row["payload"])
    for champions in ({KEY: champion}, None):
        predictions, _ = _score({("1", "a"): GOOD}, champions, use_case)
        for row in predictions:
            assert 40 <= row["lower_99"] <= row["lower"] <= row["lower_50"] <= row["prediction"]
            assert row["prediction"] < row["upper_50"] < row["upper"] < row["upper_99"]


def test_a_champion_that_was_trained_for_other_levels_has_no_bounds_at_the_new_ones() -> None:
    use_case = make_use_case(
        candidates=["seasonal_naive", "ridge"], validation={"interval": 0.7, "levels": [0.9]}
    )
    predictions, _ = _score({("1", "a"): GOOD}, {KEY: _champion(_model())}, use_case)
    before, _ = _score({("1", "a"): GOOD}, {KEY: _champion(_model())})
    assert {row["source"] for row in predictions} == {"model"}
    assert {row["lower"] for row in predictions} == {row["upper"] for row in predictions} == {None}
    assert [row["upper_90"] for row in predictions] == [row["upper"] for row in before]


def test_champions_are_found_by_the_key_of_their_group_alone() -> None:
    other = make_series(USE_CASE, START, noisy_weeks(150, 1))
    groups = {("1", "A"): other, ("1", "a"): GOOD, ("1", "a b"): other}
    _, ledger = _score(groups, {KEY: _champion(_model())})
    assert [row["source"] for row in ledger] == ["baseline", "model", "baseline"]


def _unpicklable() -> bytes:
    return pickle.dumps({"no": "model"})


@pytest.mark.parametrize(
    ("champion", "text"),
    [
        (
            lambda: Champion("sales.1.a", 3, None, "PayloadError: lost"),
            "ValueError: PayloadError: lost",
        ),
        (lambda: Champion("sales.1.a", 3, b"rubbish"), "sales.1.a: UnpicklingError"),
        (lambda: Champion("sales.1.a", 3, b""), "sales.1.a: EOFError"),
        (lambda: Champion("sales.1.a", 3, _unpicklable()), "holds a dict, not a ForecastModel"),
        (
            lambda: _champion(replace(_model(), spec=replace(_model().spec, horizon=8))),
            "its features or its horizon are not the use case's; train it again",
        ),
        (
            lambda: _champion(replace(_model(), spec=replace(_model().spec, version=0))),
            "its features or its horizon are not the use case's; train it again",
        ),
        (
            lambda: _champion(replace(_model(), key=("1", "b"))),
            "it is the model of another group, ('1', 'b'); train it again",
        ),
        (
            lambda: _champion(replace(_model(), origin=_model().origin + 1)),
            "it has seen data after this forecast origin",
        ),
        (
            lambda: _champion(replace(_model(), fitted=_Broken())),
            "ValueError: the forecast is not finite",
        ),
    ],
)
def test_a_champion_that_cannot_serve_is_replaced_by_the_baseline_with_the_reason(
    champion: Any, text: str
) -> None:
    predictions, ledger = _score({("1", "a"): GOOD}, {KEY: champion()})
    assert (ledger[0]["source"], ledger[0]["reason"]) == ("baseline", "champion_failed")
    assert text in ledger[0]["error"]
    assert ledger[0]["error"].startswith("sales.1.a: ")
    assert ledger[0]["model_name"] is None
    assert [row["prediction"] for row in predictions] == GOOD["sold"][-7:]


class _Broken:
    memory = 0

    def predict(self, outlook: Outlook) -> Any:
        return np.full(len(outlook.x), NAN)


def test_a_champion_serves_later_origins_with_the_data_of_then() -> None:
    longer = make_series(USE_CASE, START, [*noisy_weeks(150), *[500.0] * 7])
    later = END + np.timedelta64(7)
    champion = {KEY: _champion(_model())}
    predictions, ledger = _score({("1", "a"): longer}, champion, origin=later)
    assert ledger[0]["source"] == "model"
    flat, _ = _score({("1", "a"): GOOD}, champion, origin=later)
    for spike, none in zip(predictions, flat, strict=True):
        assert spike["time"] == none["time"]
        assert spike["prediction"] != none["prediction"]


def test_nothing_after_the_origin_is_used() -> None:
    changed = make_series(USE_CASE, START, [*noisy_weeks(150), *[1e9] * 20])
    for champions in ({}, {KEY: _champion(_model())}):
        assert _score({("1", "a"): changed}, champions) == _score({("1", "a"): GOOD}, champions)


def test_every_group_has_exactly_one_row_and_all_its_periods_or_a_reason() -> None:
    day = datetime(2024, 5, 29)
    groups: dict[tuple[str, str], Columns] = {
        ("1", "future"): make_series(USE_CASE, "2024-05-30", [1, 2, 3]),
        ("1", "a"): GOOD,
        ("1", "null"): make_series(USE_CASE, START, [None, NAN]),
        ("1", "one"): make_series(USE_CASE, "2024-05-29", [5]),
        ("1", "thin"): make_series(USE_CASE, "2024-03-01", [5]),
        ("2", "inf"): make_series(USE_CASE, START, [1, float("inf")]),
        ("2", "twice"): {"date": [day, day], "sold": [1.0, 2.0]},
        ("2", "zero"): make_series(USE_CASE, START, [0] * 150),
    }
    predictions, ledger = _score(groups, {KEY: _champion(_model())})
    assert [(row["store"], row["item"]) for row in ledger] == list(groups)
    assert {row["item"]: (row["source"], row["reason"]) for row in ledger} == {
        "future": ("none", "no_observations"),
        "a": ("model", None),
        "null": ("none", "no_observations"),
        "one": ("baseline", "no_champion"),
        "thin": ("baseline", "no_champion"),
        "inf": ("none", "non_finite_value"),
        "twice": ("none", "duplicate_time"),
        "zero": ("baseline", "no_champion"),
    }
    assert "no sold at or before 2024-05-29" in ledger[0]["error"]
    served = [row["item"] for row in predictions]
    assert served == [item for item in ("a", "one", "thin", "zero") for _ in range(7)]
    by_item = {row["item"]: row for row in predictions}
    assert by_item["one"]["prediction"] == 5
    assert by_item["one"]["lower"] is by_item["one"]["upper"] is None
    assert by_item["thin"]["prediction"] == 0


def test_a_shard_without_groups_gives_tables_without_rows() -> None:
    assert _score({}) == ([], [])


def test_a_shard_of_groups_that_cannot_be_served_has_a_ledger_all_the_same() -> None:
    predictions, ledger = _score({("1", "a"): make_series(USE_CASE, START, [None])})
    assert predictions == []
    assert len(ledger) == 1


def test_days_that_were_not_ingested_yet_are_no_days_without_sales() -> None:
    late = END + np.timedelta64(9)
    stale, _ = _score({("1", "a"): GOOD}, origin=late, data_through=END)
    last = GOOD["sold"]
    assert stale[0]["time"] == datetime(2024, 6, 8)
    assert [row["prediction"] for row in stale] == [*last[-5:], *last[-7:-5]]
    assert {row["prediction"] for row in _score({("1", "a"): GOOD}, origin=late)[0]} == {0}


def test_the_baseline_is_nowhere_below_the_floor_and_neither_are_its_errors() -> None:
    use_case = make_use_case(prediction_floor=0)
    series = make_series(use_case, START, [float(n % 7 - 3) for n in range(70)])
    origin = np.datetime64("2024-03-10")
    predictions, _ = _score({("1", "a"): series}, use_case=use_case, origin=origin)
    assert [row["prediction"] for row in predictions] == [0, 0, 0, 0, 1, 2, 3]
    # A forecast of zero for -3, -2 and -1; the other days of the week are right.
    widths = [row["upper"] - row["prediction"] for row in predictions]
    assert all(1 < width < 4 for width in widths)
    assert min(row["lower"] for row in predictions) == 0


def test_a_group_on_which_all_else_fails_is_one_row_without_a_forecast(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def build(dataset: Any, groups: Ints, *arguments: Any, **named: Any) -> Panel:
        if 1 in groups:
            raise MemoryError("too much")
        return build_panel(dataset, groups, *arguments, **named)

    monkeypatch.setattr("many_models.core.forecast.scoring.build_panel", build)
    _, ledger = _score({("1", name): GOOD for name in "abc"}, {KEY: _champion(_model())})
    assert [row["source"] for row in ledger] == ["model", "none", "baseline"]
    assert ledger[1]["reason"] == "scoring_error"
    assert ledger[1]["error"] == "MemoryError: too much"


def test_a_failure_in_the_shared_features_is_not_laid_to_the_champions_charge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def build(panel: Panel, spec: Any) -> Any:
        if len(panel.starts) > 1:
            raise MemoryError("too much at once")
        return build_features(panel, spec)

    monkeypatch.setattr("many_models.core.forecast.scoring.build_features", build)
    _, ledger = _score({("1", name): GOOD for name in "ab"}, {KEY: _champion(_model())})
    assert [row["source"] for row in ledger] == ["model", "baseline"]


@pytest.mark.parametrize(
    ("code", "origin", "first"),
    [
        ("h", "2024-03-10T05:30", datetime(2024, 3, 10, 6)),
        ("W-MON", "2024-03-13", datetime(2024, 3, 18)),
        ("MS", "2024-03-13", datetime(2024, 4, 1)),
    ],
)
def test_the_origin_is_the_period_it_falls_in(code: str, origin: str, first: datetime) -> None:
    use_case = make_use_case(time={"column": "date", "frequency": code}, gaps="missing")
    series = make_series(use_case, "2024-03-01", [4.0])
    predictions, ledger = _score(
        {("1", "a"): series}, use_case=use_case, origin=np.datetime64(origin)
    )
    assert predictions[0]["time"] == first
    assert predictions[0]["prediction"] == 4
    assert ledger[0]["origin"] < first


def test_a_group_is_served_alike_with_and_without_neighbours() -> None:
    huge = make_series(USE_CASE, "2020-01-01", [1e15, -1e15] * 700)
    champions = {KEY: _champion(_model())}
    alone, _ = _score({("1", "a"): GOOD}, champions)
    between, _ = _score({("0", "x"): huge, ("1", "a"): GOOD, ("2", "x"): huge}, champions)
    assert [row for row in between if row["group_key"] == KEY] == alone


def test_tables_can_be_joined() -> None:
    tables = [
        score_shard(make_shard(USE_CASE, groups), {}, USE_CASE, partition="p", origin=END)[0]
        for groups in (dict[Any, Columns](), {("1", "a"): GOOD})
    ]
    assert pa.concat_tables(tables).num_rows == 7
