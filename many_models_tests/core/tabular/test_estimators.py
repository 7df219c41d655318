from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from many_models.core.tabular.estimators import Encoding, built_in_names, make_candidate

ROWS = pd.DataFrame({"wind": np.arange(60.0) % 7, "carrier": pd.Series(list("AB") * 30)})
ROWS["carrier"] = ROWS["carrier"].astype(object)
LATE = (ROWS["wind"] > 3).to_numpy().astype(np.int64)
STRANGE = pd.DataFrame(
    {"wind": [np.nan, 5.0, np.nan], "carrier": pd.Series(["Z", np.nan, "A"], dtype=object)}
)


def wind_alone(depth: int = 2) -> Pipeline:
    """A Pipeline of a company's own, which takes the frame as it is."""
    return make_pipeline(
        FunctionTransformer(lambda rows: rows[["wind"]].fillna(0)),
        DecisionTreeClassifier(max_depth=depth),
    )


def candidate(
    path: str, problem: Any = "classification", encoding: Encoding | None = None, **given: Any
) -> Pipeline:
    return make_candidate(path, given, problem, encoding, (["wind"], ["carrier"]), seed=7)


@pytest.mark.parametrize("problem", ["classification", "regression"])
def test_unseen_categories_and_missing_values_are_no_obstacle(problem: Any) -> None:
    for name in built_in_names(problem):
        found = candidate(name, problem).fit(ROWS, LATE).predict(STRANGE)
        assert np.isfinite(found).all()


@pytest.mark.parametrize("name", ["logistic", "gradient_boosting"])
def test_columns_may_be_missing_altogether_in_training(name: str) -> None:
    nothing = ROWS.assign(wind=np.nan, carrier=pd.Series([np.nan] * len(ROWS), dtype=object))
    assert len(candidate(name).fit(nothing, LATE).predict(ROWS)) == len(ROWS)


@pytest.mark.parametrize("name", ["logistic", "gradient_boosting"])
def test_more_categories_than_there_is_room_for_share_one(name: str) -> None:
    many = ROWS.assign(carrier=pd.Series([f"C{n}" for n in range(len(ROWS))], dtype=object))
    rows = pd.concat([many.assign(carrier=many["carrier"] + str(n)) for n in range(6)])
    fitted = candidate(name).fit(rows, np.tile(LATE, 6))
    assert (fitted.predict(ROWS) == LATE).mean() > 0.9


@pytest.mark.parametrize("columns", [(["wind"], []), ([], ["carrier"])])
@pytest.mark.parametrize("name", ["logistic", "gradient_boosting"])
def test_features_of_one_kind_are_enough(name: str, columns: tuple[list[str], list[str]]) -> None:
    fitted = make_candidate(name, {}, "classification", None, columns, seed=7).fit(ROWS, LATE)
    assert len(fitted.predict(STRANGE)) == 3


def test_an_estimator_of_any_package_is_made_with_its_parameters_and_seeded() -> None:
    path = "sklearn.ensemble.RandomForestClassifier"
    assert candidate(path, max_depth=3)["model"].get_params()["max_depth"] == 3
    assert candidate(path)["model"].get_params()["random_state"] == 7
    assert candidate(path, random_state=1)["model"].get_params()["random_state"] == 1


def test_a_pipeline_of_ones_own_gets_the_frame_as_it_is() -> None:
    fitted = candidate(f"{__name__}.wind_alone", encoding="none", depth=3).fit(ROWS, LATE)
    assert (fitted.predict(ROWS) == LATE).all()
    assert fitted["model"][-1].get_params()["random_state"] == 7
