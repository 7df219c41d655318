from __future__ import annotations

import hashlib
import json
import pickle
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from many_models.core.arrays import Floats, Ints
from many_models.core.cost import Allowance
from many_models.core.forecast.candidates.catalogue import CANDIDATES
from many_models.core.forecast.candidates.pooled import Pooled
from many_models.core.forecast.candidates.port import Outlook, Sample
from many_models.core.forecast.intervals import calibrate
from many_models.core.forecast.ledger import training_schema
from many_models.core.forecast.metrics import METRICS
from many_models.core.forecast.model import ForecastModel, load_model
from many_models.core.forecast.panel import Panel, build_panel
from many_models.core.forecast.training import GROUPS_BETWEEN_LOOKS, train_shard
from many_models.core.forecast.use_case import UseCase
from many_models_tests.core.forecast.pooled import partitions
from many_models_tests.fakes import (
    Columns,
    make_series,
    make_shard,
    make_use_case,
    noisy_weeks,
    without_rows,
)

NAN, INF = float("nan"), float("inf")
START, END = "2024-01-01", np.datetime64("2024-05-29")  # 150 days
USE_CASE = make_use_case(prediction_floor=0)
LINEAR = make_use_case(candidates=["seasonal_naive", "ridge"])
THREE = ["seasonal_naive", "ridge", "gradient_boosting"]

TRAINED = {
    ("a/b:c", "good"): make_series(USE_CASE, START, noisy_weeks(150)),
    ("a/b:c", "huge"): make_series(USE_CASE, START, [v * 1e15 for v in noisy_weeks(150, 1)]),
    ("🛒", "sparse"): without_rows(
        make_series(USE_CASE, START, noisy_weeks(150, 2)), [n for n in range(150) if n % 3]
    ),
    ("🛒", "sells no more"): make_series(USE_CASE, START, noisy_weeks(120, 3)),
    ("🛒", "null days"): make_series(
        USE_CASE, START, [NAN if n % 5 == 0 else v for n, v in enumerate(noisy_weeks(150, 4))]
    ),
    ("🛒", "x" * 300): make_series(USE_CASE, START, [*noisy_weeks(150, 5), 1e9, 1e9]),
}
HOPELESS: dict[tuple[str, str], tuple[str, Columns]] = {
    ("..", "one row"): ("too_few_observations", make_series(USE_CASE, START, [5])),
    ("..", "no target"): ("too_few_observations", make_series(USE_CASE, START, [None] * 150)),
    ("..", "only NaN"): ("too_few_observations", make_series(USE_CASE, START, [NAN] * 150)),
    ("..", "future"): (
        "too_few_observations",
        make_series(USE_CASE, "2025-01-01", noisy_weeks(99)),
    ),
    ("", "short"): (
        "history_too_short",
        make_series(make_use_case(), "2024-05-14", noisy_weeks(16)),
    ),
    ("", "zero"): ("constant_target", make_series(USE_CASE, START, [0] * 150)),
    ("", "constant"): ("constant_target", make_series(USE_CASE, START, [7.5] * 150)),
    ("'\"", "inf"): ("non_finite_value", make_series(USE_CASE, START, [INF, *noisy_weeks(149)])),
    ("'\"", "twice"): (
        "duplicate_time",
        {
            "date": [d for d in make_series(USE_CASE, START, [1] * 75)["date"] for _ in range(2)],
            "sold": noisy_weeks(150),
        },
    ),
    ("'\"", "noon"): (
        "off_grid_time",
        {
            "date": [datetime(2024, 1, 1 + n, 12) for n in range(31)],
            "sold": noisy_weeks(31),
        },
    ),
    ("'\"", "timeless"): (
        "missing_time",
        {
            "date": [None, *make_series(USE_CASE, START, [1] * 149)["date"]],
            "sold": noisy_weeks(150),
        },
    ),
    ("", "repeats"): ("undefined_score", make_series(USE_CASE, START, [1, 2, 3, 4, 5, 6, 7] * 22)),
}


def _train(use_case: UseCase, groups: Any, through: np.datetime64 = END) -> pa.Table:
    shard = make_shard(use_case, groups)
    return train_shard(shard, use_case, partition="p", trained_through=through)


def _rows(use_case: UseCase, groups: Any, through: np.datetime64 = END) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = _train(use_case, groups, through).to_pylist()
    return rows


def _model(row: dict[str, Any]) -> ForecastModel:
    return load_model(row["payload"])


@cache
def _nasty() -> pa.Table:
    """Every kind of bad group at once, between good ones."""
    use_case = make_use_case(prediction_floor=0, validation={"min_observations": 15})
    bad = {key: series for key, (_, series) in HOPELESS.items()}
    groups = dict(sorted({**TRAINED, **bad}.items()))
    return _train(use_case, groups)


def test_every_group_of_a_nasty_shard_comes_out_once_and_in_order() -> None:
    found = [(row["store"], row["item"]) for row in _nasty().to_pylist()]
    assert found == sorted([*TRAINED, *HOPELESS])


def test_every_bad_group_gets_its_reason_and_a_sentence() -> None:
    rows = {(row["store"], row["item"]): row for row in _nasty().to_pylist()}
    assert {key: rows[key]["reason"] for key in HOPELESS} == {
        key: reason for key, (reason, _) in HOPELESS.items()
    }
    for key in HOPELESS:
        failed = key[0] == "'\""  # the data itself is wrong
        assert rows[key]["status"] == ("failed" if failed else "skipped")
        assert rows[key]["error"]
        assert rows[key]["payload"] is rows[key]["candidate"] is rows[key]["score"] is None


def test_every_good_group_is_trained_whatever_its_neighbours() -> None:
    rows = {(row["store"], row["item"]): row for row in _nasty().to_pylist()}
    for key, row in rows.items():
        if key in TRAINED:
            assert (row["status"], row["reason"], row["error"]) == ("trained", None, None)
            assert row["score"] <= row["baseline_score"]
            assert row["seconds"] > 0
            assert row["folds"] == 3
    assert all(row["seconds"] >= 0 for row in rows.values())


def test_a_group_becomes_the_same_bytes_with_and_without_neighbours() -> None:
    use_case = make_use_case(prediction_floor=0, validation={"min_observations": 15})
    together = {row["item"]: row["payload_sha256"] for row in _nasty().to_pylist()}
    keys = [("a/b:c", "good"), ("🛒", "null days")]
    alone = [_rows(use_case, {key: TRAINED[key]})[0] for key in keys]
    for row in alone:
        assert row["payload_sha256"] == together[row["item"]]
        assert row["payload_sha256"] == hashlib.sha256(row["payload"]).hexdigest()
        assert row["payload_bytes"] == len(row["payload"])


def test_a_use_case_that_was_sent_elsewhere_makes_the_same_bytes() -> None:
    use_case = make_use_case(
        candidates=["seasonal_naive", "ridge"],
        features={"known": ["price", {"name": "offer", "fill": "last"}]},
    )
    price = np.random.default_rng(0).normal(size=150).tolist()
    series = make_series(use_case, START, noisy_weeks(150), price=price, offer=price)
    sent = pickle.loads(pickle.dumps(use_case))
    rows = [_rows(u, {("1", "a"): series})[0] for u in (use_case, sent)]
    assert rows[0]["payload_sha256"] == rows[1]["payload_sha256"]


def test_a_shard_without_groups_gives_a_ledger_without_rows() -> None:
    table = _train(USE_CASE, {})
    assert table.num_rows == 0
    assert table.schema == training_schema(USE_CASE)


def test_a_trained_group_says_what_it_was_trained_on() -> None:
    use_case = make_use_case(
        features={"static": ["region"]}, candidates=["seasonal_naive", "ridge"]
    )
    series = make_series(use_case, "2024-01-11", [None, *noisy_weeks(139)], region=["N"] * 140)
    row = _rows(use_case, {("1", "a"): series})[0]
    assert row["partition"] == "p"
    assert (row["group_key"], row["region"]) == ("store=1,item=a", "N")
    assert row["observations"] == 139
    assert row["first_time"] == datetime(2024, 1, 12)
    assert row["last_time"] == row["trained_through"] == datetime(2024, 5, 29)
    assert row["evaluated_from"] == datetime(2024, 5, 9)  # three weeks


def test_groups_that_end_early_are_trained_through_the_same_day() -> None:
    row = _rows(LINEAR, {("1", "a"): make_series(LINEAR, START, noisy_weeks(120))})[0]
    assert row["last_time"] == datetime(2024, 4, 29)
    assert row["trained_through"] == datetime(2024, 5, 29)
    assert _model(row).target[-30:].tolist() == [0] * 30


def test_a_group_without_observations_has_no_first_and_last_time() -> None:
    row = _rows(LINEAR, {("1", "a"): make_series(LINEAR, START, [None] * 3)})[0]
    assert (row["observations"], row["first_time"], row["last_time"]) == (0, None, None)


def test_the_best_candidate_by_the_metric_wins() -> None:
    for metric in ("mase", "rmse"):
        use_case = make_use_case(candidates=THREE, validation={"metric": metric})
        row = _rows(use_case, {("1", "a"): make_series(use_case, START, noisy_weeks(150))})[0]
        scores = json.loads(row["candidate_scores"])
        assert set(scores) == set(THREE)
        assert row["score"] == row[metric] == min(scores.values()) == scores[row["candidate"]]
        assert row["baseline_score"] == scores["seasonal_naive"]
        assert _model(row).candidate == row["candidate"]
        assert all(np.isfinite(row[name]) for name in METRICS)
        assert 0 <= row["coverage"] <= 1


def test_a_described_candidate_wins_under_its_name_and_is_the_same_each_time() -> None:
    described = {
        "name": "forest",
        "estimator": "sklearn.ensemble.RandomForestRegressor",
        "with": {"n_estimators": 5},
    }
    use_case = make_use_case(candidates=["seasonal_naive", described])
    groups = {("1", "a"): make_series(use_case, START, noisy_weeks(150))}
    rows = [_rows(use_case, groups)[0] for _ in range(2)]
    assert rows[0]["candidate"] == _model(rows[0]).candidate == "forest"
    assert set(json.loads(rows[0]["candidate_scores"])) == {"seasonal_naive", "forest"}
    assert rows[0]["payload_sha256"] == rows[1]["payload_sha256"]
    assert _model(rows[0]).predict(_model(rows[0]).example(7))["prediction"].between(20, 60).all()


def test_the_baseline_wins_where_the_season_is_all_there_is() -> None:
    chance = np.random.default_rng(1)
    walk = np.repeat(chance.normal(size=22).cumsum() * 100, 7)[:150]
    row = _rows(LINEAR, {("1", "a"): make_series(LINEAR, START, walk.tolist())})[0]
    assert row["status"] == "trained"
    assert row["candidate"] == "seasonal_naive"
    assert row["score"] == row["baseline_score"]


def test_the_winner_is_refitted_on_all_data(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []

    def fit(sample: Sample) -> _Constant:
        lengths.append(len(sample.y))
        return _Constant(float(sample.y.mean()))

    monkeypatch.setitem(CANDIDATES, "ridge", fit)
    chance = np.random.default_rng(0)
    values = [20.0, *chance.normal(0, 1, 149).tolist()]
    row = _rows(LINEAR, {("1", "a"): make_series(LINEAR, START, values)})[0]
    assert row["candidate"] == "ridge"
    assert lengths == [143, 136, 129, 150]
    assert _model(row).fitted == _Constant(float(np.mean(values)))


@dataclass(frozen=True)
class _Constant:
    value: float
    memory: int = 0

    def predict(self, outlook: Outlook) -> Floats:
        return np.full(len(outlook.x), self.value)


def test_the_intervals_come_from_the_winners_residuals() -> None:
    values = noisy_weeks(150)
    use_case = make_use_case(
        candidates=["seasonal_naive"], validation={"interval": 0.8, "levels": [0.5, 0.95]}
    )
    row = _rows(use_case, {("1", "a"): make_series(use_case, START, values)})[0]
    residuals = np.subtract(values[122:143], values[129:]).reshape(1, 3, 7)[:, ::-1]
    levels = (0.8, 0.5, 0.95)
    assert _model(row).levels == levels
    np.testing.assert_array_equal(_model(row).halfwidths, calibrate(residuals, levels)[0])
    assert 0 <= row["coverage_50"] <= row["coverage"] <= row["coverage_95"] <= 1
    assert row["coverage_50"] < row["coverage_95"]


@pytest.mark.parametrize("metric", ["rmsse", "pinball"])
def test_a_candidate_may_be_chosen_by_any_metric(metric: str) -> None:
    use_case = make_use_case(candidates=["seasonal_naive", "ridge"], validation={"metric": metric})
    row = _rows(use_case, {("1", "a"): make_series(use_case, START, noisy_weeks(150))})[0]
    scores = json.loads(row["candidate_scores"])
    assert row["score"] == row[metric] == scores["ridge"] < scores["seasonal_naive"]


def test_where_the_metric_takes_two_folds_a_group_with_one_is_not_trained() -> None:
    use_case = make_use_case(
        candidates=["seasonal_naive", "ridge"],
        validation={"metric": "pinball", "min_observations": 10},
    )
    series = make_series(use_case, "2024-05-11", noisy_weeks(19))
    row = _rows(use_case, {("1", "a"): series})[0]
    assert (row["status"], row["reason"]) == ("skipped", "undefined_score")
    other = make_use_case(candidates=["seasonal_naive"], validation={"min_observations": 10})
    row = _rows(other, {("1", "a"): series})[0]
    assert (row["status"], row["folds"]) == ("trained", 1)
    assert np.isnan(row["coverage"])
    assert np.isfinite(_model(row).halfwidths).all()


class _Turns(Allowance):
    """Lasts for so many looks, where a real one lasts for core-seconds."""

    def __init__(self, looks: int) -> None:
        super().__init__(1.0)
        self._looks = looks

    @property
    def left(self) -> float:
        self._looks -= 1
        return float(self._looks + 1)


def test_when_the_budget_is_spent_the_rest_is_skipped_and_says_so() -> None:
    series = make_series(LINEAR, START, noisy_weeks(150))
    shard = make_shard(LINEAR, {("1", f"{number:02d}"): series for number in range(12)})

    def train(looks: int, end: np.datetime64 = END) -> list[dict[str, Any]]:
        allowance = _Turns(looks)
        options: Any = {"partition": "p", "trained_through": end, "allowance": allowance}
        rows: list[dict[str, Any]] = train_shard(shard, LINEAR, **options).to_pylist()
        return rows

    rows = train(2)
    assert [row["item"] for row in rows] == [f"{number:02d}" for number in range(12)]
    trained = [row for row in rows if row["status"] == "trained"]
    late = [row for row in rows if row["status"] == "skipped"]
    assert (len(trained), len(late)) == (2 * GROUPS_BETWEEN_LOOKS, 2)
    assert {row["reason"] for row in late} == {"budget_spent"}
    assert all("core_minutes" in row["error"] and row["observations"] == 150 for row in late)
    assert {row["payload_sha256"] for row in trained} <= {r["payload_sha256"] for r in train(9)}
    others = {r["item"] for r in train(2, END - 1) if r["status"] == "skipped"}
    assert others != {row["item"] for row in late}


def test_a_candidate_that_fails_is_reported_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(sample: Sample) -> _Constant:
        raise ArithmeticError("no luck")

    monkeypatch.setitem(CANDIDATES, "ridge", fail)
    row = _rows(LINEAR, {("1", "a"): make_series(LINEAR, START, noisy_weeks(150))})[0]
    assert (row["status"], row["candidate"]) == ("trained", "seasonal_naive")
    assert row["reason"] == "candidate_failed"
    assert row["error"] == "ridge: ArithmeticError: no luck"
    assert "in fail" in row["traceback"]
    assert set(json.loads(row["candidate_scores"])) == {"seasonal_naive"}


def test_a_group_on_which_all_else_fails_is_one_failed_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(dataset: Any, groups: Ints, *arguments: Any, **named: Any) -> Panel:
        if 2 in groups:
            raise MemoryError("group 2 is too much")
        return build_panel(dataset, groups, *arguments, **named)

    monkeypatch.setattr("many_models.core.forecast.training.build_panel", build)
    series = make_series(LINEAR, START, noisy_weeks(150))
    rows = _rows(LINEAR, {("1", str(number)): series for number in range(5)})
    assert [row["status"] for row in rows] == ["trained"] * 2 + ["failed"] + ["trained"] * 2
    assert rows[2]["reason"] == "training_error"
    assert rows[2]["error"] == "MemoryError: group 2 is too much"
    assert "in build" in rows[2]["traceback"]
    assert rows[2]["observations"] == 150


def test_a_group_whose_winner_cannot_be_refitted_fails_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fit(sample: Sample) -> _Constant:
        if len(sample.y) == 150 and sample.y[0] < 0:
            raise ArithmeticError("one too many")
        return _Constant(float(sample.y.mean()))

    monkeypatch.setitem(CANDIDATES, "ridge", fit)
    noise = np.random.default_rng(0).normal(0, 1, 149).tolist()
    groups = {
        ("1", "a"): make_series(LINEAR, START, [-5.0, *noise]),
        ("1", "b"): make_series(LINEAR, START, [5.0, *noise]),
    }
    rows = _rows(LINEAR, groups)
    assert [row["status"] for row in rows] == ["failed", "trained"]
    assert rows[0]["error"] == "ArithmeticError: one too many"


def test_what_lies_after_the_day_of_training_changes_nothing() -> None:
    values = noisy_weeks(150)
    use_case = make_use_case(features={"known": ["price"], "past": ["visits"]})
    later = np.datetime64("2024-06-03")
    short, long = (
        make_series(use_case, START, v, price=[*range(len(v))], visits=v)
        for v in (values, [*values, 9e9, 1.0, 1.0, 1.0, 1.0])
    )
    before = _rows(use_case, {("1", "a"): short})[0]
    after = _rows(use_case, {("1", "a"): long})[0]
    assert before["payload_sha256"] == after["payload_sha256"]
    assert (
        before["payload_sha256"] != _rows(use_case, {("1", "a"): long}, later)[0]["payload_sha256"]
    )


@pytest.mark.parametrize(
    ("code", "horizon", "start", "periods"),
    [
        ("h", 24, "2024-03-01", 24 * 20),
        ("W-MON", 8, "2020-01-06", 160),
        ("MS", 6, "2014-01-01", 84),
    ],
)
@pytest.mark.parametrize("gaps", ["zero", "missing"])
def test_hours_weeks_and_months_train_from_end_to_end(
    code: str, horizon: int, start: str, periods: int, gaps: str
) -> None:
    use_case = make_use_case(time={"column": "date", "frequency": code}, horizon=horizon, gaps=gaps)
    number = np.arange(periods)
    season = 10 * np.sin(2 * np.pi * number / use_case.frequency.season)
    noise = np.random.default_rng(0).normal(0, 1, periods)
    series = make_series(use_case, start, (50 + season + noise).tolist())
    row = _rows(use_case, {("1", "a"): series}, np.datetime64(series["date"][-1]))[0]
    assert (row["status"], row["error"]) == ("trained", None)
    assert row["candidate"] != "seasonal_naive"
    assert row["score"] < row["baseline_score"]
    model = _model(row)
    forecast = model.predict(model.example(horizon))
    assert forecast["prediction"].between(35, 65).all()


def test_the_moment_of_training_is_the_period_it_falls_in() -> None:
    series = make_series(LINEAR, START, noisy_weeks(150))
    row = _rows(LINEAR, {("1", "a"): series}, np.datetime64("2024-05-29T17:30"))[0]
    assert row["trained_through"] == datetime(2024, 5, 29)


def _pooled_rows(*candidates: str) -> list[dict[str, Any]]:
    """Ledger rows of a partition whose groups are too noisy for models of their own."""
    use_case = partitions.use_case_of(*candidates or partitions.CANDIDATES)
    shard = make_shard(use_case, partitions.GROUPS)
    table = train_shard(
        shard, use_case, partition="p", trained_through=partitions.END, pooled=partitions.fits()
    )
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def test_the_pooled_model_is_a_candidate_that_groups_choose() -> None:
    rows = _pooled_rows()
    assert [row["candidate"] for row in rows].count("pooled") >= len(rows) // 2
    chosen = next(row for row in rows if row["candidate"] == "pooled")
    model = _model(chosen)
    forecast = model.predict(model.example(7))
    assert forecast.notna().all(axis=None)
    assert chosen["payload_bytes"] < 40_000


def test_the_pooled_model_may_be_a_member_of_an_ensemble() -> None:
    rows = _pooled_rows("seasonal_naive", "mean", "median", "pooled")
    combined = [row for row in rows if row["candidate"].startswith("ensemble")]
    assert combined
    members = _model(combined[0]).fitted.members  # type: ignore[attr-defined]
    assert any(isinstance(member, Pooled) for member in members)


def test_a_pooled_model_gives_the_same_payloads_however_the_groups_are_spread() -> None:
    together = {row["group_key"]: row["payload_sha256"] for row in _pooled_rows()}
    apart: dict[str, str] = {}
    for number in range(3):
        groups = dict(list(partitions.GROUPS.items())[number::3])
        table = train_shard(
            make_shard(partitions.USE_CASE, groups),
            partitions.USE_CASE,
            partition="p",
            trained_through=partitions.END,
            pooled=partitions.fits(),
        )
        apart |= {row["group_key"]: row["payload_sha256"] for row in table.to_pylist()}
    assert apart == together
