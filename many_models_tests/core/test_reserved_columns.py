from __future__ import annotations

import pytest

from many_models.core import registration
from many_models.core.forecast.ledger import training_schema
from many_models.core.forecast.scoring import prediction_schema, scoring_schema
from many_models.core.lake_schema import SHARD_COLUMNS, WINDOW
from many_models.core.reserved_columns import LAKE_COLUMNS, RESULT_COLUMNS
from many_models.core.result_tables.fact_schemas import drift_schema, ledger_schema, verdict_schema
from many_models.core.shapes import shape_of
from many_models_tests.core.tabular.rows import make_flights
from many_models_tests.fakes import make_use_case

USE_CASE = make_use_case(validation={"levels": [0.8, 0.975]})
LEDGERS = (training_schema, ledger_schema, verdict_schema, drift_schema)
SCHEMAS = (*LEDGERS, prediction_schema, scoring_schema)


def test_every_column_that_the_lake_adds_is_reserved() -> None:
    assert {WINDOW, *SHARD_COLUMNS} == LAKE_COLUMNS


def test_every_column_of_ledger_verdicts_and_predictions_is_reserved() -> None:
    columns = {name for schema in SCHEMAS for name in schema(USE_CASE).names}
    rules = USE_CASE.validation
    of_levels = {*rules.bound_columns, *rules.coverage_columns}
    assert {"lower_80", "upper_97_5", "coverage_80"} <= of_levels <= columns
    assert columns - set(USE_CASE.keys) <= RESULT_COLUMNS | of_levels


@pytest.mark.parametrize("problem", ["classification", "regression"])
def test_every_column_of_results_about_rows_is_reserved(problem: str) -> None:
    use_case = make_flights(problem)
    shape = shape_of(use_case)
    of_shape = (shape.training_schema, shape.prediction_schema, shape.scoring_schema)
    columns = {
        n for make in (*of_shape, ledger_schema, verdict_schema) for n in make(use_case).names
    }
    assert columns - {*use_case.keys, use_case.row_id} <= RESULT_COLUMNS


def test_every_tag_of_the_registries_is_reserved() -> None:
    tags = {getattr(registration, name) for name in dir(registration) if name.endswith("_TAG")}
    assert len(tags) >= 7
    assert tags <= RESULT_COLUMNS


def test_reserved_names_are_in_lower_case() -> None:
    assert {name.lower() for name in RESULT_COLUMNS} == RESULT_COLUMNS
