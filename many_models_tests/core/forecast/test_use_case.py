from __future__ import annotations

import pickle
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from many_models.core.forecast.use_case import UseCase, as_identifier
from many_models.core.lake_schema import raw_columns
from many_models.core.reserved_columns import LAKE_COLUMNS
from many_models_tests.fakes import make_use_case

SOURCE = {"url": "sqlite:///sales.db", "table": "sales", "start": "2024-01-01"}
WINDOWED = "SELECT * FROM s WHERE d >= :window_start AND d < :window_end"


def _message(**fields: Any) -> str:
    with pytest.raises(ValidationError) as failure:
        make_use_case(**fields)
    return str(failure.value)


def test_the_defaults_are_those_of_the_documentation() -> None:
    use_case = make_use_case()
    assert UseCase.model_fields["candidates"].default is None
    assert make_use_case(candidates="auto").candidates is None
    assert (use_case.validation.metric, use_case.validation.folds) == ("mase", 3)
    assert use_case.source.window == "daily"
    assert use_case.step == use_case.horizon == 7
    assert make_use_case(validation={"step": 2}).step == 2


def test_columns_are_all_that_the_source_must_give_keys_first() -> None:
    use_case = make_use_case(
        features={"known": ["price"], "past": ["visits"], "static": ["region"]}
    )
    assert use_case.columns == ("store", "item", "date", "sold", "price", "visits", "region")
    assert use_case.numeric_columns == ("sold", "price", "visits")
    assert list(raw_columns(use_case).names) == list(use_case.columns)


def test_a_known_feature_is_a_name_or_a_name_with_its_fill() -> None:
    use_case = make_use_case(features={"known": ["price", {"name": "promotion", "fill": "zero"}]})
    assert [(f.name, f.fill) for f in use_case.features.known] == [
        ("price", "last"),
        ("promotion", "zero"),
    ]


def test_a_placeholder_in_the_url_stays_as_it_stands() -> None:
    url = "postgresql://${USER}:${PASSWORD}@host/db"
    assert make_use_case(source={**SOURCE, "url": url}).source.url == url


def test_a_use_case_cannot_be_changed_and_survives_pickling() -> None:
    use_case = make_use_case()
    assert use_case.frequency.code == "D"
    with pytest.raises(ValidationError):
        use_case.horizon = 8
    assert pickle.loads(pickle.dumps(use_case)) == use_case


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"table": None}, "give either query or table"),
        ({"query": WINDOWED}, "give either query or table"),
        ({"table": None, "query": "SELECT 1"}, "lacks :window_start and :window_end"),
        ({"table": None, "query": "SELECT :window_start"}, "query lacks :window_end"),
        ({"table": "sales; DROP TABLE x"}, "table"),
        ({"end": "2023-12-31"}, "end 2023-12-31 is before start 2024-01-01"),
        ({"url": ""}, "url"),
        ({"start": "yesterday"}, "start"),
        ({"window": "hourly"}, "'daily', 'weekly' or 'monthly'"),
        ({"changes": "SELECT :since"}, "changes is for a query; with a table, loaded_at"),
        ({"table": None, "query": WINDOWED, "changes": "SELECT 1"}, "changes lacks :since"),
        ({"loaded_at": "date"}, "source.loaded_at: 'date' is time.column, when a row happened"),
        ({"loaded_at": "loaded at"}, "loaded_at"),
        ({"loaded_at": "at", "loaded_within": "soon"}, "loaded_within"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused(source: dict[str, Any], expected: str) -> None:
    assert expected in _message(source={**SOURCE, **source})


def test_how_long_rows_may_stay_invisible_is_a_setting() -> None:
    assert make_use_case().source.overlap == timedelta(hours=1)
    for text, expected in {
        "90 minutes": timedelta(minutes=90),
        "2hours": timedelta(hours=2),
    }.items():
        source = make_use_case(source={**SOURCE, "loaded_within": text}).source
        assert source.overlap == expected


def test_how_a_source_is_watched_does_not_change_what_was_read_from_it() -> None:
    plain, watched = (
        make_use_case(source={**SOURCE, **fields}).source
        for fields in ({}, {"loaded_at": "at", "loaded_within": "2 hours"})
    )
    assert (plain.watched, watched.watched) == (False, True)
    assert plain.digest_text == watched.digest_text


def test_one_day_of_data_is_a_period() -> None:
    assert make_use_case(source={**SOURCE, "end": "2024-01-01"}).source.end is not None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"partitioning": {}}, "give either by (a key column) or hash"),
        ({"partitioning": {"by": "store", "hash": 10}}, "give either by (a key column) or hash"),
        ({"partitioning": {"by": "region"}}, "'region' is not one of the keys ['store', 'item']"),
        ({"partitioning": {"hash": 0}}, "partitioning.hash"),
        ({"keys": []}, "keys"),
        ({"keys": list("abcdefghi"), "partitioning": {"hash": 3}}, "keys"),
        ({"keys": ["store", "item id"]}, "keys.1"),
        ({"candidates": ["ridge"]}, "the baseline 'seasonal_naive' must be one of them"),
        ({"candidates": ["seasonal_naive", "ridge", "ridge"]}, "'ridge' is named twice"),
        ({"candidates": ["seasonal_naive", "prophet"]}, "candidates.1"),
        ({"time": {"column": "date", "frequency": "W"}}, "time.frequency"),
        ({"name": "Grocery Sales"}, "name"),
        ({"name": "g" * 41}, "name"),
        ({"horizon": 0}, "horizon"),
        ({"gaps": "drop"}, "'zero' or 'missing'"),
        ({"prediction_floor": float("nan")}, "prediction_floor"),
        ({"validation": {"folds": 0}}, "validation.folds"),
        ({"validation": {"interval": 1.0}}, "validation.interval"),
        ({"validation": {"min_observations": 1}}, "validation.min_observations"),
        ({"validation": {"metric": "r2"}}, "validation.metric"),
        ({"validation": {"levels": [0.8, 1]}}, "validation.levels.1"),
        ({"validation": {"levels": [0.8, 0.8]}}, "0.8 is there already, as one of the levels"),
        ({"validation": {"levels": [0.9]}}, "0.9 is there already, as interval"),
        ({"validation": {"metric": "pinball", "folds": 1}}, "give 2 folds or more"),
        ({"promotion": {"max_score": 0}}, "promotion.max_score"),
        ({"promotion": {"max_score": float("inf")}}, "promotion.max_score"),
        ({"promotion": {"beat_baseline_by": 1.0}}, "promotion.beat_baseline_by"),
        ({"promotion": {"min_share": 1.1}}, "promotion.min_share"),
        ({"features": {"known": "price"}}, "features.known"),
        ({"horizn": 3}, "horizn"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], expected: str) -> None:
    assert expected in _message(**fields)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"keys": ["store", "store"]}, "keys"),
        ({"keys": ["store", "STORE"]}, "keys"),
        ({"target": "item"}, "target"),
        ({"target": "Date"}, "target"),
        ({"time": {"column": "store", "frequency": "D"}}, "time.column"),
        ({"features": {"known": ["price", "price"]}}, "features.known"),
        ({"features": {"known": ["price"], "past": ["Price"]}}, "features.past"),
        ({"features": {"static": ["sold"]}}, "features.static"),
    ],
)
def test_a_column_has_one_role_whatever_the_case_of_its_letters(
    fields: dict[str, Any], path: str
) -> None:
    message = _message(**fields)
    assert f"{path}: column " in message
    assert "is used twice" in message


@pytest.mark.parametrize("name", [*sorted(LAKE_COLUMNS), "Partition", "WINDOW"])
@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("keys", lambda name: {"keys": [name], "partitioning": {"hash": 3}}),
        ("time.column", lambda name: {"time": {"column": name, "frequency": "D"}}),
        ("target", lambda name: {"target": name}),
        ("features.known", lambda name: {"features": {"known": [name]}}),
        ("features.past", lambda name: {"features": {"past": [name]}}),
        ("features.static", lambda name: {"features": {"static": [name]}}),
    ],
)
def test_no_column_is_called_like_one_that_the_lake_adds(path: str, fields: Any, name: str) -> None:
    message = _message(**fields(name))
    assert f"{path}: the platform has a column {name!r} of its own" in message
    assert f"{name} AS my_{name}" in message


@pytest.mark.parametrize("name", ["status", "Candidate", "score", "model_name", "verdict", "rows"])
def test_keys_and_static_features_are_not_called_like_columns_of_the_results(name: str) -> None:
    assert "of its own" in _message(keys=["store", name])
    assert "of its own" in _message(features={"static": [name]})


@pytest.mark.parametrize("name", ["lower_80", "Upper_80", "coverage_80"])
def test_keys_and_static_features_are_not_called_like_columns_of_interval_levels(name: str) -> None:
    assert "of its own" in _message(keys=["store", name], validation={"levels": [0.8]})
    make_use_case(keys=["store", name], validation={"levels": [0.85]})


def test_other_columns_may_be_called_like_columns_of_the_results() -> None:
    use_case = make_use_case(
        target="score",
        time={"column": "time", "frequency": "D"},
        features={"known": ["lower"], "past": ["coverage"]},
    )
    assert use_case.target == "score"


def test_tables_are_named_after_the_use_case() -> None:
    assert make_use_case(name="grocery").table("ledger") == "grocery_ledger"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Daily Sales", "daily_sales"),
        ("sales-2024", "sales_2024"),
        ("2024 sales", "use_case_2024_sales"),
        ("", "use_case_"),
        ("日本", "use_case_"),
        ("x" * 60, "x" * 40),
    ],
)
def test_any_text_has_a_nearest_use_case_name(text: str, name: str) -> None:
    assert as_identifier(text) == name
    assert make_use_case(name=name).name == name


def test_holidays_are_of_a_region_and_for_days_and_hours() -> None:
    assert make_use_case(features={"holidays": "DE-BY"}).features.holidays == "DE-BY"
    assert make_use_case(features={"holidays": False}).features.holidays == "NO"  # YAML's Norway
    assert "the holidays of 'XX' are unknown" in _message(features={"holidays": "XX"})
    weekly = {"time": {"column": "date", "frequency": "W-MON"}, "features": {"holidays": "US"}}
    assert "features.holidays: frequency 'W-MON' has no days; leave them away" in _message(**weekly)


@pytest.mark.parametrize(
    ("candidates", "groups", "wanted"),
    [
        ("auto", 9, False),
        ("auto", 10, True),
        (["seasonal_naive", "pooled"], 10, True),
        (["seasonal_naive", "pooled"], 9, False),
        (["seasonal_naive", "ridge"], 1_000, False),
    ],
)
def test_a_pooled_model_is_made_where_it_is_wanted_and_has_groups_enough(
    candidates: Any, groups: int, wanted: bool
) -> None:
    assert make_use_case(candidates=candidates).wants_pooled(groups) is wanted


def test_how_many_groups_a_pooled_model_takes_is_a_setting() -> None:
    assert make_use_case(candidates="auto", pooled={"groups_min": 2}).wants_pooled(2)
    with pytest.raises(ValidationError, match="groups_min"):
        make_use_case(pooled={"groups_min": 1})
