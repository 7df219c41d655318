from __future__ import annotations

import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from many_models.core.errors import UseCaseError
from many_models.core.lake_schema import raw_columns
from many_models.core.tabular.use_case import TabularUseCase
from many_models.core.use_case_file import parse_use_case
from many_models_tests.core.tabular.rows import make_flights

TEXT = """
problem: classification
name: flights
source: {url: "sqlite:///f.db", table: flights, start: 2024-01-01}
keys: [origin_airport, dest]
partitioning: {by: origin_airport}
time: {column: departs}
row_id: flight
target: late
features: {numeric: [hour], categorical: [carrier]}
candidates:
  - majority_class
  - {estimator: sklearn.ensemble.HistGradientBoostingClassifier, with: {max_depth: 3}}
  - {name: forest, estimator: sklearn.ensemble.RandomForestClassifier, encoding: ordinal}
validation: {holdout: {by: time, from: 2024-03-01}}
"""


def complaint(text: str) -> str:
    with pytest.raises(UseCaseError) as failure:
        parse_use_case(text, name="flights.yaml")
    return str(failure.value)


def message(problem: str = "classification", **fields: Any) -> str:
    with pytest.raises(ValidationError) as failure:
        make_flights(problem, **fields)
    return str(failure.value)


def test_a_file_says_which_problem_it_is_about() -> None:
    use_case = parse_use_case(TEXT, name="flights.yaml")
    assert isinstance(use_case, TabularUseCase)
    names = ("majority_class", "HistGradientBoostingClassifier", "forest")
    assert use_case.candidate_names == names
    assert use_case.candidates[1].parameters == {"max_depth": 3}
    assert pickle.loads(pickle.dumps(use_case)) == use_case


def test_the_source_gives_numbers_text_and_a_time() -> None:
    schema = raw_columns(make_flights())
    types = dict(zip(schema.names, schema.types, strict=True))
    text, number = "string", "double"
    assert {name: str(kind) for name, kind in types.items()} == {
        **{"origin_airport": text, "dest": text, "departs": "timestamp[us]"},
        **{"hour": number, "wind": number, "late": text, "flight": text, "carrier": text},
    }
    assert sorted(types) == sorted(make_flights().columns)
    assert str(raw_columns(make_flights("regression")).field("delay").type) == number


@pytest.mark.parametrize(
    ("problem", "names", "metric"),
    [
        ("classification", ("majority_class", "logistic", "gradient_boosting"), "accuracy"),
        ("regression", ("mean", "ridge", "gradient_boosting"), "mae"),
    ],
)
def test_by_default_the_baseline_a_linear_model_and_trees_compete(
    problem: str, names: tuple[str, ...], metric: str
) -> None:
    for default in (None, "auto"):
        use_case = make_flights(problem, candidates=default)
        assert (use_case.candidate_names, use_case.metric) == (names, metric)
    assert use_case.baseline == names[0]


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ("horizon: 7", "  horizon: makes no sense in problem 'classification', only in forecast"),
        ("gaps: zero", "  gaps: makes no sense in problem 'classification', only in forecast"),
        ("row_ids: x", "  row_ids: unknown field; did you mean 'row_id'?"),
    ],
)
def test_what_is_for_another_problem_is_refused(wrong: str, line: str) -> None:
    assert line in complaint(TEXT + wrong)


def test_fields_of_another_problem_inside_a_section_are_refused_by_path() -> None:
    wrong = TEXT.replace("numeric: [hour]", "known: [hour]")
    assert "  features.known: makes no sense in problem 'classification'" in complaint(wrong)
    wrong = TEXT.replace("{column: departs}", "{column: departs, frequency: D}")
    assert "  time.frequency: makes no sense in problem 'classification'" in complaint(wrong)
    wrong = TEXT.replace("problem: classification\n", "")
    assert "  problem: it is missing, and row_id is a field of regression" in complaint(wrong)
    wrong = wrong.replace("row_id", "days_ahead: 3 #")
    assert "  days_ahead: makes no sense in problem 'forecast', only in regr" in complaint(wrong)


def test_an_unknown_problem_is_refused() -> None:
    wrong = TEXT.replace("problem: classification", "problem: clustering")
    assert "problem: must be one of forecast, regression, classification" in complaint(wrong)


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        ("logistics", "candidates.1.estimator: 'logistics' is unknown; for classification"),
        ("sklearn.nothing.Model", "candidates.1.estimator: 'sklearn.nothing.Model' cannot be"),
        ("sklearn.ensemble.Model", "candidates.1.estimator: 'sklearn.ensemble.Model' cannot be"),
        ("sklearn.ensemble.__doc__", "is a str, not a class or a function"),
        ("collections.OrderedDict", "makes a OrderedDict, not an estimator"),
        ("sklearn.linear_model.Ridge", "makes a Ridge, which is no classifier"),
        ({"estimator": "logistic", "with": {"depth": 3}}, "logistic cannot be made with"),
        ("majority_class", "candidates.1: 'majority_class' is named twice"),
        (
            {"estimator": "logistic", "with": {"C": -1}},
            "cannot be made with {'C': -1}: The 'C' par",
        ),
        ({"estimator": "logistic", "encoding": "hash"}, "candidates.1.encoding"),
        ({"estimator": "os; rm"}, "candidates.1.estimator"),
    ],
)
def test_a_candidate_that_cannot_be_made_is_refused(candidate: object, expected: str) -> None:
    assert expected in message(candidates=["majority_class", candidate])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"candidates": ["logistic"]}, "the baseline 'majority_class' must be one of them"),
        ({"validation": {"metric": "mase"}}, "validation.metric: 'mase' is none of accuracy"),
        ({"promotion": {"max_score": 1}}, "promotion.max_score: accuracy is better higher"),
        ({"promotion": {"min_score": 80}}, "promotion.min_score: 80 is above 1, the best acc"),
        ({"promotion": {"min_coverage": 0.5}}, "promotion.min_coverage: only forecasts"),
        ({"features": {}}, "name at least one numeric or categorical column"),
        ({"features": {"numeric": ["late"]}}, "features.numeric: column 'late' is used twice"),
        ({"row_id": "prediction"}, "row_id: the platform has a column 'prediction' of its own"),
        ({"days_ahead": 0}, "days_ahead"),
        (
            {"validation": {"holdout": {"by": "random", "from": "2024-03-01"}}},
            "from: a holdout by random has a share, not a date",
        ),
        (
            {"validation": {"holdout": {"from": "2024-01-01"}}},
            "validation.holdout.from: 2024-01-01 leaves nothing to learn from, as the data begin",
        ),
        (
            {
                "source": {"url": "u", "table": "t", "start": "2024-01-01", "end": "2024-02-01"},
                "validation": {"holdout": {"from": "2024-02-02"}},
            },
            "validation.holdout.from: 2024-02-02 holds nothing out, as the data end on 2024-02-01",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], expected: str) -> None:
    assert expected in message(**fields)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"validation": {"positive_class": "late"}}, "validation.positive_class: a regression"),
        ({"validation": {"holdout": {"by": "stratified"}}}, "validation.holdout.by: a regression"),
        ({"promotion": {"min_score": 1}}, "promotion.min_score: mae is better lower"),
    ],
)
def test_a_regression_has_no_classes(fields: dict[str, Any], expected: str) -> None:
    assert expected in message("regression", **fields)
