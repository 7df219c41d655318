from __future__ import annotations

from typing import Any

import pytest

from many_models.core.config_version import NO_MATTER, config_version
from many_models.core.forecast.use_case import UseCase
from many_models.core.tabular.use_case import TabularUseCase
from many_models_tests.core.tabular.rows import make_flights
from many_models_tests.fakes import make_use_case

SOURCE = {"url": "sqlite:///sales.db", "table": "sales", "start": "2024-01-01"}
QUERY = "SELECT * FROM sales WHERE date >= :window_start AND date < :window_end"


@pytest.mark.parametrize(
    "fields",
    [
        {"description": "Sales of all stores."},
        {"source": {**SOURCE, "url": "postgresql://elsewhere/sales"}},
        {"source": {**SOURCE, "window": "monthly"}},
        {"source": {**SOURCE, "end": "2026-01-01"}},
        {"source": {**SOURCE, "loaded_at": "loaded", "expected_within_hours": 6}},
        {"promotion": {"max_score": 0.8}},
        {"predictions": {"max_fallback_share": 0.2}},
        {"drift": {"error_ratio": 2}},
        {"schedules": {"train": None}},
        {"core_minutes": 5},
        {"retraining": {"reasons": ["age"]}},
        {"validation": {"folds": 3}},
        {"ensembles": True},
    ],
)
def test_what_models_do_not_depend_on_changes_nothing(fields: dict[str, Any]) -> None:
    assert config_version(make_use_case(**fields)) == config_version(make_use_case())


@pytest.mark.parametrize(
    "fields",
    [
        {"source": {**SOURCE, "table": "orders"}},
        {"source": {**SOURCE, "start": "2023-01-01"}},
        {"keys": ["store"]},
        {"partitioning": {"hash": 10}},
        {"target": "revenue"},
        {"time": {"column": "date", "frequency": "W-MON"}},
        {"horizon": 14},
        {"gaps": "missing"},
        {"prediction_floor": 0},
        {"features": {"known": ["price"]}},
        {"candidates": ["seasonal_naive", "ridge"]},
        {"candidates": "auto"},
        {"ensembles": False},
        {"seconds_per_group": 2},
        {"pooled": {"groups_min": 5}},
        {"validation": {"folds": 4}},
    ],
)
def test_what_models_depend_on_changes_it(fields: dict[str, Any]) -> None:
    assert config_version(make_use_case(**fields)) != config_version(make_use_case())


def test_the_layout_of_a_query_does_not_count_and_its_text_does() -> None:
    def version(query: str) -> str:
        source = {"url": SOURCE["url"], "start": SOURCE["start"], "query": query}
        return config_version(make_use_case(source=source))

    assert version(QUERY) == version(QUERY.replace(" WHERE", "\n  WHERE"))
    assert version(QUERY) != version(QUERY.replace("*", "store, item, date, sold"))


def test_rows_have_one_too() -> None:
    use_case = make_flights()
    assert config_version(use_case) == config_version(make_flights())
    other = make_flights(validation={"min_rows": 30})
    assert config_version(use_case) != config_version(other)


def test_every_field_of_a_use_case_either_counts_or_is_named_as_one_that_does_not() -> None:
    """Whoever adds a field decides; a new part of the file must not retrain everything."""
    counted = {
        *("problem", "keys", "partitioning", "time", "target", "horizon", "gaps"),
        *("prediction_floor", "features", "candidates", "ensembles", "pooled"),
        *("seconds_per_group", "validation", "row_id", "days_ahead"),
    }
    for shape in (UseCase, TabularUseCase):
        assert set(shape.model_fields) <= counted | NO_MATTER
