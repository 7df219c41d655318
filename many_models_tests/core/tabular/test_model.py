from __future__ import annotations

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.svm import LinearSVC

from many_models.core.tabular.model import fit_candidate, load_model, make_model, make_specimen
from many_models_tests.core.tabular.rows import make_flights, make_route


def features() -> pd.DataFrame:
    route = make_route(80)
    return pd.DataFrame({name: route[name] for name in ("hour", "wind", "carrier")})


def test_a_class_comes_with_its_probability_and_those_of_all_classes() -> None:
    use_case = make_flights()
    late = np.array([text == "on time" for text in make_route(80)["late"]]).astype(np.int64)
    fitted = fit_candidate(use_case, "logistic", features(), late)
    model = make_model(use_case, ("", ""), ("logistic", fitted), ("late", "on time"), (0, 80))
    rows = features().head(5).set_axis(list("abcde"))
    found = model.predict(rows[["carrier", "wind", "hour"]].assign(more=1))
    assert list(found.index) == list("abcde")
    assert found["prediction"].tolist() == make_route(80)["late"][:5]
    shares = [json.loads(text) for text in found["probabilities"]]
    assert [max(share.values()) for share in shares] == pytest.approx(
        found["probability"].tolist(), abs=1e-6
    )
    assert all(sum(share.values()) == pytest.approx(1, abs=1e-5) for share in shares)


def test_an_estimator_that_tells_no_probabilities_predicts_nonetheless() -> None:
    use_case = make_flights()
    numbers = np.arange(80) % 2
    fitted = LinearSVC().fit(features()[["wind"]], numbers)
    model = make_model(use_case, ("", ""), ("svc", _Wind(fitted)), ("late", "on time"), (0, 80))
    found = model.predict(features())
    assert set(found["prediction"]) <= {"late", "on time"}
    assert found["probability"].isna().all()
    assert found["probabilities"].isna().all()


class _Wind:
    def __init__(self, fitted: LinearSVC) -> None:
        self._fitted = fitted

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        found: np.ndarray = self._fitted.predict(rows[["wind"]])
        return found


@pytest.mark.parametrize("problem", ["classification", "regression"])
def test_a_specimen_takes_and_returns_what_all_models_do(problem: str) -> None:
    specimen = load_model(pickle.dumps(make_specimen(make_flights(problem))))
    assert list(specimen.example().columns) == ["hour", "wind", "carrier"]
    more = ["probability", "probabilities"] if problem == "classification" else []
    assert list(specimen.predict(specimen.example()).columns) == ["prediction", *more]


@pytest.mark.parametrize("problem", ["classification", "regression"])
def test_no_rows_have_no_predictions(problem: str) -> None:
    specimen = make_specimen(make_flights(problem))
    one = specimen.example()
    none = specimen.predict(one.head(0))
    assert len(none) == 0
    assert list(none.columns) == list(specimen.predict(one).columns)


def test_a_payload_that_is_something_else_is_refused() -> None:
    with pytest.raises(TypeError, match="holds a dict, not a TabularModel"):
        load_model(pickle.dumps({}))
