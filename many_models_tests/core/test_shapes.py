from __future__ import annotations

from typing import Any, get_args

import pytest

from many_models.core.forecast.ledger import training_schema
from many_models.core.shapes import shape_of
from many_models.core.use_case import AnyUseCase, ProblemName
from many_models_tests.core.tabular.rows import make_flights
from many_models_tests.fakes import make_use_case

USE_CASES: dict[str, AnyUseCase] = {
    "forecast": make_use_case(),
    "regression": make_flights("regression"),
    "classification": make_flights("classification"),
}


@pytest.mark.parametrize("problem", get_args(ProblemName))
def test_every_problem_has_all_that_the_steps_ask_of_a_shape(problem: str) -> None:
    use_case = USE_CASES[problem]
    shape = shape_of(use_case)
    ledger = shape.training_schema(use_case).names
    judged = ["partition", "group_key", "status", "reason", "candidate", "score", "baseline_score"]
    assert {*judged, "evaluated_from", "trained_through", "payload", *use_case.keys} <= {*ledger}
    assert {*shape.figures(use_case), *shape.parameters, use_case.metric} <= {*ledger}
    found = {"origin", "time", "prediction", "source", "model_name", "model_version"}
    assert found <= {*shape.prediction_schema(use_case).names}
    assert {"origin", "source", "reason"} <= {*shape.scoring_schema(use_case).names}


@pytest.mark.parametrize("problem", get_args(ProblemName))
def test_a_specimen_takes_its_own_example(problem: str) -> None:
    specimen = shape_of(USE_CASES[problem]).make_specimen(USE_CASES[problem])
    assert "prediction" in specimen.predict(specimen.example()).columns


def test_a_forecast_is_the_shape_by_default() -> None:
    use_case: Any = make_use_case()
    assert shape_of(use_case).training_schema(use_case) == training_schema(use_case)
